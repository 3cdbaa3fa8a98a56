"""Refuses browsers in front of the local cloud."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from infra.local.emulator.container_bridge import CONTAINER_HOST

STATUS_PATH = "/_modelcycle/status"
SAVE_PATH = "/_modelcycle/save"
# The emulator requires no credentials below this path: one request would delete all state, or read queues.
CLOSED_PREFIX = "/_ministack/"
OPEN_PATHS = ("/_ministack/health", "/_ministack/ready")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class RequestGuard:
    """ASGI middleware that passes on requests of programs and refuses those of browsers.

    Any web page could call what requires no signature (the emulator's health, an open API of the user). A request of a
    page has an `Origin` or `Sec-Fetch-Site` header; if the page's own name resolves to this machine (DNS rebinding),
    its `Host` is another one.

    Parameters
    ----------
    app : the application behind it
    port : on which this machine listens
    own_paths : the paths that are answered here, each with the function that returns its JSON
    on_startup : called once, in the server's own thread, before it listens

    Attributes
    ----------
    passed : number of requests that were passed on
    """

    def __init__(
        self,
        app: App,
        port: int,
        own_paths: dict[str, Callable[[], dict[str, Any]]],
        on_startup: Callable[[], None] = lambda: None,
    ) -> None:
        self._app = app
        self._port = port
        self._own_paths = own_paths
        self._on_startup = on_startup
        self.passed = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection of the server (https://asgi.readthedocs.io/en/latest/specs/www.html)."""
        if scope["type"] == "lifespan":
            self._on_startup()
            await self._app(scope, receive, send)
            return
        refusal = self._refusal([(name.lower(), value.decode("latin-1")) for name, value in scope["headers"]])
        if refusal and scope["type"] == "http":
            await _answer(send, 403, {"error": "BrowserRefused", "detail": refusal})
        elif refusal:
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] == "http" and _is_closed(scope["path"]):
            await _answer(send, 403, {"error": "Closed", "detail": "This path of the emulator is closed."})
        elif scope["type"] == "http" and scope["path"] in self._own_paths:
            await _answer(send, 200, self._own_paths[scope["path"]]())
        else:
            self.passed += 1
            await self._app(scope, receive, send)

    def _refusal(self, headers: list[tuple[bytes, str]]) -> str | None:
        """Return why a request is refused, or None."""
        for name, value in headers:
            if name == b"origin":
                return "The local cloud does not answer web pages: the request has an Origin header."
            # `none` is an address that a person typed or pasted
            if name == b"sec-fetch-site" and value != "none":
                return "The local cloud does not answer web pages: a web page made this request."
        hosts = [value for name, value in headers if name == b"host"]
        if len(hosts) != 1 or not self._is_own_host(hosts[0]):
            return f"The local cloud answers at http://127.0.0.1:{self._port} only."
        return None

    def _is_own_host(self, host: str) -> bool:
        name, _, port = host.lower().rpartition(":")
        is_own = name in ("127.0.0.1", "localhost", CONTAINER_HOST) or name.endswith(".localhost")
        return port == str(self._port) and is_own


def _is_closed(path: str) -> bool:
    return f"{path}/".startswith(CLOSED_PREFIX) and path not in OPEN_PATHS


async def _answer(send: Send, status: int, body: dict[str, Any]) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})
