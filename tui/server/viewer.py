"""One play session: the server offers, the client answers, and what it is to see changes while it lives.

Used by the application, which says with `Viewer.show` what is to be seen. One task per viewer negotiates, so there
is one offer at a time and what changes meanwhile goes into the next one. The data channel is m-line 0 and is offered
alone first: a client may reject any other line, but never the one that the bundle hangs on.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from aiortc import RTCRtpSender

from tui.core.aiortc_internals import name_track
from tui.errors import WireError
from tui.server.forwarding import Outlet, SendQueue
from tui.server.ingest import CODECS
from tui.server.sections import Sections
from tui.server.session import Ending, Session
from tui.server.slots import Kind, Labels, Limits, Slots

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from aiortc import RTCRtpTransceiver
    from aiortc.rtcrtpparameters import RTCRtpCodecCapability

    from tui.core.aiortc_internals import Addresses
    from tui.server.forwarding import Inlet
    from tui.server.ingest import Ingest
    from tui.server.slots import Slot

ANSWER_TIMEOUT = 10.0
"""Seconds that a client may take to answer an offer."""

LEVEL_INTERVAL = 0.2
"""Seconds between two looks at who speaks, and between two AUDIO_TRACK_ASSIGNMENT events while somebody does."""

TALKING = 60
"""The audio level from which somebody counts as talking (section 6.2)."""

_H264_PROFILE = "42e01f"
"""Constrained baseline: what AMS offers, and what every client decodes."""

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


@dataclass(slots=True)
class _Line:
    """The m-line of one slot; ``rejected`` once it is gone for the client."""

    transceiver: RTCRtpTransceiver
    outlet: Outlet
    rejected: bool = False

    @property
    def mid(self) -> str:
        """aiortc's mid, once it was offered."""
        return self.transceiver.mid or ""


