"""The rows of an object that is to be scored, numbered as people count them; and whether it has the right columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelcycle.faults import ColumnsDiffer, NoData
from modelcycle.model.fields import Field
from modelcycle.reading import TextTable
from modelcycle.reading.column_names import list_names, suggest_name
from modelcycle.sql_literal import literal

MAX_REASON_CHARACTERS = 200  # of a broken line


@dataclass(frozen=True)
class NumberedRows:
    """The rows of a file, and its lines that are no rows.

    Parameters
    ----------
    engine : DuckDB connection; the rows are its view `numbered`: row (from 1, without broken lines), `number` (from 1,
        with them), and the columns c0, c1 ... as text
    table : the file as it was read
    unread : number of lines that are no rows
    """

    engine: Any
    table: TextTable
    unread: int

    def column(self, name: str) -> str:
        """Return SQL of the text of a column, NULL if the file does not have it."""
        return f"c{self.table.names.index(name)}" if name in self.table.names else "NULL::VARCHAR"

    def write_broken(self, path: Path) -> Path:
        """Write number, line and reason of each line that is no row, as Parquet."""
        self.engine.execute(
            f"""COPY (SELECT number, line, left(reason, {MAX_REASON_CHARACTERS}) AS reason FROM broken_numbers
                      ORDER BY number, line) TO {literal(path)} (FORMAT parquet, COMPRESSION zstd)"""
        )
        return path


def number_rows(engine: Any, table: TextTable, where: str) -> NumberedRows:
    """Number the rows of a file: a broken line counts, so that a number is where the row is found in the file.

    If the lines of some rows are not known (see `LineNumbers`), rows are numbered without the broken lines.

    Raises
    ------
    NoData : the file has no row
    """
    if not table.rows:
        raise NoData("the file has no rows", where, "upload a file with a header and rows")
    source = f"read_parquet({literal(table.path)})"
    knows_lines = bool(table.numbers.rows) and 0 not in table.numbers.lines
    if not table.broken:
        engine.execute(f"CREATE VIEW numbered AS SELECT row AS number, * FROM {source}")
    elif not knows_lines:
        engine.execute(f"CREATE VIEW numbered AS SELECT row AS number, * FROM {source}")
        engine.execute("CREATE TABLE broken_numbers AS SELECT NULL::BIGINT AS number, line, reason FROM broken_lines")
    else:
        engine.register("jumps", _arrays(table))
        # the line of each row, and before each row the broken lines above it
        engine.execute(
            f"""CREATE TABLE row_numbers AS
                WITH lines AS (
                  SELECT rows.row, jumps.line + rows.row - jumps.row AS line
                  FROM (SELECT row FROM {source}) rows ASOF JOIN jumps ON rows.row >= jumps.row),
                broken AS (SELECT line, row_number() OVER (ORDER BY line) AS above FROM broken_lines)
                SELECT lines.row, lines.row + coalesce(broken.above, 0) AS number, lines.line
                FROM lines ASOF LEFT JOIN broken ON lines.line > broken.line"""
        )
        engine.execute(
            """CREATE TABLE broken_numbers AS
               WITH broken AS (SELECT line, reason, row_number() OVER (ORDER BY line) AS rank FROM broken_lines)
               SELECT broken.rank + coalesce(above.row, 0) AS number, broken.line, broken.reason
               FROM broken ASOF LEFT JOIN row_numbers above ON broken.line > above.line"""
        )
        engine.unregister("jumps")
        engine.execute(
            f"""CREATE VIEW numbered AS SELECT known.number, text.*
                FROM {source} text JOIN row_numbers known USING (row) ORDER BY text.row"""
        )
    return NumberedRows(engine, table, table.broken)


def check_columns(table: TextTable, fields: Sequence[Field], optional: frozenset[str], where: str) -> list[str]:
    """Check that a file has the columns that a version reads; return sentences about those that are missing values.

    Parameters
    ----------
    optional : columns that the version can do without

    Raises
    ------
    ColumnsDiffer : names every column that is absent
    """
    names = set(table.names)
    absent = [field.name for field in fields if field.name not in names]
    required = [name for name in absent if name not in optional]
    # a format that leaves out missing values may lack columns; a file without any of them is another one
    if required and not (table.sparse and len(absent) < len(fields)):
        unused = [name for name in table.names if name not in {field.name for field in fields}]
        hint = suggest_name(required[0], unused)
        raise ColumnsDiffer(
            f"{len(required)} of the {len(fields)} columns that the model reads are not in the file: "
            f"{', '.join(required)}"
            if len(required) > 1
            else f"the column {required[0]!r}, which the model reads, is not in the file",
            where,
            f"{hint}add what is missing; the file has {list_names(table.names)}",
        )
    return [f"missing in every row: {', '.join(absent)}"] if absent else []


def _arrays(table: TextTable) -> dict[str, Any]:
    import numpy as np

    return {"row": np.array(table.numbers.rows, np.int64), "line": np.array(table.numbers.lines, np.int64)}
