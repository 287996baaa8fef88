"""The WebSocket against real servers on loopback: every fault has its class, one line and a next step."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import itertools
import json
import os
import socket
import ssl
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websockets.asyncio.server import ServerConnection, serve

from tests.waiting import until
from tui.core import link, signaling
from tui.core.adaptor import WebRTCAdaptor
from tui.core.messages import Stop
from tui.core.signaling import Signaling, back_off
from tui.core.wire import MESSAGE_LIMIT
from tui.errors import AntconfError, LostError, RefusedError, UnreachableError, UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from websockets.http11 import Request, Response


@asynccontextmanager
async def answering(
    data: bytes, *, then_close: bool = True, context: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """A port where every request is answered with these bytes."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            if then_close:
                await reader.readuntil(b"\r\n\r\n")
            writer.write(data)
            await writer.drain()
            if not then_close:
                await reader.read()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@asynccontextmanager
async def talking(handler: Callable[[ServerConnection], Awaitable[None]]) -> AsyncIterator[str]:
    """The URL of a WebSocket server that does this with each client."""
    async with serve(handler, "127.0.0.1", 0, ping_interval=None) as server:
        yield f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/live/websocket"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def fault(url: str) -> AntconfError:
    """What opening that URL fails with: one printable line, in time."""
    async with asyncio.timeout(5):
        with pytest.raises(AntconfError) as caught:
            await Signaling.open(url)
    line = str(caught.value)
    assert line.isprintable()
    assert 10 < len(line) < 300
    return caught.value


async def texts(socket: Signaling) -> tuple[list[str | bytes], str]:
    """Everything that arrives, and why it ended."""
    received = []
    async with asyncio.timeout(5):
        with pytest.raises(LostError) as caught:  # noqa: PT012
            async for text in socket:
                received.append(text)
    assert str(caught.value).isprintable()
    return received, str(caught.value)


# -- opening -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_nobody_listens(host: str) -> None:
    port = free_port()
    error = await fault(f"ws://{host}:{port}/live/websocket")
    assert type(error) is UnreachableError
    assert f"{host}:{port}" in str(error)
    assert "refused" in str(error)


async def test_the_name_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: object, **__: object) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", nothing)
    error = await fault("ws://nowhere.example:5080/live/websocket")
    assert type(error) is UnreachableError
    assert "nowhere.example:5080" in str(error)
    assert "not found" in str(error)


async def test_a_server_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signaling, "OPEN_TIMEOUT", 0.2)
    async with answering(b"", then_close=False) as port:
        error = await fault(f"ws://127.0.0.1:{port}/live/websocket")
    assert type(error) is UnreachableError
    assert f"127.0.0.1:{port} did not answer" in str(error)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, UnreachableError),
        (301, UnreachableError),
        (401, RefusedError),
        (403, RefusedError),
        (404, UnreachableError),
        (429, UnreachableError),
        (500, UnreachableError),
        (502, UnreachableError),
        (503, UnreachableError),
    ],
)
async def test_an_http_status_instead(status: int, kind: type[AntconfError]) -> None:
    async with answering(f"HTTP/1.1 {status} Whatever\r\nContent-Length: 0\r\n\r\n".encode()) as port:
        error = await fault(f"ws://127.0.0.1:{port}/wrong/websocket")
    assert type(error) is kind
    assert f"127.0.0.1:{port}" in str(error)
    assert f"HTTP {status}" in str(error)
    if status == 404:
        assert "/wrong/websocket" in str(error)
        assert "/live/websocket" in error.hint


async def test_a_redirect_in_a_circle() -> None:
    async with answering(b"HTTP/1.1 301 x\r\nLocation: /live/websocket\r\nContent-Length: 0\r\n\r\n") as port:
        error = await fault(f"ws://127.0.0.1:{port}/live/websocket")
    assert type(error) is UnreachableError


