"""Rows of the training file, sent by `modelcycle predict`, enter the graph with the same bits as in training.

training   file, `collect`, `preprocess`, `Signature.encode`
serving    file, `predict`, request as JSON, `Signature.read`, `Signature.encode`
"""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cli.predict
from cli.contract import Contract
from cli.data_summary import summarize
from cli.options import Options
from modelcycle.cells import dates
from modelcycle.engineer_features.signature import build_signature
from modelcycle.faults import BadRequest
from modelcycle.model.columns import Columns, TableSchema
from modelcycle.model.plan import FeaturePlan, Input, Part, Planned, Treatment
from modelcycle.model.signature import Signature
from modelcycle.spec import Pipeline
from tests.unit.data_steps import Workspace

ROWS = 240  # one invalid cell is then less than a hundredth of a column, whose type stays as it is
INVALID_ROW = 7
MISSING = ["", "NA", "?", " n/a ", "NaN", "-999"]
PARTS: tuple[Part, ...] = ("year", "month", "day", "weekday", "hour", "days")
NAMES = ["a b", '"q"', "a,b", "a;b", "é", "列", "x\ny", "~1/a", "c0", "file", "row", "row_id", "u\u2028v", "'", "%d"]

Table = dict[str, list[str | None]]


def check_same_inputs(name: str, body: bytes) -> None:
    """Train on a file (target `y`; `n` numbers the rows), send its rows, and compare the inputs of the graph."""
    workspace = Workspace()
    workspace.data.upload(f"raw/m/{name}", body)
    settings_ = {"target": "y", "missing_values": MISSING}
    result = workspace.preprocess(workspace.run(**settings_))
    schema = workspace.schema(result)
    parts = [workspace.columns(part) for part in (result.train, result.validation, result.test_features)]
    signature = signature_of(schema, parts[0], Pipeline(name="m", **settings_))
    sent = served(signature, name, body)
    assert len(sent) == ROWS
    trained = set()
    for part in parts:
        encoded = signature.encode(part)
        for position, row in enumerate(part.values["n"].astype(int).tolist()):  # type: ignore[union-attr]
            trained.add(row)
            instance = sent[row]
            assert instance is not None, f"row {row} is a training row, and is refused"
            for graph_input in signature.inputs:
                training, serving = encoded[graph_input.name][position, 0], instance[graph_input.name][0, 0]
                same = training == serving if isinstance(training, str) else training.tobytes() == serving.tobytes()
                assert same, (
                    f"row {row}, column {graph_input.column!r}: {training!r} in training, {serving!r} in serving"
                )
    refused = {row for row, instance in enumerate(sent) if instance is None}
    assert refused == set(range(ROWS)) - trained  # quarantined in training, refused in serving


def signature_of(schema: TableSchema, train: Columns, pipeline: Pipeline) -> Signature:
    """Return a signature with which every column enters the graph."""
    columns, count = [], 0
    for column in schema.columns:
        text = column.type == "text"
        treatment: Treatment = "category" if text else "number"
        parts = PARTS if column.type == "datetime" else ("",)
        inputs = [
            Input(name=f"x{count + n}", column=column.name, kind="text" if text else "number", part=part)
            for n, part in enumerate(parts)
        ]
        count += len(inputs)
        columns.append(Planned(column=column.name, treatment=treatment, why="", inputs=inputs))
    return build_signature(FeaturePlan(columns=columns), schema, train, pipeline)


def served(signature: Signature, name: str, body: bytes) -> list[dict[str, Any] | None]:
    """Return the inputs of the graph for each row of the file that `modelcycle predict` sends; None if refused."""
    encoded: list[dict[str, Any] | None] = []

    def call(place: Any, method: str, path: str, request: Any) -> dict[str, Any]:
        instances = json.loads(json.dumps(request))["instances"]
        for instance in instances:
            try:
                encoded.append(signature.encode(signature.read([instance])))
            except BadRequest:
                encoded.append(None)
        return {"model": "m", "version": 1, "predictions": ["yes"] * len(instances)}

    contract = Contract(json.loads(signature.model_dump_json()))
    with (
        TemporaryDirectory() as folder, patch("cli.options.Options.open_place"),
        patch("cli.predict.signing.call", call), patch("cli.predict.contract", lambda *words: contract),
        redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()),
    ):  # fmt: skip
        path = Path(folder) / name
        path.write_bytes(body)
        assert cli.predict.predict("m", path, None, Options("local", "dev", True)) == 0
    return encoded


