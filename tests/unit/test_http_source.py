"""Rows of HTTP APIs: pages, retries, limits, and what an API may do wrong."""

from __future__ import annotations

import csv
import gzip
import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modelcycle.faults import BadData, BadInput, BadPipeline, Fault, Throttled, Transient
from modelcycle.sources.http import HttpRows, client, row_files
from modelcycle.sources.http import source as http_source
from modelcycle.sources.http.links import next_link
from modelcycle.spec import HttpSource, parse
from tests.api_server import Answering, Asked, Reply, as_json, in_pages, serving

ROOT = Path(__file__).resolve().parents[2]
ROWS = [{"id": number, "price": number / 7, "name": f"n{number}"} for number in range(250)]
BY_PAGE = {"by": "page", "size_parameter": "size", "size": 40}


def no_secret(name: str) -> str:
    raise AssertionError(f"the secret {name} was asked for")


def source(url: str, *, secrets: Any = no_secret, slept: list[float] | None = None, **section: Any) -> HttpRows:
    section = {"allow_hosts": ["127.0.0.1"], **section}
    waits = [] if slept is None else slept
    return HttpRows(HttpSource(type="http", url=url, **section), secrets, "m.yaml: source", sleep=waits.append)


def pulled(rows: HttpRows, folder: Path, after: str | None = None) -> tuple[list[Any], str | None]:
    """Return the rows of a pull, and its watermark."""
    found: list[Any] = []
    watermark = None
    for landed in rows.batches(folder, after):
        text = landed.path.read_text(encoding="utf-8")
        lines = list(csv.DictReader(io.StringIO(text))) if landed.suffix == ".csv" else _lines(text)
        assert len(lines) == landed.rows
        landed.path.unlink()
        found += lines
        watermark = landed.watermark
    assert not list(folder.iterdir()), "a pull leaves no file behind"
    return found, watermark


def _lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


def fault_of(answering: Answering, folder: Path, **section: Any) -> Fault:
    """Return the fault of a pull. It has to say what, where and what to do."""
    with serving(answering) as api, pytest.raises(Fault) as caught:
        pulled(source(f"{api.url}/rows?key=SECRET", **section), folder)
    fault = caught.value
    assert fault.what
    assert fault.where
    assert fault.remedy
    assert "SECRET" not in str(fault)
    return fault


@pytest.mark.parametrize("by", ["page", "offset", "cursor", "link", "address"])
def test_every_pagination_gives_every_row_once(by: str, tmp_path: Path) -> None:
    def answer(asked: Asked) -> Reply:
        size = int(asked.query["n"])
        begin = {
            "page": (int(asked.query.get("p", 0))) * size,
            "offset": int(asked.query.get("p", 0)),
        }.get(by, int(asked.query.get("p", 0)))
        rows, end = ROWS[begin : begin + size], begin + size
        more = end < len(ROWS)
        if by == "link":
            link = f'<{asked.path}?p={end}&n={size}>; title="a, b"; rel="last next"' if more else ""
            return as_json(rows, **({"Link": f'</first>; rel="first", {link}'} if link else {}))
        cursor: Any = str(end) if more else None
        if by == "address" and more:
            cursor = f"http://{asked.headers['host']}/rows?p={end}&n={size}"
        return as_json({"meta": {"next": cursor}, "rows": rows})

    pages = {"by": "cursor" if by == "address" else by, "parameter": "p", "size_parameter": "n", "size": 40, "first": 0}
    if by in ("cursor", "address"):
        pages["cursor"] = "meta.next"
    with serving(answer) as api:
        rows, _ = pulled(source(f"{api.url}/rows", pages=pages, rows="" if by == "link" else "rows"), tmp_path)
        assert len(api.asked) in (7, 8)  # an empty page ends those that count
    assert rows == ROWS


def test_an_api_that_gives_fewer_rows_than_asked_for_loses_none(tmp_path: Path) -> None:
    def answer(asked: Asked) -> Reply:
        begin = int(asked.query["skip"])
        return as_json(ROWS[begin : begin + 30])  # never more than 30

    pages = {"by": "offset", "parameter": "skip", "size_parameter": "limit", "size": 500}
    with serving(answer) as api:
        assert pulled(source(api.url, pages=pages), tmp_path)[0] == ROWS


