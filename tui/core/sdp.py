"""What an SDP says about tracks and candidates: sections, directions, names. Pure text in, text out.

Used by the door, by `core.peer`, and by the local room server for its candidates. Everything is within limits once it
is parsed (hostile inputs, section 4).
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tui.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Sequence

SDP_LIMIT = 256 << 10
LINE_LIMIT = 6000
"""Lines of one description: 64 people's sound and picture by libwebrtc with the codecs that AMS offers."""

SECTION_LIMIT = 129
"""Media sections that a connection takes: sound and picture of 64 people, and the channel. The rest is rejected."""

REPEATS_LIMITS = {"a=ssrc:": 64, "a=rtpmap:": 128, "a=fmtp:": 128}
"""Lines of one section that aiortc reads in quadratic time: seconds for thousands of them."""

NAME_LIMIT = 256
"""Characters of a mid or of a track's id."""

TRACK_PREFIXES = ("ARDAMSv", "ARDAMSa")
"""What AMS puts in front of a track's name (signalling reference, 5.3)."""

DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")
"""What a section may say about who sends."""

_MID = re.compile(rf"[!-~]{{1,{NAME_LIMIT}}}")


class RenewalError(WireError):
    """An offer that this connection cannot follow: the room has to be played anew."""


@dataclass(frozen=True, slots=True)
class Section:
    """One m-section: its ``m=`` line first, all lines without their ends."""

    lines: tuple[str, ...]

    @property
    def kind(self) -> str:
        """``audio``, ``video``, ``application`` or whatever the other end made up."""
        return self.lines[0][2:].split(" ", 1)[0]

    @property
    def mid(self) -> str:
        """The media id, empty when the section has none, an impossible one or more than one."""
        mids = [line[len("a=mid:") :] for line in self.lines if line.startswith("a=mid:")]
        return mids[0] if len(mids) == 1 and _MID.fullmatch(mids[0]) else ""

    @property
    def rejected(self) -> bool:
        """Port 0 without ``a=bundle-only``: this section carries nothing any more."""
        return self.lines[0].split(" ")[1:2] == ["0"] and "a=bundle-only" not in self.lines

    @property
    def direction(self) -> str:
        """``sendrecv`` when nothing is said, as the standard has it."""
        return next((name for name in DIRECTIONS if f"a={name}" in self.lines), "sendrecv")

    @property
    def sends(self) -> bool:
        """Whether the other end sends media here now."""
        return self.kind != "application" and not self.rejected and self.direction in ("sendrecv", "sendonly")

    @property
    def track_id(self) -> str:
        """The second part of ``a=msid``, empty without one."""
        return (self.attribute("msid") or "").partition(" ")[2][:NAME_LIMIT]

    @property
    def ssrcs(self) -> tuple[int, ...]:
        """The synchronisation sources that ``a=ssrc`` lines name."""
        found = (line[len("a=ssrc:") :].partition(" ")[0] for line in self.lines if line.startswith("a=ssrc:"))
        return tuple(dict.fromkeys(int(ssrc) for ssrc in found if ssrc.isdecimal() and len(ssrc) <= 10))

    @property
    def formats(self) -> tuple[str, ...]:
        """The payload types of the ``m=`` line."""
        return tuple(self.lines[0].split(" ")[3:])

    @property
    def codecs(self) -> tuple[str, ...]:
        """The formats and what they mean; another tuple needs another decoder."""
        return (*self.formats, *(line for line in self.lines if line.startswith("a=rtpmap:")))

    def attribute(self, name: str) -> str | None:
        """The value of the first ``a=name:value`` line."""
        prefix = f"a={name}:"
        return next((line[len(prefix) :] for line in self.lines if line.startswith(prefix)), None)


@dataclass(frozen=True, slots=True)
class Description:
    """A whole SDP, split at its ``m=`` lines."""

    session: tuple[str, ...]
    sections: tuple[Section, ...]

    @classmethod
    def parse(cls, text: str) -> Description:
        """Raises `WireError` for what is not an SDP or is beyond the limits."""
        if len(text) > SDP_LIMIT:
            raise WireError(f"SDP of {len(text)} characters refused (limit {SDP_LIMIT})")
        lines = text.splitlines()  # as aiortc does, so that both see the same lines
        if lines[:1] != ["v=0"]:
            raise WireError("not an SDP: it does not begin with v=0")
        if len(lines) > LINE_LIMIT:
            raise WireError(f"SDP of {len(lines)} lines refused (limit {LINE_LIMIT})")
        starts = [number for number, line in enumerate(lines) if line.startswith("m=")]
        ends = [*starts, len(lines)][1:]
        sections = tuple(Section(tuple(lines[start:end])) for start, end in zip(starts, ends, strict=True))
        for section in sections:
            check_repeats(section.lines)
        return cls(tuple(lines[: starts[0]] if starts else lines), sections)

    def __str__(self) -> str:
        lines = [*self.session, *(line for section in self.sections for line in section.lines)]
        return "\r\n".join(lines) + "\r\n"


@dataclass(frozen=True, slots=True)
class TrackLine:
    """A track that an offer describes: ``track_id`` such as ``ARDAMSvvideoTrack0``.

    ``place`` is the mid under which aiortc knows the track's section; ``mid`` is the other end's.
    """

    mid: str
    kind: str
    track_id: str
    place: str = field(default="", compare=False)
    codecs: tuple[str, ...] = field(default=(), compare=False)

    @property
    def label(self) -> str:
        """The track's name without AMS's prefix: a slot label or a participant's stream id."""
        return track_label(self.track_id)

    def continues(self, earlier: TrackLine) -> bool:
        """Whether this is still the same track: its owner, its place and its decoder are as they were."""
        return self == earlier and (self.place, self.codecs) == (earlier.place, earlier.codecs)


def check_repeats(lines: Sequence[str]) -> None:
    """Raises `WireError` for a section that is beyond `REPEATS_LIMITS`."""
    for kind, limit in REPEATS_LIMITS.items():
        if sum(line.startswith(kind) for line in lines) > limit:
            raise WireError(f"SDP section of more than {limit} lines {kind!r} refused")


def track_label(track_id: str) -> str:
    """``ARDAMSvvideoTrack0`` -> ``videoTrack0``; anything without the prefix stays as it is."""
    return track_id[7:] if track_id.startswith(TRACK_PREFIXES) else track_id


def is_usable_candidate(candidate: str, *, loopback: bool) -> bool:
    """Whether a ``candidate:`` text (with or without that prefix) is UDP or TCP to a literal address.

    Only a server on this machine may name a ``loopback`` address: nobody shall use us to knock on other doors.
    """
    words = candidate.removeprefix("candidate:").split()
    if len(words) < 8 or words[6] != "typ" or words[2].lower() not in ("udp", "tcp"):
        return False
    try:
        address = ipaddress.ip_address(words[4])
        numbers_fit = int(words[1]) in (1, 2) and 0 < int(words[5]) < 65536 and int(words[3]) >= 0
        for key, value in zip(words[8::2], words[9::2], strict=False):
            if key == "rport":
                int(value)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_loopback:
        return numbers_fit and loopback
    # Link-local and reserved: the cloud's metadata service and broadcast.
    nowhere = address.is_multicast or address.is_unspecified or address.is_link_local or address.is_reserved
    return numbers_fit and not nowhere
