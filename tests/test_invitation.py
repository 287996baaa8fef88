"""What is understood of a URL, a page's address, a line, and of a text with one of them in it."""

from __future__ import annotations

import pytest

from tui.errors import UsageError
from tui.invitation import LIMIT, from_address, is_one, read

LIVE = "wss://host:5443/live/websocket"
CONFERENCE = "wss://host:5443/Conference/websocket"


@pytest.mark.parametrize(
    ("address", "url", "said"),
    [
        (LIVE, LIVE, {}),
        ("WSS://HOST:5443/live/websocket", "wss://HOST:5443/live/websocket", {}),
        ("ws://[::1]:5080/live/websocket", "ws://[::1]:5080/live/websocket", {}),
        (f"{LIVE}#top", LIVE, {}),
        (
            f"{LIVE}?room=daily&token=a.b-c%3D&streamId=kim1",
            LIVE,
            {"room": "daily", "token": "a.b-c=", "stream_id": "kim1"},
        ),
        (f"{LIVE}?roomName=daily&streamName=Kim%20Lee", LIVE, {"room": "daily", "name": "Kim Lee"}),
        (f"{LIVE}?target=edge&x=1%202&rtmpForward=true", f"{LIVE}?target=edge&x=1%202&rtmpForward=true", {}),
        (f"{LIVE}?target=edge&token=t", f"{LIVE}?target=edge", {"token": "t"}),
        (f"{LIVE}?token=&room=&token=second", LIVE, {"token": "second"}),
        (f"{LIVE}?playToken=play&publishToken=publish", LIVE, {"token": "publish"}),
        (
            f"{LIVE}?subscriberId=kim&subscriberCode=123456",
            LIVE,
            {"subscriber_id": "kim", "subscriber_code": "123456"},
        ),
        (f"{LIVE}?playOnly=true", LIVE, {"play_only": True}),
        (f"{LIVE}?playOnly=false", LIVE, {}),
        ("https://host:5443/Conference/daily", CONFERENCE, {"room": "daily"}),
        ("https://host:5443/Conference/daily/", CONFERENCE, {"room": "daily"}),
        ("https://host:5443/Conference/daily?token=t&utm=x&target=edge", f"{CONFERENCE}?target=edge", None),
        ("http://host:5080/live/room1", "ws://host:5080/live/websocket", {"room": "room1"}),
        ("https://host:5443/a/b/daily", "wss://host:5443/a/b/websocket", {"room": "daily"}),
        ("https://host:5443/Conference/d%2Dily", CONFERENCE, {"room": "d-ily"}),
        ("https://host:5443/Conference/other?roomName=daily", CONFERENCE, {"room": "daily"}),
        ("https://host:5443/Conference/conference.html?roomId=daily", CONFERENCE, {"room": "daily"}),
        ("https://host:5443/live/websocket?room=daily", LIVE, {"room": "daily"}),
        # An application at the root, behind a proxy.
        ("https://host/daily", "wss://host/websocket", {"room": "daily"}),
        ("https://host/?roomName=daily", "wss://host/websocket", {"room": "daily"}),
        ("https://host/#/daily?token=t&streamId=kim1", "wss://host/websocket", None),
        ("https://host/#!/room/daily", "wss://host/websocket", {"room": "daily"}),
        ("https://host:5443/Conference/#/daily", CONFERENCE, {"room": "daily"}),
        ("https://host:5443/Conference/index.html#/daily", CONFERENCE, {"room": "daily"}),
        # No room in these.
        ("https://host/Conference/", "wss://host/Conference/websocket", {}),
        ("https://host:5443/Conference", CONFERENCE, {}),
        ("https://host:5443/Conference/#section", CONFERENCE, {}),
    ],
)
def test_an_address_is_taken_apart(address: str, url: str, said: dict[str, object] | None) -> None:
    found = from_address(address)
    assert found.url == url
    if said is not None:
        assert found.said == said
    assert read(f"  {address}\n").url == url


def test_a_page_with_its_rooms_route_has_parameters_of_its_own() -> None:
    found = from_address("https://host/#/daily?token=t&streamId=kim1")
    assert found.said == {"room": "daily", "token": "t", "stream_id": "kim1"}
    assert from_address("https://host/daily?token=page#/other?token=route").said == {"room": "other", "token": "page"}


