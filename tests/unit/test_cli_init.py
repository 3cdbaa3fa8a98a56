"""`init` writes a valid pipeline file, whatever the names of the columns."""

from __future__ import annotations

import csv
import gzip
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cli.data_summary import ColumnSummary, DataSummary, summarize
from cli.draft import draft, flow_scalar, model_name, scalar
from cli.guess import guess_target
from cli.init import init
from cli.main import main
from modelcycle.reading.csv_records import is_figure
from modelcycle.spec import parse
from modelcycle.spec.sources import Csv

DATA = Path(__file__).parents[2] / "examples" / "data"
NAMES = [
    "a b", '"', "'", "a.b", "a/b", "=1+1", "é", "列", "yes", "null", "1", "1.5", "#", "a: b", "- a", "{x}", "[x]",
    "&a", "*a", "!t", "%", "@", "`", "|", ">", "?", "a,b", "2020-01-01", "~", "a\nb", "a\tb", "a\\b", "\u2028",
    "on", "a #b", "x" * 512,
]  # fmt: skip


def column_of(name: str, *levels: str, rows: int = 2) -> ColumnSummary:
    counts = dict.fromkeys(levels, rows // len(levels))
    return ColumnSummary(name, "text", rows, levels=counts, distinct_count=len(counts))


def table(*names: str) -> DataSummary:
    return DataSummary([column_of(name, "a", "b") for name in names], 2)


@pytest.mark.parametrize("name", NAMES)
def test_any_column_name_is_read_back_as_the_target(name: str) -> None:
    text = draft("model", name, "because", table("first", name), Path("file.csv"))
    assert parse(text).target == name


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=60).filter(str.strip))
@settings(max_examples=200, deadline=None)
def test_every_text_is_read_back(name: str) -> None:
    text = draft("model", name, "because", table("age", f"user id {name}", name), Path(f"{name[:20]}.csv"))
    assert parse(text).target == name
    assert yaml.safe_load(f"[{flow_scalar(name)}, {flow_scalar('sex')}]") == [name, "sex"]
    assert yaml.safe_load(scalar(name)) == name


@given(st.lists(st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=20).map(str.strip).filter(lambda name: name and not is_figure(name)), min_size=2, max_size=5, unique=True))  # fmt: skip  # noqa: E501
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_for_any_csv_header_the_pipeline_file_is_valid(tmp_path: Path, names: list[str]) -> None:
    data = tmp_path / "rows.csv"
    with data.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerows([names, ["1"] * len(names), ["2"] * len(names)])
    summary = summarize(data)
    assert summary.names == names
    target, why = guess_target(summary)
    assert parse(draft(model_name(data), target, why, summary, data)).target == target


def test_accepted_suggestions_are_valid() -> None:
    text = draft("model", "y", "because", table("sex", "patient: race", "y"), Path("file.csv"))
    line = next(line for line in text.splitlines() if line.startswith("# sensitive_columns"))
    assert parse(text + line.removeprefix("# ")).sensitive_columns == ["sex", "patient: race"]


def test_the_target_is_guessed_by_name_before_position() -> None:
    assert guess_target(table("a", "Label", "b"))[0] == "Label"
    assert guess_target(table("a", "b"))[0] == "b"
    last_is_constant = table("a", "b")
    last_is_constant.columns.append(ColumnSummary("c"))
    assert guess_target(last_is_constant)[0] == "b"


@pytest.mark.parametrize(("file", "name"), [
    ("Adult Income.csv.gz", "adult-income"), ("données.parquet", "donnees"), ("__.csv", "model"), ("列.jsonl", "model"),
    (f"{'x' * 60}.csv", "x" * 48),
])  # fmt: skip
def test_a_model_is_named_after_the_file(file: str, name: str) -> None:
    assert model_name(Path(file)) == name
    assert parse(f"name: {scalar(name)}\ntarget: y").name == name


def test_the_example_is_written_and_never_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "adult.yaml"
    assert main(["init", "--data", str(DATA / "adult.csv.gz"), "--out", str(file)]) == 0
    text = file.read_text()
    assert parse(text).target == "income"
    assert "# sensitive_columns: [age, race, sex]" in text
    assert main(["init", "--data", str(DATA / "adult.csv.gz"), "--out", str(file)]) == 2
    assert "not overwritten" in capsys.readouterr().err
    assert file.read_text() == text


def test_identifiers_of_people_are_not_copied_into_the_file(tmp_path: Path) -> None:
    data = tmp_path / "rows.csv"
    data.write_text("email,y\n" + "".join(f"person{number}@example.org,{number % 2}\n" for number in range(50)))
    assert main(["init", "--data", str(data), "--out", str(tmp_path / "p.yaml")]) == 0
    text = (tmp_path / "p.yaml").read_text()
    assert "# id_columns: [email]" in text
    assert "example.org" not in text


