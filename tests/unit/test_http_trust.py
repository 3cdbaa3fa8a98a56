"""Where a request of an HTTP source may go, and who gets its secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from modelcycle.faults import BadInput, BadPipeline
from modelcycle.sources.http import HttpRows
from modelcycle.spec import HttpSource
from tests.api_server import Asked, Reply, as_json, serving
from tests.unit.http_rows import ROWS, no_secret, pulled, source

# secrets


def test_the_secret_is_sent_and_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Asked] = []
    with serving(lambda request: as_json(ROWS) if not asked.append(request) else Reply()) as api:  # type: ignore[func-returns-value]
        rows = source(api.url, secret="s", secrets=lambda _: '{"Authorization": "Bearer T0KEN\\n"}')
        pulled(rows, tmp_path)
    assert asked[0].headers["authorization"] == "Bearer T0KEN"
    assert "T0KEN" not in rows.definition


@pytest.mark.parametrize(
    "secret", ["Bearer T0KEN", '["T0KEN"]', '{"a b": "T0KEN"}', '{"A": "T0KEN\\r\\nX: y"}', '{"Host": "T0KEN"}',
               '{"A": 7}', '{"A": "T0KEN €"}']
)  # fmt: skip
def test_a_secret_that_holds_no_headers_is_refused_without_a_word_of_it(secret: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        pulled(source("http://127.0.0.1:1/", secret="s", secrets=lambda _: secret), tmp_path)
    assert "T0KEN" not in str(caught.value)
    assert "secret s" in caught.value.where


@pytest.mark.parametrize("way", ["redirect", "link"])
def test_another_host_does_not_get_the_secret(way: str, tmp_path: Path) -> None:
    with serving(lambda _: as_json(ROWS[5:])) as other:

        def answer(asked: Asked) -> Reply:
            if way == "redirect":
                return Reply(b"", 307, {"Location": f"{other.url}/moved"})
            return as_json(ROWS[:5], Link=f'<{other.url}/more>; rel="next"')

        with serving(answer) as api:
            pages = {"by": "link"} if way == "link" else None
            secrets: dict[str, Any] = {"secret": "s", "secrets": lambda _: '{"X-Key": "T0KEN"}'}
            found, _ = pulled(source(f"{api.url}/rows", pages=pages, **secrets), tmp_path)
            assert api.asked[0].headers["x-key"] == "T0KEN"
        assert "x-key" not in other.asked[0].headers
    assert found == (ROWS if way == "link" else ROWS[5:])


# where a request may go


def resolving(answers: dict[str, list[str]]) -> Any:
    return lambda host, _: answers[host]


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
     "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fd00:ec2::254", "fec0::1", "ff02::1",
     "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1",
     "2002:7f00:1::", "2001:0:7f00:1::"],
)  # fmt: skip
def test_no_request_goes_to_an_address_that_is_not_public(address: str, tmp_path: Path) -> None:
    section = HttpSource(type="http", url="https://api.example/rows")
    rows = HttpRows(section, no_secret, "", resolve=resolving({"api.example": ["93.184.215.14", address]}))
    with pytest.raises(BadPipeline) as caught:
        list(rows.batches(tmp_path, None))
    assert "not public" in caught.value.what
    assert "allow_hosts" in caught.value.remedy


@pytest.mark.parametrize(
    "url", ["http://2130706433/", "http://0x7f.1/", "http://[::1]/", "http://localhost/", "http://127.1/"]
)
def test_other_spellings_of_loopback_are_found(url: str, tmp_path: Path) -> None:
    with pytest.raises(BadPipeline):
        pulled(source(url, allow_hosts=[]), tmp_path)


@pytest.mark.parametrize(
    "location", ["http://localhost:1/", "http://169.254.169.254/latest", "file:///etc/passwd", "//user:pw@x.example/"]
)
def test_a_redirect_is_checked_too(location: str, tmp_path: Path) -> None:
    with serving(lambda _: Reply(b"", 302, {"Location": location})) as api, pytest.raises(BadPipeline):
        pulled(source(api.url), tmp_path)


def test_the_connection_goes_to_the_address_that_was_checked(tmp_path: Path) -> None:
    """A name server that answers a public address first and a private one then (DNS rebinding) gains nothing."""
    asked: list[str] = []
    with serving(lambda _: as_json(ROWS)) as api:

        def resolve(host: str, port: int) -> list[str]:
            asked.append(host)
            return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

        section = HttpSource(type="http", url=f"http://api.example:{api.port}/", allow_hosts=["API.example."])
        found, _ = pulled(HttpRows(section, no_secret, "", resolve=resolve), tmp_path)
        assert api.asked[0].headers["host"] == f"api.example:{api.port}"
    assert found == ROWS
    assert asked == ["api.example"]


@pytest.mark.parametrize("url", ["http://me:pw@127.0.0.1/", "http:///x", "http://127.0.0.1:99999/"])
def test_an_address_that_cannot_be_asked_is_refused(url: str) -> None:
    with pytest.raises(BadPipeline) as caught:
        source(url)
    assert "pw" not in str(caught.value)