@pytest.mark.parametrize("target", ["ws://elsewhere.example.org/live/websocket", "wss://127.0.0.1/live/websocket"])
async def test_a_redirect_to_another_place_is_not_followed(target: str) -> None:
    async with answering(f"HTTP/1.1 302 x\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode()) as port:
        error = await fault(f"ws://127.0.0.1:{port}/live/websocket")
    assert type(error) is UnreachableError
    assert "another place" in str(error)
    assert error.hint


@pytest.mark.parametrize("redirects", [signaling.MAX_REDIRECTS, signaling.MAX_REDIRECTS + 1])
async def test_three_redirects_to_the_same_host_are_followed(redirects: int) -> None:
    asked: list[str] = []

    def answer(connection: ServerConnection, request: Request) -> Response | None:
        asked.append(request.path)
        if len(asked) > redirects:
            return None
        response = connection.respond(302, "")
        response.headers["Location"] = f"/step{len(asked)}"
        return response

    async with serve(ServerConnection.wait_closed, "127.0.0.1", 0, process_request=answer) as server:
        url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/live/websocket"
        if redirects > signaling.MAX_REDIRECTS:
            assert "without end" in str(await fault(url))
        else:
            async with await Signaling.open(url):
                pass
            assert asked == ["/live/websocket", "/step1", "/step2", "/step3"]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("Retry-After: 7", 7.0),
        ("Retry-After: 99999", 60.0),
        ("Retry-After: -1", 0.0),
        ("Retry-After: \u00b2", 0.0),
        ("Retry-After: Fri, 31 Dec 1999 23:59:59 GMT", 0.0),
        ("Retry-After: 1\r\nRetry-After: 2", 0.0),
        ("X: y", 0.0),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
async def test_a_busy_server_says_when_to_come_back(status: int, header: str, seconds: float) -> None:
    async with answering(f"HTTP/1.1 {status} x\r\n{header}\r\nContent-Length: 0\r\n\r\n".encode()) as port:
        error = await fault(f"ws://127.0.0.1:{port}/live/websocket")
    assert isinstance(error, UnreachableError)
    assert error.retry_after == seconds


async def test_in_a_call_a_busy_server_is_left_alone_as_long_as_it_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "back_off", lambda: itertools.repeat(0.01))
    opened: list[float] = []

    def answer(connection: ServerConnection, _: Request) -> Response | None:
        opened.append(asyncio.get_running_loop().time())
        if len(opened) != 2:
            return None
        response = connection.respond(503, "")
        response.headers["Retry-After"] = "1"
        return response

    async def close(server: ServerConnection) -> None:
        if len(opened) == 1:
            async for _ in server:
                server.transport.abort()
        await server.wait_closed()

    async with serve(close, "127.0.0.1", 0, process_request=answer) as server:
        url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/live/websocket"
        adaptor = WebRTCAdaptor(url, lambda *_: None)
        await adaptor.play("room1")
        await until(lambda: len(opened) == 3)
        await adaptor.aclose()
    assert opened[2] - opened[1] >= 1.0


async def test_a_proxy_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async with answering(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n") as port:
        for variable in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(variable, f"http://127.0.0.1:{port}")
        monkeypatch.delenv("no_proxy", raising=False)
        error = await fault("ws://ams.example.org:5080/live/websocket")
    assert "proxy" in str(error)
    assert "http_proxy" in error.hint


async def test_a_socks_proxy_that_we_cannot_speak_to_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("socks_proxy", "socks5h://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "python_socks.async_.asyncio", None)
    error = await fault("ws://ams.example.org:5080/live/websocket")
    assert type(error) is UnreachableError
    assert "SOCKS" in str(error)


async def test_a_redirect_to_somewhere_odd() -> None:
    async with answering(b"HTTP/1.1 302 x\r\nLocation: gopher://x/\r\nContent-Length: 0\r\n\r\n") as port:
        error = await fault(f"ws://127.0.0.1:{port}/live/websocket")
    assert type(error) is UnreachableError


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 101 " + b"x" * 9000 + b"\r\n\r\n",
        b"HTTP/1.1 101 x\r\n" + b"A: b\r\n" * 1000 + b"\r\n",
        b"\x00" * 1000,
        b"",
    ],
    ids=["ssh", "tls", "bare", "long line", "endless headers", "zeros", "nothing"],
)
@pytest.mark.parametrize("then_close", [True, False])
async def test_something_else_listens_there(data: bytes, then_close: bool) -> None:
    """Whether it hangs up or not, that is known at once."""
    if not (data.endswith(b"\n") or then_close):
        pytest.skip("perhaps the rest is still to come")
    async with answering(data, then_close=then_close) as port:
        error = await fault(f"ws://127.0.0.1:{port}/live/websocket")
    assert type(error) is UnreachableError
    assert f"127.0.0.1:{port} is not a WebSocket server" in str(error)


