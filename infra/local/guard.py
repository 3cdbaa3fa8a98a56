"""Keeps browsers out of the local cloud."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

STATUS_PATH = "/_modelcycle/status"
SAVE_PATH = "/_modelcycle/save"
# Under here the emulator asks for no credentials: one request would wipe the cloud, or show what waits in its queues.
CLOSED = "/_ministack/"
OPEN = ("/_ministack/health", "/_ministack/ready")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Guard:
    """Lets programs through and keeps browsers out, in front of an ASGI application.

    What needs no signature (the health of the emulator, an API of the user's that is open) would otherwise answer any
    web page. A page gives itself away by `Origin` or `Sec-Fetch-Site`; one that has its own name point to this machine
    (DNS rebinding) by its `Host`.

    `passed` counts the requests that were let through.

    Parameters
    ----------
    app: what stands behind it.
    port: of this machine.
    own: the paths that are answered here, each with what makes its JSON.
    at_start: called once, in the server's own thread, before it listens.
    """

    def __init__(
        self,
        app: App,
        port: int,
        own: dict[str, Callable[[], dict[str, Any]]],
        at_start: Callable[[], None] = lambda: None,
    ) -> None:
        self._app = app
        self._port = port
        self._own = own
        self._at_start = at_start
        self.passed = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            self._at_start()
            await self._app(scope, receive, send)
            return
        refused = self._refusal([(name.lower(), value.decode("latin-1")) for name, value in scope["headers"]])
        if refused and scope["type"] == "http":
            await _answer(send, 403, {"error": "BrowserRefused", "detail": refused})
        elif refused:
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] == "http" and f"{scope['path']}/".startswith(CLOSED) and scope["path"] not in OPEN:
            await _answer(send, 403, {"error": "Closed", "detail": "This path of the emulator is closed."})
        elif scope["type"] == "http" and scope["path"] in self._own:
            await _answer(send, 200, self._own[scope["path"]]())
        else:
            self.passed += 1
            await self._app(scope, receive, send)

    def _refusal(self, headers: list[tuple[bytes, str]]) -> str | None:
        hosts = [value for name, value in headers if name == b"host"]
        for name, value in headers:
            if name == b"origin":
                return "The local cloud does not answer web pages: the request has an Origin."
            # `none` is what a person typed or pasted into the address bar.
            if name == b"sec-fetch-site" and value != "none":
                return "The local cloud does not answer web pages: the request was made by one."
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            return f"The local cloud answers to http://127.0.0.1:{self._port} only."
        return None

    def _is_ours(self, host: str) -> bool:
        name, _, port = host.lower().rpartition(":")
        return port == str(self._port) and (name in ("127.0.0.1", "localhost") or name.endswith(".localhost"))


async def _answer(send: Send, status: int, body: dict[str, Any]) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})
