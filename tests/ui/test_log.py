"""The log: many lines, filter, kinds, pause, one event whole, copy and export."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from textual.widgets import Static

from tests.ui.room import conference, drawn, infos, log_of
from tests.ui.scripted import AT, Script, callback
from tests.waiting import until
from tui.core.events import CallState, Direction
from tui.errors import FileError
from tui.export import export
from tui.screens.event import EventScreen
from tui.updates import WHOLE_LIMIT, LogLine, log_line
from tui.widgets import event_log
from tui.widgets.event_log import BYTES, LINES, Kind

if TYPE_CHECKING:
    from pathlib import Path


def lines(count: int, begin: int = 0) -> list[LogLine]:
    return [LogLine(AT, Direction.IN, f"line{number}", whole="x") for number in range(begin, begin + count)]


def exports(folder: Path) -> list[Path]:
    return sorted(folder.glob("antconf-*.jsonl"))


async def test_the_newest_hundred_thousand_lines_are_kept() -> None:
    app = conference()
    async with app.run_test() as pilot:
        await until(lambda: app.view.state is CallState.JOINED)
        log = log_of(app)
        before = len(log.lines)
        log.extend(lines(LINES + 5000))
        assert LINES - 2000 <= len(log.lines) <= LINES
        assert log.lines[-1].info == f"line{LINES + 4999}"
        assert log.dropped == before + LINES + 5000 - len(log.lines)
        await pilot.pause()
        assert f"line{LINES + 4999}" in drawn(app)
        log.words = f"line{LINES}"
        await pilot.pause()
        assert [line.info for line in log.shown] == [f"line{LINES}"]


async def test_large_payloads_push_old_lines_out() -> None:
    app = conference()
    async with app.run_test():
        await until(lambda: app.view.state is CallState.JOINED)
        log = log_of(app)
        whole = "x" * WHOLE_LIMIT
        for _ in range(5):
            log.extend([LogLine(AT, Direction.IN, "big", whole=whole) for _ in range(1500)])
        assert sum(len(line.whole) for line in log.lines) <= BYTES
        assert log.lines


async def test_a_filter_is_typed_kept_and_cleared() -> None:
    script = Script()
    app = conference(script)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(lambda: app.view.state is CallState.JOINED)
        script.sessions[0].say(callback("roomInformation", {"streamId": "room1"}), callback("pong"))
        await until(lambda: "pong" in infos(app))
        await pilot.press("l", "slash", *"ROOMinf")
        log = log_of(app)
        await until(lambda: [line.info for line in log.shown] == ["roomInformation"])
        await until(lambda: f"1of{len(log.lines)}" in drawn(app))
        await pilot.press("enter")
        await until(lambda: app.focused is log)
        script.sessions[0].say(callback("roomInformation"), callback("ping"))
        await until(lambda: infos(app)[-1] == "ping")
        assert [line.info for line in log.shown] == ["roomInformation"] * 2
        await pilot.press("slash", "escape")
        await until(lambda: len(log.shown) == len(log.lines))
        assert app.focused is log


async def test_kinds_take_turns() -> None:
    script = Script()
    app = conference(script)
    async with app.run_test() as pilot:
        await until(lambda: app.view.state is CallState.JOINED)
        script.sessions[0].say(callback("broken", error=True))
        await until(lambda: "broken" in infos(app))
        log = log_of(app)
        await pilot.press("l")
        for kind, wanted in ((Kind.IN, Direction.IN), (Kind.OUT, Direction.OUT), (Kind.LOCAL, Direction.LOCAL)):
            await pilot.press("k")
            assert log.kind is kind
            assert {line.direction for line in log.shown} == {wanted}
        await pilot.press("k")
        assert [line.info for line in log.shown] == ["broken"]
        await until(lambda: "Log:errors" in drawn(app))
        await pilot.press("k")
        assert len(log.shown) == len(log.lines)


async def test_a_pause_holds_what_is_shown() -> None:
    script = Script()
    app = conference(script)
    async with app.run_test() as pilot:
        await until(lambda: app.view.state is CallState.JOINED)
        log = log_of(app)
        await pilot.press("l", "f")
        held = len(log.shown)
        script.sessions[0].say(callback("one"), callback("two"))
        await until(lambda: infos(app)[-1] == "two")
        assert len(log.shown) == held
        await until(lambda: "paused,2new" in drawn(app))
        await pilot.press("f")
        await until(lambda: log.shown[-1].info == "two")
        assert "paused" not in drawn(app)


async def test_the_selection_stays_with_its_line_and_end_follows_again() -> None:
    script = Script()
    app = conference(script)
    async with app.run_test() as pilot:
        await until(lambda: app.view.state is CallState.JOINED)
        script.sessions[0].say(*(callback(f"line{number}") for number in range(50)))
        await until(lambda: infos(app)[-1] == "line49")
        log = log_of(app)
        await pilot.press("l", "up", "up", "up")
        chosen = log.selected
        assert chosen is not None
        assert chosen.info == "line47"
        script.sessions[0].say(*(callback(f"more{number}") for number in range(50)))
        await until(lambda: infos(app)[-1] == "more49")
        assert log.selected is chosen
        await pilot.press("pagedown")
        assert log.selected is not chosen
        await pilot.press("home")
        assert log.selected is log.lines[0]
        await pilot.press("end")
        assert log.selected is log.lines[-1]
        script.sessions[0].say(callback("last"))
        await until(lambda: log.is_vertical_scroll_end and log.selected is not None and log.selected.info == "last")


async def test_one_event_is_shown_whole_without_its_secrets() -> None:
    script = Script()
    app = conference(script)
    copied: list[str] = []
    app.copy_to_clipboard = copied.append  # type: ignore[method-assign, assignment]
    async with app.run_test(size=(100, 40)) as pilot:
        await until(lambda: app.view.state is CallState.JOINED)
        payload = {"streamId": "s1", "token": "hunter2", "list": [{"name": f"p{number}"} for number in range(60)]}
        script.sessions[0].say(callback("roomInformation", payload | {"evil": "\x1b[2J[b]"}))
        await until(lambda: infos(app)[-1] == "roomInformation")
        await pilot.press("l", "enter")
        await until(lambda: isinstance(app.screen, EventScreen))
        text = str(app.screen.query_one("#payload", Static).content)
        assert '"name": "p59"' in text
        assert "hunter2" not in text
        assert "\x1b" not in text
        await until(lambda: '"streamId":"s1"' in drawn(app))
        await pilot.press("y")
        assert copied == [text]
        await pilot.press("escape")
        await until(lambda: not isinstance(app.screen, EventScreen))


async def test_what_is_shown_is_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    script = Script()
    app = conference(script)
    async with app.run_test() as pilot:
        await until(lambda: app.view.state is CallState.JOINED)
        log_of(app).words = "play"
        shown = [line.info for line in log_of(app).shown]
        await pilot.press("l", "e")
        await until(lambda: any("antconf-" in line.payload for line in log_of(app).lines))
        (path,) = exports(tmp_path)
        rows = [json.loads(row) for row in path.read_text().splitlines()]
        assert [row["info"] for row in rows] == shown
        assert "secret" not in path.read_text()
        assert next(row for row in rows if row["info"] == "play")["payload"]["token"] == "***"
        assert path.stat().st_mode & 0o077 == 0
        await pilot.press("e")
        await until(lambda: len(exports(tmp_path)) == 2)


def test_an_export_that_cannot_be_written_says_why(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no such file"):
        export([], tmp_path / "gone", AT)


def test_a_line_knows_its_stream_its_size_and_its_payload() -> None:
    line = log_line(callback("x", {"streamId": "a\x1bb", "data": "y" * 50_000}))
    assert line.stream == "a\N{REPLACEMENT CHARACTER}b"
    assert line.size > 50_000
    assert len(line.whole) == WHOLE_LIMIT
    assert log_line(callback("x")).whole == ""
    assert log_line(callback("x", object())).size > 0


@pytest.mark.parametrize(("size", "words"), [(7, "7 B"), (1234, "1.2 kB"), (123_456, "123 kB")])
def test_amounts(size: int, words: str) -> None:
    assert event_log.amount(size) == words


@pytest.mark.parametrize(("width", "there"), [(100, False), (140, True)])
async def test_stream_and_size_have_columns_where_there_is_room(width: int, there: bool) -> None:
    app = conference(Script())
    async with app.run_test(size=(width, 40)):
        await until(lambda: "publish_started" in drawn(app))
        assert ("streamalice27B" in drawn(app)) is there