async def test_tls_to_a_plain_port() -> None:
    async with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n", then_close=False) as port:
        error = await fault(f"wss://127.0.0.1:{port}/live/websocket")
    assert type(error) is UnreachableError
    assert "no TLS connection" in str(error)
    assert "5443" in error.hint


@pytest.fixture
def self_signed(tmp_path: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "server.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


async def test_a_certificate_of_nobodys_authority(self_signed: ssl.SSLContext) -> None:
    async with answering(b"", context=self_signed) as port:
        error = await fault(f"wss://localhost:{port}/live/websocket")
    assert type(error) is UnreachableError
    assert f"certificate of localhost:{port}" in str(error)
    assert "SSL_CERT_FILE" in error.hint


async def test_a_bad_url_is_refused_before_anything_is_connected() -> None:
    assert type(await fault("http://127.0.0.1:1/live/websocket")) is UsageError


async def test_no_proxy_stands_between_us_and_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("http_proxy", "https_proxy", "all_proxy", "ws_proxy", "socks_proxy"):
        monkeypatch.setenv(variable, f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("no_proxy", raising=False)
    async with talking(ServerConnection.wait_closed) as url, await Signaling.open(url) as opened:
        assert isinstance(opened, Signaling)


# -- open --------------------------------------------------------------------------------------------


async def test_texts_come_in_order_until_the_server_closes() -> None:
    async def two_texts(server: ServerConnection) -> None:
        await server.send("one")
        await server.send("two")

    async with talking(two_texts) as url, await Signaling.open(url) as opened:
        received, reason = await texts(opened)
    assert received == ["one", "two"]
    assert reason == "the server closed the signalling connection (1000)"


@pytest.mark.parametrize("code", [1001, 1011, 4000])
async def test_the_servers_reason_is_told(code: int) -> None:
    async def close(server: ServerConnection) -> None:
        await server.close(code, "go \x1b[2J away")

    async with talking(close) as url, await Signaling.open(url) as opened:
        _, reason = await texts(opened)
    assert reason == f"the server closed the signalling connection ({code}: go \ufffd[2J away)"


@pytest.mark.parametrize(("code", "reason"), [(1008, "go \x1b[2J away"), (4003, "Forbidden"), (1000, "unauthorized")])
async def test_closed_because_of_who_we_are(code: int, reason: str) -> None:
    async def close(server: ServerConnection) -> None:
        await server.close(code, reason)

    async with talking(close) as url, await Signaling.open(url) as opened:
        with pytest.raises(RefusedError) as caught:
            async for _ in opened:
                pass
    assert str(code) in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert caught.value.hint


async def test_a_flood_is_read_slowly_and_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server waits, nothing is lost, and the loop is free meanwhile (hostile inputs, WS-18)."""
    monkeypatch.setattr(signaling, "MESSAGES_AT_ONCE", 100)
    monkeypatch.setattr(signaling, "MESSAGES_SPAN", 0.5)
    sent = 0

    async def flood(server: ServerConnection) -> None:
        nonlocal sent
        for sent in range(1, 301):
            await server.send(f'{{"command":"pong","number":{sent},"padding":"{os.urandom(25_000).hex()}"}}')

    loop = asyncio.get_running_loop()
    async with talking(flood) as url, await Signaling.open(url) as opened:
        begun, arrived, behind = loop.time(), [], 0
        with contextlib.suppress(LostError):
            async for text in opened:
                arrived.append(json.loads(text)["number"])
                behind = max(behind, sent - len(arrived))
        assert loop.time() - begun >= 1.0
    assert arrived == list(range(1, 301))
    # Beyond what the buffers hold, the server could not send before we read.
    assert behind < 200


async def test_a_flood_of_long_messages_is_read_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signaling, "BYTES_AT_ONCE", 50_000)
    monkeypatch.setattr(signaling, "MESSAGES_SPAN", 0.3)

    async def flood(server: ServerConnection) -> None:
        for _ in range(15):
            await server.send("x" * 10_000)
        await server.send("x" * 100_000)

    loop = asyncio.get_running_loop()
    async with talking(flood) as url, await Signaling.open(url) as opened:
        begun = loop.time()
        received, _ = await texts(opened)
        assert loop.time() - begun >= 0.9
    assert sum(map(len, received)) == 250_000


async def test_a_socket_that_breaks() -> None:
    async def abort(server: ServerConnection) -> None:
        server.transport.abort()

    async with talking(abort) as url, await Signaling.open(url) as opened:
        _, reason = await texts(opened)
    assert reason == "the signalling connection broke"


async def test_a_message_over_the_limit_ends_the_connection() -> None:
    async def shout(server: ServerConnection) -> None:
        await server.send("x" * MESSAGE_LIMIT)
        await server.send("x" * (MESSAGE_LIMIT + 1))
        await server.wait_closed()

    async with talking(shout) as url, await Signaling.open(url) as opened:
        received, reason = await texts(opened)
    assert [len(text) for text in received] == [MESSAGE_LIMIT]
    assert "1009" in reason
    assert "server closed" not in reason


async def test_sending_on_a_closed_socket_is_a_loss() -> None:
    async with talking(ServerConnection.close) as url, await Signaling.open(url) as opened:
        await texts(opened)
        with pytest.raises(LostError):
            await opened.send(Stop(stream_id="alice"))


async def test_closing_twice_is_no_fault_and_leaves_nothing() -> None:
    before = asyncio.all_tasks()
    async with talking(ServerConnection.wait_closed) as url:
        opened = await Signaling.open(url)
        await opened.aclose()
        await opened.aclose()
    await until(lambda: asyncio.all_tasks() == before)


# -- keep-alive --------------------------------------------------------------------------------------


async def test_a_silent_server_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signaling, "PING_INTERVAL", 0.05)
    heard: list[str | bytes] = []

    async def listen(server: ServerConnection) -> None:
        async for text in server:
            heard.append(text)

    async with talking(listen) as url, await Signaling.open(url) as opened:
        received, reason = await texts(opened)
    assert received == []
    assert reason == "the server does not answer any more"
    assert [json.loads(text) for text in heard] == [{"command": "ping"}] * len(heard)
    assert len(heard) >= signaling.SILENT_PINGS - 1


async def test_a_server_that_answers_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signaling, "PING_INTERVAL", 0.05)
    monkeypatch.setattr(signaling, "SILENT_PINGS", 6)
    answered = 0

    async def answer(server: ServerConnection) -> None:
        nonlocal answered
        async for _ in server:
            await server.send('{"command":"pong"}')
            answered += 1
            if answered == 20:
                return

    async with talking(answer) as url, await Signaling.open(url) as opened:
        received, reason = await texts(opened)
    assert len(received) == 20
    assert "(1000)" in reason


def test_waits_double_up_to_the_limit() -> None:
    waits = [wait for _, wait in zip(range(8), back_off(0.5, 8.0), strict=False)]
    for wait, middle in zip(waits, [0.5, 1, 2, 4, 8, 8, 8, 8], strict=True):
        assert 0.8 * middle <= wait <= 1.2 * middle
    assert len({wait / middle for wait, middle in zip(waits, [0.5, 1, 2, 4, 8, 8, 8, 8], strict=True)}) > 1


# -- what arrives is rubbish -------------------------------------------------------------------------


@pytest.mark.parametrize("rubbish", [19, 20])
async def test_twenty_broken_messages_close_the_socket(rubbish: int, caplog: pytest.LogCaptureFixture) -> None:
    async def talk(server: ServerConnection) -> None:
        for _ in range(rubbish):
            await server.send("[" * 100_000)
        await server.send('{"command":"pong"}')
        await server.wait_closed()

    told: list[tuple[str, Any]] = []
    async with talking(talk) as url:
        adaptor = WebRTCAdaptor(url, lambda info, obj: told.append((info, obj)), reconnect=False)
        async with adaptor:
            await until(lambda: len(told) > 1)
            info, obj = told[1]
    assert told[0] == ("initialized", None)
    if rubbish < 20:
        assert info == "pong"
    else:
        assert info == "closed"
        assert "not the signalling protocol" in obj["reason"]
    # The same complaint comes once a second at most.
    assert 1 <= len(caplog.records) < 10
