"""A page on this machine that shows a model's API with Swagger UI, and signs the calls that the page makes.

It listens on 127.0.0.1 alone. Its address holds a random token, and requests from other sites are refused: neither a
page of another site nor another user of the machine can call the API with the user's keys. Only the paths of the
document are passed on: it takes no decisions about versions.

Swagger UI comes with Powertools for AWS Lambda, which AWS keeps and the functions use anyway.
"""

from __future__ import annotations

import importlib.util
import json
import re
import secrets
from functools import cached_property
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cli import signing
from cli.place import Place
from modelcycle.faults import BadInput, Fault

HOST = "127.0.0.1"
MAX_BODY_BYTES = 10 * 2**20  # API Gateway takes no more (AWS page "Amazon API Gateway quotas")
TIMEOUT = 60  # seconds without a byte from the client
FORWARDED = (
    "accept", "accept-encoding", "content-encoding", "content-type", "idempotency-key",
    "inference-header-content-length", "x-request-id",
)  # fmt: skip
RETURNED = (
    "content-encoding",
    "content-type",
    "inference-header-content-length",
    "retry-after",
    "vary",
    "x-request-id",
)
SECURITY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",  # it holds the token
    "X-Content-Type-Options": "nosniff",
}
PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title><link rel="stylesheet" href="swagger-ui.css"></head>
<body><div id="swagger-ui"></div><script src="swagger-ui.js"></script><script src="page.js"></script></body>
</html>
"""
SCRIPT = """SwaggerUIBundle({
  url: "openapi.json", dom_id: "#swagger-ui", validatorUrl: null, tryItOutEnabled: true, deepLinking: true,
});
"""
FILES = {
    "swagger-ui.css": ("swagger-ui.min.css", "text/css"),
    "swagger-ui.js": ("swagger-ui-bundle.min.js", "text/javascript"),
}


def documented_at(document: dict[str, Any], address: str) -> dict[str, Any]:
    """Return an OpenAPI document with the address of its API."""
    return document | {"servers": [{"url": address}]}


def swagger_ui() -> Path:
    """Return the folder of Swagger UI's files.

    Raises
    ------
    Fault : this version of Powertools has none
    """
    package = importlib.util.find_spec("aws_lambda_powertools")
    roots = (package.submodule_search_locations if package else None) or []
    for root in roots:
        folder = Path(root) / "event_handler" / "openapi" / "swagger_ui"
        if all((folder / name).is_file() for name, _ in FILES.values()):
            return folder
    raise Fault("Swagger UI is not installed", "aws-lambda-powertools", "`make run` installs the packages of the lock")


class ApiPage:
    """Serves the page of one model.

    Parameters
    ----------
    document : the model's OpenAPI document; its paths are those that may be called
    port : 0 for a free one

    Raises
    ------
    BadInput : the port is in use
    """

    def __init__(self, place: Place, model: str, document: dict[str, Any], port: int = 0) -> None:
        self.place = place
        self.model = model
        self.token = secrets.token_urlsafe(24)
        self.callable = [
            (method.upper(), _pattern(path)) for path, item in document["paths"].items() for method in item
        ]
        self.folder = swagger_ui()
        page = self

        class Handler(_Handler):
            api_page = page

        try:
            self.server = _Server((HOST, port), Handler)
        except OSError as error:
            raise BadInput(f"port {port} is in use", f"{HOST}:{port}", "choose another --port") from error

    @cached_property
    def origin(self) -> str:
        """Where the page is served: scheme, host and port."""
        return f"http://{HOST}:{self.server.server_address[1]}"

    @property
    def url(self) -> str:
        """The address of the page."""
        return f"{self.origin}/{self.token}/"

    def serve_until_interrupted(self) -> None:
        """Answer requests until Ctrl-C."""
        try:
            self.server.serve_forever()
        except KeyboardInterrupt:
            return

    def is_callable(self, method: str, path: str) -> bool:
        """Return whether a path of the API may be called."""
        return any(method == allowed and pattern.fullmatch(path) for allowed, pattern in self.callable)

    def file(self, name: str) -> tuple[bytes, str] | None:
        """Return a file of the page and its media type; None if there is no such file."""
        if name == "":
            return PAGE.format(title=self.model).encode(), "text/html; charset=utf-8"
        if name == "page.js":
            return SCRIPT.encode(), "text/javascript"
        if name in FILES:
            file, kind = FILES[name]
            return (self.folder / file).read_bytes(), kind
        if name == "openapi.json":
            # read again, because the live version may have changed; signed here, so not by the page
            document = documented_at(
                signing.call(self.place, "GET", f"/models/{self.model}/openapi.json"), self.url[:-1]
            )
            document.pop("security", None)
            document["components"].pop("securitySchemes", None)
            return json.dumps(document).encode(), "application/json"
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing where a client hangs up."""


