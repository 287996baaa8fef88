"""A server's address: what a URL must look like, and what follows from it. Pure, and cheap to import.

Used by the configuration before anything is connected, and by the adaptor. Source: signalling reference, 1.1.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from tui.errors import UsageError
from tui.text import printable

_LIMIT = 2048
EXAMPLE = "example: wss://host:5443/live/websocket"
_PAGE = "or a page's address, https://host:5443/APP/ROOM"


def check_url(url: str) -> str:
    """The URL as it will be used; raises `UsageError` naming the part that is wrong."""
    if len(url) > _LIMIT:
        raise UsageError(f"the server URL is too long (limit {_LIMIT} characters)", EXAMPLE)
    if any(character.isspace() or not character.isprintable() for character in url):
        raise UsageError("the server URL contains blanks or control characters, or is not UTF-8", EXAMPLE)
    # First of all, so that no other complaint repeats a password.
    if "@" in re.split("[/?#]", url.partition("://")[2] or url, maxsplit=1)[0]:
        raise UsageError("the server URL contains a user name or password", "use --token or --token-file")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"the server URL {printable(url)!r} is malformed: {error}") from error
    if parts.scheme not in ("ws", "wss"):
        raise UsageError(
            f"the server URL {printable(url)!r} must begin with ws:// or wss://",
            f"{EXAMPLE} {_PAGE}",
        )
    if not parts.hostname:
        raise UsageError(f"the server URL {printable(url)!r} names no host")
    if not _is_host(parts.hostname):
        raise UsageError(f"the host {printable(parts.hostname, 80)!r} of the server URL cannot be", EXAMPLE)
    if port == 0:
        raise UsageError(f"the server URL {printable(url)!r} has port 0")
    return url


def _is_host(host: str) -> bool:
    """Whether this is an address, or a name that can be looked up."""
    try:
        return bool(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        return re.fullmatch(r"[\w.-]{1,253}", host.encode("idna").decode(), re.ASCII) is not None
    except UnicodeError:
        return False


def is_loopback(url: str) -> bool:
    """Whether the server is on this machine, so that media needs loopback addresses only."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def with_target(url: str, target: str) -> str:
    """The URL with the SDK's cluster hint ``target=origin|edge``, left alone when it has one."""
    parts = urlsplit(url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    if any(key == "target" and value in ("origin", "edge") for key, value in query):
        return url
    query = [(key, value) for key, value in query if key != "target"]
    return urlunsplit(parts._replace(query=urlencode([*query, ("target", target)])))
