"""What comes on a server's data channel: words in both dialects, requests, rubbish, binaries (section 11, row 13)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from tests.faults.guest import BOB, guest, infos
from tests.waiting import until
from tui.core.events import Callback

if TYPE_CHECKING:
    from tests.faults.ams import Ams

pytestmark = pytest.mark.faults


def hostile_messages() -> list[str | bytes]:
    """What must neither end the call nor be taken for anything."""
    token = 77
    return [
        "not JSON at all",
        "\x1b]0;owned\x07<script>alert(1)</script>",
        "[]",
        "null",
        "7",
        '{"eventType":7}',
        '{"eventType":"NOBODY_KNOWS_IT","streamId":"bob"}',
        '{"eventType":"MESSAGE_RECEIVED"}',
        '{"eventType":"MESSAGE_RECEIVED","message":7,"senderId":[],"date":{}}',
        '{"eventType":"CHAT_MESSAGE","streamId":null,"message":null}',
        '{"eventType":"VIDEO_TRACK_ASSIGNMENT_LIST","payload":[null,7,{"videoLabel":7}]}',
        '{"eventType":"AUDIO_TRACK_ASSIGNMENT","payload":"x"}',
        '{"eventType":"UPDATE_AUDIO_LEVEL","streamId":"bob","audioLevel":"loud"}',
        '{"eventType":"REACTIONS","reaction":{"a":1}}',
        '{"eventType":"TURN_YOUR_MIC_OFF","streamId":"somebody else"}',
        "[" * 2000,
        "x" * 60_000,
        b"\x00",
        struct.pack("<ii", token, -1),
        struct.pack("<ii", token, 2**31 - 1) + b"x" * 100,
        struct.pack("<ii", token, 10) + b"",
        struct.pack("<i", 4242) + b"a chunk of nothing",
    ]


async def test_odd_data_harms_nobody(ams: Ams) -> None:
    ams.people = ["bob"]
    async with guest(ams) as alice:
        await alice.meets(BOB)
        end = ams.play_end
        assert end is not None
        for message in hostile_messages():
            end.tell(message)
        end.tell({"streamId": "bob", "eventType": "MIC_MUTED"})
        await until(lambda: (bob := alice.about(BOB)) and not bob.microphone)
        await alice.sees(BOB)
        own = alice.conference.participants[0]
        assert (own.microphone, own.camera) == (True, True)


async def test_binary_arrives_whole_from_its_chunks(ams: Ams) -> None:
    ams.people = ["bob"]
    content = bytes(range(256)) * 200
    async with guest(ams) as alice:
        await until(lambda: "play_started" in infos(alice) and ams.play_end and ams.play_end.channel)
        end = ams.play_end
        assert end is not None
        assert end.channel is not None
        await until(lambda: end.channel and end.channel.readyState == "open")
        token = struct.pack("<i", 99)
        end.tell(token + struct.pack("<i", len(content)))
        for start in range(0, len(content), 16_000):
            end.tell(token + content[start : start + 16_000])
        shown = f"{len(content)} bytes"
        await until(lambda: any(shown in str(event.obj) for event in alice.events if isinstance(event, Callback)))