BAD = {
    "empty.csv": (b"", "empty"),
    "header.csv": (b"a,b\n", "no rows"),
    "binary.csv": (b"\x00\x01\x02\xff", "not UTF-8|binary"),
    "cyrillic.csv": ("a,b\n1,привет\n".encode("cp1251"), "not UTF-8"),
    "headerless.csv": (b"1.5,2\n3.5,4\n", "holds data"),
    "archive.zip": (b"PK", "are not read"),
    "short.csv.gz": (gzip.compress(b"a,b\n1,2\n" * 999)[:40], "gzip"),
    "plain.csv.gz": (b"a,b\n1,2\n", "gzip"),
    "rows.xlsx": (b"PK", "are not read"),
    "rows.parquet": (b"a,b", "Parquet"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_gets_three_lines_and_exit_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    content, words = BAD[name]
    (tmp_path / name).write_bytes(content)
    assert main(["init", "--data", str(tmp_path / name), "--out", str(tmp_path / "p.yaml"), "--json"]) == 2
    streams = capsys.readouterr()
    assert [line.split()[0] for line in streams.err.splitlines()] == ["error", "where", "to"]
    assert any(word in streams.err for word in words.split("|"))
    assert json.loads(streams.out).keys() >= {"error", "detail", "remedy"}
    assert not (tmp_path / "p.yaml").exists()


def test_a_broken_line_is_skipped(tmp_path: Path) -> None:
    data = tmp_path / "rows.csv"
    data.write_text("a,b\n1,2\n1,2,3\n3,4\n")
    assert summarize(data).rows == 2


def test_for_an_absent_target_the_columns_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "rows.csv"
    data.write_text("a,b\n1,2\n")
    assert main(["init", "--data", str(data), "--target", "c", "--out", str(tmp_path / "p.yaml")]) == 2
    error = capsys.readouterr().err
    assert "'c' is not a column" in error
    assert "a, b" in error


@pytest.mark.parametrize("file", sorted((DATA.parents[1] / "pipelines").glob("*.yaml")), ids=lambda file: file.stem)
def test_the_examples_and_the_suggestions_in_their_comments_are_valid(file: Path) -> None:
    text = file.read_text()
    assert parse(text).name == file.stem
    assert parse(re.sub(r"^# ([a-z_]+: [{\[])", r"\1", text, flags=re.MULTILINE)).name == file.stem


def test_a_broken_line_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "d.csv"
    data.write_text("a,b\n1,2\n3,4,5\n6,7\n8,9\n")
    assert main(["init", "--data", str(data), "--target", "b", "--out", str(tmp_path / "d.yaml")]) == 0
    assert "a line is broken and skipped; the first is line 3: 3 values" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "entities", "suggested"), [
    ("customerId", 40, True), ("patient", 40, True), ("customer age", 40, False), ("customer_id", 200, False),
    ("customer_id", 3, False), ("price", 40, False),
])  # fmt: skip
def test_a_column_that_says_to_whom_rows_belong_is_suggested_as_a_group(
    name: str, entities: int, suggested: bool
) -> None:
    column = column_of(name, *(f"c{entity}" for entity in range(entities)), rows=200)
    target = column_of("y", "0", "1", rows=200)
    text = draft("model", "y", "because", DataSummary([column, target], 200), Path("file.csv"))
    assert (f"# group_by: [{name}]" in text) == suggested
    assert parse(text.replace("# group_by", "group_by")).group_by == ([name] if suggested else [])


def test_dates_that_could_be_read_in_two_ways_are_told_and_the_other_way_is_a_comment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, file = tmp_path / "d.csv", tmp_path / "d.yaml"
    rows = [f"{n % 12 + 1:02}/{n % 11 + 1:02}/2024,{n % 28 + 1:02}/01/2024,{n % 2}" for n in range(200)]
    data.write_text("sold,paid,y\n" + "\n".join(rows) + "\n")
    assert main(["init", "--data", str(data), "--out", str(file)]) == 0
    said = capsys.readouterr().err
    assert "'sold' could be read in two ways" in said and "'paid'" not in said
    line = next(line for line in file.read_text().splitlines() if line.startswith("# features: {dates:"))
    other = parse(file.read_text() + line.removeprefix("# ")).features.dates
    assert other.keys() == {"sold"} and other["sold"] in ("%d/%m/%Y", "%m/%d/%Y")
    read = summarize(data).columns[0].format
    assert {read, other["sold"]} == {"%d/%m/%Y", "%m/%d/%Y"}


def test_a_given_dialect_is_written_because_a_run_needs_it_too(tmp_path: Path) -> None:
    data, file = tmp_path / "d.csv", tmp_path / "d.yaml"
    data.write_text("made by us\n1^2\n3^4\n5^6\n")
    options = ["--delimiter", "^", "--skip", "1", "--out", str(file)]
    assert main(["init", "--data", str(data), *options]) == 0
    assert parse(file.read_text()).csv == Csv(delimiter="^", skip=1)
    assert main(["init", "--data", str(data), "--encoding", "klingon", "--out", str(tmp_path / "e.yaml")]) == 2


