"""Captured lines as Parquet: a row for each answer, and for each column of the requests what was sent.

The columns of a file are those of FIXED, a probability `p_{code}` (DOUBLE) for each class, and for each column of the
requests `t_{code}`, `n_{code}` and `k_{code}`; see `Cell`. A code stands for a name (`name_code`), because DuckDB takes
`Age` and `age` for one column, and because files of different hours then fit together whichever columns they hold.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from modelcycle.engine import SHARD_SIZE
from modelcycle.json_pointer import json_pointer
from modelcycle.sql_literal import literal

CODE_LENGTH = 12  # hexadecimal digits; two of 2,000 names have the same code once in 140 million models
MAX_COLUMNS = 2_000  # of the requests of one batch; data have at most 1,000, and versions may differ
MAX_CLASSES = 4_000
MAX_LINE_BYTES = 2**20  # `predict` sends no longer ones
ROW_GROUP_CELLS = 400_000  # the writer holds a row group in memory; a cell has three values
MIN_ROW_GROUP_ROWS, MAX_ROW_GROUP_ROWS = 2_048, 32_768
NUMBERS = "('DOUBLE', 'BIGINT', 'UBIGINT', 'HUGEINT')"

# what a request holds of a column; NULL if it does not hold the column
NULL, TEXT, NUMBER, BOOLEAN, NESTED, MASKED = range(1, 7)

FIXED = {
    "prediction_id": "VARCHAR", "at": "TIMESTAMPTZ", "version": "INTEGER", "assigned": "INTEGER", "failure": "VARCHAR",
    "shadow": "BOOLEAN", "beside": "VARCHAR", "ms": "DOUBLE", "of": "INTEGER", "prediction": "VARCHAR",
}  # fmt: skip
"""The columns that every file has, and their types."""


@dataclass(frozen=True)
class Cell:
    """SQL of one column of the requests.

    Parameters
    ----------
    text : VARCHAR, as it was sent, of a JSON number or boolean too; NULL without a value, or if it is hidden
    number : DOUBLE, if it was a JSON number; may be infinite
    kind : NULL, TEXT, NUMBER, BOOLEAN, NESTED (a list or object) or MASKED; null if the request did not hold the column
    """

    text: str
    number: str
    kind: str

    @property
    def sent(self) -> str:
        """SQL of whether the request held the column."""
        return f"({self.kind} IS NOT NULL)"

    @property
    def masked(self) -> str:
        """SQL of whether the value is hidden (`capture.mask`)."""
        return f"coalesce({self.kind} = {MASKED}, false)"


@dataclass(frozen=True)
class AnswerFiles:
    """What was written.

    Parameters
    ----------
    files : Parquet
    rows, answers : of each file; answers are those that clients have seen
    columns, classes : names by their codes
    lines : that were read; those that are too long or no UTF-8 are not
    broken : of these, those that are not JSON, or lack an id, a time or a version
    left_out : columns and classes beyond MAX_COLUMNS and MAX_CLASSES, or whose names hold a NUL
    """

    files: list[Path]
    rows: list[int]
    answers: list[int]
    columns: dict[str, str]
    classes: dict[str, str]
    lines: int = 0
    broken: int = 0
    left_out: int = 0


def name_code(name: str) -> str:
    """Return what stands for the name of a column or class in the names of Parquet columns.

    >>> name_code("Age"), name_code("age")
    ('39b7370f30a3', '013f54400c82')
    """
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:CODE_LENGTH]


def cell_of(code: str) -> Cell:
    return Cell(f"t_{code}", f"n_{code}", f"k_{code}")


def write_answers(engine: Any, lines: Path, model: str, folder: Path) -> AnswerFiles:
    """Write a model's captured lines as Parquet files of at most SHARD_SIZE, in their order, each prediction id once.

    Equal lines give equal files.

    Parameters
    ----------
    engine : DuckDB connection
    lines : file of JSON lines; those of other models are skipped
    folder : for the files; is created
    """
    engine.execute(
        f"""CREATE OR REPLACE TEMP VIEW captured AS SELECT line, try_cast(line AS JSON) AS json
            FROM read_csv({literal(lines)}, columns = {{'line': 'VARCHAR'}}, delim = '', quote = '', escape = '',
              header = false, auto_detect = false, new_line = '\\n', strict_mode = false, ignore_errors = true,
              max_line_size = {MAX_LINE_BYTES}, buffer_size = {MAX_LINE_BYTES * 4})"""
    )
    found = _names(engine, model)
    # a NUL would end a name in SQL
    columns = sorted(name for name in found.columns if "\0" not in name)[:MAX_COLUMNS]
    classes = sorted(name for name in found.classes if "\0" not in name)[:MAX_CLASSES]
    written = AnswerFiles(
        [], [], [], {name_code(name): name for name in columns}, {name_code(name): name for name in classes},
        lines=found.lines, broken=found.broken,
        left_out=len(found.columns) + len(found.classes) - len(columns) - len(classes),
    )  # fmt: skip
    if not found.rows:
        return written
    source = "captured"
    if found.rows < found.lines:
        # DuckDB would read the texts of all columns again for a condition on some of them
        engine.execute(
            f"""CREATE OR REPLACE TABLE usable AS SELECT json
                FROM (SELECT json, json_extract_string(json, ['/model', '/prediction_id', '/at', '/version']) AS texts
                      FROM captured)
                WHERE texts[1] = {literal(model)} AND {_USABLE}"""
        )
        source = "usable"
    files = _copy(engine, _rows_sql(columns, classes, found.masked, source), folder, len(columns) + len(classes))
    doubles: int = engine.execute(
        f"SELECT count(*) - count(DISTINCT hash(prediction_id)) FROM read_parquet({_list(files)})"
    ).fetchone()[0]
    if doubles:
        once = folder.with_name(f"{folder.name}-once")
        files = _copy(engine, _once_sql(engine, files), once, len(columns) + len(classes))
        shutil.rmtree(folder)
    engine.execute("DROP TABLE IF EXISTS usable")
    written.files.extend(files)
    for path in files:
        rows, shadows = engine.execute(
            f"SELECT count(*), count(*) FILTER (shadow) FROM read_parquet({literal(path)})"
        ).fetchone()
        written.rows.append(rows)
        written.answers.append(rows - shadows)
    return written


class _Names(NamedTuple):
    """What the lines hold: names of columns, of classes and of columns whose values are hidden; how many are rows."""

    columns: set[str]
    classes: set[str]
    masked: set[str]
    rows: int
    broken: int
    lines: int


def _names(engine: Any, model: str) -> _Names:
    # lines have few sets of names: requests are checked against the columns of the versions
    found = engine.execute(
        f"""SELECT keys[1], keys[2], masked, sum(usable::INTEGER)::BIGINT, sum(broken::INTEGER)::BIGINT, count(*)
            FROM (SELECT CASE WHEN mine THEN keys END AS keys, CASE WHEN mine THEN texts[5] END AS masked,
                    mine AND {_USABLE} AS usable,
                    CASE WHEN texts IS NULL THEN trim(coalesce(line, '')) <> ''
                      ELSE mine AND NOT {_USABLE} END AS broken
                  FROM (SELECT line, texts, keys, coalesce(texts[1] = $1, false) AS mine
                        FROM (SELECT line, json_keys(json, ['/instance', '/probabilities']) AS keys,
                                json_extract_string(
                                  json, ['/model', '/prediction_id', '/at', '/version', '/masked']) AS texts
                              FROM captured)))
            GROUP BY ALL""",
        [model],
    ).fetchall()
    columns, classes = ({name for row in found for name in row[n] or ()} for n in range(2))
    masked = {name for row in found if row[2] for name in _names_in(row[2])}
    rows, broken, lines = (sum(row[n] for row in found) for n in (3, 4, 5))
    return _Names(columns, classes, masked, rows, broken, lines)


_USABLE = """(texts[2] IS NOT NULL AND try_cast(texts[3] AS TIMESTAMPTZ) IS NOT NULL
    AND try_cast(texts[4] AS INTEGER) IS NOT NULL)"""


def _names_in(masked: str) -> list[str]:
    names = json.loads(masked) if masked.startswith("[") else []
    return [name for name in names if isinstance(name, str)]


def _rows_sql(columns: Sequence[str], classes: Sequence[str], masked: set[str], source: str) -> str:
    """Return the query of the rows.

    Parameters
    ----------
    source : what follows FROM; every line of it is a row
    """
    fixed = ", ".join(f'try_cast(texts[{n}] AS {kind}) AS "{name}"' for n, (name, kind) in enumerate(FIXED.items(), 1))
    shares = [f"try_cast(shares[{n}] AS DOUBLE) AS p_{name_code(name)}" for n, name in enumerate(classes, 1)]
    cells: list[str] = []
    for n, name in enumerate(columns, 1):
        code, hidden = name_code(name), ""
        if name in masked:
            hidden = f"list_contains(masked, {literal(name)}) IS TRUE"
        text, kind = f"texts[{len(FIXED) + n}]", f"kinds[{n}]"
        cells += [
            f"{_unless(hidden, text)} AS t_{code}",
            f"CASE WHEN {_unless(hidden, kind)} = {NUMBER} THEN try_cast({text} AS DOUBLE) END AS n_{code}",
            f"{f'CASE WHEN {hidden} THEN {MASKED}::UTINYINT ELSE {kind} END' if hidden else kind} AS k_{code}",
        ]
    at = [json_pointer("instance", name) for name in columns]
    paths = {
        "texts": ("json_extract_string", [*(json_pointer(name) for name in FIXED), *at]),
        "shares": ("json_extract_string", [json_pointer("probabilities", name) for name in classes]),
    }
    lists = [f"{call}(json, {_list(given)}) AS {name}" for name, (call, given) in paths.items() if given]
    if at:
        lists.append(f"list_transform(json_type(json, {_list(at)}), lambda kind: {_KIND}) AS kinds")
    if masked:
        lists.append("try_cast(json_extract(json, '/masked') AS VARCHAR[]) AS masked")
    return f"""SELECT {", ".join([fixed, *shares, *cells])}
        FROM (SELECT {", ".join(lists)} FROM {source})"""


_KIND = f"""CASE WHEN kind IS NULL THEN NULL WHEN kind = 'VARCHAR' THEN {TEXT} WHEN kind IN {NUMBERS} THEN {NUMBER}
    WHEN kind = 'NULL' THEN {NULL} WHEN kind = 'BOOLEAN' THEN {BOOLEAN} ELSE {NESTED} END::UTINYINT"""


def _unless(hidden: str, value: str) -> str:
    return f"CASE WHEN NOT ({hidden}) THEN {value} END" if hidden else value


def _once_sql(engine: Any, files: Sequence[Path]) -> str:
    """Return the query of the rows of files, of each prediction id the first one."""
    engine.execute(
        f"""CREATE OR REPLACE TEMP TABLE again AS SELECT filename, file_row_number
            FROM read_parquet({_list(files)}, filename = true, file_row_number = true)
            QUALIFY row_number() OVER (PARTITION BY prediction_id ORDER BY "at", filename, file_row_number) > 1"""
    )
    return f"""SELECT * EXCLUDE (filename, file_row_number)
        FROM read_parquet({_list(files)}, filename = true, file_row_number = true)
        ANTI JOIN again USING (filename, file_row_number)"""


def _copy(engine: Any, rows: str, folder: Path, columns: int) -> list[Path]:
    group = ROW_GROUP_CELLS // max(columns, 1) // MIN_ROW_GROUP_ROWS * MIN_ROW_GROUP_ROWS
    group = min(max(group, MIN_ROW_GROUP_ROWS), MAX_ROW_GROUP_ROWS)
    engine.execute(
        f"""COPY ({rows}) TO {literal(folder)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {group},
              FILE_SIZE_BYTES '{SHARD_SIZE}')"""
    )
    return sorted(folder.iterdir(), key=lambda path: (len(path.name), path.name))


def _list(texts: Sequence[str | Path]) -> str:
    """Return texts as a SQL list."""
    return f"[{', '.join(map(literal, texts))}]"
