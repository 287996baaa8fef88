"""Where a cluster's signalling is: an HTTP endpoint names the node, which is waited for.

Used by the link before it connects, when the adaptor was given an ``http_endpoint_url`` instead of a server.
Source: signalling reference, 1.1.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from tui.core.address import check_url
from tui.core.wire import load_object
from tui.errors import RefusedError, UnreachableError, UsageError
from tui.text import printable

if TYPE_CHECKING:
    import httpx

logger = logging.getLogger(__name__)

RETRY = 3.0
"""Seconds between two questions (section 1.1)."""

PATIENCE = 60.0
"""Seconds until a cluster that does not get ready is given up."""

REQUEST_TIMEOUT = 10.0
BODY_LIMIT = 64 << 10
REDIRECTS = 3


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An auto-managed cluster's front door; ``token`` is its access token, if it wants one."""

    url: str
    token: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
            raise UsageError(
                f"the endpoint URL {printable(self.shown)!r} cannot be used", "example: https://host/cluster/node"
            )

    @property
    def shown(self) -> str:
        """The URL without its query, which may hold a secret, and without a password."""
        parts = urlsplit(self.url)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))

    async def websocket_url(self) -> str:
        """The signalling URL of a node that is up, within `PATIENCE`.

        Raises `RefusedError` for a token that is not taken, else `UnreachableError`.
        """
        import httpx

        # httpx logs whole URLs, and the token is in one.
        logging.getLogger("httpx").setLevel(logging.WARNING)
        reason = "it did not answer"
        try:
            async with (
                asyncio.timeout(PATIENCE),
                httpx.AsyncClient(timeout=REQUEST_TIMEOUT, headers={"Accept-Encoding": "identity"}) as client,
            ):
                while True:
                    try:
                        return await self._ask(client)
                    except _NotReadyError as error:
                        reason = str(error)
                        logger.info("cluster endpoint: %s", reason)
                    await asyncio.sleep(RETRY)
        except TimeoutError:
            raise self._unreachable(f"named no node that is up within {PATIENCE:.0f} s: {reason}") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._unreachable(f"cannot be reached: {printable(str(error)) or type(error).__name__}") from error

    def _unreachable(self, what: str) -> UnreachableError:
        return UnreachableError(
            f"the cluster endpoint {printable(self.shown)} {what}",
            "look at the URL, or give the server's own ws:// or wss:// URL",
        )

    async def _ask(self, client: httpx.AsyncClient) -> str:
        import httpx

        query = {"source": "sdk"} | ({"accessToken": self.token} if self.token else {})
        node = load_object(await self._body(client, httpx.URL(self.url).copy_merge_params(query)))
        websocket_url, http_url = node.get("websocket_url"), node.get("http_url")
        if not isinstance(websocket_url, str) or not isinstance(http_url, str):
            raise self._unreachable("names no websocket_url and http_url")
        try:
            check_url(websocket_url)
        except UsageError as error:
            raise self._unreachable(f"names a server that cannot be used: {error}") from error
        if urlsplit(http_url).scheme not in ("http", "https"):
            raise self._unreachable("names an http_url that is none")
        try:
            status = (await client.head(http_url)).status_code
        except httpx.TransportError as error:
            raise _NotReadyError(f"the node is not up ({type(error).__name__})") from error
        if not 200 <= status < 400:
            raise _NotReadyError(f"the node is not ready (HTTP {status})")
        return websocket_url

    async def _body(self, client: httpx.AsyncClient, url: httpx.URL) -> bytes:
        """The body of a successful answer within `BODY_LIMIT`, after redirects that keep host and scheme."""
        for _ in range(REDIRECTS + 1):
            async with client.stream("GET", url) as response:
                status = response.status_code
                if response.next_request is not None:
                    target = response.next_request.url
                    if (target.scheme, target.host) != (url.scheme, url.host):
                        raise self._unreachable(f"redirects to another place ({printable(target.host, 100)})")
                    url = target
                    continue
                if status in (401, 403):
                    raise RefusedError(
                        f"the cluster endpoint {printable(self.shown)} refused the access token (HTTP {status})",
                        "give the right one with ANTCONF_ENDPOINT_TOKEN",
                    )
                if status == 429 or status >= 500:
                    raise _NotReadyError(f"the endpoint is not ready (HTTP {status})")
                if not response.is_success:
                    raise self._unreachable(f"answered HTTP {status}")
                body = b""
                async for part in response.aiter_raw():
                    body += part
                    if len(body) > BODY_LIMIT:
                        raise self._unreachable(f"answered with more than {BODY_LIMIT} bytes")
                return body
        raise self._unreachable(f"redirects more than {REDIRECTS} times")


class _NotReadyError(UnreachableError):
    """Asked again after a while."""
