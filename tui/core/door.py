"""The door through which every remote offer passes before aiortc sees it.

Used by `core.peer`. Pure text in, text out. `Door` remembers one play connection: it shows aiortc a list of sections
that it can negotiate and that keep their places, and puts the answer back into the order, the mids and the rejections
that the other end expects (aiortc reference: traps 4, 5, 6 and libwebrtc rows 2, 3, 5, 8, 9, 10).
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tui.core.sdp import (
    DIRECTIONS,
    NAME_LIMIT,
    SECTION_LIMIT,
    Description,
    RenewalError,
    Section,
    TrackLine,
    is_usable_candidate,
)
from tui.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

TRACK_LIMITS = {"audio": 64, "video": 16}
"""Tracks that are received at once; the other end is asked not to send the rest.

Of the voices those who talk are decoded (`tui.media.mixer.MOST_VOICES`); of the others the packets come, and are let go
(`tui.core.hush`).
"""

CANDIDATE_LIMIT = 100
"""Candidates of one description."""

_STATIC_AUDIO = frozenset({"0", "8", "9"})
_AUDIO_CODECS = frozenset({"opus", "pcmu", "pcma", "g722"})
_ABS_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
_PAYLOAD_LINE = re.compile(r"a=(?:rtpmap|fmtp|rtcp-fb):(\S*)")
_ICE_UFRAG = re.compile(r"[!-~]{4,256}")
_ICE_PWD = re.compile(r"[!-~]{22,256}")
_FINGERPRINT = re.compile(r"a=fingerprint:sha-(256|384|512) ([0-9A-F]{2}(?::[0-9A-F]{2})*)", re.IGNORECASE)
_SETUPS = frozenset({"actpass", "active", "passive"})
_STAND_INS = {"audio": "opus/48000/2", "video": "VP8/90000"}
"""What a format that means nothing to us is called where it has to have a name."""


@dataclass(frozen=True, slots=True)
class Offer:
    """An admitted offer: the text for aiortc, the tracks to receive now, and whose packets are whose.

    ``places`` maps the other end's mids to aiortc's, ``ssrcs`` synchronisation sources to the other end's mids.
    ``left_out`` tracks are beyond `TRACK_LIMITS`: they are not received.
    """

    sdp: str
    tracks: tuple[TrackLine, ...]
    places: Mapping[str, str]
    ssrcs: Mapping[int, str]
    left_out: int


@dataclass(slots=True)
class Door:
    """One play connection's view of its remote offers; `admit` each offer, then `answer` it.

    ``loopback`` says that the server is on this machine, so that its candidates may be too.
    """

    loopback: bool = False
    _shown: dict[str, Section] = field(default_factory=dict)
    """What aiortc was shown last, by place: never less, never in another order."""
    _places: Mapping[str, str] = field(default_factory=dict)
    _received: frozenset[str] = frozenset()
    _names: Mapping[str, str] = field(default_factory=dict)
    """The track ids that the sections of the last offer have or had."""
    _offer: Description | None = None
    _accepted: tuple[str, ...] = ()
    """For each section of the offer its mid, empty when it is rejected."""

    def admit(self, text: str, id_mapping: Mapping[str, Any] | None = None) -> Offer:
        """The offer as aiortc can take it. Raises `WireError`, and then nothing has changed.

        An offer without media is fine. `RenewalError` is raised for one that needs a new connection.
        """
        offer = Description.parse(text)
        found, accepted = self._found(offer)
        places = self._placed(found)
        said = {mid: _track_id(mid, section, id_mapping or {}) for mid, section in found.items()}
        # A section that loses its name has lost its owner; one that never had any is called by its mid.
        names = {mid: name or self._names.get(mid, "") for mid, name in said.items()}
        sending = {mid: section for mid, section in found.items() if section.sends and (said[mid] or not names[mid])}
        received = _chosen(sending, self._received)
        shown = self._shown | {
            place: _named(found[mid] if mid in received else _switched_off(found[mid]), place)
            for mid, place in places.items()
        }
        sdp = self._written(offer, shown, set(places.values()))
        _check_readable(sdp)
        self._shown, self._places, self._received = shown, places, received
        self._names, self._offer, self._accepted = names, offer, accepted
        tracks = tuple(
            TrackLine(mid, section.kind, names[mid] or mid, places[mid], section.codecs)
            for mid, section in sending.items()
            if mid in received
        )
        ssrcs = {ssrc: mid for mid, section in found.items() for ssrc in section.ssrcs}
        return Offer(sdp, tracks, places, ssrcs, len(sending) - len(tracks))

    def answer(self, text: str) -> str:
        """aiortc's answer, in the order of the admitted offer, with its mids and its rejections."""
        if self._offer is None:
            raise WireError("there is no offer to answer")
        made = Description.parse(text)
        ours = {section.mid: section for section in made.sections}
        if missing := [mid for mid in self._accepted if mid and self._places[mid] not in ours]:
            raise WireError(f"the offer's section {missing[0][:40]!r} has no answer")
        sections = [
            _named(_restored(ours[self._places[mid]], theirs), mid) if mid else _rejection(theirs)
            for mid, theirs in zip(self._accepted, self._offer.sections, strict=True)
        ]
        tag = next(iter(self._shown))
        bundled = sorted(filter(None, self._accepted), key=lambda mid: self._places[mid] != tag)
        session = _with_bundle(made.session, bundled if _bundle(self._offer.session) else [])
        if "a=extmap-allow-mixed" in self._offer.session:
            session = (*session, "a=extmap-allow-mixed")
        return str(Description(session, tuple(sections)))

    def _found(self, offer: Description) -> tuple[dict[str, Section], tuple[str, ...]]:
        """The sections that can be taken, by mid, and for each section of the offer its mid or nothing."""
        found: dict[str, Section] = {}
        accepted: list[str] = []
        bundle = _bundle(offer.session)
        has_media = False
        for section in offer.sections:
            mid = section.mid
            # There is one transport: what is not bundled, or has nothing to be bundled with, stands alone.
            alone = mid not in bundle if bundle else bool(found)
            open_to_us = mid and mid not in found and not alone and not section.rejected and len(found) < SECTION_LIMIT
            usable = _usable(section) if open_to_us else None
            has_media = has_media or usable is not None
            if usable is None and open_to_us and bundle[:1] == [mid]:
                usable = _stand_in(section)
            if usable is None or self._is_other_channel(usable, found):
                accepted.append("")
                continue
            _check_transport(offer.session, usable)
            found[mid] = usable
            accepted.append(mid)
        if not has_media:
            raise WireError("no media section of the offer can be used")
        # The first of the bundle owns the transport, wherever its section is: aiortc takes the first section's.
        tagged = sorted(found, key=lambda mid: mid != next((one for one in bundle if one in found), mid))
        return {mid: found[mid] for mid in tagged}, tuple(accepted)

    def _is_other_channel(self, section: Section, found: Mapping[str, Section]) -> bool:
        """Whether there is a data-channel section already: aiortc has one."""
        if section.kind != "application":
            return False
        if any(other.kind == "application" for other in found.values()):
            return True
        known = any(other.kind == "application" for other in self._shown.values())
        return known and self._places.get(section.mid) is None

    def _placed(self, found: Mapping[str, Section]) -> dict[str, str]:
        """A place for each mid: the one that it has, one of its kind that fell free, or a new one."""
        places = {mid: place for mid, place in self._places.items() if mid in found}
        for mid, place in places.items():
            if self._shown[place].kind != found[mid].kind:
                kinds = f"from {self._shown[place].kind} to {found[mid].kind}"
                raise WireError(f"section {mid[:40]!r} changed its kind {kinds}")
        taken = set(places.values())
        if self._shown and next(iter(self._shown)) not in taken:
            raise RenewalError("the first bundled section was rejected")
        free = [place for place in self._shown if place not in taken]
        known = set(self._shown)
        for mid, section in found.items():
            if mid in places:
                continue
            fallen = [place for place in free if self._shown[place].kind == section.kind]
            places[mid] = place = fallen[0] if fallen else _new_name(mid, known)
            known.add(place)
            if fallen:
                free.remove(place)
        if len(known) > SECTION_LIMIT:
            raise RenewalError(f"more than {SECTION_LIMIT} media sections have come and gone")
        return places

    def _written(self, offer: Description, shown: Mapping[str, Section], present: set[str]) -> str:
        """The text for aiortc: absent sections are inactive, and all candidates are in the last section.

        Of the sections that share a transport aiortc reads the last one's candidates alone, libwebrtc writes the
        first one's.
        """
        sections = [section if place in present else _switched_off(section) for place, section in shown.items()]
        candidates = _candidates(offer.sections, self.loopback)
        sections[-1] = Section((*sections[-1].lines, *candidates))
        return str(Description(_with_bundle(offer.session, list(shown)), tuple(sections)))


