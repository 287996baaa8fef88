"""Which ICE servers a call gathers with: the one that the server names, if it does so in time (section 11, row 1)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from aiortc import RTCConfiguration, RTCIceServer

from tests.faults.guest import BOB, guest, infos
from tests.waiting import until
from tui.core import link, peer
from tui.core.aiortc_internals import Addresses
from tui.core.events import CallState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.faults.ams import Ams, Message

pytestmark = pytest.mark.faults

USER, PASSWORD = "u", "canary"


@pytest.fixture(autouse=True)
def gathered(monkeypatch: pytest.MonkeyPatch) -> list[list[RTCIceServer]]:
    """The scripted server is taken for one elsewhere; what each connection would gather with is noted, not asked."""
    found: list[list[RTCIceServer]] = []

    def configured(*, iceServers: Sequence[RTCIceServer], **options: Any) -> RTCConfiguration:  # noqa: N803
        found.append(list(iceServers))
        return RTCConfiguration(iceServers=[], **options)

    monkeypatch.setattr(peer, "RTCConfiguration", configured)
    monkeypatch.setattr(link, "is_loopback", lambda url: False)
    here = SimpleNamespace(HOST=Addresses.LOOPBACK, LOOPBACK=Addresses.LOOPBACK)
    monkeypatch.setattr(link, "Addresses", here)
    return found


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"stunServerUri": "stun:stun.example.org:19302"}, [RTCIceServer("stun:stun.example.org:19302")]),
        (
            {
                "stunServerUri": "turn:turn.example.org:3478",
                "turnServerUsername": USER,
                "turnServerCredential": PASSWORD,
            },
            [RTCIceServer("turn:turn.example.org:3478", USER, PASSWORD)],
        ),
        (
            {"stunServerUri": "turns:turn.example.org", "turnServerUsername": USER, "turnServerCredential": PASSWORD},
            [RTCIceServer("turns:turn.example.org", USER, PASSWORD)],
        ),
        ({"stunServerUri": ""}, []),
        ({"stunServerUri": None, "turnServerUsername": None}, []),
        ({"stunServerUri": "http://example.org"}, []),
        ({}, []),
    ],
    ids=["stun", "turn", "turns", "empty", "null", "no such scheme", "missing"],
)
async def test_a_call_gathers_with_what_the_server_names(
    ams: Ams, gathered: list[list[RTCIceServer]], said: Message, expected: list[RTCIceServer]
) -> None:
    async def answer(message: Message) -> None:
        await ams.say("iceServerConfig", **said)

    ams.on["getIceServerConfig"] = answer
    ams.people = ["bob"]
    async with guest(ams) as alice:
        await alice.meets(BOB)
        assert ams.received[0] == {"command": "getIceServerConfig"}
        assert gathered == [expected, expected], "publishing and playing"


@pytest.mark.parametrize("refused", [True, False])
async def test_a_server_that_names_none_is_not_waited_for(
    ams: Ams, gathered: list[list[RTCIceServer]], monkeypatch: pytest.MonkeyPatch, refused: bool
) -> None:
    async def refuse(message: Message) -> None:
        await ams.refuse("noStreamNameSpecified")

    if refused:
        # Said in so many words: no time passes.
        ams.on["getIceServerConfig"] = refuse
        monkeypatch.setattr(link, "ICE_CONFIG_TIMEOUT", 3600.0)
    async with guest(ams) as alice:
        assert gathered == [[], []]
        assert infos(alice, errors=True) == []


@pytest.mark.usefixtures("quick")
async def test_the_answer_is_waited_for_and_each_socket_asks_anew(
    ams: Ams, gathered: list[list[RTCIceServer]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "ICE_CONFIG_TIMEOUT", 3600.0)
    waiting: list[object] = []
    ice_servers = link.Link.ice_servers

    async def counted(self: link.Link) -> list[RTCIceServer]:
        waiting.append(self)
        return await ice_servers(self)

    async def answer(message: Message) -> None:
        """Only when publishing and playing wait for it, on this socket as on the one before."""
        await until(lambda: len(waiting) == 2 * ams.sockets)
        await ams.say("iceServerConfig", stunServerUri=f"stun:stun{ams.sockets}.example.org")

    monkeypatch.setattr(link.Link, "ice_servers", counted)
    ams.on["getIceServerConfig"] = answer
    async with guest(ams) as alice:
        assert gathered == [[RTCIceServer("stun:stun1.example.org")]] * 2
        await until(lambda: "play_started" in infos(alice))
        ams.drop()
        await until(lambda: len(gathered) == 4)
        assert gathered[2:] == [[RTCIceServer("stun:stun2.example.org")]] * 2
        await until(lambda: alice.conference.state is CallState.JOINED)
        assert len(ams.commands("getIceServerConfig")) == ams.sockets == 2


async def test_what_is_named_late_serves_the_next_connection(
    ams: Ams, gathered: list[list[RTCIceServer]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "ICE_CONFIG_TIMEOUT", 0.05)
    async with guest(ams) as alice:
        assert gathered == [[], []]
        await ams.say("iceServerConfig", stunServerUri="stun:stun.example.org")
        await until(lambda: "play_started" in infos(alice))
        await ams.notify("play_finished", streamId="room1")
        await until(lambda: len(gathered) == 3)
        assert gathered[2] == [RTCIceServer("stun:stun.example.org")]


async def test_what_the_user_names_is_not_asked_for(ams: Ams, gathered: list[list[RTCIceServer]]) -> None:
    own = RTCIceServer("turn:own.example.org", USER, PASSWORD)
    async with guest(ams, ice_servers=[own]):
        assert gathered == [[own], [own]]
        assert not ams.commands("getIceServerConfig")
