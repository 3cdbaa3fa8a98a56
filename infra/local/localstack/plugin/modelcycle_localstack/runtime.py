"""The Lambda Runtime API of one process: it asks for the next invocation, and posts its result.

See the AWS page "Using the Lambda runtime API for custom runtimes".
"""

from __future__ import annotations

import json
import queue
import sys
import threading
import time
from concurrent.futures import Future
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

PREFIX = "/2018-06-01/runtime/"


class Outcome(NamedTuple):
    """What an invocation returned, or the error that it ended with."""

    is_error: bool
    body: bytes


class RuntimeApi:
    """Serves one process; a new process gets a new one, so that a late request of a killed one takes no work.

    Attributes
    ----------
    started : is done when the process asks for work; its result is None, or the error that ended its start
    """

    def __init__(self, timeout: float) -> None:
        self.started: Future[bytes | None] = Future()
        self._timeout = timeout
        self._work: queue.Queue[dict[str, str] | None] = queue.Queue()
        self._outcome: Future[Outcome] = Future()
        self._server = _Server(self)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        """Host and port, as in AWS_LAMBDA_RUNTIME_API."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def invoke(self, payload: dict[str, str]) -> Outcome:
        """Hand an invocation to the process and wait for its outcome.

        Raises
        ------
        TimeoutError : it takes longer than the function may
        """
        self._outcome = Future()
        self._work.put(payload)
        return self._outcome.result(timeout=self._timeout)

    def process_ended(self, status: int) -> None:
        """Report that the process has ended, as Lambda does."""
        message = f"Error: Runtime exited with error: exit status {status}"
        body = json.dumps({"errorType": "Runtime.ExitError", "errorMessage": message}).encode()
        if not self.started.done():
            self.started.set_result(body)
        self._end(Outcome(True, body))

    def close(self) -> None:
        """End the server; a request that waits for work is answered."""
        self._work.put(None)
        self._server.shutdown()
        self._server.server_close()

    def next_invocation(self) -> tuple[dict[str, str], bytes] | None:
        """Return headers and body of the next invocation, when there is one; None if there will be no more."""
        if not self.started.done():
            self.started.set_result(None)
        payload = self._work.get()
        if payload is None:
            return None
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": payload["invoke-id"],
            "Lambda-Runtime-Invoked-Function-Arn": payload["invoked-function-arn"],
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + self._timeout) * 1000)),
            "Lambda-Runtime-Trace-Id": payload.get("trace-id", ""),
        }
        return headers, payload["payload"].encode()

    def posted(self, path: str, body: bytes) -> None:
        """Take a result or an error."""
        if path == f"{PREFIX}init/error":
            if not self.started.done():
                self.started.set_result(body)
        else:
            self._end(Outcome(path.endswith("/error"), body))

    def _end(self, outcome: Outcome) -> None:
        if not self._outcome.done():
            self._outcome.set_result(outcome)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, api: RuntimeApi) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.api = api

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print errors, but not that a process has ended while it asked for work: each one does."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        following = self.server.api.next_invocation() if self.path == f"{PREFIX}invocation/next" else None
        if following is None:
            self._answer(410)
        else:
            self._answer(200, *following)

    def do_POST(self) -> None:
        self.server.api.posted(self.path, self._body())
        self._answer(202)

    def log_message(self, *parts: Any) -> None:
        """Print nothing: each invocation is two requests."""

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while length := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(length))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _answer(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