def _new_name(mid: str, taken: set[str]) -> str:
    name, number = mid, 1
    while name in taken:
        number += 1
        name = f"{mid}.{number}"
    return name


def _track_id(mid: str, section: Section, id_mapping: Mapping[str, Any]) -> str:
    mapped = id_mapping.get(mid)
    return mapped[:NAME_LIMIT] if isinstance(mapped, str) and mapped else section.track_id


def _chosen(sending: Mapping[str, Section], before: frozenset[str]) -> frozenset[str]:
    """The mids to receive: those that were received go first, then the offer's order, within `TRACK_LIMITS`."""
    chosen, counts = set(), Counter[str]()
    for mid in sorted(sending, key=lambda mid: mid not in before):
        kind = sending[mid].kind
        if counts[kind] < TRACK_LIMITS[kind]:
            counts[kind] += 1
            chosen.add(mid)
    return frozenset(chosen)


def _usable(section: Section) -> Section | None:
    """The section with only what aiortc can negotiate, or ``None`` when nothing is left of it."""
    head = section.lines[0].split(" ")[:3]
    if len(head) < 3:
        return None
    body = _without_candidates(section).lines[1:]
    if section.kind == "application":
        if section.attribute("sctp-port") is None and head[2] != "DTLS/SCTP":
            body = (*body, "a=sctp-port:5000")
        return _opened(Section((section.lines[0], *(line for line in body if _has_sense(line)))))
    if section.kind not in TRACK_LIMITS or "a=rtcp-mux" not in section.lines:
        return None
    kept = [payload for payload in dict.fromkeys(section.formats) if _takes(section, payload)]
    if not kept:
        return None
    repairs = _repair_lines(section)
    body = tuple(
        _baseline(line) for line in body if _concerns(line, kept, section.kind) and not line.startswith(repairs)
    )
    return _opened(Section((" ".join([*head, *kept]), *body)))


