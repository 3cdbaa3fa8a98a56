"""The predict function behind a small HTTP server that does what API Gateway does: for tools that need an address."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit


class Answers(Protocol):
    """What stands behind API Gateway."""

    def handle(self, event: dict[str, Any]) -> dict[str, Any]: ...


@contextmanager
def served(api: Answers) -> Iterator[str]:
    """Serve the function; yield its base URL. It answers one request at a time, as an environment of Lambda does."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 5
        disable_nagle_algorithm = True

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            path = unquote(parts.path)
            event: dict[str, Any] = {
                "httpMethod": self.command, "path": path, "resource": path, "headers": dict(self.headers.items()),
                "body": base64.b64encode(body).decode() if body else None, "isBase64Encoded": bool(body),
                "queryStringParameters": dict(parse_qsl(parts.query)) or None, "multiValueHeaders": {},
                "multiValueQueryStringParameters": None, "pathParameters": None, "stageVariables": None,
                "requestContext": {"requestId": "1", "stage": "live", "httpMethod": self.command, "path": path},
            }  # fmt: skip
            response = api.handle(event)
            content = response["body"]
            sent = base64.b64decode(content) if response.get("isBase64Encoded") else content.encode()
            self.send_response(response["statusCode"])
            for name, values in response["multiValueHeaders"].items():
                self.send_header(name, values[0])
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(sent)

        def __getattr__(self, name: str) -> Callable[[], None]:
            if name.startswith("do_"):  # every method
                return self.answer
            raise AttributeError(name)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Log nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
