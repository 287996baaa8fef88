"""The m-lines that a client sees and those that aiortc sees, as text."""

from __future__ import annotations

import pytest

from tui.core.sdp import Description
from tui.errors import WireError
from tui.server.sections import Sections

TRANSPORT = ["a=ice-ufrag:{0}", "a=ice-pwd:{0}{0}{0}", "a=fingerprint:sha-256 {0}", "a=setup:{1}"]


def sdp(*sections: tuple[str, str, str], who: str, setup: str, bundle: str | None = None) -> str:
    """``(kind, mid, direction)`` for each; a rejected one has the direction ``rejected``."""
    mids = [mid for _, mid, direction in sections if direction != "rejected"]
    lines = ["v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0", f"a=group:BUNDLE {bundle or ' '.join(mids)}"]
    for kind, mid, direction in sections:
        port = 0 if direction == "rejected" else 9
        lines += [f"m={kind} {port} UDP/TLS/RTP/SAVPF 97", f"a=mid:{mid}"]
        lines += [f"a={direction}", "a=rtcp-mux", f"a=msid:ARDAMS of-{who}", f"a=ssrc:1{mid} cname:x"]
        lines += [line.format(who, setup) for line in TRANSPORT] if port else []
    return "\r\n".join(lines) + "\r\n"


def offered(*sections: tuple[str, str, str]) -> str:
    return sdp(*sections, who="server", setup="actpass")


def answered(*sections: tuple[str, str, str]) -> str:
    return sdp(*sections, who="client", setup="active")


def seen(text: str) -> list[tuple[str, str, bool]]:
    return [(one.mid, one.direction, one.rejected) for one in Description.parse(text).sections]


def bundle(text: str) -> str:
    return next(line for line in text.splitlines() if line.startswith("a=group:BUNDLE"))


DATA = ("application", "0", "sendrecv")


def test_what_is_not_rejected_keeps_its_name() -> None:
    door = Sections()
    offer = offered(DATA, ("video", "1", "sendonly"))
    assert seen(door.offer(offer)) == [("0", "sendrecv", False), ("1", "sendonly", False)]
    answer = answered(DATA, ("video", "1", "recvonly"))
    assert seen(door.answer(answer)) == [("0", "sendrecv", False), ("1", "recvonly", False)]


def test_a_rejected_line_is_out_of_the_bundle_and_its_place_gets_a_new_name() -> None:
    door = Sections()
    door.offer(offered(DATA, ("video", "1", "sendonly"), ("audio", "2", "sendonly")))
    door.reject("1")
    offer = door.offer(offered(DATA, ("video", "1", "inactive"), ("audio", "2", "sendonly")))
    assert seen(offer) == [("0", "sendrecv", False), ("1", "inactive", True), ("2", "sendonly", False)]
    assert bundle(offer) == "a=group:BUNDLE 0 2"
    gone = Description.parse(offer).sections[1]
    assert gone.attribute("msid") is None
    assert gone.attribute("ssrc") is None

    answer = door.answer(answered(DATA, ("video", "1", "rejected"), ("audio", "2", "recvonly")))
    assert seen(answer) == [("0", "sendrecv", False), ("1", "inactive", False), ("2", "recvonly", False)]
    assert bundle(answer) == "a=group:BUNDLE 0 1 2"
    told = Description.parse(answer).sections[1]
    assert (told.attribute("ice-ufrag"), told.attribute("setup")) == ("client", "active")

    door.reuse("1")
    offer = door.offer(offered(DATA, ("video", "1", "sendonly"), ("audio", "2", "sendonly")))
    assert seen(offer) == [("0", "sendrecv", False), ("3", "sendonly", False), ("2", "sendonly", False)]
    assert bundle(offer) == "a=group:BUNDLE 0 3 2"
    answer = door.answer(answered(DATA, ("video", "3", "recvonly"), ("audio", "2", "recvonly")))
    assert [mid for mid, _, _ in seen(answer)] == ["0", "1", "2"]


def test_no_name_is_ever_given_twice() -> None:
    door = Sections()
    names = []
    for _ in range(50):
        door.offer(offered(DATA, ("video", "1", "sendonly")))
        names.append(door.name("1"))
        door.reject("1")
        door.offer(offered(DATA, ("video", "1", "inactive")))
        door.reuse("1")
    assert len(set(names)) == 50


def test_a_line_that_the_client_refuses_is_inactive_for_aiortc() -> None:
    door = Sections()
    door.offer(offered(DATA, ("video", "1", "sendonly")))
    answer = door.answer(answered(DATA, ("video", "1", "rejected")))
    assert seen(answer) == [("0", "sendrecv", False), ("1", "inactive", False)]
    assert Description.parse(answer).sections[1].attribute("ice-ufrag") == "client"


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "v=0\r\n",
        answered(DATA),
        answered(DATA, ("video", "1", "recvonly"), ("video", "2", "recvonly")),
        answered(DATA, ("video", "2", "recvonly")),
        answered(DATA, ("video", "", "recvonly")),
    ],
    ids=["empty", "no sections", "too few", "too many", "another name", "no name"],
)
def test_an_answer_that_does_not_fit_is_refused(answer: str) -> None:
    door = Sections()
    door.offer(offered(DATA, ("video", "1", "sendonly")))
    with pytest.raises(WireError):
        door.answer(answer)
