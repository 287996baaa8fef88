"""One person: who they are, what they do in words, and how each of their tracks arrives; opened by the app."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui import bindings
from tui.statistics import Health
from tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from textual.app import ComposeResult

    from tui.statistics import Sample, SentFigures, Statistics, TrackFigures
    from tui.updates import Person

_SECONDS: Final = 1.0
_LABEL: Final = 12
_TEXT: Final = 42
"""What is beside the label on the smallest screen."""
_ID: Final = 256


class PersonScreen(ModalScreen[None]):
    """Looks once a second while it is open; ``find`` gives the person as of now, ``pinned`` the key of who is."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar = [*bindings.PERSON]
    BINDING_GROUP_TITLE = "Details of a person"
    AUTO_FOCUS = "#person"

    def __init__(
        self,
        person: Person,
        find: Callable[[], Person | None],
        statistics: Callable[[], Statistics | None],
        pinned: Callable[[], str | None],
    ) -> None:
        super().__init__()
        self._person = person
        self._find = find
        self._statistics = statistics
        self._pinned = pinned
        self._lines = 0

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="person"):
            yield Static(id="details")

    def on_mount(self) -> None:
        box = self.query_one("#person")
        box.border_title = Content(self._person.name)
        box.border_subtitle = "escape closes"
        self._draw()
        self.set_interval(_SECONDS, self._draw)

    def _draw(self) -> None:
        found, statistics = self._find(), self._statistics()
        self._person = found or self._person
        samples = statistics.samples if statistics is not None else ()
        lines = [("", "This person has left.")] if found is None else []
        lines += about(self._person, pinned=self._pinned() == self._person.key)
        if found is not None:
            lines += tracks(self._person, samples[-1] if samples else None)
        text = Content("\n").join(Content.assemble((f"{label:<{_LABEL}}", "bold"), said) for label, said in lines)
        # Another height lays out the screen, other words do not.
        self.query_one("#details", Static).update(text, layout=len(lines) != self._lines)
        self._lines = len(lines)


def about(person: Person, *, pinned: bool = False) -> list[tuple[str, str]]:
    """What is known of somebody, as labels and words."""
    told = [("Name", person.name + (" (you)" if person.is_self else "")), *_id(person)]
    states = (
        (bool(person.role), "Role", person.role),
        (person.play_only, "Takes part", "only listens and watches"),
        (not person.play_only, "Microphone", _microphone(person)),
        (not person.play_only, "Camera", "on" if person.camera else "off"),
        (person.presentation is not None, "Screen", "shared"),
        (person.hand, "Hand", "raised: asks to speak"),
        (person.recording, "Recording", "records the call"),
        (pinned, "Picture", "pinned by you"),
        (person.stale, "Contact", "the server has not heard of them lately"),
        (person.quality is not Health.UNKNOWN, "Received", _quality(person)),
        (not person.is_self, "Volume", f"{person.volume:.0%}" + (", muted for you" if person.silenced else "")),
    )
    return told + [(label, said) for is_so, label, said in states if is_so]


def tracks(person: Person, sample: Sample | None) -> list[tuple[str, str]]:
    """The tracks that somebody is received on, or one's own that are sent, each with its newest figures."""
    told: list[tuple[str, str]] = []
    if person.is_self:
        for sent in sample.sent if sample is not None else ():
            told += [("", ""), *_labelled(f"Own {sent.kind}", _sent(sent))]
        if sample is not None and sample.allowed and sample.sent:
            told.append(("", f"the picture may take {sample.allowed} kbit/s"))
        return told
    figures = {track.key: track for track in sample.tracks if track.key} if sample is not None else {}
    for label, key in (("Sound", person.audio), ("Picture", person.video), ("Screen", person.presentation)):
        if key is not None:
            track = figures.get(key)
            said = ["nothing is measured yet"] if track is None else _received(track)
            told += [("", ""), *_labelled(label, said)]
    return told or [("", ""), ("Tracks", "none is received now")]


def _id(person: Person) -> list[tuple[str, str]]:
    if person.key.startswith("?"):
        return [("Id", "no list has named this person yet")]
    whole = printable(person.key, _ID)
    return list(_labelled("Id", [whole[start : start + _TEXT] for start in range(0, len(whole), _TEXT)]))


def _labelled(label: str, lines: list[str]) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(lines):
        yield ("" if number else label), line


def _microphone(person: Person) -> str:
    if not person.microphone:
        return "muted"
    return "on, talking" if person.talking else "on"


def _quality(person: Person) -> str:
    reason = f": {person.quality_reason}" if person.quality_reason else ""
    return f"{person.quality.value} quality{reason}"


def _received(track: TrackFigures) -> list[str]:
    lines = [_words(track.label, track.mid and f"mid {track.mid}", track.codec)]
    if track.kind == "picture":
        lines.append(_picture(track.size, track.frames_per_second) or "not decoded: nobody looks")
    lines.append(_line(track))
    if track.kind == "sound":
        lines.append(f"buffer {track.buffer_ms:.0f} ms, {track.concealed_ms / 1000:.1f} s made up so far")
    else:
        lines.append(f"freezes: {track.freezes}, dropped frames: {track.dropped} so far")
    return lines


def _sent(track: SentFigures) -> list[str]:
    return [
        line
        for line in (
            _words(track.mid and f"mid {track.mid}", track.codec),
            _picture(track.size, track.frames_per_second),
            _line(track),
            f"round trip {track.round_trip_ms:.0f} ms" if track.round_trip_ms else "",
        )
        if line
    ]


def _line(track: TrackFigures | SentFigures) -> str:
    return f"{track.kilobits} kbit/s, {100 * track.loss:.0f} % lost, jitter {track.jitter_ms:.0f} ms"


def _picture(size: tuple[int, int], rate: float) -> str:
    width, height = size
    return f"{width}x{height}, {rate:.0f} a second" if width else ""


def _words(*parts: str) -> str:
    return ", ".join(part for part in parts if part)