def test_all_rows_count_and_words_for_missing_values_are_named(tmp_path: Path) -> None:
    data = tmp_path / "d.csv"
    data.write_text("a,b,y\n" + "".join(f"{n},{n % 5},{n % 2}\n" for n in range(20_000)) + "7,#N/A,1\n" * 500)
    summary = summarize(data)
    assert (summary.rows, summary.columns[1].kind, summary.columns[1].missing) == (20_500, "number", 500)
    assert summary.columns[1].words == {"#N/A": 500}
    assert summary.columns[0].has_more_levels and 18_000 < summary.columns[0].distinct_count < 22_000
    assert "2.4% missing (#N/A)" in draft("m", "y", "because", summary, data)


def test_init_needs_no_numpy_which_the_command_line_does_not_have(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("a,b\n1,x\n2,y\n")
    command = ["init", "--data", str(tmp_path / "d.csv"), "--out", str(tmp_path / "d.yaml")]
    program = f"import sys; sys.modules['numpy'] = None; from cli.main import main; sys.exit(main({command}))"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_codes_that_tell_rows_apart_are_proposed_before_what_names_people(tmp_path: Path) -> None:
    data, file = tmp_path / "d.csv", tmp_path / "d.yaml"
    rows = [f"S-{n:06},ana{n}@example.org,{'a' if n % 3 else 'b'}" for n in range(60)]
    data.write_text("numero_siniestro,email,y\n" + "\n".join(rows) + "\n")
    assert main(["init", "--data", str(data), "--out", str(file)]) == 0
    text = file.read_text()
    assert "# id_columns: [numero_siniestro]\n" in text and "{columns: {email: drop}}" in text


@pytest.mark.parametrize(("column", "cell"), [("email", "ana{}@example.org"), ("customer_ssn", "123-45-6{:03}")])
def test_all_proposals_together_are_valid(tmp_path: Path, column: str, cell: str) -> None:
    data, file = tmp_path / "d.csv", tmp_path / "d.yaml"
    rows = [f"{cell.format(n)},{1950 + n}-02-03,{'f' if n % 2 else 'm'},{n % 3}" for n in range(60)]
    data.write_text(f"{column},birth_date,sex,y\n" + "\n".join(rows) + "\n")
    assert main(["init", "--data", str(data), "--out", str(file)]) == 0
    taken = parse(re.sub(r"^# ([a-z_]+: [{\[])", r"\1", file.read_text(), flags=re.MULTILINE))
    assert taken.id_columns == [column] and taken.privacy.columns[column] == "pseudonymise"
    assert taken.privacy.columns["birth_date"] == "keep"


def test_a_target_that_is_another_in_every_row_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "d.csv"
    data.write_text("n,price,y\n" + "".join(f"S-{n:06},{n}.5,{n % 2}\n" for n in range(60)))
    for target, told in (("n", True), ("price", False), ("y", False)):
        assert main(["init", "--data", str(data), "--target", target, "--out", str(tmp_path / f"{target}.yaml")]) == 0
        assert ("nothing can be learned from it" in capsys.readouterr().err) == told


def test_texts_that_begin_alike_are_named_once_and_distinct_values_are_counted(tmp_path: Path) -> None:
    data, file = tmp_path / "d.csv", tmp_path / "d.yaml"
    said = "El asegurado comunica que ocurrió"
    data.write_text("text,n,y\n" + "".join(f"{said} {n % 9},{n + 10_000},{n % 2}\n" for n in range(2_500)))
    assert main(["init", "--data", str(data), "--out", str(file)]) == 0
    lines = file.read_text().splitlines()
    assert any(line.startswith("#   text") and line.count("El asegurado") == 1 for line in lines)
    assert any("2,500 distinct" in line and "about" not in line for line in lines)


def test_a_text_with_telephone_numbers_is_kept_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, file = tmp_path / "claims.csv", tmp_path / "claims.yaml"
    rows = [
        f"{number};El asegurado comunica daños en la vivienda {number}"
        f"{f'. Llamar al tel. 6{number:08d}' if number % 3 == 0 else ''};{'sí' if number % 2 else 'no'}"
        for number in range(120)
    ]
    data.write_text("importe;descripción;fraude\n" + "\n".join(rows) + "\n")
    assert init(data, None, None, file, as_json=False) == 0
    assert "descripción: a run keeps it, and says so" in capsys.readouterr().out
    assert "descripción: texts with telephone numbers" in file.read_text()
    assert "# privacy: {columns: {descripción: keep}}" in file.read_text()