@dataclass(slots=True)
class _Disabled:
    """What a viewer does not want to be sent now."""

    by_default: bool
    _chosen: dict[tuple[Kind, str], bool] = field(default_factory=dict)

    def choose(self, kind: Kind, stream_id: str, enabled: bool) -> None:
        """From now on send, or do not send, that participant's picture or sound."""
        self._chosen[kind, stream_id] = enabled

    def keep(self, stream_ids: Collection[str]) -> None:
        """Forget what was chosen for anybody else."""
        self._chosen = {place: enabled for place, enabled in self._chosen.items() if place[1] in stream_ids}

    def __contains__(self, slot: Slot) -> bool:
        return not self._chosen.get((slot.kind, slot.owner), not self.by_default)


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
        limits: Limits | None = None,
        disabled: bool = False,
    ) -> None:
        super().__init__(stream_id, addresses, start_timeout)
        self.owner = owner
        self.own_id = own_id
        self.wants = wants
        self._labels = labels
        self._slots = Slots(labels, limits)
        self._sections = Sections()
        self._disabled = _Disabled(disabled)
        self._lines: dict[Kind, list[_Line]] = {kind: [] for kind in Kind}
        self._queue = SendQueue()
        self._shown: Mapping[str, Ingest] = {}
        self._listed: dict[str, set[Kind]] | None = None
        self._talkers: set[str] = set()
        self._changed = asyncio.Event()
        self._answer: asyncio.Future[str] | None = None
        self._open = asyncio.Event()
        self._estimate = 0
        self._channel = self._connection.createDataChannel(stream_id)
        self._channel.on("open", self._opened)
        self._channel.on("message", self._said)
        self._spawn(self._queue.run())
        self._spawn(self._run())

    def show(self, ingests: Mapping[str, Ingest]) -> None:
        """From now on these are to be seen and heard, by stream id."""
        self._shown = ingests
        self._changed.set()

    def bitrate(self, kind: Kind) -> int:
        """Bits per second that are sent."""
        return sum(line.outlet.bitrate for line in self._lines[kind])

    @property
    def target_bitrate(self) -> int:
        """Bits per second that the viewer thinks it can receive; 0 before it said so.

        It estimates the pictures alone, which are what carries a time of sending.
        """
        return self._estimate + self.bitrate(Kind.AUDIO) if self._estimate else 0

    def slots(self, kind: Kind) -> tuple[Slot, ...]:
        """Who is in which slot."""
        return self._slots.of(kind)

    def height(self, stream_id: str) -> int | None:
        """The height of that participant's picture, in pixels; ``None`` while nobody knows."""
        size = self._shown[stream_id].video_size if stream_id in self._shown else None
        return None if size is None else size[1]

    # -- what the client wishes (section 2.5) --

    def enable(self, stream_id: str, enabled: bool, kinds: Collection[Kind] = tuple(Kind)) -> None:
        """Send that participant's media or not; it keeps its slots meanwhile, and the SDP does not change."""
        for kind in kinds:
            if stream_id in self._shown:
                self._disabled.choose(kind, stream_id, enabled)
            for slot, line in zip(self._slots.of(kind), self._lines[kind], strict=False):
                if slot.owner == stream_id and not enabled:
                    line.outlet.connect(None)
        self._changed.set()

    def limit_video(self, count: int) -> None:
        """So many video slots at most from now on."""
        self._slots.limit_video(count)
        self._changed.set()

    def turn_to(self, offset: int, size: int) -> None:
        """Show another page of the participants, where they are more than the slots."""
        self._slots.turn_to(offset, size)
        self._changed.set()

    def pin(self, stream_id: str, label: str, pinned: bool) -> None:
        """Show a participant in a certain video slot whoever speaks, or let the slot go."""
        if pinned:
            self._slots.pin(stream_id, label)
        else:
            self._slots.unpin(stream_id, label)
        self._changed.set()

    def take_answer(self, sdp: str) -> None:
        """The client's answer to the last offer; one that nobody waits for is ignored."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(sdp)

    def tell(self, message: str | bytes) -> None:
        """Send on the data channel; a viewer that does not keep up misses it."""
        self._write(self._channel, message)

    def tell_video_assignments(self) -> None:
        """Say who is in which video slot."""
        if self._labels is Labels.SLOT:
            self.tell(json.dumps(self._slots.video_assignments(self.stream_id)))

    def tell_audio_assignments(self) -> None:
        """Say who is in which audio slot."""
        if self._labels is Labels.SLOT:
            self.tell(json.dumps(self._slots.audio_assignments(self.stream_id, self._levels())))

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
            self._spawn(self._watch_levels())
            while True:
                await self._changed.wait()
                self._changed.clear()
                await self._follow(self._shown)
        except TimeoutError:
            self.end(Ending.TIMEOUT)
        except WireError:
            self.end(Ending.REFUSED)

    async def _watch_levels(self) -> None:
        """Follow the speakers, and say who they are while they talk."""
        while True:
            await asyncio.sleep(LEVEL_INTERVAL)
            if self._slots.contested:
                self._changed.set()
            levels = self._levels()
            talkers = {slot.owner for slot in self._slots.of(Kind.AUDIO) if levels.get(slot.owner, TALKING) < TALKING}
            if talkers or talkers != self._talkers:
                self.tell_audio_assignments()
            self._talkers = talkers

    def _levels(self) -> dict[str, int]:
        return {stream_id: ingest.audio_level for stream_id, ingest in self._shown.items()}

    async def _follow(self, shown: Mapping[str, Ingest]) -> None:
        inlets = {stream_id: ingest.inlets for stream_id, ingest in shown.items()}
        before = {kind: self._slots.of(kind) for kind in Kind}
        self._disabled.keep(shown)
        self._slots.assign(inlets, self._levels(), asyncio.get_running_loop().time())
        changes = [self._arrange(kind) for kind in Kind]
        places = [
            (slot, line.outlet)
            for kind in Kind
            for slot, line in zip(self._slots.of(kind), self._lines[kind], strict=True)
        ]
        for slot, outlet in places:
            if outlet.inlet is not self._source(slot, inlets):
                outlet.connect(None)
        if any(changes):
            await self._negotiate()
        for slot, outlet in places:
            outlet.connect(self._source(slot, inlets))
        self._tell_changes(before, {stream_id: set(kinds) for stream_id, kinds in inlets.items()})

    def _source(self, slot: Slot, inlets: Mapping[str, Mapping[Kind, Inlet]]) -> Inlet | None:
        return inlets[slot.owner][slot.kind] if slot.owner and slot not in self._disabled else None

    def _tell_changes(self, before: Mapping[Kind, tuple[Slot, ...]], listed: dict[str, set[Kind]]) -> None:
        if listed != self._listed:
            self._listed = listed
            self.tell(json.dumps({"eventType": "TRACK_LIST_UPDATED", "streamId": self.stream_id}))
        if self._slots.of(Kind.VIDEO) != before[Kind.VIDEO]:
            self.tell_video_assignments()
        if self._slots.of(Kind.AUDIO) != before[Kind.AUDIO]:
            self.tell_audio_assignments()

    def _arrange(self, kind: Kind) -> bool:
        """Give every slot its m-line, name and direction; whether that needs an offer."""
        lines = self._lines[kind]
        changed = False
        for index, slot in enumerate(self._slots.of(kind)):
            if index == len(lines):
                lines.append(self._new_line(kind))
                name_track(lines[index].transceiver.sender, _STREAM, slot.track_id)
                changed = True
            line = lines[index]
            direction = "sendonly" if slot.owner else "inactive"
            if line.transceiver.direction != direction:
                line.transceiver.direction = direction
                changed = True
            if self._labels is Labels.STREAM:
                self._recycle(line, slot)
        return changed

    def _recycle(self, line: _Line, slot: Slot) -> None:
        """A line that is named after a stream ends with it, and its place takes a new name with the next one."""
        if slot.owner and line.rejected:
            self._sections.reuse(line.mid)
            name_track(line.transceiver.sender, _STREAM, slot.track_id)
        elif not slot.owner and not line.rejected:
            self._sections.reject(line.mid)
        line.rejected = not slot.owner

    def _new_line(self, kind: Kind) -> _Line:
        transceiver = self._connection.addTransceiver(kind.value, direction="sendonly")
        transceiver.setCodecPreferences(_codecs(kind))
        return _Line(transceiver, Outlet(kind, transceiver.sender, self._queue, self._estimated))

    async def _negotiate(self) -> None:
        self._answer = asyncio.get_running_loop().create_future()
        sdp = self._sections.offer(await self._set_local())
        mapping: dict[str, str] = {}
        for kind in Kind:
            for slot, line in zip(self._slots.of(kind), self._lines[kind], strict=True):
                line.outlet.mid = self._sections.name(line.mid)
                if slot.owner:
                    mapping[line.outlet.mid] = slot.track_id
        self.owner.play_offered(self, sdp, mapping)
        async with asyncio.timeout(ANSWER_TIMEOUT):
            answer = await self._answer
        await self._set_remote("answer", self._sections.answer(answer))

    # -- called by aiortc --

    def _estimated(self, bitrate: int) -> None:
        self._estimate = bitrate

    def _opened(self) -> None:
        self._open.set()

    def _said(self, message: str | bytes) -> None:
        if self.ending is None:
            self.owner.play_said(self, message)

    def _ended(self, ending: Ending) -> None:
        self.owner.play_ended(self, ending)


def _codecs(kind: Kind) -> list[RTCRtpCodecCapability]:
    """What every m-line offers, so that its slot can change between owners of any codec."""
    known = RTCRtpSender.getCapabilities(kind.value).codecs
    return [
        codec
        for name in CODECS[kind]
        for codec in known
        if codec.mimeType == name and codec.parameters.get("profile-level-id", _H264_PROFILE) == _H264_PROFILE
    ]


def track_filter(track_list: list[str]) -> Callable[[str], bool]:
    """What a ``trackList`` asks for: names are wanted, ``!name`` is not, nothing named means all."""
    unwanted = {entry[1:] for entry in track_list if entry.startswith("!")}
    wanted = {entry for entry in track_list if entry and not entry.startswith("!")}

    def wants(stream_id: str) -> bool:
        return stream_id not in unwanted and (not wanted or stream_id in wanted)

    return wants
