"""Decides for each row whether it is kept, quarantined or a duplicate.

Makes these DuckDB tables from `clean_rows`:

    invalid_values  row_id, number (of the column), reason: values of unique rows that do not parse or are missing
                    where one is required; their rows are quarantined
    unread_cells    row_id, number, reason: values of the other unique rows that do not parse; they are missing
    valid_rows      row_id, target (text or number), time: the rows that are kept
    kept_rows       typed columns c0, c1 ..., target (text or number) and part, ordered by part and row_id;
                    a view of Parquet files, as `clean_rows`
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from modelcycle.cells.column import Column
from modelcycle.cells.reading import missing_texts_of, parsed_sql, present_text_sql
from modelcycle.column_types import write_parquet
from modelcycle.engine import batches
from modelcycle.faults import BadData, BadPipeline, Fault, TargetUnusable
from modelcycle.preprocess.split import PARTS
from modelcycle.spec import Pipeline
from modelcycle.sql_literal import literal

MAX_UNREAD_SHARE = 0.5  # of the values of a column: with more, it is not what it is read as


class RowCounts(NamedTuple):
    """Numbers of rows; `cells` counts the values of kept rows that do not parse, `older` rows before the window."""

    kept: int
    quarantined: int
    duplicates: int
    cells: int
    older: int = 0


def required_columns(
    engine: Any, pipeline: Pipeline, columns: dict[int, Column], target: int, time: int | None
) -> dict[int, str]:
    """Return the columns whose value may not be missing, with the reason for the quarantine.

    Parameters
    ----------
    columns : by number
    target, time : number of the target and of the time column

    Raises
    ------
    TargetUnusable : every value of the target is missing
    BadPipeline : the time column has no dates or numbers
    """
    where = f"pipelines/{pipeline.name}.yaml"
    texts = _present_sql(columns[target], f"c{target}")
    if not engine.execute(f"SELECT count({texts}) FROM clean_rows").fetchone()[0]:
        raise TargetUnusable(
            f"every value of the target {pipeline.target!r} is missing", f"{where}: target: {pipeline.target}",
            "fill in the column, or check missing_values: these texts count as missing",
        )  # fmt: skip
    required = {target: "the target is missing"}
    if time is not None:
        if time not in columns or columns[time].type not in ("datetime", "number"):
            raise BadPipeline(
                f"time_column {pipeline.time_column!r} has no readable dates or numbers, or is dropped",
                f"{where}: time_column: {pipeline.time_column}", "write dates as 2024-01-31 or 2024-01-31T14:05:00Z",
            )  # fmt: skip
        required[time] = "the time is missing"
    return required


def create_valid_rows(
    engine: Any, columns: dict[int, Column], target: int, required: dict[int, str], time: int | None
) -> None:
    """Create `invalid_values`, `unread_cells` and `valid_rows`.

    Parameters
    ----------
    columns : by number, with the target, without dropped ones
    target : number of the target
    required : see `required_columns`
    time : number of the column by which the rows are split
    """
    _create_invalid_values(engine, columns, required)
    times = "NULL::DOUBLE" if time is None else parsed_sql(columns[time], f"c{time}")
    engine.execute(
        f"""CREATE TABLE valid_rows AS
            SELECT row_id, {parsed_sql(columns[target], f"c{target}")} AS target, {times} AS time FROM clean_rows
            SEMI JOIN unique_rows USING (row_id) ANTI JOIN invalid_values USING (row_id) ORDER BY row_id"""
    )


def create_kept_rows(engine: Any, columns: dict[int, Column], target: int, folder: Path) -> None:
    """Create `kept_rows` from `row_parts`; see `split`.

    Parameters
    ----------
    columns : by number, with the target, without dropped ones
    target : number of the target
    folder : for Parquet files
    """
    typed = ", ".join(
        f"{parsed_sql(column, f'c{number}')} AS {'target' if number == target else f'c{number}'}"
        for number, column in columns.items()
    )
    parts = []
    for part in range(len(PARTS)):
        path = folder / f"kept-{part}.parquet"
        # side by side instead of joined: a join would hold the wide table in memory, and may change its order
        write_parquet(
            engine, path, len(columns),
            f"SELECT {typed} FROM clean_rows POSITIONAL JOIN row_parts WHERE row_parts.part = {part}",
        )  # fmt: skip
        parts.append(f"SELECT *, {part}::UTINYINT AS part FROM read_parquet({literal(path)})")
    engine.execute(f"CREATE VIEW kept_rows AS {' UNION ALL '.join(parts)}")


def check_cells(engine: Any, columns: dict[int, Column], target: int, counts: RowCounts, held: int) -> None:
    """Check that no cell of the kept rows is lost: cells in = read + missing + unread.

    Parameters
    ----------
    columns : by number, with the target
    target : number of the target
    held : those of `counts.cells` that a rule has taken out of `clean_rows`, where they are missing
    """
    cells, read, missing = counts.kept * len(columns), 0, -held
    valid = "clean_rows"
    if counts.quarantined or counts.duplicates or counts.older:
        valid += " SEMI JOIN valid_rows USING (row_id)"
    for batch in batches(list(columns)):
        kept = ", ".join(f"count({'target' if number == target else f'c{number}'})" for number in batch)
        read += sum(engine.execute(f"SELECT {kept} FROM kept_rows").fetchone())
        # what parses is not missing, which spares most texts the comparison with all words for a missing value
        absent = " + ".join(
            f"count(*) FILTER (c{number} IS NULL OR ({parsed_sql(columns[number], f'c{number}')}) IS NULL"
            f" AND ({_present_sql(columns[number], f'c{number}')}) IS NULL)"
            for number in batch
        )
        missing += engine.execute(f"SELECT {absent} FROM {valid}").fetchone()[0]
    if cells != read + missing + counts.cells:
        raise Fault(
            f"of {cells:,} cells, {read:,} are read, {missing:,} missing and {counts.cells:,} unread, which does not"
            " add up", "preprocess", "this is a bug in ModelCycle: please report it",
        )  # fmt: skip


def _create_invalid_values(engine: Any, columns: dict[int, Column], required: dict[int, str]) -> None:
    for table in ("invalid_values", "unread_cells"):
        engine.execute(f"CREATE TABLE {table} (row_id BIGINT, number INTEGER, reason VARCHAR)")
    for number, reason in required.items():
        column, text = columns[number], f"c{number}"
        engine.execute(
            f"""INSERT INTO invalid_values SELECT row_id, {number},
                  CASE WHEN {_has_text_sql(column, text)} THEN $1 ELSE $2 END
                FROM clean_rows SEMI JOIN unique_rows USING (row_id)
                WHERE ({parsed_sql(column, text)}) IS NULL ORDER BY row_id""",
            [_unparsed_reason(column), reason],
        )
    for number in _unparsed_columns(engine, columns):
        if number in required:
            continue
        column, text = columns[number], f"c{number}"
        engine.execute(
            f"""INSERT INTO unread_cells SELECT row_id, {number}, $1
                FROM clean_rows SEMI JOIN unique_rows USING (row_id) ANTI JOIN invalid_values USING (row_id)
                WHERE {_has_text_sql(column, text)} AND ({parsed_sql(column, text)}) IS NULL ORDER BY row_id""",
            [_unparsed_reason(column)],
        )


def _has_text_sql(column: Column, text: str) -> str:
    """Return SQL for whether a stripped text does not mean a missing value."""
    return f"({_present_sql(column, text)}) IS NOT NULL"


def _present_sql(column: Column, text: str) -> str:
    """Return SQL for a stripped text, NULL if it means a missing value."""
    return present_text_sql(missing_texts_of(column), text)


def _unparsed_columns(engine: Any, columns: dict[int, Column]) -> list[int]:
    """Return the columns that have a value that does not parse."""
    numbers: list[int] = []
    typed = [number for number, column in columns.items() if column.type != "text"]
    for texts in ("c{}", None):  # first any text: most columns have none that does not parse, which is quick to see
        for batch in batches(typed if texts else numbers):
            counts = engine.execute(
                "SELECT "
                + ", ".join(
                    f"count({texts.format(number) if texts else _present_sql(columns[number], f'c{number}')})"
                    f" - count({parsed_sql(columns[number], f'c{number}')})"
                    for number in batch
                )
                + " FROM clean_rows"
            ).fetchone()
            found = [number for number, count in zip(batch, counts, strict=True) if count]
            numbers = [*numbers, *found] if texts else [n for n in numbers if n not in batch or n in found]
    return numbers


def _unparsed_reason(column: Column) -> str:
    if column.type == "datetime":
        return f"not a date of the format {column.format}"
    if column.type == "number":
        return f"not a number of the format {column.format}" if column.format else "not a finite number"
    return "neither true nor false"


def count_rows(engine: Any, columns: dict[int, Column]) -> RowCounts:
    """Count the rows of each kind, and check that none is lost.

    Raises
    ------
    BadData : most values of a column do not parse
    """
    rows, unique, quarantined, kept, cells, older = engine.execute(
        """SELECT (SELECT count(*) FROM clean_rows), (SELECT count(*) FROM unique_rows),
             (SELECT count(DISTINCT row_id) FROM invalid_values), (SELECT count(*) FROM valid_rows),
             (SELECT count(*) FROM unread_cells), (SELECT count(*) FROM older_rows)"""
    ).fetchone()
    counts = RowCounts(kept, quarantined, rows - unique, cells, older)
    if rows != kept + quarantined + counts.duplicates + older:
        raise Fault(
            f"of {rows:,} rows, {kept:,} are kept, {quarantined:,} quarantined, {counts.duplicates:,} duplicates and"
            f" {older:,} too old, which does not add up", "preprocess", "this is a bug in ModelCycle: please report it",
        )  # fmt: skip
    _check_readable(engine, columns)
    return counts


def _check_readable(engine: Any, columns: dict[int, Column]) -> None:
    """Raise BadData if most values of a column do not parse: it is then not what it is declared to be."""
    worst = engine.execute(
        "SELECT number, reason, count(*) FROM unread_cells GROUP BY ALL ORDER BY count(*) DESC, number"
    ).fetchall()
    for number, reason, unread in worst:
        present = engine.execute(
            f"SELECT count({_present_sql(columns[number], f'c{number}')})"
            " FROM clean_rows SEMI JOIN valid_rows USING (row_id)"
        ).fetchone()[0]
        if unread > present * MAX_UNREAD_SHARE:
            raise BadData(
                f"{unread:,} of {present:,} values of {columns[number].name!r} could not be read",
                f"column {columns[number].name}: {reason}",
                "fix the column, list it in features.categorical to read it as text, or in drop_columns",
            )
