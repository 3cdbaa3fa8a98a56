"""Collect: nothing is lost, nothing is guessed, and a file that cannot be read says why."""

from __future__ import annotations

import gzip
import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelcycle.faults import (
    BadData,
    BadPipeline,
    ColumnsDiffer,
    Fault,
    NoData,
    TargetMissing,
    Transient,
    UnreadableFile,
)  # fmt: skip
from tests.unit.data_steps import Workspace, workspace_with

ROOT = Path(__file__).parents[2]


def test_a_csv_becomes_texts_in_order() -> None:
    workspace, run = workspace_with(a__csv="x,y\n1,a\n2,b\n", b__csv="y,x\nc,3\n")
    collected = workspace.collect(run)
    assert workspace.rows(collected) == [("1", "a"), ("2", "b"), ("3", "c")]
    assert (collected.rows, collected.columns, collected.objects, collected.quarantined) == (3, 2, 2, 0)
    manifest = json.loads(workspace.artifacts.read(collected.manifest))
    assert manifest["columns"] == ["x", "y"]
    assert [entry["rows"] for entry in manifest["objects"]] == [2, 1]


def test_adult_has_all_rows() -> None:
    workspace, run = workspace_with(target="income", adult__csv__gz=(ROOT / "examples/data/adult.csv.gz").read_bytes())
    collected = workspace.collect(run)
    assert (collected.rows, collected.columns, collected.quarantined) == (32_561, 15, 0)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_that_of_the_header(delimiter: str) -> None:
    workspace, run = workspace_with(a__csv=f"x{delimiter}y\n1{delimiter}a\n")
    assert workspace.rows(workspace.collect(run)) == [("1", "a")]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_line_ending_and_a_byte_order_mark_are_read(end: str) -> None:
    workspace, run = workspace_with(a__csv="\ufeff" + end.join(["x,y", "1,a", "2,é"]))
    assert workspace.rows(workspace.collect(run)) == [("1", "a"), ("2", "é")]


def test_mixed_line_endings_blank_lines_and_quoted_line_breaks() -> None:
    workspace, run = workspace_with(a__csv='\n"x ",y\r\n\n1,"a\nb"\n\r\n2,"q""q"\r\n')
    collected = workspace.collect(run)
    assert workspace.rows(collected) == [("1", "a\nb"), ("2", 'q"q')]
    assert json.loads(workspace.artifacts.read(collected.manifest))["columns"] == ["x", "y"]


@pytest.mark.parametrize("tail", ["", '7,"never closed\n8,i\n9,j\n'])
def test_after_a_header_of_several_lines_no_row_is_lost_and_line_numbers_are_right(tail: str) -> None:
    workspace, run = workspace_with(target="x", a__csv='\n\nx,"y\nz\n\nu"\n1,a\n2\n3,"c\nd"\n4,d,e\n' + tail)
    collected = workspace.collect(run)
    assert workspace.rows(collected) == [("1", "a"), ("3", "c\nd"), ("8", "i"), ("9", "j")][: 4 if tail else 2]
    assert collected.quarantine is not None
    assert [line for _, line, _, _ in workspace.parquet(collected.quarantine)] == [8, 11, 12][: 3 if tail else 2]


def test_broken_lines_are_quarantined_with_line_text_and_reason() -> None:
    workspace, run = workspace_with(a__csv='x,y\n1,a\n2\n"3\n3",c\n4,d,e\n5,f\n6,g\n')
    collected = workspace.collect(run)
    assert [row[0] for row in workspace.rows(collected)] == ["1", "3\n3", "5", "6"]
    assert collected.quarantine is not None
    assert workspace.parquet(collected.quarantine) == [
        ("raw/m/a.csv", 3, "2", "1 values where the header has 2 columns"),
        ("raw/m/a.csv", 6, "4,d,e", "3 values where the header has 2 columns"),
    ]


@pytest.mark.parametrize("at", [0, 7, 499])
def test_an_unclosed_quote_breaks_only_its_own_line(at: int) -> None:
    lines = [f"{n},v{n}" for n in range(500)]
    lines[at] = f'{at},"open'
    workspace, run = workspace_with(a__csv="x,y\n" + "\n".join(lines))
    collected = workspace.collect(run)
    assert collected.rows == 499
    assert collected.quarantine is not None
    [(_, line, text, reason)] = workspace.parquet(collected.quarantine)
    assert (line, text) == (at + 2, f'{at},"open')
    assert "quote" in reason


