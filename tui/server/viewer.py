"""One play session: the server offers, the client answers, and what it is to see changes while it lives.

Used by the application, which says with `Viewer.show` what is to be seen. One task per viewer negotiates, so there
is one offer at a time and what changes meanwhile goes into the next one. The data channel is m-line 0 and is offered
alone first: a client may reject any other line, but never the one that the bundle hangs on.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from aiortc import RTCRtpSender

from tui.core.aiortc_internals import name_track
from tui.errors import WireError
from tui.server.forwarding import Outlet, SendQueue
from tui.server.ingest import CODECS
from tui.server.room import Kind, Labels, Slots
from tui.server.session import Ending, Session

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiortc import RTCRtpTransceiver

    from tui.core.aiortc_internals import Addresses
    from tui.server.ingest import Ingest

ANSWER_TIMEOUT = 10.0
"""Seconds that a client may take to answer an offer."""

BUFFER_LIMIT = 1 << 20
"""Bytes that may wait on a viewer's data channel."""

_STREAM = "ARDAMS"
"""The media stream id of every track (section 5.3)."""


class Player(Protocol):
    """Who a play session belongs to."""

    def notify(self, definition: str, **fields: Any) -> None:
        """Send a notification."""

    def play_offered(self, viewer: Viewer, sdp: str, id_mapping: dict[str, str]) -> None:
        """Send this offer."""

    def play_started(self, viewer: Viewer) -> None:
        """The connection is up."""

    def play_ended(self, viewer: Viewer, ending: Ending) -> None:
        """The session is over; close it."""

    def play_said(self, viewer: Viewer, message: str | bytes) -> None:
        """A message on the viewer's data channel."""


@dataclass(frozen=True, slots=True)
class _Line:
    """The m-line of one slot."""

    transceiver: RTCRtpTransceiver
    outlet: Outlet


