"""What comes on a server's data channel: words in both dialects, requests, rubbish, binaries (section 11, row 13)."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING

import pytest

from tests.faults.guest import BOB, guest, infos
from tests.waiting import until
from tui.core.events import Callback, ChatMessage, ModeratorRequest, OnRequest, Reaction, Wish

if TYPE_CHECKING:
    from tests.faults.ams import Ams, Message

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
        '{"eventType":"MESSAGE_RECEIVED","senderId":"bob","message":"' + "x" * 100_000 + '"}',
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
        assert not [event for event in alice.events if isinstance(event, ChatMessage | Reaction | ModeratorRequest)]


WORDS = "gr\u00fcezi <script>\x1b[2J\x07"
DATE = "Tue Sep 02 2025 10:11:12 GMT+0000 (Coordinated Universal Time)"


def chat(sender: str) -> tuple[Message, Message]:
    """The same words as the sample page and as the official application writes them."""
    circle = {"eventType": "MESSAGE_RECEIVED", "message": WORDS, "name": "Mallory", "senderId": sender, "date": DATE}
    return {"eventType": "CHAT_MESSAGE", "streamId": sender, "message": WORDS}, circle


async def test_words_in_both_dialects_are_told_once_and_our_own_not_at_all(ams: Ams) -> None:
    """A server may send us what we said ourselves; who speaks is called as the server's list calls them."""
    ams.people = ["bob"]
    async with guest(ams) as alice:
        await alice.meets(BOB)
        end = ams.play_end
        assert end is not None
        for sender in ("alice", "bob"):
            for event in chat(sender):
                end.tell(event)
        end.tell({"eventType": "REACTIONS", "reaction": "thumbs_up", "streamId": "alice", "senderStreamId": "alice"})
        end.tell({"eventType": "REACTIONS", "reaction": "sad_face", "streamId": "bob", "senderStreamId": "bob"})
        await until(lambda: any(isinstance(event, Reaction) for event in alice.events))
        said = [event for event in alice.events if isinstance(event, ChatMessage)]
        assert [(one.sender, one.name, one.text, one.verified) for one in said] == [("bob", "Bob", WORDS, True)]
        reactions = [event for event in alice.events if isinstance(event, Reaction)]
        assert reactions == [Reaction("bob", "Bob", "sad_face")]


@pytest.mark.parametrize("on_request", OnRequest)
async def test_a_moderators_request_is_asked_obeyed_or_ignored(ams: Ams, on_request: OnRequest) -> None:
    """Only that of somebody whom the server has named; muting is then told as if we had muted ourselves."""
    ams.people = ["bob"]
    async with guest(ams, on_request=on_request) as alice:
        await alice.meets(BOB)
        play, publish = ams.play_end, ams.publish_end
        assert play is not None
        assert publish is not None

        def requests() -> list[ModeratorRequest]:
            return [event for event in alice.events if isinstance(event, ModeratorRequest)]

        for sender in ("mallory", "bob"):
            play.tell({"eventType": "TURN_YOUR_MIC_OFF", "streamId": "alice", "senderStreamId": sender})
        play.tell({"eventType": "REACTIONS", "reaction": "thumbs_up", "streamId": "bob", "senderStreamId": "bob"})
        await until(lambda: any(isinstance(event, Reaction) for event in alice.events))
        if on_request is OnRequest.IGNORE:
            assert requests() == []
            return
        (request,) = requests()
        assert (request.wish, request.sender) == (Wish.MICROPHONE_OFF, "bob")
        if on_request is OnRequest.ASK:
            assert alice.conference.microphone
            await alice.conference.answer_request(request, True)
        await until(lambda: publish.audio_levels[-5:] == [127] * 5)
        await until(lambda: ams.commands("updateStreamMetaData"))
        assert json.loads(ams.commands("updateStreamMetaData")[-1]["metaData"])["isMicMuted"] is True
        await until(lambda: any("MIC_MUTED" in str(text) for text in publish.said))


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