def test_unclosed_quotes_in_a_large_file() -> None:
    body = "".join(f"{n:08d},x\n" for n in range(600_000))
    workspace, run = workspace_with(a__csv='x,y\n1,a\n2,"open\n' + body + '3,"open again\n' + body)
    collected = workspace.collect(run)
    assert (collected.rows, collected.quarantined) == (1_200_001, 2)


def test_next_to_an_unclosed_quote_quoted_commas_are_read() -> None:
    workspace, run = workspace_with(a__csv='x,y\n1,"a, b"\n2,"open\n3,"c, d"\n"4\n4","e"\n')
    collected = workspace.collect(run)
    assert workspace.rows(collected) == [("1", "a, b"), ("3", "c, d"), ("4\n4", "e")]


def test_json_lines_are_read_and_broken_ones_are_quarantined() -> None:
    rows = [
        '{"x": 1.5, "y": "a\\nb"}',
        "nope",
        '{"y": null, "x": {"z": [1, 2]}}',
        "[1]",
        "",
        '{"x": true}',
        '{"y": "é"}',
    ]
    workspace, run = workspace_with(a__jsonl="\n".join(rows), b__jsonl__gz=gzip.compress(b'{"y": "z"}'))
    collected = workspace.collect(run)
    assert workspace.rows(collected) == [
        ("1.5", "a\nb"), ('{"z":[1,2]}', None), ("true", None), (None, "é"), (None, "z"),
    ]  # fmt: skip
    assert collected.quarantine is not None
    assert [(line, text) for _, line, text, _ in workspace.parquet(collected.quarantine)] == [(2, "nope"), (4, "[1]")]


def test_a_key_may_have_any_name() -> None:
    keys = ["a/b", "~c", "=d", "e.f", 'g"h', "i'j", " k", "Ä", "0", "A", "a"]
    workspace, run = workspace_with(target="a", a__jsonl=json.dumps({key: f"<{key}>" for key in keys}))
    assert workspace.rows(workspace.collect(run)) == [tuple(f"<{key}>" for key in keys)]


def test_parquet_values_become_texts_without_loss() -> None:
    import duckdb

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.parquet"
        duckdb.sql(
            f"""COPY (SELECT true AS y, TIMESTAMP '2024-01-02 03:04:05.5' AS t, DATE '2024-01-02' AS d, 0.1::FLOAT AS f,
            9007199254740993 AS i, 'x' AS "X", [1, 2] AS l, NULL::INT AS n, 1.50::DECIMAL(5, 2) AS m) TO '{path}'"""
        )
        workspace, run = workspace_with(a__parquet=path.read_bytes())
    assert workspace.rows(workspace.collect(run)) == [
        ("true", "2024-01-02 03:04:05.5", "2024-01-02", "0.1", "9007199254740993", "x", "[1,2]", None, "1.50")
    ]


BAD: list[tuple[dict[str, str | bytes], type[Fault], str]] = [
    ({}, NoData, "no file"),
    ({"a__csv": ""}, NoData, "empty"),
    ({"a__csv": "\n\n"}, NoData, "empty"),
    ({"a__csv": "x,y\n"}, NoData, "no row"),
    ({"a__jsonl": ""}, NoData, "empty"),
    ({"a__txt": "x,y\n"}, UnreadableFile, "ending"),
    ({"a__csv": "x,y\n1,привет\n".encode("cp1251")}, UnreadableFile, "UTF-8"),
    ({"a__csv": "x,y\n1,東京\n".encode("shift-jis")}, UnreadableFile, "UTF-8"),
    ({"a__csv": "x,y\n1,é\n".encode("utf-16")[:-1]}, UnreadableFile, "UTF-16"),
    ({"a__csv": "x,y\n1,é\n".encode() + "2,é\n".encode("latin-1")}, UnreadableFile, "line 2 is UTF-8, line 3 is not"),
    ({"a__csv": bytes(range(256)) * 9}, UnreadableFile, "NUL"),
    ({"a__csv": b"PK\x03\x04...."}, UnreadableFile, "zip"),
    ({"a__csv": gzip.compress(b"x,y\n1,2\n")}, UnreadableFile, "gzip"),
    ({"a__csv__gz": gzip.compress(b"x,y\n" + b"1,2\n" * 999)[:-9]}, UnreadableFile, "cut short"),
    ({"a__csv__gz": b"x,y\n1,2\n"}, UnreadableFile, "gzip"),
    ({"a__parquet": b"x,y\n1,2\n"}, UnreadableFile, "not Parquet"),
    ({"a__csv": "<!DOCTYPE html>\n<p>x,y</p>\n"}, UnreadableFile, "HTML"),
    ({"a__csv": "1.5,2,setosa\n2.5,1,setosa\n"}, BadData, "holds data"),
    ({"a__csv": "y,x\ne,x\ny,z\ny,z\n"}, BadData, "holds data"),
    ({"a__xlsx": "PK"}, UnreadableFile, "xlsx"),
    ({"a__json": '{"rows": [{"x": 1}]}'}, UnreadableFile, "one JSON object"),
    ({"a__json": '[{"x": 1, "y": 2}, {"x": 1,'}, UnreadableFile, "cut short"),
    ({"a__json": '[{"x": 1, "y": 2}, 3]'}, UnreadableFile, "item 2"),
    ({"a__csv": "y\n1\n"}, BadData, "only one column"),
    ({"a__csv": ",".join(f"c{n}" for n in range(10_000))}, BadData, "1,000"),
    ({"a__csv": '"x,y\n1,2\n'}, UnreadableFile, "header"),
    ({"a__csv": "x,y\n1\n2\n3,4\n"}, UnreadableFile, "do not fit"),
    ({"a__csv": "x,y\n1,2\n", "b__csv": "x,z\n1,2\n"}, ColumnsDiffer, "is missing y and adds z"),
    ({"a__jsonl": "{}\n"}, BadData, "no keys"),
    ({"a__jsonl": "x\ny\n"}, UnreadableFile, "not JSON objects"),
]


