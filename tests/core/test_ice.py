"""Which STUN and TURN servers are used, and which are named and left alone."""

from __future__ import annotations

import pytest
from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection
from aiortc.rtcicetransport import connection_kwargs

from tui.core.ice import SERVER_LIMIT, is_ice_uri, is_private, named, usable

GOOD = [
    "stun:stun.example.org",
    "stun:192.0.2.7:3478",
    "turn:turn.example.org:3478",
    "turn:turn.example.org?transport=udp",
    "turn:turn.example.org:443?transport=tcp",
    "turns:turn.example.org",
    "turns:turn.example.org:443?transport=tcp",
]
BAD = [
    "",
    "turn.example.org",
    "http://turn.example.org",
    "stun:",
    "stun://turn.example.org",
    "stun:host:0",
    "stun:host:65536",
    "stun:host:x",
    "stun:host?transport=udp",
    "turn:host?transport=tls",
    "turns:host?transport=udp",
    "turn:user@host",
    "turn:[::1]:3478",
    "turn:ho st",
    "turn:host\n",
    "turn:\x1b[2J",
    "turn:" + "x" * 300,
    "TURN:host",
]


@pytest.mark.parametrize("uri", GOOD)
def test_a_good_address_is_one_that_the_media_library_takes(uri: str) -> None:
    assert is_ice_uri(uri)
    assert connection_kwargs([RTCIceServer(uri, "u", "p")])


@pytest.mark.parametrize("uri", BAD)
def test_a_bad_address_is_named_and_skipped(uri: str) -> None:
    assert not is_ice_uri(uri)
    kept, (complaint,) = usable([RTCIceServer(uri)])
    assert kept == []
    assert complaint.isprintable() or "\ufffd" in complaint
    assert "cannot be used" in complaint
    assert len(complaint) < 200


async def test_turns_is_turn_over_tls() -> None:
    given = connection_kwargs([RTCIceServer("turns:turn.example.org", "u", "p")])
    assert given["turn_server"] == ("turn.example.org", 5349)
    assert given["turn_ssl"] is True
    assert given["turn_transport"] == "tcp"
    connection = RTCPeerConnection(RTCConfiguration(iceServers=usable([RTCIceServer(uri) for uri in GOOD])[0]))
    await connection.close()


def test_the_good_ones_of_a_list_are_kept_in_order() -> None:
    kept, complaints = usable([RTCIceServer([*BAD[:3], GOOD[0]]), RTCIceServer(GOOD[2], "u", "p")])
    assert [(server.urls, server.username, server.credential) for server in kept] == [
        (GOOD[0], None, None),
        (GOOD[2], "u", "p"),
    ]
    assert len(complaints) == 3


def test_at_most_eight_are_used() -> None:
    kept, complaints = usable([RTCIceServer(f"stun:host{number}") for number in range(1000)])
    assert len(kept) == SERVER_LIMIT == 8
    assert len(complaints) == 1


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "x.localhost", "10.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.169.254", "0.0.0.0"],
)
def test_a_local_address_is_used_only_when_the_server_is_near(host: str) -> None:
    server = RTCIceServer(f"turn:{host}:3478", "u", "p")
    assert is_private(host)
    assert usable([server]) == ([server], [])
    kept, (complaint,) = usable([server], private=False)
    assert kept == []
    assert "local network" in complaint


def test_a_public_address_or_a_name_is_no_local_one() -> None:
    for host in ("8.8.8.8", "turn.example.org", "localhost.example.org", ""):
        assert not is_private(host)


def test_nobody_named_any() -> None:
    assert named([], "u", "p") is None
    (server,) = named(["stun:host"], "", "") or []
    assert (server.urls, server.username, server.credential) == ("stun:host", None, None)
