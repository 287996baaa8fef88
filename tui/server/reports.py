"""What nobody asks for: figures that players are told from time to time, and publishers that have fallen silent.

Used by the application (signalling reference, 3.5, 3.7 and 6.2).
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from tui.server.session import Ending
from tui.server.slots import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tui.server.ingest import Ingest
    from tui.server.options import Options
    from tui.server.players import Players
    from tui.server.room import Rooms

LEVEL_INTERVAL = 0.2
"""Seconds between two UPDATE_AUDIO_LEVEL events of one publisher."""

BITRATE_INTERVAL = 3.0
"""Seconds between two ``bitrateMeasurement`` of one player."""


class Reports:
    """One task for all of them; `run` it while the application lives."""

    def __init__(self, options: Options, rooms: Rooms, shown: Mapping[str, Ingest], players: Players) -> None:
        self._options = options
        self._rooms = rooms
        self._shown = shown
        self._players = players

    async def run(self) -> None:
        """Report until cancelled."""
        measured_at = time.monotonic()
        while True:
            await asyncio.sleep(LEVEL_INTERVAL)
            if self._options.send_audio_level:
                self._tell_levels()
            if self._options.packet_timeout is not None:
                self._end_silent(self._options.packet_timeout)
            if time.monotonic() - measured_at >= BITRATE_INTERVAL:
                measured_at = time.monotonic()
                self._tell_bitrates()

    def _tell_levels(self) -> None:
        for stream_id, ingest in self._shown.items():
            if Kind.AUDIO in ingest.inlets:
                event = {
                    "command": "event",
                    "eventType": "UPDATE_AUDIO_LEVEL",
                    "streamId": stream_id,
                    "audioLevel": ingest.audio_level,
                }
                self._players.tell(event, stream_id, self._rooms.main_track(stream_id))

    def _tell_bitrates(self) -> None:
        for viewer in self._players.viewers:
            if viewer.started:
                video, audio = viewer.bitrate(Kind.VIDEO), viewer.bitrate(Kind.AUDIO)
                viewer.owner.notify(
                    "bitrateMeasurement",
                    streamId=viewer.stream_id,
                    targetBitrate=viewer.target_bitrate or video + audio,
                    videoBitrate=video,
                    audioBitrate=audio,
                )

    def _end_silent(self, timeout: float) -> None:
        now = time.monotonic()
        for ingest in tuple(self._shown.values()):
            if ingest.started and ingest.inlets and now - ingest.heard_at > timeout:
                ingest.end(Ending.SILENT)