def _stand_in(section: Section) -> Section | None:
    """The section as if its first format were a codec that aiortc knows, inactive; `_restored` takes that back.

    The first of the bundle needs one: libwebrtc refuses an answer that rejects the owner of the transport.
    """
    if section.kind not in TRACK_LIMITS or not section.formats or not section.formats[0].isdecimal():
        return None
    payload, name = section.formats[0], _STAND_INS[section.kind]
    kept = ("a=mid:", "a=ice-", "a=fingerprint:", "a=setup:", "a=rtcp-mux")
    lines = (line for line in section.lines if line.startswith(kept))
    head = section.lines[0].split(" ")[:3]
    return _opened(Section((" ".join([*head, payload]), *lines, f"a=rtpmap:{payload} {name}", "a=inactive")))


def _restored(ours: Section, theirs: Section) -> Section:
    """Our answer with the offer's own names of the formats, as far as they were replaced by `_stand_in`."""
    if ours.kind == "application" or any(_takes(theirs, payload) for payload in theirs.formats):
        return ours
    first = theirs.formats[0]
    names = [line for line in theirs.lines if line.startswith((f"a=rtpmap:{first} ", f"a=fmtp:{first} "))]
    if not any(line.startswith("a=rtpmap:") for line in names):
        return ours
    return Section((*(line for line in ours.lines if not _PAYLOAD_LINE.match(line)), *names))


def _has_sense(line: str) -> bool:
    """A message size that is no number is as good as none."""
    name, _, value = line.partition(":")
    return name != "a=max-message-size" or (value.isdecimal() and len(value) <= 10)


def _repair_lines(section: Section) -> tuple[str, ...]:
    """How lines about retransmission sources begin; with them aiortc might take the wrong one for the track's."""
    groups = [line.split(" ") for line in section.lines if line.startswith("a=ssrc-group:FID ")]
    return ("a=ssrc-group:", *(f"a=ssrc:{ssrc} " for group in groups for ssrc in group[2:]))


def _takes(section: Section, payload: str) -> bool:
    # 72 to 76 are RTCP's where both share a port.
    if not payload.isdecimal() or len(payload) > 3 or int(payload) > 127 or 72 <= int(payload) <= 76:
        return False
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


def _concerns(line: str, kept: list[str], kind: str) -> bool:
    """Whether a line concerns aiortc: it belongs to no format that is left out, and does not make it misbehave."""
    match = _PAYLOAD_LINE.match(line)
    if match is not None:
        return match.group(1) in (*kept, "*")
    # aiortc answers one REMB per stream, which libwebrtc takes for the whole connection.
    return not (kind == "video" and line.startswith("a=extmap:") and _ABS_SEND_TIME in line)


def _baseline(line: str) -> str:
    """The decoder takes every H.264 profile, aiortc's negotiation only constrained baseline."""
    return re.sub(r"profile-level-id=[0-9a-fA-F]{6}", "profile-level-id=42e01f", line)


