"""Files as people, spreadsheets and programs write them: what is read, what is said, what is refused."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from modelcycle.engine import connect
from modelcycle.faults import BadData, Fault, UnreadableFile
from modelcycle.reading import plain_text, read_file
from modelcycle.reading.csv_records import are_data
from modelcycle.reading.line_numbers import LineNumbers
from modelcycle.spec.sources import Csv
from tests.unit.data_steps import Workspace

ROWS = "".join(f"{n};{n}.5;t{n % 3}\n" for n in range(20))


class Read(NamedTuple):
    names: list[str]
    rows: list[tuple[str | None, ...]]
    notes: tuple[str, ...]
    lines: list[int | None]
    broken: list[tuple[int, str]]


def read(body: str | bytes, name: str = "a.csv", given: Csv | None = None) -> Read:
    with TemporaryDirectory() as folder, connect(Path(folder), name, 1024) as engine:
        source = Path(folder) / "source"
        source.write_bytes(body if isinstance(body, bytes) else body.encode())
        table = read_file(engine, source, name, Path(folder) / "0.parquet", given)
        rows = list(table.texts(engine))
        broken = engine.execute("SELECT line, reason FROM broken_lines ORDER BY line").fetchall()
        assert (table.rows, table.broken) == (len(rows), len(broken))
        return Read(
            table.names, rows, table.notes, [table.numbers.line_of(row + 1) for row in range(len(rows))], broken
        )


# --- the header and the dialect ---

MEASURES = "".join(f"{n},{n}.5,t{n % 3}\n" for n in range(20))
BELOW = {
    "units": "C,hPa,\n", "units of all": "(C),(hPa),(kind)\n", "a rule": "---,---,---\n",
    "a rule of minus signs": "-,-,-\n",
    "questions": '"How warm,\nis it?",How heavy?,Which?\n"{""Id"": 1}","{""Id"": 2}","{""Id"": 3}"\n',
    "units and functions": "TS,RN,\nAvg,Smp,\n",
}  # fmt: skip


@pytest.mark.parametrize("below", BELOW.values(), ids=BELOW)
def test_lines_below_the_header_that_are_no_rows_are_left_out_and_told(below: str) -> None:
    found = read(f"a,b,kind\n{below}{MEASURES}")
    first = 2 + below.count("\n")
    assert len(found.rows) == 20 and found.lines == list(range(first, first + 20)) and not found.broken
    assert ["no row" in note for note in found.notes] == [True]
    kept = read(f"a,b,kind\n{below}{MEASURES}", given=Csv(skip=0))
    assert len(kept.rows) > 20


@pytest.mark.parametrize("first", ["n/a,tbc,t1", "n.d.,none,", "<0.1,<5,t9", "error,error,t1", "C,3,", "x,,"])
def test_a_first_row_with_odd_values_stays_a_row(first: str) -> None:
    found = read(f"a,b,kind\n{first}\n{MEASURES}")
    assert len(found.rows) == 21 and not found.notes


@pytest.mark.parametrize(
    "last", ["Total,190,", "Summe: 20,,", "Total: 1.234,,\nDurchschnitt,9.5,", ",Total,", "TOTAL,,"]
)
def test_totals_below_the_rows_are_no_rows(last: str) -> None:
    found = read(f"a,b,kind\n{MEASURES}{last}\n")
    assert len(found.rows) == 20
    totals = range(22, 23 + last.count("\n"))
    assert found.broken == [(line, "a total below the rows, no row") for line in totals]


@pytest.mark.parametrize("last", ["Total,190,north", "Totalis,1,", "7,8,Total"])
def test_a_shop_that_is_named_total_is_a_row(last: str) -> None:
    assert len(read(f"a,b,kind\n{MEASURES}{last}\n").rows) == 21
    assert len(read(f"a,b,kind\nTotal,1,\n{MEASURES}Total,190,\n").rows) == 22


def test_a_header_that_is_repeated_below_is_no_row_and_the_lines_stay_right() -> None:
    rows = MEASURES.splitlines(keepends=True)
    found = read(
        "a,b,kind\n" + "a,b,kind\n".join(["".join(rows[:5]), rows[5] + "\n", '7,"x\ny",z\n', "".join(rows[6:])])
    )
    assert len(found.rows) == 21
    assert [line for line, _ in found.broken] == [7, 10, 13]
    assert {reason for _, reason in found.broken} == {"the header once more, no row"}
    assert found.lines == [2, 3, 4, 5, 6, 8, 11, *range(14, 28)]


ABOVE = {
    "nothing": "", "blank lines": "\n\n", "a title": "Sales 2024, all shops\n", "titles": "Sales\nin euros, net\n\n",
    "a title of Excel": "Sales 2024;;\n;;\n", "a sep line": "sep=;\n", "a sep line of Excel": '"sep=;"\n',
    "what an instrument writes": "Device: X1\nSerial: 88,12\nStart: 2024-01-01\n\n",
    "comments": "# made by x, v2\n# 2024\n", "a comment and a title": "# x\nSales of 2024\n",
}  # fmt: skip


@pytest.mark.parametrize("above", ABOVE.values(), ids=ABOVE)
@pytest.mark.parametrize("rows", [ROWS, ROWS.replace(".", ",")], ids=["points", "decimal commas"])
def test_the_header_is_found_below_titles_comments_and_a_sep_line(above: str, rows: str) -> None:
    found = read(f"{above}Id;Price (net, EUR);Kind\n{rows}")
    assert found.names == ["Id", "Price (net, EUR)", "Kind"]
    assert len(found.rows) == 20 and not found.broken
    first = above.count("\n") + 2
    assert found.lines == list(range(first, first + 20))
    left_out = [note for note in found.notes if "above the header" in note]
    assert bool(left_out) == any(letter in above for letter in "Sx#D")


def test_the_last_comment_may_be_the_header() -> None:
    found = read("##source=x\n#CHROM\tPOS\tREF\n" + "chr1\t7\tA\nchr2\t8\tC\n" * 5, "a.tsv")
    assert found.names == ["CHROM", "POS", "REF"] and len(found.rows) == 10
    assert read("#id,name\n" + "a,bob\nb,eve\n" * 3).names == ["id", "name"]


@pytest.mark.parametrize("header", ["", "Unnamed: 0"])
def test_a_column_without_a_name_is_named_by_its_number(header: str) -> None:
    found = read(f"{header},a,b\n0,1,x\n1,2,y\n")
    assert (found.names, found.notes) == (["column_1", "a", "b"], ("column 1 has no name: it is column_1",))


def test_equal_names_get_a_number_and_a_word() -> None:
    found = read("sex,age,sex,sex_2,sex\na,1,b,c,d\ne,2,f,g,h\n")
    assert found.names == ["sex", "age", "sex_2_2", "sex_2", "sex_3"]
    assert found.notes[0] == "sex is named 3 times: number 2 is sex_2_2"
    assert read("a,b,a\n1,2,3\n4,5,6\n").notes == ("a is named twice: the second is a_2",)


def test_row_names_of_r_have_no_name() -> None:
    found = read('"a","b"\n' + "".join(f'"{n}",{n * 2},x\n' for n in range(9)))
    assert found.names == ["column_1", "a", "b"] and len(found.rows) == 9


def test_delimiters_at_the_end_of_every_line_are_no_column() -> None:
    assert read("a;b;\n" + "1;x;\n2;y;\n" * 3).names == ["a", "b"]
    assert read("a;b;\n" + "1;x;\n2;y;z\n" * 3).names == ["a", "b", "column_3"]


def test_single_quotes_are_quotes_only_where_every_text_has_them() -> None:
    quoted = read("a,b,c\n" + "".join(f"{n},'x, {n}','it''s'\n" for n in range(9)))
    assert quoted.rows[0] == ("0", "x, 0", "it's") and "`'` quotes texts" in quoted.notes
    plain = read("a,b,c\n" + "".join(f"{n},it's,'tis\n" for n in range(9)))
    assert plain.rows[0] == ("0", "it's", "'tis")


@pytest.mark.parametrize("body", [
    "5.1,3.5,setosa\n4.9,3.0,setosa\n6.1,2.9,virginica\n", "2024-01-01,7\n2024-01-02,8\n", "1,2\n3,4\n", "1.5\n2.5\n",
    "p,x,s\n" + "e,x,y\np,y,s\n" * 5, "Ann,1.5,3\nBob,2.5,4\nEve,3.5,9\n",
    ",NA,0.5\n1,2,1.5\n2,4,2.5\n", "1,2,3\n4,5,6\n7,8,9\n",
])  # fmt: skip
def test_a_file_without_a_header_is_refused_and_no_row_is_eaten(body: str) -> None:
    with pytest.raises(BadData, match="holds data") as caught:
        read(body)
    assert "skip: 0" in caught.value.remedy
    assert len(read(body, given=Csv(skip=0)).rows) == body.count("\n") - 1


@pytest.mark.parametrize(
    "header",
    ["city,2019,2020", "city,2019,2022", "c,0,1", "c,202301,202302,202303", "city,2024-01-31,2024-02-28", "a,b,"],
)
def test_years_dates_and_counted_columns_are_names(header: str) -> None:
    assert (
        len(
            read(
                f"{header}\n" + "".join(f"c{n},{n * 3},{n * 7}{',1' * (header.count(',') == 3)}\n" for n in range(9))
            ).rows
        )
        == 9
    )


def test_the_pipeline_file_overrides_what_is_found() -> None:
    body = "a,b\nx^y,z\n1^2,3\n4^'5^6'\n"
    found = read(body, given=Csv(delimiter="^", quote="'", skip=1))
    assert (found.names, found.rows) == (["x", "y,z"], [("1", "2,3"), ("4", "5^6")])
    assert read("a,é\n1,é\n2,é\n".encode("cp1252"), given=Csv(encoding="windows-1252")).names == ["a", "é"]


CELLS = st.text(st.sampled_from("ab1 ,;|\t'\"\n.é"), max_size=8).map(str.strip)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=4, max_size=30), st.sampled_from(",;\t|"),
    st.sampled_from(["\n", "\r\n", "\r"]), st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"]),
    st.sampled_from(["", "\n", "Title\n", "# a comment\n"]), st.booleans(),
)  # fmt: skip
def test_a_table_in_any_dialect_is_read_back(
    rows: list[tuple[str, str, str]], delimiter: str, end: str, encoding: str, above: str, all_quoted: bool
) -> None:
    # three accents in a row are no word of a language that Windows-1252 writes
    assume(encoding != "cp1252" or not any("ééé" in cell for row in rows for cell in row))
    numbered = [(str(n), *row) for n, row in enumerate(rows)]
    text = io.StringIO()
    quoting = csv.QUOTE_ALL if all_quoted else csv.QUOTE_MINIMAL
    names = ["row number", "first, one", "second; two", "third"]
    csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator="\n").writerows([names, *numbered])
    body = (above + text.getvalue()).replace("\n", end).encode(encoding)
    found = read(body)
    expected = [tuple(cell or None for cell in row) for row in numbered]
    assert [tuple(cell and cell.replace("\r\n", "\n") for cell in row) for row in found.rows] == expected
    assert (found.names, found.broken) == (names, [])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from(["{n},x", '{n},"a\nb"', "{n}", "", '{n},"open', "{n},a,b", "   "]), min_size=1, max_size=40
    )
)
def test_every_row_and_every_broken_line_has_its_line(kinds: list[str]) -> None:
    """Each row is found on the line that its number says."""
    ok = ["{n},ok"] * (len(kinds) + 2)
    body = "n,x\n" + "".join(kind.format(n=n) + "\n" for n, kind in enumerate([*ok, *kinds, *ok]))
    found, lines = read(body), body.split("\n")
    for row, line in zip(found.rows, found.lines, strict=True):
        assert line is not None and lines[line - 1].startswith(f"{row[0]},")
    told = [line for line, _ in found.broken]
    assert told == sorted(told) and not {*told} & {*found.lines}


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


@given(st.lists(st.text("ab1.", min_size=1, max_size=3), min_size=2, max_size=3, unique=True))
def test_a_header_is_never_taken_for_data_if_a_name_stands_above_figures(names: list[str]) -> None:
    assume(not names[0].replace(".", "").isdigit())
    assert not are_data(names, [["1", *["x"] * (len(names) - 1)], ["2", *["y"] * (len(names) - 1)]])


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


def test_a_title_stands_above_names_of_which_two_are_equal() -> None:
    rows = "".join(f"k{n};{n},5;a;b\n" for n in range(20))
    found = read(f"Kündigungen, Stand 2024\n\nkunde;preis;tarif;tarif\n{rows}".encode("cp1252"))
    assert found.names == ["kunde", "preis", "tarif", "tarif_2"] and len(found.rows) == 20


def test_a_header_in_another_delimiter_than_texts_is_no_title() -> None:
    with pytest.raises(UnreadableFile, match="do not fit the header"):
        read("kind,weight,color\n" + "x;y\nz;w\n" * 50)
    assert read("Kinds\na;b\n" + "x;y\nz;w\n" * 5).names == ["a", "b"]


def test_quotes_with_a_backslash_are_refused_with_the_way_to_write_them() -> None:
    with pytest.raises(UnreadableFile, match='as "", not'):
        read("a,t,y\n" + '1,"say \\"hi\\", ok",u\n' * 20)
