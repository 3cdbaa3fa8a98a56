"""Files as people, spreadsheets and programs write them: what is read, what is said, what is refused."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from modelcycle.faults import BadData, Fault, UnreadableFile
from modelcycle.reading import plain_text
from modelcycle.reading.line_numbers import LineNumbers
from tests.unit.data_steps import Workspace
from tests.unit.read_files import read

# --- encodings ---

WRITTEN = [
    ("José – café €,1\nMüller,2\n", "cp1252", "Windows-1252"), ("José,1\nMüller,2\nÅsa,3\n", "latin-1", "Latin-1"),
    ("10 m²,1\n5 °C,2\n½,3\n«Où»,4\n", "latin-1", "Latin-1"), ("Привет,1\n東京,2\n", "utf-16", "UTF-16"),
    ("José,1\nMüller,2\n", "utf-16-le", "UTF-16"), ("José,1\nMüller,2\n", "utf-16-be", "UTF-16"),
    ("José,1\nМюллер,2\n", "utf-32", "UTF-32"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "encoding", "shown"), WRITTEN)
def test_an_encoding_is_read_where_it_is_certain_and_told(text: str, encoding: str, shown: str) -> None:
    found = read(("name,y\n" + text * 50).encode(encoding))
    assert [",".join(map(str, row)) for row in found.rows] == text.splitlines() * 50
    assert found.notes == (f"the text is {shown}",)


@pytest.mark.parametrize(("text", "encoding"), [
    ("Привет мир", "cp1251"), ("Łódź, Zażółć gęślą jaźń", "cp1250"), ("Καλημέρα", "cp1253"), ("東京都", "shift-jis"),
    ("中文字", "gbk"), ("한국어", "euc-kr"),
])  # fmt: skip
def test_an_encoding_that_is_not_certain_is_refused_and_can_be_named(text: str, encoding: str) -> None:
    with pytest.raises(UnreadableFile, match="not certain") as caught:
        read(f'name,y\n"{text}",1\n'.encode(encoding) * 3)
    assert caught.value.where == "a.csv, line 2" and "--encoding" in caught.value.remedy


def test_a_file_of_two_encodings_names_a_line() -> None:
    body = b"name,y\n" + b"x,1\n" * 9000 + "José,1\n".encode() + b"y,1\n" * 9000 + "Müller,2\n".encode("latin-1")
    with pytest.raises(UnreadableFile, match="line 9,002 is UTF-8, line 18,003 is not"):
        read(body)


# --- large, cut and packed files ---


@pytest.mark.parametrize("chunk", [1 << 20, 1000])
def test_a_line_of_many_megabytes_is_one_broken_line(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_text, "CHUNK_BYTES", chunk)
    found = read(b"a,b\n1,2\n\n3," + b"x" * 9 * 2**20 + b"\n5,6\n\n7,8\n9," + b"y" * 9 * 2**20)
    assert found.rows == [("1", "2"), ("5", "6"), ("7", "8")]
    assert found.lines == [2, 5, 7]
    assert found.broken == [(4, "the line is longer than 8 MiB"), (8, "the line is longer than 8 MiB")]


def test_a_gzip_file_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_text, "MAX_TEXT_BYTES", 50 << 20)
    read_chunks: list[int] = []
    chunks = plain_text.PlainText._utf8_chunks

    def counted(text: plain_text.PlainText) -> Any:
        for chunk in chunks(text):
            read_chunks.append(len(chunk))
            yield chunk

    monkeypatch.setattr(plain_text.PlainText, "_utf8_chunks", counted)
    bomb = gzip.compress(b"a,b\n" + b"1,2\n" * (15 << 20))
    with pytest.raises(BadData, match="GiB of text"):
        read(bomb, "a.csv.gz")
    assert not read_chunks, "it is refused by its own size, before it is unpacked"
    # one that lies about its size is stopped at the limit
    with pytest.raises(BadData, match="GiB of text"):
        read(bomb[:-4] + b"\1\0\0\0", "a.csv.gz")
    assert sum(read_chunks) <= (50 << 20) + 2 * plain_text.CHUNK_BYTES


def parquet(query: str) -> bytes:
    import duckdb

    with TemporaryDirectory() as folder:
        path = Path(folder) / "x.parquet"
        duckdb.sql(f"COPY ({query}) TO '{path}'")
        return path.read_bytes()


CUT: dict[str, Callable[[], bytes]] = {
    "a.csv.gz": lambda: gzip.compress(b"a,b\n" + b"".join(b"%d,x\n" % n for n in range(9000)))[:-3000],
    "a.parquet": lambda: parquet("SELECT range AS a, 'x' AS b FROM range(9000)")[:-900],
    "a.json": lambda: json.dumps([{"a": n, "b": "x"} for n in range(900)]).encode()[:-9],
}


@pytest.mark.parametrize("name", CUT)
def test_a_file_that_was_cut_is_refused(name: str) -> None:
    with pytest.raises(UnreadableFile, match=r"cut short|broken"):
        read(CUT[name](), name)


def test_the_last_line_of_a_csv_file_that_was_cut_is_named() -> None:
    assert read("a,b,c\n1,2,3\n4,5,6\n7,8").broken == [(4, "2 values where the header has 3 columns")]


@pytest.mark.parametrize("name", ["a.xlsx", "a.zip", "a.csv.zip", "a.pkl", "a.txt", "a"])
def test_a_format_that_is_not_read_says_what_to_do(name: str) -> None:
    with pytest.raises(UnreadableFile) as caught:
        read(b"PK\x03\x04", name)
    assert caught.value.remedy


# --- nested values ---


def test_objects_become_columns_and_lists_stay_text_in_json_as_in_parquet() -> None:
    rows = [{"id": n, "d": {"os": "mac", "v": {"major": n}}, "tags": ["a", "b"]} for n in range(3)]
    expected = (["id", "d.os", "d.v.major", "tags"], [(str(n), "mac", str(n), '["a","b"]') for n in range(3)])
    query = "SELECT range AS id, {'os': 'mac', 'v': {'major': range}} AS d, ['a', 'b'] AS tags FROM range(3)"
    for name, body in (
        ("a.jsonl", "\n".join(map(json.dumps, rows)).encode()), ("a.json", json.dumps(rows, indent=1).encode()),
        ("a.json", "\n".join(map(json.dumps, rows)).encode()), ("a.parquet", parquet(query)),
    ):  # fmt: skip
        found = read(body, name)
        assert (found.names, found.rows) == expected
    assert read("\n\n".join(map(json.dumps, rows)), "a.jsonl").lines == [1, 3, 5]


def test_a_key_that_is_not_always_an_object_and_a_map_with_many_keys_stay_text() -> None:
    found = read('{"a": {"b": 1}, "e": {}}\n{"a": 2, "e": {}}\n{"a": null}\n', "a.jsonl")
    assert (found.names, found.rows) == (["a", "e"], [('{"b":1}', "{}"), ("2", "{}"), (None, None)])
    counts = read("\n".join(json.dumps({"y": 1, "by_user": {f"u{n}": n}}) for n in range(300)), "a.jsonl")
    assert counts.names == ["y", "by_user"] and counts.rows[7] == ("1", '{"u7":7}')
    assert counts.notes == ("by_user has too many keys for columns, and is read as one text",)


def test_a_key_with_a_point_does_not_hide_a_nested_one() -> None:
    found = read('{"a.b": 1, "a": {"b": 2}}\n', "a.jsonl")
    assert (found.names, found.rows) == (["a.b", "a.b_2"], [("1", "2")])


def test_line_numbers_end_where_they_are_not_known() -> None:
    assert [LineNumbers([1, 5], [2, 0]).line_of(row) for row in (4, 5, 9)] == [5, None, None]


def test_every_fault_says_where_and_what_to_do() -> None:
    for body in (b"1,2\n3,4\n", b"\xff\xfe", b"a,b\n\x00,1\n", b"<html>", b"PK\x03\x04"):
        with pytest.raises(Fault) as caught:
            read(body)
        assert caught.value.where.startswith("a.csv") and caught.value.remedy


def test_the_quarantine_of_cells_and_rows_names_the_line_of_the_file() -> None:
    rows = [f"{n},{n % 7}.5,{'ab'[n % 2]}" for n in range(400)]
    rows[6], rows[9], rows[3] = '6,oops,"a"', "9,1.5,", "3"
    workspace = Workspace()
    workspace.data.upload(
        "raw/m/a.csv", ("A title\n\nn,c,y\n" + "\n".join(rows[:5]) + "\n\n" + "\n".join(rows[5:])).encode()
    )
    result = workspace.preprocess(workspace.run(target="y"))
    assert result.quarantine is not None
    [cell, row] = workspace.parquet(result.quarantine)
    assert (cell[-1], row[-1]) == (3 + 6 + 2, 3 + 9 + 2)  # below the header and the blank line
    kept = workspace.parquet(workspace.collect(workspace.run("r2", target="y")).quarantine)  # type: ignore[arg-type]
    assert [line for _, line, *_ in kept] == [3 + 3 + 1]
