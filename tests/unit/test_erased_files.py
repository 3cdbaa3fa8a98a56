"""Files without somebody's rows: the bytes of all others stay, in every format, encoding and spelling."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from time import perf_counter
from typing import Any
from unicodedata import normalize

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelcycle.cells.canonical import canonical_sql, create_macros
from modelcycle.engine import Engine, connect
from modelcycle.erase import tables
from modelcycle.erase.arrays import holds, positions_of
from modelcycle.erase.graphs import without_texts
from modelcycle.erase.many_texts import ManyBytes, ManyTexts
from modelcycle.erase.subjects import Subjects, canonical, looks_alike, tells_apart
from modelcycle.erase.traces import ERASED, Traces
from modelcycle.erase.work import Found
from modelcycle.faults import BadData
from modelcycle.model.columns import Columns
from modelcycle.model.slices import Slices
from modelcycle.spec.sources import Csv
from tests.erased_model import graph, sample

NO_OPTIONS = Csv()


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with connect(tmp_path_factory.mktemp("engine"), "test", 1024) as opened:
        yield opened


def without(
    engine: Engine,
    folder: Path,
    name: str,
    body: bytes,
    *subjects: Mapping[str, str],
    predictions: tuple[str, ...] = (),
) -> tuple[bytes, int]:
    """Return a file without the subjects, and how many of their rows were found."""
    path, target = folder / "source", folder / "target"
    wanted = Subjects.of(subjects, predictions)
    path.write_bytes(body)
    found = tables.find(engine, path, name, NO_OPTIONS, wanted)
    path.write_bytes(body)
    tables.write(engine, path, name, NO_OPTIONS, wanted, target)
    return target.read_bytes(), len(found.rows)


FILES = {
    "plain.csv": (b"id,age\n7,1\n8,2\n7,3\n", b"id,age\n8,2\n"),
    "windows.csv": (b"id,age\r\n7,1\r\n8,2\r\n", b"id,age\r\n8,2\r\n"),
    "no-end.csv": (b"id,age\n8,2\n7,1", b"id,age\n8,2\n"),
    "blank.csv": (b"id,age\n\n7,1\n\n8,2\n\n", b"id,age\n\n\n8,2\n\n"),
    "mark.csv": (b"\xef\xbb\xbfid,age\n7,1\n8,2\n", b"\xef\xbb\xbfid,age\n8,2\n"),
    "utf16.csv": ("\ufeffid,name\n7,Ã©\n8,Ã¼\n".encode("utf-16-le"), "\ufeffid,name\n8,Ã¼\n".encode("utf-16-le")),
    "latin.csv": ("id;city\n7;Zürich\n8;Genève\n".encode("cp1252"), "id;city\n8;Genève\n".encode("cp1252")),
    "quoted.csv": (b'id,text\n"7","a\nb ""7"" c"\n8,"7, not me"\n', b'id,text\n8,"7, not me"\n'),
    "spelled.csv": (b"id,age\n 7.0 ,1\n7e0,2\n+7,3\n007,4\n77,5\n", b"id,age\n007,4\n77,5\n"),
    "titled.csv": (b"Export of May\nid;age\n7;1\n8;2\n9;3\n", b"Export of May\nid;age\n8;2\n9;3\n"),
    "broken.csv": (b"id,age\n7,1,x\n8,2\n9,3,x\n10,1\n11,2\n12,3\n", b"id,age\n8,2\n9,3,x\n10,1\n11,2\n12,3\n"),
    "tabs.tsv": (b"id\tage\n7\t1\n8\t2\n", b"id\tage\n8\t2\n"),
    "lines.jsonl": (b'{"id": 7}\n{"id": "7"}\n{"id": 8, "n": "7"}\nno json\n', b'{"id": 8, "n": "7"}\nno json\n'),
    "nested.jsonl": (
        b'{"prediction_id": "a", "instance": {"id": 7.0}}\n{"prediction_id": "b", "instance": {"id": 8}}\n',
        b'{"prediction_id": "b", "instance": {"id": 8}}\n',
    ),
    "list.json": (b'[\n  {"id": 7},\n  {"id": 8},\n  {"id": 9}\n]\n', b'[\n  {"id": 8},\n  {"id": 9}\n]\n'),
    "last.json": (b'[{"id": 8}, {"id": 7}]', b'[{"id": 8}]'),
    "all.json": (b'[{"id": 7}, {"id": 7}]', b"[]"),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_the_rows_go_and_every_other_byte_stays(engine: Engine, tmp_path: Path, name: str) -> None:
    body, expected = FILES[name]
    assert without(engine, tmp_path, name, body, {"id": "7"})[0] == expected
    packed, _ = without(engine, tmp_path, f"{name}.gz", gzip.compress(body), {"id": "7"})
    assert gzip.decompress(packed) == expected
    assert without(engine, tmp_path, f"{name}.gz", gzip.compress(body, 1), {"id": "7"})[0] == packed


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_letter_with_its_accent_is_the_same_however_it_is_written(engine: Engine, tmp_path: Path, form: Any) -> None:
    asked, other = normalize(form, "José"), normalize("NFD" if form == "NFC" else "NFC", "José")
    body = f"name,age\n{other},1\n{asked},2\nJose,3\n".encode()
    assert without(engine, tmp_path, "a.csv", body, {"name": asked})[0] == b"name,age\nJose,3\n"
    path = tmp_path / "a.parquet"
    duckdb.sql(f"COPY (SELECT unnest(['{other}', '{asked}', 'Jose']) AS name) TO '{path}' (FORMAT parquet)")
    assert tables.find(engine, path, "a.parquet", NO_OPTIONS, Subjects.of([{"name": asked}])).left == 1
    assert traces(asked).in_text(f"by {other}, {asked}") == f"by {ERASED}, {ERASED}"
    assert looks_alike("\uff2a\uff4f\uff53\u00e9", [normalize("NFC", asked)])


BROKEN = {
    "comma.csv": (b"name,kids,id\nAnn,7,1,\nBen,2,7,\nEve,7,3,\n", b"name,kids,id\nAnn,7,1,\nEve,7,3,\n", 0),
    "more.csv": (b"name,id,kids\nAnn,1,2,7\nBen,x,7,2\nCid,7,2,x\nDan,9,7\n", None, 2),
    "less.csv": (b"name,id,kids\nAnn,7\n7,1\nx,1,7\nBen,2\n", None, 2),
    "first.csv": (b"id,kids\n7\n8,7,7\n9,1\n10,2\n11,3\n", b"id,kids\n8,7,7\n9,1\n10,2\n11,3\n", 1),
    "index.csv": (b"id,kids\n6,11,7\n7,12,2\n8,7,1\n", b"id,kids\n6,11,7\n7,12,2\n", 0),
    "cut.jsonl": (b'{"id": 7, "a\n{"id": 77, "a\n{"n": "7", \n[{"id": 7}, {"id": 8}]\n', None, 3),
    "inner.jsonl": (b'{"id": 12, "city": {"id": 7}}\n{"id": 7, "city": {"id": 1}}\n{"l": [{"id": 7}]}\n',
                    b'{"id": 12, "city": {"id": 7}}\n{"l": [{"id": 7}]}\n', 0),
    "sent.jsonl": (b'{"id": 1, "instance": {"id": 7}}\n', None, 0),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_nobody_elses_row_goes_for_a_cell_that_stands_elsewhere(engine: Engine, tmp_path: Path, name: str) -> None:
    body, expected, doubtful = BROKEN[name]
    assert without(engine, tmp_path, name, body, {"id": "7"})[0] == (body if expected is None else expected)
    (tmp_path / "again").write_bytes(body)
    found = tables.find(engine, tmp_path / "again", name, NO_OPTIONS, Subjects.of([{"id": "7"}]))
    assert found.doubtful == doubtful


def test_an_object_in_an_object_is_found_by_its_path(engine: Engine, tmp_path: Path) -> None:
    body = b'{"id": 12, "city": {"id": 7}}\n{"id": 7, "city": {"id": 1}}\n'
    assert without(engine, tmp_path, "a.jsonl", body, {"city.id": "7"})[0] == b'{"id": 7, "city": {"id": 1}}\n'


def test_a_quote_that_is_never_closed_takes_no_other_row_with_it(engine: Engine, tmp_path: Path) -> None:
    body = b'id,text\n7,"open\n' + b"".join(b"%d,fine\n" % number for number in range(10, 60))
    left, rows = without(engine, tmp_path, "a.csv", body, {"id": "7"})
    assert left == b"id,text\n" + b"".join(b"%d,fine\n" % number for number in range(10, 60)) and rows == 1


@pytest.mark.parametrize("column", ["a.b", 'say "x"', "Ünï", "age", "Age", "select", "x" * 200])
def test_columns_may_have_any_name(engine: Engine, tmp_path: Path, column: str) -> None:
    objects = [{column: "me", "Age" if column == "age" else "age": 1, "n": 1}, {column: "you", "n": 2}]
    body = "".join(json.dumps(one) + "\n" for one in objects).encode()
    left, rows = without(engine, tmp_path, "a.jsonl", body, {column: "me"})
    assert (json.loads(left), rows) == (objects[1], 1)


def test_of_two_conditions_both_have_to_match(engine: Engine, tmp_path: Path) -> None:
    body = b"house,person\n3,1\n3,2\n4,2\n"
    assert without(engine, tmp_path, "a.csv", body, {"house": "3", "person": "2"})[0] == b"house,person\n3,1\n4,2\n"
    assert without(engine, tmp_path, "a.csv", body, {"house": "3"}, {"person": "1"})[0] == b"house,person\n4,2\n"


def test_an_outcome_is_found_by_its_prediction(engine: Engine, tmp_path: Path) -> None:
    body = b"prediction_id,outcome\np-1,yes\np-2,no\n"
    assert without(engine, tmp_path, "a.csv", body, {"id": "7"}, predictions=("p-1",))[0] == (
        b"prediction_id,outcome\np-2,no\n"
    )


def test_parquet_keeps_the_types_values_order_and_metadata_of_other_rows(engine: Engine, tmp_path: Path) -> None:
    path, target = tmp_path / "a.parquet", tmp_path / "b.parquet"
    duckdb.sql(
        f"""COPY (SELECT i AS id, i / 3 AS x, DATE '2024-01-01' + i::INTEGER AS d, [i] AS l, {{'a': i}} AS s
                  FROM range(10) t(i)) TO '{path}' (FORMAT parquet, KV_METADATA {{note: 'it''s'}})"""
    )
    subjects = Subjects.of([{"id": "7"}, {"s.a": "2"}])
    found = tables.find(engine, path, "a.parquet", NO_OPTIONS, subjects)
    assert [row["id"] for row in found.rows] == ["2", "7"] and found.left == 8
    assert tables.write(engine, path, "a.parquet", NO_OPTIONS, subjects, target) == 8
    before = duckdb.sql(f"SELECT * FROM '{path}' WHERE id NOT IN (2, 7)")
    after = duckdb.sql(f"SELECT * FROM '{target}'")
    assert (after.fetchall(), after.types, after.columns) == (before.fetchall(), before.types, before.columns)
    assert duckdb.sql(f"SELECT decode(value) FROM parquet_kv_metadata('{target}')").fetchall() == [("it's",)]


def test_a_parquet_file_that_cannot_be_written_again_is_refused_not_changed(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.parquet"
    duckdb.sql(f"COPY (SELECT 7 AS id) TO '{path}' (FORMAT parquet)")
    monkeypatch.setattr("modelcycle.erase.parquet_files.stored_columns", lambda *given: ["id", "ID"])
    with pytest.raises(BadData, match="capital letters"):
        tables.write(engine, path, "a.parquet", NO_OPTIONS, Subjects.of([{"id": "7"}]), tmp_path / "b")


CELLS = ["7", "7.0", "+7", "007", "-0", "0.24", "2.4e-1", ".5", "5.", "1_000", "true", "TRUE", "1e3", "2024-01-31",
         "2024-01-31 10:00", "2024-01-31T10:00:00Z", "2024-01-31T10:00:00+02:00", "inf", "nan", "é", "1e400",
         "12345678901234567890",
         "0x1", "٣", "1,5", "2024-13-01", "-", "+", ".", "e5"]  # fmt: skip


def in_sql(engine: Engine, cells: list[str]) -> list[str | None]:
    create_macros(engine)
    found = engine.execute(
        f"SELECT {canonical_sql('t')} FROM (SELECT nullif(trim(unnest($1::VARCHAR[])), '') AS t)", [cells]
    )
    return [text for (text,) in found.fetchall()]


def test_a_cell_means_the_same_here_and_in_the_files_that_are_joined(engine: Engine) -> None:
    assert [canonical(cell) for cell in CELLS] == in_sql(engine, CELLS)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.integers(-(10**20), 10**20).map(str), st.floats(allow_nan=False).map(repr),
       st.text(st.sampled_from("0123456789.eE+-_: TZ"), max_size=12)), min_size=1, max_size=40))  # fmt: skip
def test_any_cell_means_the_same_in_both(engine: Engine, cells: list[str]) -> None:
    for cell, ours, theirs in zip(cells, map(canonical, cells), in_sql(engine, cells), strict=True):
        both_numbers = _number(ours) is not None and _number(ours) == _number(theirs)
        assert ours == theirs or both_numbers, cell


def _number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None


def traces(*texts: str, rows: tuple[dict[str, Any], ...] = ()) -> Traces:
    return Traces.of({"c": texts}, {}, rows, [])


def test_a_document_keeps_its_shape_and_what_is_not_theirs() -> None:
    found, changed = traces("Zebulon", "987654.37").without(
        {
            "levels": ["Ann", "Zebulon"],
            "n": 2,
            "Zebulon": {"max": 987654.375, "rows": 98},
            "why": "as Zebulon said, Zebulons",
        }
    )
    assert changed and found == {
        "levels": ["Ann", ERASED], "n": 2, ERASED: {"max": 990000.0, "rows": 98}, "why": f"as {ERASED} said, Zebulons"
    }  # fmt: skip
    assert traces("Zebulon").without({"a": [1, "Ann"]}) == ({"a": [1, "Ann"]}, False)


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=30), st.integers(0, 29))
def test_a_sorted_list_stays_sorted_and_loses_the_number(numbers: list[float], at: int) -> None:
    numbers = sorted(numbers)
    text = repr(numbers[at % len(numbers)])
    if tells_apart(text):
        found, changed = traces(text).without(numbers)
        assert changed and found == sorted(found) and len(found) == len(numbers)


def test_a_recorded_row_of_the_person_goes_as_a_whole() -> None:
    row = {"age": "39", "city": "Basel", "id": "7"}
    body = {"rows": [{"instance": {"age": 39.0, "city": "Basel"}}, {"instance": {"age": 39.0, "city": "Bern"}}]}
    assert traces(rows=(row,)).without(body)[0] == {"rows": [body["rows"][1]]}


def test_a_number_beside_theirs_and_the_address_of_an_object_stay() -> None:
    body = {"bytes": 123456790, "id": 123456789, "key": "raw/m/Zebulon.csv", "as": 987654.375}
    found, changed = traces("123456789", "Zebulon", "987654.37").without(body)
    assert changed and found == body | {"id": 120000000, "as": 990000.0}


def test_what_others_have_too_is_nobodys() -> None:
    found = Traces.of({"city": ["Basel", "Zwolle"], "age": ["39"]}, {"city": ["Basel"]}, (), [{"id": "P-0007"}])
    assert found.texts == {"Zwolle", "P-0007"}


def test_a_graph_keeps_its_length_and_other_texts() -> None:
    body = graph(b"Basel", b"Zebulon", b"Zebulons")
    changed, held, stays = without_texts(body, traces("Zebulon", "Basel-Stadt"), "salt")
    assert held and not stays and len(changed) == len(body) and b"Zebulon\x4a" not in changed
    assert changed[: body.index(b"Zebulon")] == body[: body.index(b"Zebulon")] and b"Zebulons" in changed
    assert without_texts(body, traces("Bern"), "salt") == (body, False, False)


def test_a_text_that_is_also_an_operator_or_an_input_changes_neither() -> None:
    cast = graph(b"Cast", b"city", operator=b"Cast")
    changed, held, stays = without_texts(cast, traces("Cast", "city"), "salt")
    assert held and stays and changed == graph(*categories(changed), operator=b"Cast")
    modes = graph(b"LEAF", attribute=b"nodes_modes")
    assert without_texts(modes, traces("LEAF"), "salt") == (modes, False, True)
    assert without_texts(b"no graph: LEAF", traces("LEAF"), "salt") == (b"no graph: LEAF", False, True)


def categories(body: bytes) -> list[bytes]:
    at = body.index(b"keys_strings") + len(b"keys_strings")
    return [body[at + 2 : at + 6], body[at + 8 : at + 12]]


def test_texts_of_others_are_found_in_any_column_and_spelling(engine: Engine, tmp_path: Path) -> None:
    path, texts = tmp_path / "a", {"Basel", "12345.5", "Zwolle"}
    path.write_bytes(b"id,town,x\n7,Zwolle,1\n8, Basel ,12345.50\n")
    subjects = Subjects.of([{"id": "7"}])
    assert tables.texts_of_others(engine, path, "a.csv", NO_OPTIONS, subjects, texts) == {"Basel", "12345.5"}
    path.unlink()
    duckdb.sql(f"COPY (SELECT 8 AS id, 'Basel' AS town, 12345.5::DOUBLE AS x) TO '{path}' (FORMAT parquet)")
    assert tables.texts_of_others(engine, path, "a.parquet", NO_OPTIONS, subjects, texts) == {"Basel", "12345.5"}


def test_a_number_beyond_single_precision_is_not_told_apart_by_a_typed_table() -> None:
    ids = np.array([16_777_217, 16_777_216, 7], dtype=np.float32)
    body = Columns({"id": ids}).to_bytes()
    large, small = Subjects.of([{"id": "16777217"}]), Subjects.of([{"id": "7"}])
    assert positions_of(body, large, exactly=True) is None  # its neighbour would go too
    assert positions_of(body, large).tolist() == [0, 1]  # type: ignore[union-attr]
    assert positions_of(body, small, exactly=True).tolist() == [2]  # type: ignore[union-attr]


def test_samples_of_monitoring_and_groups_of_rows_are_no_tables_of_columns() -> None:
    """They name columns, but have no array for each; a sample is looked through for numbers of the subjects."""
    subjects = Subjects.of([{"city": "Zwolle-Øst"}, {"income": "987654.37"}])
    groups = Slices(["city"], [["Basel"]], np.zeros((1, 3), dtype=np.int8))
    for body in (sample(4).to_bytes(), groups.to_bytes()):
        assert positions_of(body, subjects) is None
    traces = Traces(frozenset({"987654.37"}))
    assert holds(sample(4).to_bytes(), traces, subjects)
    assert not holds(groups.to_bytes(), traces, subjects)


WORDS = st.text(st.sampled_from("ab .-é_"), min_size=1, max_size=6)


@given(st.lists(WORDS, min_size=1, max_size=60), st.text(st.sampled_from("ab .-é_"), max_size=40))
def test_many_texts_are_found_as_one_pattern_would(texts: list[str], text: str) -> None:
    worded = [one for one in texts if any(character.isalnum() or character == "_" for character in one)]
    longest = sorted(set(worded), key=len, reverse=True)
    if longest:
        pattern = "|".join(rf"(?<!\w){re.escape(one)}(?!\w)" for one in longest)
        assert ManyTexts(worded).replaced(text, "*") == (re.sub(pattern, "*", text), bool(re.search(pattern, text)))
    encoded = [one.encode() for one in texts if len(one) > 2]
    body = text.encode() * 3
    assert ManyBytes(encoded).are_in(body) == any(one in body for one in encoded)


def test_texts_at_the_border_of_blocks_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelcycle.erase.many_texts.BLOCK_BYTES", 8)
    many = ManyBytes([f"P-{number:06d}".encode() for number in range(100)])
    assert all(many.are_in(b"x" * before + b"P-000077") for before in range(20)) and not many.are_in(b"P-00007" * 9)


def test_ten_times_the_texts_take_far_less_than_ten_times_the_time() -> None:
    document = " ".join(f"word{number} P-{number:06d}" for number in range(10_000))

    def seconds(count: int) -> float:
        found = traces(*(f"{kind}{number:06d}" for kind in ("Q-", "Zoe") for number in range(count)))
        found.in_text(""), found.are_in(b"")
        start = perf_counter()
        assert found.in_text(document) == document and not found.are_in(document.encode())
        return perf_counter() - start

    assert min(seconds(20_000) for _ in range(2)) < 5 * seconds(2_000)


def test_equal_rows_are_kept_once_however_many() -> None:
    found = Found(rows=[{"a": str(number)} for number in range(3)])
    found.add(Found(rows=[{"a": "2"}, {"a": "3"}, {"a": "3"}]))
    assert [row["a"] for row in found.rows] == ["0", "1", "2", "3"]
