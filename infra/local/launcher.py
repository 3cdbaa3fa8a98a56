"""The process of the local cloud: MiniStack, made safe to leave running on a laptop.

    python -m infra.local.launcher --home .modelcycle --port 4566

MiniStack hands its whole environment to every function, listens everywhere, answers any web page, and saves its state
only when it is stopped in good order. So this process builds its environment from nothing, listens on loopback alone,
refuses browsers, and saves every two seconds.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import socketserver
import stat
import sys
import threading
import time
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

SAVE_EVERY = 2.0  # seconds
LOG_LIMIT = 32 * 1024 * 1024  # bytes
IDLE_AFTER = 60.0  # seconds until a function's process is stopped; the next call starts one
STATUS_PATH = "/_modelcycle/status"

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def environment(home: Path, port: int) -> dict[str, str]:
    """All that the process, and so every function, finds in its environment."""
    scratch = home / "tmp"
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "LC_ALL": "C.UTF-8",
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "AUTH": "true",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": f"unix://{scratch}/no-docker",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(home / "state"),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(home / "objects"),
        "LAMBDA_WARM_TTL_SECONDS": "30",
        # Without it a function would call the real AWS.
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
    }


class Guard:
    """Lets programs through and keeps browsers out, in front of an ASGI application.

    The key `test` is root here whatever its signature, so any web page that the user has open could otherwise create
    and call a function. A page gives itself away by `Origin` or `Sec-Fetch-Site`; one that has its own name point to
    this machine (DNS rebinding) by its `Host`.
    """

    def __init__(self, app: App, port: int, status: Callable[[], dict[str, Any]]) -> None:
        self._app = app
        self._port = port
        self._status = status

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        refused = self._refusal([(name.lower(), value.decode("latin-1")) for name, value in scope["headers"]])
        if refused and scope["type"] == "http":
            await _answer(send, 403, {"error": "BrowserRefused", "detail": refused})
        elif refused:
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] == "http" and scope["path"] == STATUS_PATH:
            await _answer(send, 200, self._status())
        else:
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


class _LastFault(logging.Handler):
    """Remembers the last line that a failed save wrote, until a save succeeds."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.text: str | None = None

    def emit(self, record: logging.LogRecord) -> None:
        self.text = record.getMessage()


class Keeper(threading.Thread):
    """Saves the state again and again, and stops the processes of functions that nobody calls."""

    def __init__(self, ministack: Any) -> None:
        super().__init__(daemon=True, name="modelcycle-keeper")
        self._ministack = ministack
        self._fault = _LastFault()
        self.save_fault: str | None = None
        self.saved_at = time.time()
        log = logging.getLogger("persistence")
        log.setLevel(logging.WARNING)  # one line for each service, every two seconds, would fill the disk
        log.addHandler(self._fault)

    def run(self) -> None:
        while True:
            time.sleep(SAVE_EVERY)
            self._save()
            _stop_idle_processes()
            _bound_log()

    def _save(self) -> None:
        from ministack.core.persistence import save_all

        self._fault.text = None
        # A store that changes under the encoder fails this save; the next one heals it.
        save_all(self._ministack._build_persistence_save_dict())
        self.save_fault = self._fault.text
        if self.save_fault is None:
            self.saved_at = time.time()


def _stop_idle_processes() -> None:
    """MiniStack never stops the first process of a function: some 40 MB each, 200 MB with pandas."""
    runtime = sys.modules.get("ministack.core.lambda_runtime")
    if runtime is None:
        return
    now = time.time()
    idle = []
    with runtime._lock:
        for key, workers in list(runtime._workers.items()):
            gone = [w for w in workers if not w.in_use and now - getattr(w, "last_used", now) > IDLE_AFTER]
            idle.extend(gone)
            kept = [w for w in workers if w not in gone]
            if kept:
                runtime._workers[key] = kept
            else:
                runtime._workers.pop(key, None)
    runtime.kill_workers(idle)


def _bound_log() -> None:
    """What the functions print goes there too, and days of it would fill the disk; the log groups keep theirs."""
    out = sys.stdout.fileno()
    if stat.S_ISREG(os.fstat(out).st_mode) and os.fstat(out).st_size > LOG_LIMIT:
        os.ftruncate(out, 0)


def _count_workers() -> int:
    runtime = sys.modules.get("ministack.core.lambda_runtime")
    return sum(len(workers) for workers in list(runtime._workers.values())) if runtime else 0


def serve(home: Path, port: int) -> None:
    """Run the cloud in this process until it is told to stop."""
    os.environ.clear()
    os.environ.update(environment(home, port))
    for folder in ("tmp", "scratch", "state", "objects"):
        (home / folder).mkdir(parents=True, exist_ok=True, mode=0o700)
    # Nagle and delayed acknowledgement together cost 50 ms a call of a function that logs one line.
    socketserver.StreamRequestHandler.disable_nagle_algorithm = True

    import ministack.app as ministack

    keeper = Keeper(ministack)

    def status() -> dict[str, Any]:
        return {
            "home": str(home),
            "pid": os.getpid(),
            "workers": _count_workers(),
            "saved_seconds_ago": round(time.time() - keeper.saved_at, 1),
            "save_fault": keeper.save_fault,
            "free_bytes": shutil.disk_usage(home).free,
        }

    ministack.app = Guard(ministack.app, port, status)
    keeper.start()
    sys.argv = sys.argv[:1]
    ministack.main()


def main() -> None:
    parser = argparse.ArgumentParser(description="The process of the local cloud.")
    parser.add_argument("--home", type=Path, required=True, help="folder that holds its state")
    parser.add_argument("--port", type=int, default=4566)
    arguments = parser.parse_args()
    serve(arguments.home.resolve(), arguments.port)


if __name__ == "__main__":
    main()
