"""How the call does: connections, tracks, and the last minutes as lines; opened by the app."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui import bindings
from tui.statistics import Health
from tui.widgets.lines import padded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.app import ComposeResult

    from tui.statistics import Sample, Statistics, TrackFigures
    from tui.widgets.marks import Marks

_SECONDS: Final = 1.0
_GRAPH: Final = 60
_WHO: Final = 18


class StatisticsScreen(ModalScreen[None]):
    """Asks for new figures once a second while it is open."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar = [*bindings.STATISTICS]
    BINDING_GROUP_TITLE = "Statistics"
    AUTO_FOCUS = "#statistics"

    def __init__(self, statistics: Callable[[], Statistics | None], marks: Marks) -> None:
        super().__init__()
        self._statistics = statistics
        self._marks = marks

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="statistics"):
            yield Static(id="figures")

    def on_mount(self) -> None:
        box = self.query_one("#statistics")
        box.border_title = "Statistics"
        box.border_subtitle = "escape closes"
        self._draw()
        self.set_interval(_SECONDS, self._draw)

    def _draw(self) -> None:
        statistics = self._statistics()
        samples = statistics.samples if statistics is not None else ()
        figures = self.query_one("#figures", Static)
        if statistics is None or not samples:
            figures.update(Content("Nothing was measured yet."))
            return
        parts = (self._line(statistics), self._graphs(samples), self._tracks(samples[-1]))
        figures.update(Content("\n\n").join(Content("\n").join(lines) for lines in parts))

    def _line(self, statistics: Statistics) -> list[Content]:
        newest = statistics.samples[-1]
        word = "unknown" if statistics.health is Health.UNKNOWN else statistics.health.value
        health = f"The line is {word}" + (f": {statistics.reason}" if statistics.reason else "")
        width, height = newest.sent_size
        sent = f"own picture {width}x{height}, {newest.sent_frames_per_second:.0f} a second" if width else ""
        allowed = f"at most {newest.allowed} kbit/s" if newest.allowed else ""
        lines = [Content.styled(health, "bold")]
        if sent:
            lines.append(Content(", ".join(part for part in (sent, allowed) if part)))
        return lines

    def _graphs(self, samples: Sequence[Sample]) -> list[Content]:
        shown = samples[-_GRAPH:]
        return [
            self._graph("in", "kbit/s", [sample.incoming for sample in shown]),
            self._graph("out", "kbit/s", [sample.outgoing for sample in shown]),
            self._graph("lost, in", "%", [100 * sample.loss_in for sample in shown], least=5),
            self._graph("lost, out", "%", [100 * sample.loss_out for sample in shown], least=5),
            self._graph("round trip", "ms", [sample.round_trip_ms for sample in shown], least=100),
            self._graph("jitter", "ms", [sample.jitter_ms for sample in shown], least=20),
        ]

    def _graph(self, name: str, unit: str, values: Sequence[float], least: float = 1.0) -> Content:
        """The newest value in figures, and all of them as a line; its full height is ``least`` or more."""
        steps, top = self._marks.heights, max(least, *values)
        line = "".join(steps[min(len(steps) - 1, round(value / top * (len(steps) - 1)))] for value in values)
        return Content.assemble((f"{name:<11}", "bold"), f"{values[-1]:>7.0f} {unit:<7}", (line, "$text-accent"))

    def _tracks(self, sample: Sample) -> list[Content]:
        head = f"{'who':<{_WHO}} {'track':<8}{'kbit/s':>7}{'lost':>6}{'jitter':>8}  more"
        rows = [Content.styled(head, "bold")]
        rows += [Content(self._row(track)) for track in sample.tracks]
        if not sample.tracks:
            rows.append(Content("no track is received"))
        return rows

    def _row(self, track: TrackFigures) -> str:
        if track.kind == "sound":
            more = f"buffer {track.buffer_ms:.0f} ms, made up {track.concealed_ms / 1000:.1f} s"
        else:
            width, height = track.size
            shown = f"{width}x{height} at {track.frames_per_second:.0f}, {track.decode_ms:.1f} ms each"
            more = f"{shown if width else 'not decoded'}, dropped {track.dropped}, frozen {track.freezes} times"
        return (
            f"{padded(track.who, _WHO, self._marks.ellipsis)} {track.kind:<8}{track.kilobits:>7}"
            f"{100 * track.loss:>5.0f}%{track.jitter_ms:>5.0f} ms  {more}"
        )
