"""Decides for each row whether it is kept, quarantined or a duplicate.

Makes these DuckDB tables from those of `cleaning`:

    invalid_values  row_id, number (of the column), reason, unparsed: values of unique rows that do not parse
                    (unparsed is true), or are missing where one is required (false)
    valid_rows      row_id, target (text or number), time: the rows that are kept
    kept_rows       typed columns c0, c1 ..., target (text or number) and part, ordered by part and row_id;
                    a view of Parquet files, as `clean_rows`
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from modelcycle.engine import batches, literal
from modelcycle.faults import BadData, BadPipeline, Fault, TargetUnusable
from modelcycle.model.columns import Column
from modelcycle.model.typed_sql import parsed_sql
from modelcycle.preprocess.cleaning import write_parquet
from modelcycle.preprocess.split import PARTS
from modelcycle.spec import Pipeline

MAX_UNPARSED_SHARE = 0.5  # of the unique rows; rows without a target do not count


class RowCounts(NamedTuple):
    """Numbers of rows; `unparsed` counts the quarantined rows with a value that does not parse."""

    kept: int
    quarantined: int
    unparsed: int
    duplicates: int


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
    if not engine.execute(f"SELECT count(c{target}) FROM clean_rows").fetchone()[0]:
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
) -> RowCounts:
    """Create `invalid_values` and `valid_rows`.

    Parameters
    ----------
    columns : by number, with the target, without dropped ones
    target : number of the target
    required : see `required_columns`
    time : number of the column by which the rows are split

    Raises
    ------
    BadData : most rows do not parse
    """
    _create_invalid_values(engine, columns, required)
    times = "NULL::DOUBLE" if time is None else parsed_sql(columns[time], f"c{time}")
    engine.execute(
        f"""CREATE TABLE valid_rows AS
            SELECT row_id, {parsed_sql(columns[target], f"c{target}")} AS target, {times} AS time FROM clean_rows
            SEMI JOIN unique_rows USING (row_id) ANTI JOIN invalid_values USING (row_id) ORDER BY row_id"""
    )
    return _count(engine, columns)


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


def _create_invalid_values(engine: Any, columns: dict[int, Column], required: dict[int, str]) -> None:
    engine.execute("CREATE TABLE invalid_values (row_id BIGINT, number INTEGER, reason VARCHAR, unparsed BOOLEAN)")
    for number in _unparsed_columns(engine, columns):
        column = columns[number]
        engine.execute(
            f"""INSERT INTO invalid_values SELECT row_id, {number}, $1, true
                FROM clean_rows SEMI JOIN unique_rows USING (row_id)
                WHERE c{number} IS NOT NULL AND ({parsed_sql(column, f"c{number}")}) IS NULL ORDER BY row_id""",
            [_unparsed_reason(column)],
        )
    for number, reason in required.items():
        engine.execute(
            f"""INSERT INTO invalid_values SELECT row_id, {number}, $1, false
                FROM clean_rows SEMI JOIN unique_rows USING (row_id)
                WHERE c{number} IS NULL ORDER BY row_id""",
            [reason],
        )


def _unparsed_columns(engine: Any, columns: dict[int, Column]) -> list[int]:
    """Return the columns that have a value that does not parse."""
    numbers: list[int] = []
    for batch in batches([number for number, column in columns.items() if column.type != "text"]):
        counts = engine.execute(
            "SELECT "
            + ", ".join(f"count(c{number}) - count({parsed_sql(columns[number], f'c{number}')})" for number in batch)
            + " FROM clean_rows"
        ).fetchone()
        numbers += [number for number, count in zip(batch, counts, strict=True) if count]
    return numbers


def _unparsed_reason(column: Column) -> str:
    if column.type == "datetime":
        return f"not a date of the format {column.format}"
    return "not a finite number" if column.type == "number" else "neither true nor false"


def _count(engine: Any, columns: dict[int, Column]) -> RowCounts:
    """Count the rows of each kind, and check that none is lost."""
    rows, unique, quarantined, unparsed, kept = engine.execute(
        """SELECT (SELECT count(*) FROM clean_rows), (SELECT count(*) FROM unique_rows),
             (SELECT count(DISTINCT row_id) FROM invalid_values),
             (SELECT count(DISTINCT row_id) FROM invalid_values WHERE unparsed),
             (SELECT count(*) FROM valid_rows)"""
    ).fetchone()
    counts = RowCounts(kept, quarantined, unparsed, rows - unique)
    if rows != kept + quarantined + counts.duplicates:
        raise Fault(
            f"of {rows:,} rows, {kept:,} are kept, {quarantined:,} quarantined and {counts.duplicates:,} duplicates,"
            " which does not add up", "preprocess", "this is a bug in ModelCycle: please report it",
        )  # fmt: skip
    if unparsed > unique * MAX_UNPARSED_SHARE:
        raise _too_many_unparsed(engine, columns, unparsed, unique)
    return counts


def _too_many_unparsed(engine: Any, columns: dict[int, Column], unparsed: int, rows: int) -> BadData:
    """Return the fault; it names the column with the most values that do not parse."""
    number, reason, count = engine.execute(
        """SELECT number, reason, count(*) FROM invalid_values WHERE unparsed
           GROUP BY number, reason ORDER BY count(*) DESC, number LIMIT 1"""
    ).fetchone()
    return BadData(
        f"{unparsed:,} of {rows:,} rows have values that could not be read",
        f"column {columns[number].name}: {reason} in {count:,} rows",
        "fix the column, list it in features.categorical to read it as text, or in drop_columns",
    )