@pytest.mark.parametrize(("files", "kind", "words"), BAD)
def test_a_file_that_cannot_be_used_says_why_and_what_to_do(
    files: dict[str, Any], kind: type[Fault], words: str
) -> None:
    workspace, run = workspace_with(**files)
    with pytest.raises(kind) as caught:
        workspace.collect(run)
    assert type(caught.value) is kind
    assert words in caught.value.what
    assert caught.value.where
    assert caught.value.remedy
    written = [key for key in workspace.artifacts.objects if "/collect/" in key]
    assert written in ([], ["m/runs/r1/collect/contract.json"])  # which contract the run is held to: none


def test_wrong_encoding_names_the_line() -> None:
    body = b"x,y\n" + b"1,2\n" * 300_000
    workspace, run = workspace_with(a__csv=body + b"3,\xef\xf0\xe8\n")
    with pytest.raises(UnreadableFile) as caught:
        workspace.collect(run)
    assert caught.value.where == "raw/m/a.csv, line 300002"


def test_for_an_absent_target_the_most_similar_column_is_suggested() -> None:
    workspace, run = workspace_with(target="incom", a__csv="age,income\n1,2\n")
    with pytest.raises(TargetMissing) as caught:
        workspace.collect(run)
    assert caught.value.where == "pipelines/m.yaml: target: incom"
    assert caught.value.remedy == "did you mean 'income'? columns: age, income (2)"


@pytest.mark.parametrize("key", ["id_columns", "drop_columns", "sensitive_columns"])
def test_other_absent_columns_are_named_too(key: str) -> None:
    workspace, _ = workspace_with(a__csv="x,y\n1,2\n")
    with pytest.raises(BadPipeline) as caught:
        workspace.collect(workspace.run("r2", target="y", **{key: ["z"]}))
    assert caught.value.where == f"pipelines/m.yaml: {key}: z"


def test_hidden_objects_and_folders_are_skipped() -> None:
    workspace, run = workspace_with(a__csv="x,y\n1,2\n", __DS_Store=b"\0", _SUCCESS="")
    workspace.data.upload("raw/m/sub/", b"")
    workspace.data.upload("raw/mm/other.csv", b"other,columns\n1,2\n")
    assert workspace.collect(run).objects == 1


def test_a_file_that_was_uploaded_twice_counts_once_unless_kept() -> None:
    body = "x,y\n1,2\nbroken\n"
    workspace, run = workspace_with(b__csv="x,y\n3,4\n", c__csv=body, d__csv=body, e__csv=body + "\n")
    collected = workspace.collect(run)
    assert (collected.rows, collected.quarantined, collected.repeated) == (3, 2, ["raw/m/d.csv"])
    entries = json.loads(workspace.artifacts.read(collected.manifest))["objects"]
    assert [(entry["rows"], entry.get("repeats")) for entry in entries] == [
        (1, None), (1, None), (0, "raw/m/c.csv"), (1, None),
    ]  # fmt: skip
    assert collected.quarantine is not None
    assert [file for file, *_ in workspace.parquet(collected.quarantine)] == ["raw/m/c.csv", "raw/m/e.csv"]
    kept = workspace.collect(workspace.run("r2", target="y", duplicates="keep"))
    assert (kept.rows, kept.repeated) == (4, [])