# --- the cells of a column, and possibly one that does not fit ---

BLANKS = st.sampled_from(["", "", " ", "  ", "\t", "\u3000", "\xa0"])
NUMBERS = st.one_of(
    st.sampled_from(["1", "-1.5", "+2.", "007", ".5", "1e3", "1E-46", "-0", "3.4e38", "16777217", "0.1", "1e-400"]),
    st.floats(allow_nan=False, allow_infinity=False, width=32).map(repr),
    st.floats(allow_nan=False, allow_infinity=False, min_value=-1e30, max_value=1e30).map(repr),
    st.decimals(allow_nan=False, allow_infinity=False, places=30, min_value=-9, max_value=9).map(str),
)
BOOLEANS = st.sampled_from(["yes", "no", "Y", "N", "TRUE", "False", "t", "f"])
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=12)
ABSENT = st.sampled_from(["", " ", "NA", "?", "n/a", "NaN", "-999"])
OUT_OF_RANGE = ["0000-01-01", "9999-12-31T23:59:59-05:00", "0001-01-01 00:00+05", "9999-12-31T23:59:59.999999"]


@st.composite
def moments(draw: st.DrawFn) -> st.SearchStrategy[str]:
    format_ = draw(st.sampled_from(dates.FORMATS))
    zones = st.sampled_from(["", "Z", "+02", "-0330"])
    within = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31))
    if format_ == "iso":
        return st.builds(lambda moment, zone: moment.isoformat() + zone, within, zones)
    return within.map(lambda moment: dates.to_text((moment - datetime(1970, 1, 1)).total_seconds(), format_))


@st.composite
def columns(draw: st.DrawFn) -> list[str | None]:
    kind = draw(st.sampled_from(["number", "boolean", "date", "text"]))
    strategy = draw(moments()) if kind == "date" else {"number": NUMBERS, "boolean": BOOLEANS, "text": TEXTS}[kind]
    cells = draw(st.lists(strategy, min_size=1, max_size=6)) + draw(st.lists(ABSENT, max_size=2))
    cells = [draw(BLANKS) + cell + draw(BLANKS) for cell in cells]
    column: list[str | None] = [cells[row % len(cells)] for row in range(ROWS)]
    if draw(st.booleans()):
        invalid = st.sampled_from(["inf", "1_000", "1,5", "१२", "1e39", *OUT_OF_RANGE])
        column[INVALID_ROW] = draw(invalid if kind != "text" else TEXTS)
    return column


@st.composite
def tables(draw: st.DrawFn) -> Table:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True))
    table: Table = {name: draw(columns()) for name in names}
    return table | {"n": [str(n) for n in range(ROWS)], "y": [["yes", "no", "no"][n % 3] for n in range(ROWS)]}


@st.composite
def delimited(draw: st.DrawFn) -> bytes:
    """Return a table as programs write it: unnecessary quotes, blanks before them, trailing delimiters."""
    table, delimiter, end = draw(tables()), draw(st.sampled_from(",;\t|")), draw(st.sampled_from(["\n", "\r\n", "\r"]))
    blank, trailing, quoted = draw(st.sampled_from(["", " "])), draw(st.booleans()), draw(st.booleans())

    def field(text: str) -> str:
        if quoted or any(letter in text for letter in '"\n,;|\t'):
            return blank + '"' + text.replace('"', '""') + '"'
        return text

    lines = [delimiter.join(field(name) for name in table)]
    for row, cells in enumerate(zip(*table.values(), strict=True)):
        line = delimiter.join(field(cell or "") for cell in cells)
        lines += [line + delimiter * (trailing and row % 3 == 0), *[""] * (row == 5)]
    mark = draw(st.sampled_from(["", "\ufeff"]))
    return (mark + end.join(lines) + draw(st.sampled_from(["", end]))).encode()


