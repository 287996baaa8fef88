"""STUN and TURN servers: which ones a connection may gather with.

Used by the link, for what the user names and for what the server names. Nothing public is ever contacted that nobody
named (hostile inputs, WS-23 and ICE-9). Source: signalling reference, 3.3.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aiortc import RTCIceServer

SERVER_LIMIT = 8
"""ICE servers that are looked at; the media library uses the first STUN and the first TURN address among them."""

_TRANSPORTS: Final = {"stun": "udp", "turn": "udp", "turns": "tcp"}
_URI = re.compile(
    r"(?P<scheme>stun|turn|turns):(?P<host>[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?)(:(?P<port>[0-9]{1,5}))?"
    r"(\?transport=(?P<transport>udp|tcp))?\Z"
)


@dataclass(frozen=True, slots=True)
class IceAddress:
    """Where a server is; ``scheme`` is stun, turn or turns, ``transport`` udp or tcp."""

    scheme: str
    host: str
    port: int
    transport: str


def ice_address(uri: str) -> IceAddress | None:
    """What a ``stun:``, ``turn:`` or ``turns:`` address says; ``None`` when it cannot be used."""
    match = _URI.match(uri)
    if match is None or not 0 < int(match["port"] or 1) < 65536:
        return None
    scheme, transport = match["scheme"], match["transport"]
    forbidden = {"stun": ("udp", "tcp"), "turn": (), "turns": ("udp",)}
    if transport in forbidden[scheme]:
        return None
    usual = 5349 if scheme == "turns" else 3478
    return IceAddress(scheme, match["host"], int(match["port"] or usual), transport or _TRANSPORTS[scheme])


def is_ice_uri(uri: str) -> bool:
    """Whether this is a ``stun:``, ``turn:`` or ``turns:`` address that can be used."""
    return ice_address(uri) is not None


def is_private(host: str) -> bool:
    """Whether the address is one of a local network or of this machine; a name is not."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return not address.is_global


def named(uris: Sequence[str], username: str, credential: str) -> list[RTCIceServer] | None:
    """The servers that somebody named, ``None`` when nobody did: then the server is asked."""
    from aiortc import RTCIceServer

    return [RTCIceServer(uri, username or None, credential or None) for uri in uris] or None


def usable(servers: Iterable[RTCIceServer], *, private: bool = True) -> tuple[list[RTCIceServer], list[str]]:
    """The servers that can be used, and a line for each that cannot; ``private`` says that local ones may be."""
    from aiortc import RTCIceServer

    kept: list[RTCIceServer] = []
    complaints: list[str] = []
    for server in servers:
        for uri in [server.urls] if isinstance(server.urls, str) else server.urls:
            match = _URI.match(uri)
            shown = printable(uri, 80)
            if len(kept) == SERVER_LIMIT:
                complaints.append(f"only {SERVER_LIMIT} ICE servers are used")
                return kept, complaints
            if match is None or not is_ice_uri(uri):
                complaints.append(f"the ICE server {shown!r} cannot be used")
            elif not private and is_private(match["host"]):
                complaints.append(f"the ICE server {shown!r} is in a local network, unlike the server that names it")
            else:
                kept.append(RTCIceServer(uri, server.username or None, server.credential or None))
    return kept, complaints