def test_of_many_repeated_files_some_are_named_and_all_are_counted() -> None:
    workspace, run = workspace_with(**{f"file{number:03}__csv": "x,y\n1,2\n" for number in range(300)})
    collected = workspace.collect(run)
    assert (collected.rows, len(collected.repeated), collected.files_left_out) == (1, 20, 299)


def test_the_result_for_the_same_files_is_reused_but_not_for_others() -> None:
    workspace, run = workspace_with(a__csv="x,y\n1,2\n")
    first = workspace.collect(run)
    again = workspace.collect(workspace.run("r2", target="y"))
    assert again == first.model_copy(update={"cached": True})
    workspace.data.upload("raw/m/b.csv", b"x,y\n3,4\n")
    assert workspace.collect(workspace.run("r3", target="y")).rows == 2


def test_the_same_input_gives_the_same_bytes() -> None:
    body = "x,y\n" + "".join(f"{n},{n % 7}\n" for n in range(5000)) + "broken\n"
    one, run = workspace_with(a__csv=body)
    other, same = workspace_with(a__csv=body)
    assert one.collect(run) == other.collect(same)


def test_a_file_that_is_replaced_while_it_is_read_is_transient() -> None:
    workspace, run = workspace_with(a__csv="x,y\n1,2\n")
    listed = list(workspace.data.list("raw/m/"))
    workspace.data.list = lambda prefix: iter(listed)  # type: ignore[method-assign]
    workspace.data.upload("raw/m/a.csv", b"x,y\n1,3\n")
    with pytest.raises(Transient):
        workspace.collect(run)


values = st.text(st.sampled_from("ab1 ,;\"\n\r\t|é='\\"), max_size=6)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(values, min_size=1, max_size=3).map(",".join), min_size=1, max_size=12))
def test_no_line_is_lost_whatever_the_text(lines: list[str]) -> None:
    """Filled lines = rows + broken lines + further lines of records with several."""
    valid = [f"{n},ok" for n in range(40)]
    text = "x,y\n" + "\n".join([*valid[:20], *lines, *valid[20:]]) + "\n"
    workspace, run = workspace_with(a__csv=text)
    collected = workspace.collect(run)
    rows = workspace.rows(collected)
    if '"' not in text:
        filled = [line for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")[1:] if line]
        assert collected.rows + collected.quarantined == len(filled)
    assert collected.rows == len(rows)
    # the rows before the generated lines are read, and no later row disappears without a trace
    assert [row[0] for row in rows[:20]] == [str(n) for n in range(20)]
    tail = {row for row in rows if row[1] == "ok"}
    all_text = "\n".join(value or "" for row in rows for value in row)
    broken = workspace.parquet(collected.quarantine) if collected.quarantine else []
    for n in range(20, 40):
        assert (str(n), "ok") in tail or f"{n},ok" in all_text or any(f"{n},ok" in text for _, _, text, _ in broken)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.text(max_size=8), min_size=2, max_size=2), min_size=1, max_size=8))
def test_what_a_csv_writer_writes_is_read_back(rows: list[list[str]]) -> None:
    import csv
    import io

    rows = [[value.replace("\0", "").replace("\r", "\n") for value in row] for row in rows]
    rows = [[value.encode("utf-8", "ignore").decode() for value in row] for row in rows]
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([["x", "y"], *rows])
    workspace = Workspace()
    workspace.data.upload("raw/m/a.csv", text.getvalue().encode())
    read = workspace.rows(workspace.collect(workspace.run(target="y")))
    assert read == [tuple(value or None for value in row) for row in rows]


def test_an_upload_that_is_as_it_was_before_an_erasure_is_told() -> None:
    place = Workspace()
    bodies = {"a.csv": b"id,y\n1,2\n7,3\n", "b.csv": b"id,y\n2,2\n8,3\n"}
    for name, body in bodies.items():
        place.data.upload(f"raw/m/{name}", body)
    now = hashlib.sha256(b"id,y\n1,2\n").hexdigest()
    place.registry.erasures.rewrite("m", "data", "raw/m/a.csv", hashlib.sha256(bodies["a.csv"]).hexdigest(), now)
    (note,) = place.collect(place.run(target="y")).notes
    assert note.startswith("a.csv: uploaded again as it was before an erasure") and "modelcycle erase" in note
    place.data.upload("raw/m/a.csv", b"id,y\n1,2\n")
    assert place.collect(place.run("r2", target="y")).notes == []
