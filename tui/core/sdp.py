"""What an SDP says about tracks, and the door through which every remote offer passes before aiortc sees it.

Used by `core.peer`. Pure text in, text out. `Door` remembers one play connection: it shows aiortc an append-only
list of sections that it can negotiate, and puts the answer back into the order and the rejections that the other
end expects (aiortc reference: traps 4, 5, 6 and libwebrtc rows 2, 3, 5, 8, 9, 10).
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tui.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Mapping

SDP_LIMIT = 256 << 10
LINE_LIMIT = 2000
SECTION_LIMIT = 64
TRACK_PREFIXES = ("ARDAMSv", "ARDAMSa")
"""What AMS puts in front of a track's name (signalling reference, 5.3)."""

_DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")
_STATIC_AUDIO = frozenset({"0", "8", "9"})
_AUDIO_CODECS = frozenset({"opus", "pcmu", "pcma", "g722"})
_ABS_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
_PAYLOAD_LINE = re.compile(r"a=(?:rtpmap|fmtp|rtcp-fb):(\d+)[ /]")


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
        """The media id, empty when the section has none or more than one."""
        mids = [line[len("a=mid:") :] for line in self.lines if line.startswith("a=mid:")]
        return mids[0] if len(mids) == 1 else ""

    @property
    def rejected(self) -> bool:
        """Port 0 without ``a=bundle-only``: this section carries nothing any more."""
        return self.lines[0].split(" ")[1:2] == ["0"] and "a=bundle-only" not in self.lines

    @property
    def direction(self) -> str:
        """``sendrecv`` when nothing is said, as the standard has it."""
        return next((name for name in _DIRECTIONS if f"a={name}" in self.lines), "sendrecv")

    @property
    def sends(self) -> bool:
        """Whether the other end sends media here now."""
        return not self.rejected and self.direction in ("sendrecv", "sendonly")

    @property
    def track_id(self) -> str:
        """The second part of ``a=msid``, empty without one."""
        return (self.attribute("msid") or "").partition(" ")[2]

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
        if len(starts) > SECTION_LIMIT:
            raise WireError(f"SDP with {len(starts)} media sections refused (limit {SECTION_LIMIT})")
        ends = [*starts, len(lines)][1:]
        sections = tuple(Section(tuple(lines[start:end])) for start, end in zip(starts, ends, strict=True))
        return cls(tuple(lines[: starts[0]] if starts else lines), sections)

    def __str__(self) -> str:
        lines = [*self.session, *(line for section in self.sections for line in section.lines)]
        return "\r\n".join(lines) + "\r\n"


@dataclass(frozen=True, slots=True)
class TrackLine:
    """A track that an offer describes: ``track_id`` such as ``ARDAMSvvideoTrack0``."""

    mid: str
    kind: str
    track_id: str

    @property
    def label(self) -> str:
        """The track's name without AMS's prefix: a slot label or a participant's stream id."""
        return track_label(self.track_id)


def track_label(track_id: str) -> str:
    """``ARDAMSvvideoTrack0`` -> ``videoTrack0``; anything without the prefix stays as it is."""
    return track_id[7:] if track_id.startswith(TRACK_PREFIXES) else track_id


@dataclass(frozen=True, slots=True)
class Offer:
    """An admitted offer: the text for aiortc and the tracks that the other end sends now."""

    sdp: str
    tracks: tuple[TrackLine, ...]


@dataclass(slots=True)
class Door:
    """One play connection's view of its remote offers; `admit` each offer, then `answer` it."""

    _shown: dict[str, Section] = field(default_factory=dict)
    _offer: Description | None = None
    _accepted: tuple[str, ...] = ()
    """For each section of the offer its mid, empty when it is rejected."""

    def admit(self, text: str, id_mapping: Mapping[str, Any] | None = None) -> Offer:
        """The offer as aiortc can take it. Raises `WireError`, and then nothing has changed.

        An offer without media is fine. `RenewalError` is raised for one that needs a new connection.
        """
        offer = Description.parse(text)
        shown = dict(self._shown)
        accepted: list[str] = []
        tracks: list[TrackLine] = []
        for section in offer.sections:
            mid = section.mid
            usable = None if section.rejected or not mid or mid in accepted else _usable(section)
            if usable is not None and usable.kind == "application" and _other_channel(shown, mid):
                usable = None
            accepted.append(mid if usable else "")
            if usable is None:
                continue
            known = shown.get(mid)
            if known is not None and known.kind != section.kind:
                raise WireError(f"section {mid!r} changed its kind from {known.kind} to {section.kind}")
            shown[mid] = usable
            if section.kind != "application" and section.sends:
                mapped = (id_mapping or {}).get(mid)
                track_id = mapped if isinstance(mapped, str) and mapped else section.track_id
                tracks.append(TrackLine(mid, section.kind, track_id or mid))
        if not any(accepted):
            raise WireError("no media section of the offer can be used")
        if next(iter(shown)) not in accepted:
            raise RenewalError("the first bundled section was rejected")
        if len(shown) > SECTION_LIMIT:
            raise RenewalError(f"more than {SECTION_LIMIT} media sections have come and gone")
        self._shown = shown
        self._offer = offer
        self._accepted = tuple(accepted)
        sections = tuple(section if mid in accepted else _switched_off(section) for mid, section in shown.items())
        session = _with_bundle(offer.session, list(shown))
        return Offer(str(Description(session, sections)), tuple(tracks))

    def answer(self, text: str) -> str:
        """aiortc's answer, in the order of the admitted offer and with its rejections."""
        if self._offer is None:
            raise WireError("there is no offer to answer")
        made = Description.parse(text)
        ours = {section.mid: section for section in made.sections}
        if missing := [mid for mid in self._accepted if mid and mid not in ours]:
            raise WireError(f"the offer's section {missing[0][:40]!r} has no answer")
        sections = [
            ours[mid] if mid else _rejection(theirs)
            for mid, theirs in zip(self._accepted, self._offer.sections, strict=True)
        ]
        session = _with_bundle(made.session, [mid for mid in self._accepted if mid])
        if "a=extmap-allow-mixed" in self._offer.session:
            session = (*session, "a=extmap-allow-mixed")
        return str(Description(session, tuple(sections)))


