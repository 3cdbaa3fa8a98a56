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

from modelcycle.faults import BadData, BadPipeline, Fault, Throttled, Transient
from modelcycle.sources.http import client, row_files
from modelcycle.sources.http import source as http_source
from modelcycle.sources.http.links import next_link
from modelcycle.spec import parse
from tests.api_server import Answering, Asked, Reply, as_json, in_pages, serving
from tests.unit.http_rows import ROWS, pulled, source

ROOT = Path(__file__).resolve().parents[2]
BY_PAGE = {"by": "page", "size_parameter": "size", "size": 40}


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