@settings(max_examples=15, deadline=None)
@given(delimited(), st.sampled_from(["rows.csv", "rows [1].csv.gz"]))
def test_csv(body: bytes, name: str) -> None:
    check_same_inputs(name, gzip.compress(body) if name.endswith(".gz") else body)


JSON_VALUES = [
    "1", "1.10", "-0.0", "1e5", "12345678901234567890", "0.1", "true", "false", "null", '"yes"', '" NA "', '""', '"?"',
    '{"os": "mac", "v": 1.50}', '{"v":2,"os":"x","v":3}', '["a", "b"]', "[]", "{}", '[1.0, [true, null], {"k": "é"}]',
    '"a\\u0041\\n\\"b"', '"列"', '"2024-01-31"', '"2024-02-29T01:02:03Z"', '"\\ud83d\\ude00"',
]  # fmt: skip


@st.composite
def objects(draw: st.DrawFn) -> bytes:
    """Return JSON lines whose keys come late, are duplicated, or absent; an absent key is a missing value."""
    names = draw(st.lists(st.sampled_from([*NAMES, "a\tb"]), min_size=1, max_size=4, unique=True))
    alike = st.one_of(NUMBERS.filter(is_json), st.sampled_from(["true", "false"]), st.sampled_from(JSON_VALUES))
    values = {name: draw(st.lists(alike, min_size=1, max_size=5)) for name in names}
    first = {name: draw(st.sampled_from([0, 0, 120])) for name in names}
    duplicated, absent = draw(st.sampled_from(names)), draw(st.sampled_from(names))
    lines = []
    for row in range(ROWS):
        keys = [name for name in names if row >= first[name] and not (name == absent and row % 4 == 1)]
        pairs = [(name, values[name][row % len(values[name])]) for name in keys]
        pairs += [(duplicated, values[duplicated][0])] * (row % 3 == 0 and duplicated in keys)
        pairs += [("n", str(row)), ("y", '"yes"' if row % 3 else '"no"')]
        lines.append("{" + ", ".join(f"{json.dumps(name)}: {value}" for name, value in pairs) + "}")
    return "\n".join(lines).encode()


def is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


@settings(max_examples=15, deadline=None)
@given(objects(), st.sampled_from(["rows.jsonl", "year=2024.jsonl.gz"]))
def test_json_lines(body: bytes, name: str) -> None:
    check_same_inputs(name, gzip.compress(body) if name.endswith(".gz") else body)


TYPES: dict[str, list[str | None]] = {
    "DOUBLE": ["1.5", "-0.0", "1e-30", "0.1", "nan", None], "FLOAT": ["0.1", "3.4e38", "16777216", None],
    "BIGINT": ["-999", "9007199254740993", "0", None], "DECIMAL(10, 2)": ["1.10", "-0.05", None],
    "HUGEINT": ["170141183460469231731687303715884105727", "1"], "BOOLEAN": ["true", "false", None],
    "DATE": ["2024-01-31", "0044-03-15", "1969-12-31", None], "TIME": ["12:00:00", "23:59:59.5"],
    "TIMESTAMP": ["2024-01-31 14:05:06.123456", "1969-12-31 23:59:59.5", None],
    "TIMESTAMP_NS": ["2024-01-31 14:05:06.123456789", "2024-01-31"],
    "TIMESTAMPTZ": ["2024-01-31 14:05:06+02", "2024-07-31 00:00:00-03:30", None],
    "VARCHAR": [" NA ", "?", "", " a ", '["a"]', "列", "x\ny", None], "UUID": ["6f2c0a9e-9a50-4f0e-8d1c-6c1f1d2b3a4c"],
    "VARCHAR[]": ["['a', 'b']", "[]", "[NULL]", None], "DOUBLE[]": ["[1.0, 0.1]", "[nan]"],
    "DATE[]": ["['2024-01-31']"], "INTEGER[2]": ["[1, 2]"], "INTEGER[][]": ["[[1], [2, 3]]", "[[]]"],
    "STRUCT(os VARCHAR, v INTEGER)": ["{'os': 'mac', 'v': 1}", "{'os': NULL, 'v': 2}", None],
    "STRUCT(k DECIMAL(4, 2))[]": ["[{'k': 1.50}]"], "MAP(VARCHAR, INTEGER)": ["{a=1, b=2}", "{}"],
    "BLOB": ["ab", "\\x00\\xFF"], "ENUM('a', 'b]')": ["a", "b]", None],
}  # fmt: skip