class _Handler(BaseHTTPRequestHandler):
    """Answers one connection of the page."""

    protocol_version = "HTTP/1.1"
    timeout = TIMEOUT
    disable_nagle_algorithm = True  # else each answer waits 40 ms for the client's acknowledgement of its headers
    api_page: ApiPage

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse what is not HTTP, and every other method."""
        status = HTTPStatus(code)
        if status is HTTPStatus.NOT_IMPLEMENTED:
            status, message = HTTPStatus.METHOD_NOT_ALLOWED, "only GET and POST are answered"
        self._refuse(status, message or status.phrase)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Log nothing: the address holds the token."""

    def _answer(self) -> None:
        page = self.api_page
        body = self._body()
        if body is None:
            return
        token, _, rest = self.path.removeprefix("/").partition("/")
        path, _, query = rest.partition("?")
        if self.headers.get("Host") != page.origin.removeprefix("http://"):
            self._refuse(HTTPStatus.FORBIDDEN, "another host name")  # a site whose name leads to this machine
        elif self.headers.get("Origin", page.origin) != page.origin:
            self._refuse(HTTPStatus.FORBIDDEN, "a page of another site")
        elif not secrets.compare_digest(token.encode(), page.token.encode()):
            self._refuse(HTTPStatus.NOT_FOUND, "the address is not the one that `modelcycle api` printed")
        else:
            try:
                self._pass_on(path, query, body)
            except Fault as fault:
                self._refuse(HTTPStatus.BAD_GATEWAY, fault.what)

    def _pass_on(self, path: str, query: str, body: bytes) -> None:
        page = self.api_page
        if self.path == page.url.removeprefix(page.origin).rstrip("/"):  # the page's files are beside it
            self._send(HTTPStatus.PERMANENT_REDIRECT, b"", "text/plain", {"Location": page.url})
            return
        file = page.file(path) if self.command == "GET" else None
        if file is not None:
            self._send(HTTPStatus.OK, *file)
            return
        if not page.is_callable(self.command, f"/{path}"):
            self._refuse(HTTPStatus.NOT_FOUND, f"{page.model} has no such path, see openapi.json")
            return
        headers = {name: self.headers[name] for name in FORWARDED if name in self.headers}
        headers.setdefault("accept", "*/*")  # without it, API Gateway returns no bytes
        headers.setdefault("accept-encoding", "identity")
        called = f"/{path}?{query}" if query else f"/{path}"
        response = signing.send(page.place, self.command, called, body or None, headers)
        returned = {name: response.headers[name] for name in RETURNED if name in response.headers}
        self._send(response.status_code, response.content, returned.pop("content-type", "application/json"), returned)

    def _body(self) -> bytes | None:
        """Return the body of the request; None if it was refused."""
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdigit():
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "send Content-Length")
        elif int(length) > MAX_BODY_BYTES:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body has more than {MAX_BODY_BYTES // 2**20} MB")
        else:
            return self.rfile.read(int(length))
        return None

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        problem = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail}
        self.close_connection = True
        self._send(status, json.dumps(problem).encode(), "application/problem+json")

    def _send(self, status: int, body: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            **SECURITY,
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _pattern(path: str) -> re.Pattern[str]:
    """Return the pattern of a path of an OpenAPI document; a parameter is one segment."""
    return re.compile(
        "".join("[^/?#]+" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{[^}]*\})", path))
    )
