"""Which pictures are shown, and what is said about those that are not."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from textual.geometry import Region
from textual.widget import Widget

from tests.ui.emulator import Emulator
from tests.ui.room import conference, drawn
from tests.ui.scripted import ROOM, Script, face
from tests.waiting import until
from tui.core.events import RosterChanged
from tui.media.board import LOCAL, Board
from tui.media.cells import Depth, Encoder, Glyphs, Look, Size
from tui.media.pacing import Pacer, Rung
from tui.projector import Shot, Sitter, seen_tiles, visible_widgets
from tui.updates import Person
from tui.widgets.marks import UNICODE
from tui.widgets.video_grid import VideoGrid
from tui.widgets.video_tile import DEEPEST, VideoTile

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tui.app import ConferenceApp

LOOK = Look(Glyphs.BLOCK, Depth.TRUECOLOR)
ALL = Region(0, 0, 40, 20)


def tile() -> VideoTile:
    return VideoTile(Board(LOOK), UNICODE)


def test_what_is_in_front_of_a_tile_is_taken_out_and_what_is_behind_is_not() -> None:
    one, other = tile(), tile()
    widgets = {
        Widget(): (Region(8, 2, 4, 3), ALL),
        one: (Region(0, 0, 10, 6), ALL),
        other: (Region(10, 0, 10, 6), ALL),
        Widget(): (ALL, ALL),
    }
    seen = seen_tiles(widgets, 40, 20)
    hidden = np.zeros((6, 10), dtype=bool)
    hidden[2:5, 8:] = True
    assert (seen[one].visible == ~hidden).all()
    assert seen[other].visible.sum() == 60 - 6


def test_a_tile_is_seen_as_far_as_it_is_scrolled_in() -> None:
    one, outside, below = tile(), tile(), tile()
    seen = seen_tiles(
        {
            Widget(): (Region(0, 18, 40, 2), ALL),
            one: (Region(-4, -2, 10, 6), Region(0, 0, 40, 3)),
            outside: (Region(0, 30, 10, 6), ALL),
            below: (Region(20, 18, 10, 2), ALL),
        },
        40,
        20,
    )
    assert list(seen) == [one]
    assert seen[one].region == Region(-4, -2, 10, 6)
    assert np.argwhere(seen[one].visible).min(axis=0).tolist() == [2, 4]
    assert seen[one].visible.sum() == 3 * 6


async def test_textual_says_what_it_draws_the_foremost_first() -> None:
    app = conference(Script())
    async with app.run_test(size=(120, 36)) as pilot:
        await until(lambda: app.screen.query(VideoTile))
        await pilot.pause()
        before = visible_widgets(app.screen)
        assert visible_widgets(app.screen) is before
        order = list(before)
        one = app.screen.query(VideoTile).first()
        assert order.index(one) < order.index(app.screen.query_one(VideoGrid)) < order.index(app.screen)
        assert before[one][0] == one.region
        await pilot.resize_terminal(100, 30)
        await until(lambda: visible_widgets(app.screen) is not before)


def test_a_frame_that_cannot_be_read_is_refused_and_the_next_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    sitter = Sitter("v", LOOK)
    good = Shot(face(0, 0), Size(20, 6), False, None, LOOK, 0x102030)

    def refuse(*_: object) -> None:
        raise ValueError("no such format")

    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(Encoder, "encode", refuse)
        for _ in range(2):
            assert sitter.take(good) is None
    assert len([record for record in caplog.records if "refused" in record.message]) == 1
    picture = sitter.take(good)
    assert picture is not None
    assert picture.background.min() >= 0, "margins have the tile's colour"


@asynccontextmanager
async def projected(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[ConferenceApp, Script, Emulator]]:
    """An app with moving pictures on a terminal."""
    script = Script(paints=True)
    emulator = Emulator(monkeypatch)
    app = conference(script, look=LOOK)
    async with emulator.running(app):
        await until(lambda: app.projector is not None and app.projector.updates > 3, what="pictures")
        yield app, script, emulator


@pytest.mark.pty
async def test_on_a_bad_line_only_who_speaks_is_wanted_and_the_others_say_why(monkeypatch: pytest.MonkeyPatch) -> None:
    async with projected(monkeypatch) as (_, script, emulator):
        board = script.sessions[0].board
        with monkeypatch.context() as line:
            line.setattr(Pacer, "rung", Rung(5.0, everybody=False))
            line.setattr(Pacer, "reason", "line slow: 64 kbit/s")
            await until(lambda: board.wish(LOCAL) is None)
            assert board.wish("videoTrack0") is not None, "Bob speaks"
            assert board.frames_per_second == 5.0
            await until(lambda: "picture paused" in emulator.text and "line slow: 64 kbit/s" in emulator.text)
            line.setattr(Pacer, "rung", Rung(1.0, everybody=False, pictures=False))
            await until(lambda: board.wish("videoTrack0") is None)
        await until(lambda: board.wish(LOCAL) is not None)
        await until(lambda: "picture paused" not in emulator.text)


async def test_a_picture_that_stands_still_says_for_how_long() -> None:
    script = Script(still=True)
    app = conference(script, look=LOOK)
    async with app.run_test(size=(120, 36)):
        await until(lambda: any(one.picture is not None for one in app.screen.query(VideoTile)))
        board = script.sessions[0].board
        show, stopped = board.show, "videoTrack1"
        board.show = lambda key, frame: None if key == stopped else show(key, frame)  # type: ignore[method-assign]
        board.stop(stopped, time.monotonic() - 7)
        await until(lambda: "nopicturefor" in drawn(app))
        one = next(one for one in app.screen.query(VideoTile) if one.track == stopped)
        assert one.free_rows == one.size.height - 2, "the words are in front of the picture"
        board.show = show  # type: ignore[method-assign]
        await until(lambda: "nopicturefor" not in drawn(app))


async def test_a_shared_screen_is_looked_at_closely() -> None:
    script = Script(still=True)
    app = conference(script, look=LOOK)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(lambda: app.screen.query(VideoTile))
        people = [replace(one, presentation="videoTrack5") if one.stream_id == "streamcarol" else one for one in ROOM]
        script.sessions[0].say(RosterChanged(tuple(people)))
        await until(lambda: any(one.is_screen and one.picture is not None for one in app.screen.query(VideoTile)))
        shared = next(one for one in app.screen.query(VideoTile) if one.is_screen)
        assert shared.crop is None
        whole = shared.picture
        assert whole is not None
        await pilot.press("z", "z")
        crop = shared.crop
        assert crop is not None
        assert crop.width == pytest.approx(1 / 2.25)
        await until(lambda: shared.picture is not None and (shared.picture.glyphs != whole.glyphs).any())
        await pilot.press(*["H"] * 20, *["K"] * 20)
        assert shared.crop is not None
        assert (shared.crop.x, shared.crop.y) == pytest.approx((0, 0))
        await pilot.press("shift+right", "shift+down")
        assert shared.crop.x > 0
        assert shared.crop.y > 0
        for _ in range(20):
            await pilot.press("z")
        assert shared.crop.width == pytest.approx(1 / DEEPEST)
        await pilot.press(*["Z"] * 20)
        assert shared.crop is None


def test_another_person_is_seen_whole() -> None:
    one = tile()
    one.show(Person("a", "a", "Alice", video="v"))
    one.zoom_in()
    one.show(Person("b", "b", "Bob", video="w"))
    assert one.crop is None