def _other_channel(shown: Mapping[str, Section], mid: str) -> bool:
    """Whether there is a data-channel section already: aiortc has one."""
    return any(section.kind == "application" and other != mid for other, section in shown.items())


def _usable(section: Section) -> Section | None:
    """The section with only what aiortc can negotiate, or ``None`` when nothing is left of it."""
    head, payloads = section.lines[0].split(" ")[:3], section.lines[0].split(" ")[3:]
    if len(head) < 3:
        return None
    if section.kind == "application":
        return _opened(_with_candidates(section))
    if section.kind not in ("audio", "video"):
        return None
    kept = [payload for payload in payloads if _takes(section, payload)]
    if not kept:
        return None
    dropped = set(payloads) - set(kept)
    body = tuple(_baseline(line) for line in section.lines[1:] if not _concerns(line, dropped, section.kind))
    return _opened(_with_candidates(replace(section, lines=(" ".join([*head, *kept]), *body))))


def _takes(section: Section, payload: str) -> bool:
    rtpmap = next((line for line in section.lines if line.startswith(f"a=rtpmap:{payload} ")), None)
    if rtpmap is None:
        return section.kind == "audio" and payload in _STATIC_AUDIO
    name = rtpmap.split(" ", 1)[1].split("/", 1)[0].lower()
    if section.kind == "audio":
        return name in _AUDIO_CODECS
    if name == "h264":
        fmtp = next((line for line in section.lines if line.startswith(f"a=fmtp:{payload} ")), "")
        return "packetization-mode=1" in fmtp
    return name == "vp8"


def _concerns(line: str, dropped: set[str], kind: str) -> bool:
    """Whether a line belongs to a payload type that is left out, or would make aiortc misbehave."""
    match = _PAYLOAD_LINE.match(line)
    if match is not None:
        return match.group(1) in dropped
    # aiortc answers one REMB per stream, which libwebrtc takes for the whole connection.
    return kind == "video" and line.startswith("a=extmap:") and _ABS_SEND_TIME in line


def _baseline(line: str) -> str:
    """The decoder takes every H.264 profile, aiortc's negotiation only constrained baseline."""
    return re.sub(r"profile-level-id=[0-9a-fA-F]{6}", "profile-level-id=42e01f", line)


def checked_answer(text: str) -> str:
    """The answer to an own offer, without the candidates that aiortc cannot take. Raises `WireError`."""
    made = Description.parse(text)
    return str(Description(made.session, tuple(map(_with_candidates, made.sections))))


def _with_candidates(section: Section) -> Section:
    """Only candidates that aiortc can parse and that need no name look-up."""
    lines = tuple(
        line
        for line in section.lines
        if not line.startswith("a=candidate:") or is_usable_candidate(line[len("a=candidate:") :])
    )
    return replace(section, lines=lines)


def is_usable_candidate(candidate: str) -> bool:
    """Whether a ``candidate:`` text (with or without that prefix) is UDP or TCP to a literal address."""
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
    # Link-local and reserved: the cloud's metadata service and broadcast.
    nowhere = address.is_multicast or address.is_unspecified or address.is_link_local or address.is_reserved
    return numbers_fit and not nowhere


def _opened(section: Section) -> Section:
    """A bundle-only section has port 0; aiortc shall see it as open."""
    head = section.lines[0].split(" ")
    if head[1] == "0":
        head[1] = "9"
    return replace(section, lines=(" ".join(head), *section.lines[1:]))


def _switched_off(section: Section) -> Section:
    """A section that is gone at the other end stays in aiortc's list, without media."""
    if section.kind == "application":
        return section
    lines = tuple(line for line in section.lines if line[2:] not in _DIRECTIONS)
    return replace(section, lines=(*lines, "a=inactive"))


def _rejection(section: Section) -> Section:
    head = section.lines[0].split(" ")
    mid = section.mid
    lines = [" ".join([head[0], "0", *head[2:]]), "c=IN IP4 0.0.0.0", "a=inactive"]
    if mid:
        lines.append(f"a=mid:{mid}")
    lines += [line for line in section.lines if line.startswith("a=rtpmap:")]
    return Section(tuple(lines))


def _with_bundle(session: tuple[str, ...], mids: list[str]) -> tuple[str, ...]:
    lines = [line for line in session if not line.startswith("a=group:BUNDLE")]
    return (*lines, "a=group:BUNDLE " + " ".join(mids)) if mids else tuple(lines)