@pytest.mark.parametrize(
    ("address", "named"),
    [
        ("", "must begin with ws:// or wss://"),
        ("host:5443/Conference/daily", "must begin with ws:// or wss://"),
        ("javascript://host/daily", "must begin with ws:// or wss://"),
        ("file:///etc/passwd", "must begin with ws:// or wss://"),
        ("https://", "names no host"),
        ("https:///daily", "names no host"),
        ("https://host:5443", "without an application and a room"),
        ("https://host/index.html", "without an application and a room"),
        ("https://host:0/live/daily", "port 0"),
        ("https://host:99999/live/daily", "malformed"),
        ("https://[::1/live/daily", "malformed"),
        ("https://kim:canary@host/live/daily", "user name or password"),
        ("wss://kim:canary@host/live/websocket?token=t", "user name or password"),
        ("https://host/live/two words", "blanks"),
        ("https://host/live/\x1b[2J", "blanks"),
        ("https://host/live/\u202edaily", "blanks"),
        ("https://host/live/%1b%5b2Jdaily", "the room in it"),
        ("https://host/live/d%0aily", "the room in it"),
        ("https://host/live/%e2%80%aedaily", "the room in it"),
        ("https://host/live/daily?streamId=a%00b", "the stream id in it"),
        ("https://host/live/daily?token=canary%9b%07", "the token in it"),
        ("https://host/live/" + "x" * 3000, "too long"),
        ("https://host/live/daily?" + "a=1&" * 65, "more than 64 parameters"),
    ],
)
def test_what_is_wrong_with_an_address_is_said_and_no_secret(address: str, named: str) -> None:
    with pytest.raises(UsageError) as caught:
        from_address(address)
    assert named in str(caught.value)
    assert "canary" not in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"antconf join {LIVE} daily", {"room": "daily"}),
        (f"$ antconf  join {LIVE} daily --token t", {"room": "daily", "token": "t"}),
        (f"antconf join --token=t {LIVE} --name 'Kim Lee' daily", {"room": "daily", "token": "t", "name": "Kim Lee"}),
        (f"antconf events {LIVE}?room=a daily --play-only", {"room": "daily", "play_only": True}),
        (f"antconf join {LIVE}?token=a --token b daily --stream-id kim1", None),
        (f"antconf join '{LIVE}?room=a%20b' ROOM", {"room": "a b"}),
        (f"antconf join {LIVE} daily it's", {"room": "daily"}),
        # What the room server prints.
        (f"{LIVE}\nantconf join {LIVE} ROOM --token-file FILE\n", {}),
        (f"{LIVE}\r\nantconf join {LIVE} ROOM\r\nantconf join {LIVE} daily\r\n", {"room": "daily"}),
        (f"Today at ten:\n\n  {LIVE}?room=daily&token=t\n\nSee you!", {"room": "daily", "token": "t"}),
        ("(wss://host:5443/live/websocket?room=daily)", {"room": "daily"}),
        (f'<a href="{LIVE}?room=daily">join</a>', {"room": "daily"}),
        (f"https://kim:secret@host/x/y and {LIVE}?room=daily", {"room": "daily"}),
    ],
)
def test_the_first_that_names_a_room_is_found_in_a_text(text: str, said: dict[str, object] | None) -> None:
    found = read(text)
    assert found.url == LIVE
    if said is not None:
        assert found.said == said


def test_options_have_the_last_word_and_those_that_are_not_of_a_place_are_left_out() -> None:
    line = f"antconf join {LIVE}?token=a daily --token b --source /etc/passwd --record-audio x --bogus=\x1b[2J --mic 1"
    found = read(line)
    assert (found.token, found.room) == ("b", "daily")
    assert set(found.left_out) == {"--source", "--record-audio", "--mic", "--bogus"}
    assert "/etc/passwd" not in str(found)
    assert str(found).isprintable()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "no address"),
        ("nothing to see here", "no address"),
        ("\x00\x1b]0;x\x07", "no address"),
        ("antconf join", "no address"),
        ("antconf join --token", "expected one argument"),
        ("antconf join --token a --token-file b", "not allowed with"),
        ("antconf join --video-fps 99 ws://host/live/websocket", "1 to 30"),
        ("antconf join daily", "must begin with ws:// or wss://"),
        ("antconf join --play-only", "names no server"),
        ("antconf join ws://host/live/websocket daily --name 'Kim\x1b[2J'", "the name in it"),
        ("https://kim:canary@host/live/daily", "user name or password"),
    ],
)
def test_a_text_without_an_invitation_is_refused(text: str, named: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(text)
    assert named in str(caught.value)
    assert "canary" not in str(caught.value)


def test_what_was_understood_is_one_line_without_secrets() -> None:
    found = read(f"{LIVE}?jwt=canary&room=daily&token=canary&subscriberId=k&subscriberCode=canary&playOnly=true")
    assert str(found) == f"server {LIVE}?jwt=***, room daily, a token, subscriber k, a code, watch only"
    assert "canary" not in repr(found).replace("?jwt=canary", "")
    assert str(read(f"antconf join {LIVE} --mic 1")) == f"server {LIVE}, --mic left out"


def test_a_text_of_any_size_is_looked_at_only_so_far() -> None:
    huge = "ws://" * 400_000
    assert is_one(huge) is True
    with pytest.raises(UsageError):
        read(huge)
    assert not is_one("x" * LIMIT + LIVE)
    with pytest.raises(UsageError, match="no address"):
        read("x" * LIMIT + LIVE)
