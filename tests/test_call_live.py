"""A whole call through the local server: what another client sees of ours while its source changes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.server.raw_client import RawClient
from tests.waiting import until
from tui import call as call_module
from tui.call import Call
from tui.config import JoinOptions
from tui.core.events import CallState, CallStateChanged
from tui.media.board import Board
from tui.media.cells import Depth, Glyphs, Look
from tui.media.pictures import SolidColour
from tui.media.sources import open_picture
from tui.server.signaling import RoomServer

if TYPE_CHECKING:
    import pytest

    from tui.media.tracks import VideoTrack
    from tui.session import CallEvent

COLOURS = {"red": (200, 30, 30), "blue": (30, 30, 200)}


async def test_others_see_each_source_at_once_and_the_room_knows_when_there_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def opened(device: str, options: JoinOptions, tell: object = None) -> VideoTrack:
        if device == "none":
            return await open_picture(device, options)
        return SolidColour(COLOURS[device])

    monkeypatch.setattr(call_module, "open_picture", opened)
    told: list[CallEvent] = []
    async with RoomServer() as server, await RawClient.open(server.url) as viewer:
        options = JoinOptions(
            server.url, "room1", "Alice", "alice", camera="none", microphone="silence", speaker="none"
        )
        call = Call(options, told.append, Board(Look(Glyphs.HALF, Depth.TRUECOLOR)))
        try:
            await call.join()
            await until(lambda: CallStateChanged(CallState.JOINED) in told)
            await viewer.play("room1")
            await until(lambda: viewer.heard)

            def shows(colour: tuple[int, int, int]) -> bool:
                return any(heard.track.kind == "video" and heard.shows(colour) for heard in viewer.heard.values())

            for device in ("red", "blue", "red"):
                await call.use_camera(device)
                await until(lambda device=device: shows(COLOURS[device]), what=device)  # type: ignore[misc]
            await call.set_camera(False)
            await until(lambda: shows((0, 0, 0)))
            await call.set_camera(True)
            await until(lambda: shows(COLOURS["red"]))
            await call.use_camera("none")
            await until(lambda: shows((0, 0, 0)))
            events = [json.loads(text)["eventType"] for text in viewer.said if isinstance(text, str) and "CAM_" in text]
            assert events == ["CAM_TURNED_ON"] * 3 + ["CAM_TURNED_OFF", "CAM_TURNED_ON", "CAM_TURNED_OFF"]
        finally:
            await call.leave()
            await call.aclose()
