"""The statistics screen and the word for the line."""

from __future__ import annotations

import pytest
from textual.widgets import Static

from tests.ui.room import PLAIN, conference, drawn, infos
from tests.ui.scripted import Script
from tests.waiting import until
from tui.core.events import CallState
from tui.core.stats import Figures, Inbound, Meter, Outbound
from tui.screens.statistics import StatisticsScreen
from tui.session import HealthChanged
from tui.statistics import Statistics


def measured() -> Statistics:
    """A call of two people for a minute, ever worse."""
    statistics = Statistics()
    seconds = iter(range(1000))
    sent, received = (Meter("x", lambda: float(next(seconds))) for _ in range(2))
    for turn in range(30):
        sound = Inbound("a", "0", "audio", bytes=turn * 8000, packets=turn * 100, packets_lost=turn * 9, delay=0.06)
        picture = Inbound("v", "1", "video", bytes=turn * 30_000, packets=turn * 50, frames_decoded=turn * 30)
        hidden = Inbound("h", "2", "video")
        own = Outbound("video", packets=turn * 20, width=320, height=180, frames=turn * 30, target_bitrate=300_000)
        statistics.take(
            turn * 2.0,
            sent.sample(Figures(bytes_sent=turn * 20_000, outbound=(own,))),
            received.sample(
                Figures(bytes_received=turn * 40_000, round_trip_time=0.04, inbound=(sound, picture, hidden))
            ),
            lambda track: "[b]Bob" if track.kind == "audio" else "Carol",
        )
    return statistics


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (130, 40)])
async def test_the_call_is_told_in_figures(size: tuple[int, int]) -> None:
    app = conference(Script(statistics=measured()))
    async with app.run_test(size=size) as pilot:
        await until(lambda: app.view.state is CallState.JOINED)
        await pilot.press("g")
        await until(lambda: isinstance(app.screen, StatisticsScreen))
        text = str(app.screen.query_one("#figures", Static).content)
        assert "The line is fair: 8 % of the packets are lost" in text
        assert "own picture 320x180" in text
        assert "[b]Bob" in text
        assert "not decoded" in text
        assert "Theline" in drawn(app)
        await pilot.press("g")
        await until(lambda: not isinstance(app.screen, StatisticsScreen))


async def test_without_a_call_there_is_nothing_to_tell() -> None:
    app = conference(Script(), ascii_only=True, look=PLAIN)
    async with app.run_test() as pilot:
        await until(lambda: app.view.state is CallState.JOINED)
        await pilot.press("j")
        await until(lambda: app.view.state is CallState.IDLE)
        await pilot.press("g")
        await until(lambda: "Nothingwasmeasured" in drawn(app))
        assert drawn(app).isascii()


async def test_the_line_is_one_word_in_the_panel_and_its_changes_are_logged() -> None:
    script = Script()
    app = conference(script)
    async with app.run_test() as pilot:
        await until(lambda: app.view.state is CallState.JOINED)
        script.sessions[0].say(HealthChanged("poor", "12 % of the packets are lost"))
        await until(lambda: "linepoor:12%" in drawn(app))
        assert "line" in infos(app)
        script.sessions[0].say(HealthChanged("good", ""))
        await until(lambda: "linegood" in drawn(app))
        await pilot.press("j")
        await until(lambda: app.view.state is CallState.IDLE)
        assert app.view.health == ""