def test_a_flaky_api_gives_the_same_rows(tmp_path: Path) -> None:
    bikes = gzip.decompress((ROOT / "examples/data/bikeshare.csv.gz").read_bytes()).decode()
    rows = list(csv.DictReader(io.StringIO(bikes)))
    whole = json.dumps({"data": {"items": rows[:500]}}).encode()

    def flaky(asked: Asked) -> Reply | None:
        if asked.number % 5 == 1:
            return Reply(b"slow down", 429, {"Retry-After": "7"})
        if asked.number % 5 == 2:
            return Reply(b"broken", 500)
        if asked.number % 5 == 3:
            return Reply(whole, cut=len(whole) // 2)
        return None

    slept: list[float] = []
    with serving(in_pages(rows, flaky)) as api:
        pages = BY_PAGE | {"size": 500}
        flaking = source(f"{api.url}/rows", pages=pages, rows="data.items", slept=slept)
        found, _ = pulled(flaking, tmp_path)
    assert found == rows
    assert len(found) == 8645
    assert 7.0 in slept
    assert "had to be repeated" in " ".join(flaking.notes)


def test_numbers_keep_their_spelling(tmp_path: Path) -> None:
    text = '{"data": [ {"a": 1.10, "b": 12345678901234567890.123, "c": {"d": 1e3},\n "e": "two\\nlines"} ], "x": 1}'
    with serving(lambda _: Reply(text.encode())) as api:
        (landed,) = source(api.url, rows="data").batches(tmp_path, None)
    assert landed.path.read_text() == (
        '{"a": 1.10, "b": 12345678901234567890.123, "c": {"d": 1e3},  "e": "two\\nlines"}\n'
    )


def test_only_rows_above_the_watermark_come_again(tmp_path: Path) -> None:
    with serving(lambda _: as_json(ROWS[:100])) as api:
        first = source(api.url, watermark="id", watermark_parameter="since")
        rows, watermark = pulled(first, tmp_path)
        assert (rows, watermark) == (ROWS[:100], "99")
    with serving(lambda asked: as_json(ROWS[int(asked.query["since"]) : 103])) as api:
        second = source(api.url, watermark="id", watermark_parameter="since")
        assert not second.replaces
        assert pulled(second, tmp_path, "99") == (ROWS[100:103], "102")  # 99 itself is not taken again
        assert pulled(source(api.url, watermark="id", watermark_parameter="since"), tmp_path, "102") == ([], None)


def test_a_misspelt_watermark_is_named(tmp_path: Path) -> None:
    fault = fault_of(lambda _: as_json(ROWS), tmp_path, watermark="idd")
    assert "'idd'" in fault.what
    assert "id, name, price" in fault.remedy


def test_an_unchanged_answer_lands_nothing(tmp_path: Path) -> None:
    def answer(asked: Asked) -> Reply:
        if asked.headers.get("if-none-match") == '"v1"':
            return Reply(b"", 304)
        return as_json(ROWS, ETag='"v1"')

    with serving(answer) as api:
        rows = source(api.url)
        assert rows.replaces
        found, state = pulled(rows, tmp_path)
        assert found == ROWS
        again = source(api.url)
        assert pulled(again, tmp_path, state) == ([], None)
        assert again.notes == ["the API says that nothing has changed"]


@pytest.mark.parametrize("form", ["plain", "gzip", "Content-Encoding"])
def test_csv_in_pages_is_one_table(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_files, "MAX_FILE_BYTES", 1000)
    lines = [f'{number};"a ""quoted""\nline; {number}"\r\n' for number in range(90)]

    def answer(asked: Asked) -> Reply:
        begin = (int(asked.query["page"]) - 1) * 40
        body = ("\ufeffid;text\r\n" + "".join(lines[begin : begin + 40])).encode()
        if form == "plain":
            return Reply(body)
        return Reply(gzip.compress(body), headers={"Content-Encoding": "gzip"} if form != "gzip" else {})

    found = []
    with serving(answer) as api:
        for landed in source(api.url, format="csv", pages={"by": "page"}, watermark="id").batches(tmp_path, "4"):
            text = landed.path.read_text(encoding="utf-8-sig")
            found += list(csv.DictReader(io.StringIO(text, newline=""), delimiter=";"))
    assert [row["id"] for row in found] == [str(number) for number in range(5, 90)]
    assert landed.watermark == "89"
    assert found[0]["text"].splitlines() == ['a "quoted"', "line; 5"]


@pytest.mark.parametrize(
    ("answer", "section", "words"),
    [
        (as_json({"count": 2, "results": {"hits": [{"a": 1}]}}), {}, ["count, results", "source.rows: results.hits"]),
        (as_json({"data": {"rows": []}}), {"rows": "data.items"}, ["'items'", "rows", "under data"]),
        (as_json([1, 2]), {}, ["row 1", "a number"]),
        (as_json("no"), {}, ["a text"]),
        (Reply(b"<!DOCTYPE html><p>Sign in"), {}, ["HTML"]),
        (Reply(b"\n<html>"), {"format": "csv"}, ["HTML"]),
        (Reply(b'[{"a": 1}, {"a": '), {}, ["ends in the middle"]),
        (Reply(b'{"a": 1}\n{"a": 2}\n'), {}, ["one object a line", "format: jsonl"]),
        (Reply(b'[{"a": 1},]'), {}, ["not JSON", "line 1"]),
        (Reply(b"[" * 200_000 + b"]"), {}, ["nested too deeply"]),
        (Reply(b'[{"a": ' + b"9" * 5000 + b"}]"), {}, ["thousands of digits"]),
        (Reply(b'[{"a": "\xff"}]'), {}, ["UTF-8"]),
        (Reply(b'[{"a": 1}]'), {"format": "jsonl"}, ["JSON list", "format: json"]),
        (Reply(b"[]"), {"format": "csv"}, ["JSON, not CSV"]),
        (Reply(b""), {}, ["empty"]),
        (Reply(b"", 404), {}, ["404"]),
        (Reply(b"", 401), {}, ["401", "source.secret"]),
        (Reply(b"", 418), {}, ["418"]),
        (as_json(ROWS), {"max_bytes": 1000}, ["larger than source.max_bytes"]),
        (Reply(gzip.compress(b"[" + b" " * 10_000_000 + b"]")), {"max_bytes": 100_000}, ["decompressed"]),
    ],
)  # fmt: skip
def test_a_bad_answer_is_one_sentence(answer: Reply, section: Any, words: list[str], tmp_path: Path) -> None:
    fault = fault_of(lambda _: answer, tmp_path, **section)
    assert isinstance(fault, BadData)
    for word in words:
        assert word in str(fault)


def test_an_api_that_repeats_a_page_or_a_cursor_is_stopped(tmp_path: Path) -> None:
    section = {"pages": {"by": "page"}}
    fault = fault_of(lambda _: as_json(ROWS[:10]), tmp_path, **section)  # knows no parameter `page`
    assert "page 2 has the same rows as page 1" in fault.what
    cursors: dict[str, Any] = {"pages": {"by": "cursor", "parameter": "c", "cursor": "next"}, "rows": "rows"}
    given = iter(range(1000))
    fault = fault_of(lambda _: as_json({"rows": [{"a": next(given)}], "next": "x"}), tmp_path, **cursors)
    assert "read before" in fault.what
    assert len(list(given)) > 990


@pytest.mark.parametrize("changed", [{"id": 1, "cost": 2.0}, {"id": 1, "price": {"amount": 2}}, {"id": 1}])
def test_an_api_that_changes_its_columns_half_way_is_stopped(changed: dict[str, Any], tmp_path: Path) -> None:
    rows = [{"id": number, "price": 1.0} for number in range(80)] + [changed | {"id": n} for n in range(80, 120)]
    fault = fault_of(in_pages(rows), tmp_path, pages=BY_PAGE, rows="data.items")
    assert "page 3" in fault.what
    assert "'price'" in fault.what


def test_a_key_that_some_rows_lack_is_no_change(tmp_path: Path) -> None:
    rows = [{"id": n} | ({"seldom": 1} if n % 50 == 49 else {}) | ({"often": 1} if n % 10 else {}) for n in range(201)]
    with serving(in_pages(rows)) as api:
        assert pulled(source(api.url, pages=BY_PAGE, rows="data.items"), tmp_path)[0] == rows


def test_a_header_that_changes_half_way_is_named_without_a_value(tmp_path: Path) -> None:
    def answer(asked: Asked) -> Reply:
        return Reply(b"id,price\n1,2\n" if asked.query["page"] == "1" else b"7,TOPSECRET\n8,9\n")

    fault = fault_of(answer, tmp_path, format="csv", pages={"by": "page"})
    assert "page 2" in fault.what
    assert "TOPSECRET" not in str(fault)


def test_an_endless_answer_and_endless_pages_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def endless() -> Iterator[bytes]:
        yield b"[" + b'{"a": 1},' * 1000
        while True:
            yield b'{"a": 1},' * 1000

    fault = fault_of(lambda _: Reply(endless()), tmp_path, max_bytes=200_000)
    assert "source.max_bytes" in fault.what
    number = iter(range(10**9))
    fault = fault_of(lambda _: as_json([{"a": next(number)}]), tmp_path, max_bytes=2000, pages={"by": "page"})
    assert "source.max_bytes" in fault.what
    monkeypatch.setattr(http_source, "MAX_PULL_SECONDS", 0.5)
    fault = fault_of(lambda _: as_json([{"a": next(number)}]), tmp_path, pages={"by": "page"})
    assert "function has to end" in fault.what


def test_an_answer_in_drops_ends_by_the_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MAX_ATTEMPTS", 2)

    def drops() -> Iterator[bytes]:
        for _ in range(100):
            yield b" "
            time.sleep(0.1)

    begin = time.monotonic()
    with serving(lambda _: Reply(drops())) as api, pytest.raises(Transient) as caught:
        pulled(source(api.url, timeout_seconds=1), tmp_path)
    assert "did not end within 1 s" in caught.value.what
    assert time.monotonic() - begin < 8  # of the 20 s that two answers take


def test_an_api_that_asks_to_wait_for_an_hour_is_not_waited_for(tmp_path: Path) -> None:
    slept: list[float] = []
    later = Reply(b"", 429, {"Retry-After": "3600"})
    with serving(lambda _: later) as api, pytest.raises(Throttled) as caught:
        pulled(source(api.url, slept=slept), tmp_path)
    assert "3600 s" in caught.value.what
    assert not slept


def test_a_host_that_does_not_answer_is_transient(tmp_path: Path) -> None:
    with serving(lambda _: Reply()) as api:
        url = api.url
    slept: list[float] = []
    with pytest.raises(Transient) as caught:
        pulled(source(url, slept=slept), tmp_path)
    assert caught.value.what == "the API did not answer: no connection"
    assert len(slept) == 5


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


def test_redirects_without_end_are_stopped(tmp_path: Path) -> None:
    fault = fault_of(lambda asked: Reply(b"", 302, {"Location": f"/r{asked.number}"}), tmp_path)
    assert "redirects more than 5 times" in fault.what


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("<c>; rel=next", "https://h.example/a/c"),
        (
            '<https://o.example/?a=1,2>; title="x, <y>; rel=next"; rel="prev", <?p=2>; REL="NEXT"',
            "https://h.example/a/b?p=2",
        ),
        ('<c>; rel="prev"; rel="next"', None),
        ("<d>; rel=start, <e>; title*=UTF-8''a%20b; rel=\"last next\"", "https://h.example/a/e"),
        ("<c>;rel", None),
        ("<c", None),
        ("", None),
        ("<" * 60_000, None),  # in linear time
    ],
)
def test_link_headers(header: str, expected: str | None) -> None:
    assert next_link(header, "https://h.example/a/b?x=1") == expected


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ("pages: {by: cursor}", "cursor"),
        ("format: csv, pages: {by: cursor, cursor: next}", "format: json"),
        ("watermark_parameter: since", "watermark"),
        ("url: 'ftp://x'", "url"),
    ],
)
def test_a_section_that_cannot_work_is_refused_with_its_line(section: str, words: str) -> None:
    url = "" if section.startswith("url") else "url: 'https://api.example', "
    with pytest.raises(BadPipeline) as caught:
        parse(f"name: m\ntarget: y\nsource: {{type: http, {url}{section}}}\n")
    assert words in caught.value.what
    assert "line 3" in caught.value.where
