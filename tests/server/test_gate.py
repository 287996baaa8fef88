"""What a client says about a connection, before aiortc sees it."""

from __future__ import annotations

import pytest

from tui.core.sdp import REPEATS_LIMITS
from tui.errors import WireError
from tui.server.gate import CANDIDATE_LIMIT, LINES_LIMIT, checked_candidate, checked_sdp, is_dropped_in_silence

GOOD = "candidate:1 1 udp 2113937151 127.0.0.1 51000 typ host"


@pytest.mark.parametrize("text", [GOOD, f"a={GOOD}", GOOD.replace("127.0.0.1", "::1"), GOOD + " generation 0"])
def test_a_plain_udp_address_passes(text: str) -> None:
    candidate = checked_candidate(text, loopback=True)
    assert candidate is not None
    assert candidate.port == 51000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "candidate:",
        "candidate:1 1 udp",
        GOOD.replace("udp", "tcp"),
        GOOD.replace("1 1 udp", "1 2 udp"),
        GOOD.replace("51000", "0"),
        GOOD.replace("51000", "99999"),
        GOOD.replace("51000", "-1"),
        GOOD.replace("51000", "x"),
        GOOD.replace("host", "nonsense"),
        GOOD.replace("127.0.0.1", "999.1.1.1"),
        GOOD.replace("127.0.0.1", "name.local"),
        GOOD.replace("127.0.0.1", "example.org"),
        GOOD.replace("127.0.0.1", "224.0.0.1"),
        GOOD.replace("127.0.0.1", "255.255.255.255"),
        GOOD.replace("127.0.0.1", "169.254.169.254"),
        GOOD.replace("127.0.0.1", "0.0.0.0"),
        GOOD + " x" * 10_000,
    ],
)
def test_everything_else_is_skipped(text: str) -> None:
    assert checked_candidate(text, loopback=True) is None


def test_a_server_for_others_tries_none_of_its_own_addresses() -> None:
    assert checked_candidate(GOOD, loopback=False) is None
    assert checked_candidate(GOOD.replace("127.0.0.1", "192.0.2.7"), loopback=False) is not None
    assert GOOD not in checked_sdp(f"v=0\r\nm=audio 9 x 0\r\na={GOOD}\r\n", loopback=False)


AUDIO = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111 0\r\na=rtpmap:111 opus/48000/2\r\na=rtpmap:0 PCMU/8000\r\n"


@pytest.mark.parametrize(
    ("sdp", "dropped"),
    [
        (AUDIO, False),
        (AUDIO.replace("opus/48000/2", "opus/48000"), True),
        (AUDIO + "a=msid:ARDAMS opus-lover\r\n", True),
        (AUDIO.replace("a=rtpmap:0 PCMU/8000\r\n", ""), True),
        (AUDIO.replace("a=rtpmap:0 PCMU/8000\r\n", "").replace("SAVPF", "AVP"), False),
        (AUDIO + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n", False),
    ],
)
def test_what_ams_drops_in_silence(sdp: str, dropped: bool) -> None:
    assert is_dropped_in_silence(sdp) is dropped


def test_a_description_loses_unusable_candidates_and_the_end_of_them() -> None:
    text = checked_sdp(
        f"v=0\r\nm=audio 9 x 0\r\na={GOOD}\r\na={GOOD.replace('127.0.0.1', 'x.local')}\r\na=end-of-candidates\r\n",
        loopback=True,
    )
    assert text == f"v=0\r\nm=audio 9 x 0\r\na={GOOD}\r\n"


def test_only_so_many_candidates_pass() -> None:
    text = checked_sdp("v=0\r\nm=audio 9 x 0\r\n" + f"a={GOOD}\r\n" * (CANDIDATE_LIMIT + 50), loopback=True)
    assert text.count(GOOD) == CANDIDATE_LIMIT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\r\n",
        "hello",
        "v=0\r\ns=-\r\n",
        "v=0\r\ns=é\r\n",
        "v=0\r\na=" + "x" * 10_000,
        "v=0\r\n" + "a=x\r\n" * 100_000,
        "v=0\r\n" + "m=audio 9 x 0\r\n" * 1000,
        "v=0\r\nm=audio 9 x 0\r\n" + "a=x\r\n" * LINES_LIMIT,
        "v=0\r\nm=audio 9 x 0\r\n"
        + "".join(f"a=ssrc:{number} cname:x\r\n" for number in range(REPEATS_LIMITS["a=ssrc:"] + 1)),
        "v=0\r\nm=audio 9 x 0\r\n" + "a=rtpmap:0 x/1\r\n" * 129,
        "v=0\r\nm=audio 9 x 0\r\n" + "a=fmtp:0 x=1\r\n" * 129,
        "v=0\r\n\ud800",
        "v=0\r\na=group:BUNDLE 0\r\nm=audio 9 x 0\r\na=mid:1\r\n",
        "v=0\r\nm=audio 9 x 0\r\na=mid:1\r\nm=audio 9 x 0\r\na=mid:1\r\n",
    ],
    ids=[
        "empty",
        "blank",
        "prose",
        "no-media",
        "not-ascii",
        "long-line",
        "long",
        "sections",
        "lines",
        "sources",
        "codecs",
        "parameters",
        "surrogate",
        "bundle",
        "twice",
    ],
)
def test_a_description_out_of_bounds_is_refused(text: str) -> None:
    with pytest.raises(WireError):
        checked_sdp(text, loopback=True)
