"""The m-lines of one play connection as the client is to see them.

Used by the viewers. Pure text in, text out. aiortc can neither offer a rejected m-line nor give the place of one a
new mid, so both happen here: aiortc keeps its own mids and only ever sees a line go inactive, while the client sees
port 0, the mid out of the bundle, and later a mid that was never used before (aiortc reference, Q1). The first line
is the data channel and carries the bundle: it is never rejected.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from tui.errors import WireError

_MID, _BUNDLE = "a=mid:", "a=group:BUNDLE"
_DIRECTIONS = frozenset({"a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive"})
_TRANSPORT = ("a=ice-", "a=fingerprint:", "a=setup:", "a=candidate:", "a=end-of-candidates")
_TRACK = ("a=msid:", "a=ssrc:", "a=ssrc-group:")


@dataclass(slots=True)
class Sections:
    """Between aiortc and one client: each `offer`, then the `answer` to it."""

    _names: dict[str, str] = field(default_factory=dict)
    """The client's mid of each of aiortc's."""
    _rejected: set[str] = field(default_factory=set)
    """Those of aiortc's mids that the client sees rejected."""
    _fresh: itertools.count[int] = field(default_factory=itertools.count)
    _offered: list[list[str]] = field(default_factory=list)
    """The sections of aiortc's last offer."""
    _closed: frozenset[str] = frozenset()
    """Which of them the last offer rejected."""

    def name(self, mid: str) -> str:
        """The client's mid for one of aiortc's."""
        if mid not in self._names:
            self._names[mid] = str(next(self._fresh))
        return self._names[mid]

    def reject(self, mid: str) -> None:
        """From the next offer on, this line is gone for the client."""
        self._rejected.add(mid)

    def reuse(self, mid: str) -> None:
        """Give the place of a rejected line to a new one, in an offer after the one that rejected it."""
        self._rejected.discard(mid)
        del self._names[mid]

    def offer(self, sdp: str) -> str:
        """aiortc's offer, for the client."""
        session, self._offered = _split(sdp)
        self._closed = frozenset(self._rejected)
        open_mids = [self.name(mid) for mid in map(_mid, self._offered) if mid not in self._closed]
        sections = [
            _named(_without_media(section) if _mid(section) in self._closed else section, self.name(_mid(section)))
            for section in self._offered
        ]
        return _joined(session, open_mids, sections)

    def answer(self, sdp: str) -> str:
        """The client's answer, for aiortc. Raises `WireError` when it does not fit the offer."""
        session, answered = _split(sdp)
        if len(answered) != len(self._offered) or not answered:
            raise WireError(f"{len(answered)} sections in answer to {len(self._offered)}")
        transport = [line for line in answered[0] if line.startswith(_TRANSPORT)]
        mids = [_mid(section) for section in self._offered]
        sections = []
        for mid, ours, theirs in zip(mids, self._offered, answered, strict=True):
            if mid in self._closed or _is_rejected(theirs):
                sections.append(_inactive(ours, transport))
            elif _mid(theirs) == self.name(mid):
                sections.append(_named(theirs, mid))
            else:
                raise WireError("a section of the answer has another name than in the offer")
        return _joined(session, mids, sections)


def _split(sdp: str) -> tuple[list[str], list[list[str]]]:
    session: list[str] = []
    sections: list[list[str]] = []
    for line in sdp.splitlines():
        if line.startswith("m="):
            sections.append([line])
        else:
            (sections[-1] if sections else session).append(line)
    return session, sections


def _joined(session: list[str], bundled: list[str], sections: list[list[str]]) -> str:
    lines = [line for line in session if not line.startswith(_BUNDLE)]
    lines.append(" ".join([_BUNDLE, *bundled]))
    return "\r\n".join([*lines, *itertools.chain.from_iterable(sections)]) + "\r\n"


def _mid(section: list[str]) -> str:
    return next((line.removeprefix(_MID) for line in section if line.startswith(_MID)), "")


def _named(section: list[str], mid: str) -> list[str]:
    return [f"{_MID}{mid}" if line.startswith(_MID) else line for line in section]


def _is_rejected(section: list[str]) -> bool:
    return section[0].split(" ")[1:2] == ["0"]


def _without_media(section: list[str]) -> list[str]:
    """Port 0, and nobody's track."""
    kind, _, *rest = section[0].split(" ")
    head = " ".join([kind, "0", *rest])
    return [head, *(line for line in section[1:] if not line.startswith((*_TRACK, "a=candidate:", "a=end-of-")))]


def _inactive(section: list[str], transport: list[str]) -> list[str]:
    """What aiortc is told instead of a rejection: our own section, on the client's transport, without media."""
    kept = [line for line in section if not line.startswith((*_TRACK, *_TRANSPORT)) and line not in _DIRECTIONS]
    return [*kept, "a=inactive", *transport]