class Viewer(Session):
    """The peer connection of somebody who plays a room or a single stream."""

    def __init__(
        self,
        owner: Player,
        stream_id: str,
        addresses: Addresses,
        start_timeout: float,
        *,
        own_id: str = "",
        wants: Callable[[str], bool] = lambda _stream_id: True,
        labels: Labels = Labels.SLOT,
    ) -> None:
        super().__init__(stream_id, addresses, start_timeout)
        self.owner = owner
        self.own_id = own_id
        self.wants = wants
        self._labels = labels
        self._slots = Slots(labels)
        self._lines: dict[Kind, list[_Line]] = {kind: [] for kind in Kind}
        self._queue = SendQueue()
        self._shown: Mapping[str, Ingest] = {}
        self._changed = asyncio.Event()
        self._answer: asyncio.Future[str] | None = None
        self._open = asyncio.Event()
        self._channel = self._connection.createDataChannel(stream_id)
        self._channel.on("open", self._opened)
        self._channel.on("message", self._said)
        self._spawn(self._queue.run())
        self._spawn(self._run())

    def show(self, ingests: Mapping[str, Ingest]) -> None:
        """From now on these are to be seen and heard, by stream id."""
        self._shown = ingests
        self._changed.set()

    def take_answer(self, sdp: str) -> None:
        """The client's answer to the last offer; one that nobody waits for is ignored."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(sdp)

    def tell(self, message: str | bytes) -> None:
        """Send on the data channel; a viewer that does not keep up, or takes no message so long, misses it."""
        if self._channel.readyState == "open" and self._channel.bufferedAmount <= BUFFER_LIMIT:
            with contextlib.suppress(ValueError):
                self._channel.send(message)

    def tell_video_assignments(self) -> None:
        """Say who is in which video slot."""
        if self._labels is Labels.SLOT:
            self.tell(json.dumps(self._slots.video_assignments(self.stream_id)))

    def tell_audio_assignments(self) -> None:
        """Say who is in which audio slot."""
        if self._labels is Labels.SLOT:
            levels = {stream_id: ingest.audio_level for stream_id, ingest in self._shown.items()}
            self.tell(json.dumps(self._slots.audio_assignments(self.stream_id, levels)))

    async def aclose(self) -> None:
        """Close the connection and let go of the publishers."""
        for lines in self._lines.values():
            for line in lines:
                line.outlet.connect(None)
        await super().aclose()

    # -- negotiation, all in one task --

    async def _run(self) -> None:
        try:
            await self._negotiate()
            await self._open.wait()
            self._begin()
            self.owner.play_started(self)
            self.tell_video_assignments()
            while True:
                await self._changed.wait()
                self._changed.clear()
                await self._follow(self._shown)
        except TimeoutError:
            self.end(Ending.TIMEOUT)
        except WireError:
            self.end(Ending.REFUSED)

    async def _follow(self, shown: Mapping[str, Ingest]) -> None:
        inlets = {stream_id: ingest.inlets for stream_id, ingest in shown.items()}
        before = {kind: self._slots.of(kind) for kind in Kind}
        self._slots.assign(inlets)
        directions_changed = [self._arrange(kind) for kind in Kind]
        if any(directions_changed):
            await self._negotiate()
        for kind in Kind:
            for slot, line in zip(self._slots.of(kind), self._lines[kind], strict=True):
                line.outlet.connect(inlets[slot.owner][kind] if slot.owner else None)
        self.tell(json.dumps({"eventType": "TRACK_LIST_UPDATED", "streamId": self.stream_id}))
        if self._slots.of(Kind.VIDEO) != before[Kind.VIDEO]:
            self.tell_video_assignments()
        if self._slots.of(Kind.AUDIO) != before[Kind.AUDIO]:
            self.tell_audio_assignments()

    def _arrange(self, kind: Kind) -> bool:
        """Give every slot its m-line and direction; whether that needs an offer."""
        lines = self._lines[kind]
        changed = False
        for index, slot in enumerate(self._slots.of(kind)):
            direction = "sendonly" if slot.owner else "inactive"
            if index == len(lines):
                lines.append(self._new_line(kind, slot.track_id))
                changed = True
            line = lines[index]
            if line.transceiver.direction != direction:
                line.transceiver.direction = direction
                changed = True
        return changed

    def _new_line(self, kind: Kind, track_id: str) -> _Line:
        transceiver = self._connection.addTransceiver(kind.value, direction="sendonly")
        codecs = RTCRtpSender.getCapabilities(kind.value).codecs
        transceiver.setCodecPreferences([codec for codec in codecs if codec.mimeType == CODECS[kind]])
        name_track(transceiver.sender, _STREAM, track_id)
        return _Line(transceiver, Outlet(kind, transceiver.sender, self._queue))

    async def _negotiate(self) -> None:
        self._answer = asyncio.get_running_loop().create_future()
        sdp = await self._set_local()
        self.owner.play_offered(self, sdp, self._id_mapping())
        async with asyncio.timeout(ANSWER_TIMEOUT):
            answer = await self._answer
        await self._set_remote("answer", answer)

    def _id_mapping(self) -> dict[str, str]:
        return {
            line.transceiver.mid or "": slot.track_id
            for kind in Kind
            for slot, line in zip(self._slots.of(kind), self._lines[kind], strict=True)
            if slot.owner
        }

    # -- called by aiortc --

    def _opened(self) -> None:
        self._open.set()

    def _said(self, message: str | bytes) -> None:
        if self.ending is None:
            self.owner.play_said(self, message)

    def _ended(self, ending: Ending) -> None:
        self.owner.play_ended(self, ending)


def track_filter(track_list: list[str]) -> Callable[[str], bool]:
    """What a ``trackList`` asks for: names are wanted, ``!name`` is not, nothing named means all."""
    unwanted = {entry[1:] for entry in track_list if entry.startswith("!")}
    wanted = {entry for entry in track_list if entry and not entry.startswith("!")}

    def wants(stream_id: str) -> bool:
        return stream_id not in unwanted and (not wanted or stream_id in wanted)

    return wants
