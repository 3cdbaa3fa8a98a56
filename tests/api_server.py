"""An HTTP API on loopback for the tests: it answers what a test says, and records what it was asked."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Asked:
    """A request: its path, its query, and its headers."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    number: int = 0


@dataclass
class Reply:
    """An answer; `cut` closes the connection after that many bytes of the body, whatever Content-Length says."""

    body: bytes | Iterator[bytes] = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None


Answering = Callable[[Asked], Reply]


@dataclass
class Api:
    url: str
    port: int
    asked: list[Asked] = field(default_factory=list)


def as_json(value: Any, **headers: str) -> Reply:
    return Reply(json.dumps(value).encode(), headers={"Content-Type": "application/json", **headers})


@contextmanager
def serving(answering: Answering, host: str = "127.0.0.1") -> Iterator[Api]:
    """Serve an API until the block ends."""
    api = Api("", 0)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(parts.path, dict(parse_qsl(parts.query)), headers, len(api.asked))
            api.asked.append(asked)
            reply = answering(asked)
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            try:
                self._body(reply)
            except OSError:  # the client had enough
                self.close_connection = True

        def _body(self, reply: Reply) -> None:
            if not isinstance(reply.body, bytes):
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for chunk in reply.body:
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
                self.wfile.write(b"0\r\n\r\n")
                return
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body if reply.cut is None else reply.body[: reply.cut])
            if reply.cut is not None:
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer((host, 0), Handler)
    server.daemon_threads = True
    api.port = server.server_address[1]
    api.url = f"http://{host}:{api.port}"
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()


def in_pages(rows: list[Any], faults: Callable[[Asked], Reply | None] = lambda _: None) -> Answering:
    """Answer `?page=` and `?size=`, unless `faults` answers."""

    def answer(asked: Asked) -> Reply:
        fault = faults(asked)
        if fault is not None:
            return fault
        page, size = int(asked.query.get("page", 1)), int(asked.query.get("size", 100))
        return as_json({"data": {"items": rows[(page - 1) * size : page * size]}})

    return answer
