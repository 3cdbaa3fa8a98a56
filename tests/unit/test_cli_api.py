"""`modelcycle api`: the document, and a page that signs calls for this machine alone."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from cli import api_page, signing
from cli.api import api as show_api
from cli.api_page import ApiPage, documented_at
from modelcycle.faults import BadInput, Transient

DOCUMENT = {
    "openapi": "3.1.0", "info": {"version": "3"}, "servers": [{"url": "../.."}], "security": [{"sigv4": []}],
    "components": {"securitySchemes": {}},
    "paths": {
        "/models/churn/predict": {"post": {}}, "/models/churn/openapi.json": {"get": {}},
        "/v2/models/churn/versions/{version}/infer": {"post": {}, "parameters": []},
    },
}  # fmt: skip


class Api:
    """The API behind the page."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: list[tuple[str, str, bytes | None, dict[str, str]]] = []
        self.error: Exception | None = None
        monkeypatch.setattr(signing, "send", self.send)
        monkeypatch.setattr(signing, "call", lambda *_: json.loads(json.dumps(DOCUMENT)))

    def send(self, place: Any, method: str, path: str, data: bytes | None, headers: dict[str, str]) -> Any:
        if self.error:
            raise self.error
        self.sent.append((method, path, data, headers))
        return SimpleNamespace(status_code=201, content=b"\x00\xff", headers={"content-type": "a/b", "x-amz-id": "1"})


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Api:
    return Api(monkeypatch)


@pytest.fixture
def page(answering: Api) -> Iterator[ApiPage]:
    place: Any = SimpleNamespace(api_url="http://api", title="local cloud")
    with ApiPage(place, "churn", DOCUMENT) as page:
        thread = threading.Thread(target=page.server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield page
        page.server.shutdown()


def ask(
    page: ApiPage, path: str, method: str = "GET", body: bytes | None = None, **headers: str
) -> tuple[int, bytes, Any]:
    connection = http.client.HTTPConnection(*page.server.server_address[:2], timeout=5)  # type: ignore[arg-type]
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path if path.startswith("//") else f"/{page.token}/{path}", body, named)
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response.status, content, response.headers


def test_the_page_and_its_files_are_served(page: ApiPage) -> None:
    status, content, headers = ask(page, "")
    assert status == 200 and b"swagger-ui.js" in content and "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Referrer-Policy"] == "no-referrer" and headers["Cache-Control"] == "no-store"
    assert b"SwaggerUIBundle" in ask(page, "swagger-ui.js")[1] and b".swagger-ui" in ask(page, "swagger-ui.css")[1]
    assert b"openapi.json" in ask(page, "page.js")[1]


def test_the_address_without_its_slash_leads_to_the_page(page: ApiPage) -> None:
    connection = http.client.HTTPConnection(*page.server.server_address[:2], timeout=5)  # type: ignore[arg-type]
    connection.request("GET", f"/{page.token}")
    response = connection.getresponse()
    assert (response.status, response.headers["Location"]) == (308, page.url)
    connection.close()


def test_the_swagger_ui_that_comes_with_powertools_reads_openapi_3_1() -> None:
    bundle = (api_page.swagger_ui() / "swagger-ui-bundle.min.js").read_text()
    assert int(bundle.partition('PACKAGE_VERSION:"')[2].partition(".")[0]) >= 5


def test_the_document_of_the_page_leads_to_the_page(page: ApiPage) -> None:
    document = json.loads(ask(page, "openapi.json")[1])
    assert document["servers"] == [{"url": page.url.rstrip("/")}] and "security" not in document


def test_calls_are_passed_on_with_their_bytes(page: ApiPage, answering: Api) -> None:
    status, content, headers = ask(
        page, "v2/models/churn/versions/3/infer", "POST", b"\x01\xfe", inference_header_content_length="1", cookie="x",
        origin=page.origin,
    )  # fmt: skip
    assert (status, content, headers["content-type"]) == (201, b"\x00\xff", "a/b") and "x-amz-id" not in headers
    ((method, path, data, sent),) = answering.sent
    assert (method, path, data) == ("POST", "/v2/models/churn/versions/3/infer", b"\x01\xfe")
    assert sent == {"inference-header-content-length": "1", "accept": "*/*", "accept-encoding": "identity"}


def test_a_query_is_passed_on(page: ApiPage, answering: Api) -> None:
    assert ask(page, "models/churn/predict?explain=true", "POST", b"{}")[0] == 201
    assert answering.sent[0][1] == "/models/churn/predict?explain=true"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "models/churn/decisions"), ("GET", "models/churn/predict"), ("POST", "models/other/predict"),
        ("POST", "v2/models/churn/versions/3/4/infer"), ("POST", "models/churn/predict/"), ("GET", "../etc/passwd"),
        ("POST", ""), ("POST", "models%2Fchurn%2Fpredict"), ("POST", "/models/churn/predict"),
    ],
)  # fmt: skip
def test_no_other_path_is_passed_on(page: ApiPage, answering: Api, method: str, path: str) -> None:
    assert ask(page, path, method, b"{}" if method == "POST" else None)[0] == 404 and not answering.sent


def test_nobody_else_is_answered(page: ApiPage, answering: Api) -> None:
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Host": "evil.example"},
        {"Host": "localhost"},
    ):
        assert ask(page, "models/churn/predict", "POST", b"{}", **headers)[0] == 403
    for path in ("//models/churn/predict", "//x/models/churn/predict", f"//{page.token[:-1]}/", "//%ff/"):
        assert ask(page, path, "POST", b"{}")[0] == 404
    assert not answering.sent


def test_a_body_without_a_length_or_too_large_is_refused(page: ApiPage, answering: Api) -> None:
    assert ask(page, "models/churn/predict", "POST", Content_Length=str(11 * 2**20))[0] == 413
    assert ask(page, "models/churn/predict", "POST", Content_Length="-1")[0] == 411
    assert ask(page, "models/churn/predict", "POST", Transfer_Encoding="chunked")[0] == 411
    assert not answering.sent


def test_an_api_that_does_not_answer_is_told(page: ApiPage, answering: Api) -> None:
    answering.error = Transient("the API does not answer", "x", "y")
    status, content, _ = ask(page, "models/churn/predict", "POST", b"{}")
    assert status == 502 and b"does not answer" in content


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "HEAD"])
def test_other_methods_are_refused(page: ApiPage, answering: Api, method: str) -> None:
    assert ask(page, "models/churn/predict", method)[0] == 405 and not answering.sent


def test_a_port_in_use_is_told(page: ApiPage, answering: Api) -> None:
    with pytest.raises(BadInput, match="in use"):
        ApiPage(page.place, "churn", DOCUMENT, page.server.server_address[1])


def test_print_writes_the_document_with_its_address(answering: Api, capsys: pytest.CaptureFixture[str]) -> None:
    options: Any = SimpleNamespace(open_place=lambda: SimpleNamespace(api_url="http://api"), as_json=False)
    assert show_api("churn", options, print_document=True, port=0, browser=False) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == documented_at(DOCUMENT, "http://api") and printed["servers"] == [{"url": "http://api"}]