@st.composite
def parquet(draw: st.DrawFn) -> bytes:
    kinds = draw(st.lists(st.sampled_from(list(TYPES)), min_size=1, max_size=5))
    names = draw(st.permutations(NAMES))
    selected, cells = [], []
    for number, kind in enumerate(kinds):
        chosen = draw(st.lists(st.sampled_from(TYPES[kind]), min_size=1, max_size=4))
        cells.append([chosen[row % len(chosen)] for row in range(ROWS)])
        quoted = names[number].replace('"', '""')
        selected.append(f'CAST(unnest(${number + 1}::VARCHAR[]) AS {kind}) AS "{quoted}"')
    order = f"SELECT {', '.join(selected)}, unnest(range({ROWS})) AS n, 'yes' AS y"
    with TemporaryDirectory() as folder, duckdb.connect() as engine:
        path = Path(folder) / "rows.parquet"
        engine.execute("SET TimeZone = 'Asia/Kolkata'")
        rows = f"SELECT * REPLACE (CASE WHEN n % 3 = 0 THEN 'no' ELSE y END AS y) FROM ({order})"
        engine.execute(f"CREATE TABLE made AS {rows}", cells)
        engine.execute(f"COPY made TO '{path}' (FORMAT parquet)")
        return path.read_bytes()


@settings(max_examples=20, deadline=None)
@given(parquet())
def test_parquet(body: bytes) -> None:
    check_same_inputs("rows.parquet", body)


# --- reported cases ---


def lines(header: str, row: str) -> bytes:
    return "".join([header, *(row.replace("#", str(n)) for n in range(ROWS))]).encode()


@pytest.mark.parametrize("text", OUT_OF_RANGE)
def test_outside_the_years_1_to_9999_is_not_a_date_in_training_nor_in_serving(text: str) -> None:
    body = "n,day,y\n" + "".join(
        f"{n},{text if n == INVALID_ROW else f'2024-01-{n % 28 + 1:02}'},{'yes' if n % 3 else 'no'}\n"
        for n in range(ROWS)
    )
    check_same_inputs("rows.csv", body.encode())


def test_init_reads_what_training_reads(tmp_path: Path) -> None:
    (tmp_path / "space.csv").write_bytes(lines('n, "who, where", y\n', '#, "Roe, Bob", a,\n'))
    summary = summarize(tmp_path / "space.csv")
    assert (summary.names, summary.rows) == (["n", "who, where", "y"], ROWS)
    assert list(summary.columns[1].levels) == ["Roe, Bob"]
    (tmp_path / "late.jsonl").write_bytes(lines("", '{"n": #}\n') + b'{"n": 1, "late": {"a": 1.50}}\n')
    late = summarize(tmp_path / "late.jsonl").columns[1]
    assert (late.name, late.missing, list(late.levels)) == ("late.a", ROWS, ["1.5"])


def test_duckdb_is_not_imported_before_a_file_is_read() -> None:
    program = (
        "import sys, cli.main, cli.health.check, cli.run, cli.show, cli.predict; assert 'duckdb' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
