"""What a client sends about a connection, checked before aiortc reads it.

Used by the sessions. A description that passes is bounded in size, and every ICE candidate that passes is a plain
UDP address: names are not resolved, and multicast, broadcast and link-local addresses (where cloud metadata lives)
are left out, so that nobody can use the server to knock on other doors.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aiortc.sdp import candidate_from_sdp

from tui.core.sdp import check_repeats, is_usable_candidate
from tui.errors import WireError

if TYPE_CHECKING:
    from aiortc import RTCIceCandidate

SDP_LIMIT = 256 << 10
"""Characters of one description."""

LINE_LIMIT = 8 << 10
"""Characters of one line of a description."""

LINES_LIMIT = 6000
"""Lines of one description."""

SECTION_LIMIT = 160
"""Media sections of one description."""

CANDIDATE_LIMIT = 100
"""Candidates of one connection, in the description and trickled."""

_CANDIDATE = "a=candidate:"
_RTPMAP = re.compile(r"a=rtpmap:(\d+) ")
_KINDS = frozenset({"audio", "video", "application"})


def checked_sdp(text: str, *, loopback: bool) -> str:
    """The description without unusable candidates; raises `WireError` when it is out of bounds."""
    if len(text) > SDP_LIMIT or not text.isascii():
        raise WireError("SDP is too long or not ASCII")
    lines = text.splitlines()
    if not lines or not lines[0].startswith("v=0"):
        raise WireError("SDP does not begin with its version")
    if len(lines) > LINES_LIMIT:
        raise WireError("SDP has too many lines")
    _check_sections(lines)
    kept: list[str] = []
    candidates = 0
    for line in lines:
        if len(line) > LINE_LIMIT:
            raise WireError("SDP has a line that is too long")
        # Candidates may follow one by one, so the end is never taken for granted.
        if line.startswith("a=end-of-candidates"):
            continue
        if line.startswith(_CANDIDATE):
            candidates += 1
            if candidates > CANDIDATE_LIMIT or checked_candidate(line[2:], loopback=loopback) is None:
                continue
        kept.append(line)
    return "\r\n".join(kept) + "\r\n"


def _check_sections(lines: list[str]) -> None:
    # aiortc puts every section on the transport of the bundle's first mid, and crashes later when there is none.
    mids: list[str] = []
    bundled: list[str] = []
    starts = [number for number, line in enumerate(lines) if line.startswith("m=")]
    for start, end in zip(starts, [*starts, len(lines)][1:], strict=True):
        check_repeats(lines[start:end])
    for line in lines:
        if line.startswith("m="):
            if line[2:].partition(" ")[0] not in _KINDS:
                raise WireError("SDP has a section of an unknown kind")
            mids.append("")
        elif line.startswith("a=mid:") and mids:
            mids[-1] = line.removeprefix("a=mid:")
        elif line.startswith("a=group:BUNDLE"):
            bundled += line.split()[1:]
    if not 0 < len(mids) <= SECTION_LIMIT:
        raise WireError("SDP has no media sections, or too many")
    if len(set(mids)) < len(mids) or not set(bundled) <= set(mids):
        raise WireError("SDP bundles what it does not have")


def checked_candidate(text: str, *, loopback: bool) -> RTCIceCandidate | None:
    """The candidate of a ``candidate:`` line, or ``None`` when it is broken or not to be tried.

    A server that others can reach tries no ``loopback`` address: it would be its own.
    """
    text = text.removeprefix("a=").removeprefix("candidate:")
    if len(text) > LINE_LIMIT or not is_usable_candidate(text, loopback=loopback):
        return None
    try:
        candidate = candidate_from_sdp(text)
    except (ValueError, AssertionError, IndexError):
        return None
    known = candidate.type in ("host", "srflx", "prflx", "relay")
    return candidate if known and candidate.component == 1 and candidate.protocol.lower() == "udp" else None


def is_dropped_in_silence(sdp: str) -> bool:
    """Whether AMS would drop this SDP without an error (signalling reference, 5.7)."""
    lines = sdp.splitlines()
    if any("opus" in line and "opus/48000/2" not in line for line in lines):
        return True
    named = {match[1] for line in lines if (match := _RTPMAP.match(line))}
    media = [line.split() for line in lines if line.startswith(("m=audio ", "m=video "))]
    return any(not named.issuperset(words[3:]) for words in media if words[2:3] == ["UDP/TLS/RTP/SAVPF"])