def _check_transport(session: tuple[str, ...], section: Section) -> None:
    """Raises `WireError` for a section that can have no encrypted connection: there is no other kind."""
    lines = Section((*section.lines, *session))
    if not _ICE_UFRAG.fullmatch(lines.attribute("ice-ufrag") or ""):
        raise WireError("the ICE user name is missing or impossible")
    if not _ICE_PWD.fullmatch(lines.attribute("ice-pwd") or ""):
        raise WireError("the ICE password is missing or impossible")
    if lines.attribute("setup") not in _SETUPS:
        raise WireError("the DTLS role is missing or impossible")
    if not any(_FINGERPRINT.fullmatch(line) for line in lines.lines):
        raise WireError("media encryption check failed: no usable fingerprint")


def _check_readable(sdp: str) -> None:
    """Raises `WireError` for what aiortc cannot read, before it has changed anything."""
    from aiortc.sdp import SessionDescription  # the server reads addresses with this module, and needs no codecs

    try:
        SessionDescription.parse(sdp)
    except Exception as error:  # aiortc raises seven kinds of exception for broken SDP
        raise WireError(f"broken SDP: {error!r}") from error


def checked_answer(text: str, *, loopback: bool) -> str:
    """The answer to an own offer, with the candidates that aiortc can take in its last section, as `Door` has them.

    Raises `WireError`.
    """
    made = Description.parse(text)
    if not made.sections:
        raise WireError("the answer has no media section")
    *others, last = map(_without_candidates, made.sections)
    last = Section((*last.lines, *_candidates(made.sections, loopback)))
    return str(Description(made.session, (*others, last)))


def _without_candidates(section: Section) -> Section:
    """There is never an end to the candidates, as more may be trickled."""
    return Section(tuple(line for line in section.lines if not line.startswith(("a=candidate:", "a=end-of-cand"))))


def _candidates(sections: Iterable[Section], loopback: bool) -> list[str]:
    """The usable candidates of all sections, each once."""
    lines = dict.fromkeys(line for section in sections for line in section.lines if line.startswith("a=candidate:"))
    usable = [line for line in lines if is_usable_candidate(line.removeprefix("a="), loopback=loopback)]
    return usable[:CANDIDATE_LIMIT]


def _opened(section: Section) -> Section:
    """A bundle-only section has port 0; aiortc shall see it as open."""
    head = section.lines[0].split(" ")
    if head[1] == "0":
        head[1] = "9"
    return replace(section, lines=(" ".join(head), *section.lines[1:]))


def _named(section: Section, mid: str) -> Section:
    lines = tuple(f"a=mid:{mid}" if line.startswith("a=mid:") else line for line in section.lines)
    return replace(section, lines=lines)


def _switched_off(section: Section) -> Section:
    """A section that is gone at the other end stays in aiortc's list, without media."""
    if section.kind == "application":
        return section
    lines = tuple(line for line in section.lines if line[2:] not in DIRECTIONS)
    return replace(section, lines=(*lines, "a=inactive"))


def _rejection(section: Section) -> Section:
    """The answer to a section that is not taken, without a line that offends the server (reference, 5.7)."""
    head = section.lines[0].split(" ")
    lines = ["c=IN IP4 0.0.0.0", "a=inactive"]
    if section.mid:
        lines.append(f"a=mid:{section.mid}")
    if section.kind not in _STAND_INS:
        return Section((" ".join([head[0], "0", *head[2:]]), *lines))
    payload, name = "111", _STAND_INS[section.kind]
    maps = (line.removeprefix("a=rtpmap:").split(" ") for line in section.lines if line.startswith("a=rtpmap:"))
    for words in maps:
        harmless = "opus" not in words[-1] or "opus/48000/2" in words[-1]
        if len(words) == 2 and words[0] in section.formats and harmless:
            payload, name = words
            break
    profile = head[2] if len(head) > 2 else "UDP/TLS/RTP/SAVPF"
    return Section((f"{head[0]} 0 {profile} {payload}", *lines, f"a=rtpmap:{payload} {name}"))


def _bundle(session: tuple[str, ...]) -> list[str]:
    """The mids of all BUNDLE groups, in order."""
    return [mid for line in session if line.startswith("a=group:BUNDLE ") for mid in line.split(" ")[1:]]


def _with_bundle(session: tuple[str, ...], mids: list[str]) -> tuple[str, ...]:
    lines = [line for line in session if not line.startswith("a=group:BUNDLE")]
    return (*lines, "a=group:BUNDLE " + " ".join(mids)) if mids else tuple(lines)
