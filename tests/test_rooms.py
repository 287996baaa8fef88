"""The rooms that are offered: which are kept, what is kept of them, and where secrets go with them."""

from __future__ import annotations

import json
import stat
from dataclasses import replace

import pytest

from tui import rooms
from tui.config import JoinOptions, remembered, state_directory
from tui.invitation import read
from tui.rooms import MOST, Recent, at, forget, invited, recents, remember

URL = "wss://meet.example.org:5443/live/websocket"
HERE = JoinOptions(
    URL, "daily", "Kim", "stream01234567", token="t", subscriber_id="k", subscriber_code="1", totp_secret="s"
)


def test_the_newest_come_first_each_once_and_ten_at_most() -> None:
    for number in range(MOST + 3):
        remember(replace(HERE, room=f"room{number}"))
    remember(replace(HERE, room="room5", name="Lee", stream_id="lee"))
    assert [one.room for one in recents()][:3] == ["room5", "room12", "room11"]
    assert len(recents()) == MOST
    assert recents()[0] == Recent(URL, "room5", "Lee", "lee")
    assert recents()[1].stream_id == ""
    assert remembered()["room"] == "room5"


def test_what_is_kept_is_private_and_no_secret() -> None:
    remember(replace(HERE, url=f"{URL}?jwt=canary", token="canary", subscriber_code="canary"))
    remember(replace(HERE, url="https://x/canary", is_endpoint=True, endpoint_token="canary"))
    for name in ("rooms.json", "last.json"):
        path = state_directory() / name
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert "canary" not in path.read_text()
    assert recents() == (Recent(URL, "daily", "Kim"),)


def test_one_can_be_forgotten() -> None:
    for room in ("a", "b", "c"):
        remember(replace(HERE, room=room))
    forget(recents()[1])
    assert [one.room for one in recents()] == ["c", "a"]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "{}",
        "null",
        "[null, 1, []]",
        '[{"url": 1, "room": "a"}]',
        '[{"url": "x"}]',
        "[" * 50_000,
        '[{"x": "y"}]',
    ],
)
def test_a_broken_memory_is_none(content: str) -> None:
    state_directory().mkdir(parents=True)
    (state_directory() / "rooms.json").write_text(content)
    assert recents() == ()


def test_what_somebody_wrote_there_is_safe_to_draw() -> None:
    state_directory().mkdir(parents=True)
    row = {"url": "ws://x\x1b[2J/", "room": "a\n" + "b" * 3000, "name": "\u202e", "token": "canary"}
    (state_directory() / "rooms.json").write_text(json.dumps([row] * 15))
    assert len(recents()) == MOST
    one = recents()[0]
    assert all(len(text) <= 2048 for text in (one.url, one.room, one.name))
    assert "\x1b" not in one.url
    assert "\n" not in one.room


def test_secrets_stay_with_the_server_they_were_given_for() -> None:
    same = at(HERE, "wss://meet.example.org:5443/other/websocket")
    assert (same.token, same.subscriber_code, same.totp_secret) == ("t", "1", "s")
    for url in (
        "wss://evil.example.org:5443/live/websocket",
        "ws://meet.example.org:5443/live/websocket",
        "wss://meet",
    ):
        moved = at(HERE, url)
        assert moved.url == url
        assert not any(moved.secrets)
    # Given for wherever one would go.
    assert at(replace(HERE, url=""), URL).token == "t"
    endpoint = at(replace(HERE, url="https://x/y", is_endpoint=True, endpoint_token="e"), URL)
    assert (endpoint.is_endpoint, any(endpoint.secrets)) == (False, False)


def test_a_room_of_late_brings_its_name_and_a_given_stream_id() -> None:
    there = Recent("wss://other/live/websocket", "weekly", "Dr. Kim", "kim")
    options = there.options(HERE)
    assert (options.url, options.room, options.name, options.stream_id) == (there.url, "weekly", "Dr. Kim", "kim")
    assert options.token == ""
    options = Recent(URL, "weekly").options(HERE)
    assert (options.name, options.stream_id, options.token) == ("Kim", HERE.stream_id, "t")


def test_an_invitation_brings_what_it_says() -> None:
    options = invited(HERE, read("https://other:5443/live/weekly?token=new&playOnly=true"))
    assert (options.room, options.token, options.play_only, options.name) == ("weekly", "new", True, "Kim")
    assert options.subscriber_code == ""
    assert invited(HERE, read(URL)) == HERE


def test_a_disk_that_is_full_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    rooms.remember(HERE)
    assert recents() == ()
