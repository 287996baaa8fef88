"""A cluster's endpoint: it names a node, the node is waited for, and every way in which that can fail is told."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.waiting import until
from tui.core import discovery
from tui.core.adaptor import WebRTCAdaptor
from tui.core.discovery import Endpoint
from tui.errors import RefusedError, UnreachableError, UsageError
from tui.server.signaling import RoomServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

NODE = "wss://node7.example.org:5443/live/websocket"


class Cluster:
    """An HTTP server by script: each request gets what ``reply`` gives for its method and path."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str]] = []
        self.url = ""
        self.reply: Callable[[str, str], bytes] = lambda method, _: (
            http(200, json.dumps({"fqdn": "node7", "websocket_url": NODE, "http_url": f"{self.url}/node"}).encode())
            if method == "GET"
            else http(200)
        )

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, target, _ = head.split(" ", 2)
        self.requests.append((method, target))
        writer.write(self.reply(method, target))
        await writer.drain()
        writer.close()


def http(status: int, body: bytes = b"", *headers: str) -> bytes:
    head = [f"HTTP/1.1 {status} x", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return ("\r\n".join(head) + "\r\n\r\n").encode() + body


@asynccontextmanager
async def running() -> AsyncIterator[Cluster]:
    cluster = Cluster()
    server = await asyncio.start_server(cluster.answer, "127.0.0.1", 0)
    cluster.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield cluster
    finally:
        server.close()


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with running() as made:
        yield made


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "RETRY", 0.02)
    for variable in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(variable, raising=False)


async def fault(endpoint: Endpoint) -> str:
    with pytest.raises(UnreachableError) as caught:
        await endpoint.websocket_url()
    assert str(caught.value).isprintable()
    assert caught.value.hint
    return str(caught.value)


async def test_the_endpoint_is_asked_as_the_sdk_does(cluster: Cluster) -> None:
    endpoint = Endpoint(f"{cluster.url}/cluster?region=eu", "canary")
    assert await endpoint.websocket_url() == NODE
    (get, asked), head = cluster.requests
    assert get == "GET"
    assert parse_qs(urlsplit(asked).query) == {"region": ["eu"], "source": ["sdk"], "accessToken": ["canary"]}
    assert head == ("HEAD", "/node")


async def test_without_a_token_none_is_sent(cluster: Cluster) -> None:
    await Endpoint(cluster.url).websocket_url()
    assert cluster.requests[0] == ("GET", "/?source=sdk")


async def test_a_node_that_is_not_up_is_waited_for(cluster: Cluster) -> None:
    good = cluster.reply
    cluster.reply = lambda method, target: http(503) if len(cluster.requests) < 6 else good(method, target)
    assert await Endpoint(cluster.url).websocket_url() == NODE
    assert len(cluster.requests) == 7


async def test_a_node_that_never_gets_up_is_given_up(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "PATIENCE", 0.5)
    good = cluster.reply
    cluster.reply = lambda method, target: http(404) if method == "HEAD" else good(method, target)
    assert "the node is not ready (HTTP 404)" in await fault(Endpoint(cluster.url))
    assert len(cluster.requests) > 2


async def test_a_refused_token_is_final_and_in_no_text(cluster: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for status in (401, 403):
        cluster.reply = lambda _, __, status=status: http(status)  # type: ignore[misc]
        with pytest.raises(RefusedError) as caught:
            await Endpoint(f"{cluster.url}/?key=canary2", "canary1").websocket_url()
        assert "canary" not in str(caught.value) + caught.value.hint
    assert len(cluster.requests) == 2
    ours = [record.getMessage() for record in caplog.records if record.name.startswith(("tui", "httpx"))]
    assert "canary" not in "".join(ours)
    assert "canary" not in repr(Endpoint("https://example.org", "canary"))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (http(404), "HTTP 404"),
        (http(200, b"hello"), "names no websocket_url"),
        (http(200, b"[]"), "names no websocket_url"),
        (http(200, b'{"websocket_url":7,"http_url":null}'), "names no websocket_url"),
        (http(200, b'{"websocket_url":"http://x","http_url":"http://x"}'), "names a server that cannot be used"),
        (http(200, b'{"websocket_url":"ws://x/y","http_url":"file:///etc/passwd"}'), "names an http_url that is none"),
        (http(200, b"x" * (discovery.BODY_LIMIT + 1)), "more than 65536 bytes"),
        (http(302, b"", "Location: http://elsewhere.example.org/"), "redirects to another place"),
        (http(302, b"", "Location: https://127.0.0.1/"), "redirects to another place"),
        (http(302, b"", "Location: /again"), "redirects more than 3 times"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "cannot be reached"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_cannot_be_used_is_named(cluster: Cluster, answer: bytes, said: str) -> None:
    cluster.reply = lambda *_: answer
    assert said in await fault(Endpoint(cluster.url, "canary"))
    assert len(cluster.requests) <= 4


async def test_a_redirect_to_the_same_place_is_followed(cluster: Cluster) -> None:
    good = cluster.reply
    cluster.reply = lambda method, target: (
        http(307, b"", "Location: /moved") if target.startswith("/?") else good(method, target)
    )
    assert await Endpoint(cluster.url).websocket_url() == NODE


async def test_nobody_listens() -> None:
    async with running() as cluster:
        url = cluster.url
    assert "cannot be reached" in await fault(Endpoint(url))


@pytest.mark.parametrize(
    "url", ["", "example.org", "ws://example.org", "http://", "https://user:canary@example.org/", "ftp://x"]
)
def test_an_endpoint_is_an_http_address(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        Endpoint(url)
    assert "canary" not in str(caught.value)


async def test_the_adaptor_finds_its_server_and_comes_back_by_the_same_way(cluster: Cluster) -> None:
    told: list[str] = []
    async with RoomServer() as server:
        body = json.dumps({"websocket_url": server.url, "http_url": f"{cluster.url}/node"}).encode()
        cluster.reply = lambda method, _: http(200, body if method == "GET" else b"")
        adaptor = WebRTCAdaptor(None, lambda info, _: told.append(info), http_endpoint_url=cluster.url)
        async with adaptor:
            await adaptor.play("room1")
            await until(lambda: "no_stream_exist" in told)
            socket = adaptor._link._socket
            assert socket is not None
            socket._connection.transport.abort()
            await until(lambda: told.count("initialized") == 2)
    assert [method for method, _ in cluster.requests] == ["GET", "HEAD", "GET", "HEAD"]


def test_an_adaptor_needs_a_server_or_an_endpoint() -> None:
    for url, endpoint in ((None, None), ("ws://x/y", "http://x/y")):
        with pytest.raises(UsageError):
            WebRTCAdaptor(url, lambda *_: None, http_endpoint_url=endpoint)
