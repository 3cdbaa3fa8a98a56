"""The header of a CSV file, its dialect, and the lines around its rows."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from modelcycle.faults import BadData, UnreadableFile
from modelcycle.reading.csv_records import are_data
from modelcycle.spec.sources import Csv
from tests.unit.read_files import read

ROWS = "".join(f"{n};{n}.5;t{n % 3}\n" for n in range(20))
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


@settings(max_examples=80, deadline=None)
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


@given(st.lists(st.text("ab1.", min_size=1, max_size=3), min_size=2, max_size=3, unique=True))
def test_a_header_is_never_taken_for_data_if_a_name_stands_above_figures(names: list[str]) -> None:
    assume(not names[0].replace(".", "").isdigit())
    assert not are_data(names, [["1", *["x"] * (len(names) - 1)], ["2", *["y"] * (len(names) - 1)]])


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
