"""Adds the columns of another source to the rows: by key, and where both have a time, as it was known then."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from modelcycle.cells.canonical import canonical_sql, create_macros, trimmed_sql
from modelcycle.collect.column_checks import all_names
from modelcycle.collect.shards import write_shards
from modelcycle.engine import SHARD_SIZE, row_group_rows
from modelcycle.faults import BadData, BadPipeline
from modelcycle.reading import TextTable
from modelcycle.reading.column_names import MAX_COLUMNS, free_name, list_names, suggest_name
from modelcycle.spec import Join, Pipeline
from modelcycle.sql_literal import literal

MIN_TIMES = 0.9  # share of the values of a time column that are points in time


def join_tables(
    engine: Any, shards: Sequence[Path], names: list[str], tables: list[TextTable], join: Join, pipeline: Pipeline,
    folder: Path,
) -> tuple[list[Path], list[str], list[str]]:  # fmt: skip
    """Add the columns of a source to all rows; rows and their order stay.

    Keys are compared by value: 7 = 7.0, and 2024-01-31 = 2024-01-31 00:00:00. A row without a match has missing values.

    - With a time on both sides (`time_column` of the pipeline file and of the join), a row gets what was known at its
      time: the latest row of its key that is not later.
    - With a time of the join alone, it gets the latest row of its key.
    - Without one, a key may occur only once in the joined source.

    Parameters
    ----------
    shards : the rows so far
    names : of their columns `c0`, `c1` ...
    tables : of the joined source
    folder : for the result

    Returns
    -------
    the rows as Parquet files, the names of their columns, and what people should know, as sentences

    Raises
    ------
    BadPipeline : a column of the key or a time column does not exist
    BadData : a key repeats, no row matches, or a time column holds no times
    """
    where = f"pipelines/{pipeline.name}.yaml: join {join.name}"
    own_folder = folder / f"join-{join.name}"
    own_folder.mkdir()
    other_names = all_names(tables)
    _check_columns(join, pipeline, names, other_names, where)
    create_macros(engine)
    others = write_shards(engine, tables, other_names, own_folder)
    engine.execute(f"CREATE OR REPLACE TEMP VIEW left_rows AS SELECT * FROM {_read(shards)}")
    engine.execute(f"CREATE OR REPLACE TEMP VIEW right_rows AS SELECT * FROM {_read(others)}")
    left_keys = [_key(names, column) for column in join.on]
    right_keys = [_key(other_names, column) for column in join.on]
    time = left_time = right_time = None
    if join.time_column is not None:
        right_time = _time(engine, "right_rows", other_names, join.time_column, where)
        if pipeline.time_column is not None:
            left_time = _time(engine, "left_rows", names, pipeline.time_column, where)
        time = right_time
    added = [number for number, name in enumerate(other_names) if name not in join.on]
    new_names = _new_names(names, [other_names[number] for number in added], join.name)
    if len(names) + len(added) > MAX_COLUMNS:
        raise BadData(f"the rows would have more than {MAX_COLUMNS:,} columns", where, "select fewer with `query:`")
    notes = [
        f"{join.name}: {old} is named {new}"
        for old, new in zip([other_names[n] for n in added], new_names, strict=True)
        if old != new
    ]
    notes += _keep_one_row_a_key(engine, right_keys, time, left_time is not None, where, join)
    path = own_folder / "joined"
    matched = _write(engine, path, names, added, left_keys, left_time)
    total = engine.execute("SELECT count(*) FROM left_rows").fetchone()[0]
    if not matched:
        raise BadData(
            f"no row has a match in {join.name}", where,
            f"do {list_names(join.on)} hold the same values on both sides?",
        )  # fmt: skip
    if matched < total:
        notes.append(f"{join.name}: {total - matched:,} of {total:,} rows have no match: its columns are missing there")
    paths = sorted(path.iterdir(), key=lambda file: (len(file.name), file.name))
    return paths, names + new_names, notes


def _check_columns(join: Join, pipeline: Pipeline, names: list[str], other_names: list[str], where: str) -> None:
    wanted = [(column, names, "the rows") for column in join.on] + [
        (column, other_names, join.name) for column in join.on
    ]
    if join.time_column is not None:
        wanted.append((join.time_column, other_names, join.name))
        if pipeline.time_column is not None:
            wanted.append((pipeline.time_column, names, "the rows"))
    for column, existing, owner in wanted:
        if column not in existing:
            raise BadPipeline(
                f"{column!r} is not a column of {owner}", where,
                f"{suggest_name(column, existing)}columns: {list_names(existing)} ({len(existing)})",
            )  # fmt: skip


def _read(paths: Sequence[Path]) -> str:
    return f"read_parquet([{', '.join(map(literal, paths))}])"


def _key(names: list[str], column: str) -> str:
    return canonical_sql(trimmed_sql(f"c{names.index(column)}"))


def _time(engine: Any, rows: str, names: list[str], column: str, where: str) -> str:
    """Return SQL for the point in time in a column: seconds since 1970 for dates, else the number itself."""
    text = f"nullif(trim(c{names.index(column)}), '')"
    date, number = f"epoch(try_cast({text} AS TIMESTAMPTZ))", f"try_cast({text} AS DOUBLE)"
    filled, dates, numbers = engine.execute(
        f"SELECT count({text}), count({date}), count({number}) FROM {rows}"
    ).fetchone()
    if numbers >= filled * MIN_TIMES and numbers >= dates:
        return number
    if dates >= filled * MIN_TIMES:
        return date
    raise BadData(
        f"{filled - max(dates, numbers):,} of {filled:,} values of {column!r} are no time", where,
        "write times as 2024-01-31 14:05:00, or as numbers",
    )  # fmt: skip


def _new_names(names: list[str], added: list[str], source: str) -> list[str]:
    """Return the names of the added columns: a name that is taken gets the source's name, and a number if need be.

    >>> _new_names(["id", "price"], ["price", "city"], "shops")
    ['shops.price', 'city']
    >>> _new_names(["price", "shops.price"], ["price"], "shops")
    ['shops.price_2']
    """
    taken = {*names, *added}
    new_names = []
    for name in added:
        new = free_name(f"{source}.{name}", taken) if name in names else name
        taken.add(new)
        new_names.append(new)
    return new_names


def _keep_one_row_a_key(
    engine: Any, keys: list[str], time: str | None, as_known: bool, where: str, join: Join
) -> list[str]:
    """Make the table `other` of rows that may match: keys `k0` ..., the time, and the columns. Say what is left out."""
    key_columns = ", ".join(f"{key} AS k{number}" for number, key in enumerate(keys))
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE keyed AS SELECT *, {key_columns}, {time or 'NULL'} AS moment FROM right_rows"
    )
    complete = " AND ".join(f"k{number} IS NOT NULL" for number in range(len(keys)))
    complete += " AND moment IS NOT NULL" if time else ""
    partition = ", ".join(f"k{number}" for number in range(len(keys))) + (", moment" if as_known else "")
    latest = f"QUALIFY row_number() OVER (PARTITION BY {partition} ORDER BY moment DESC, file DESC, row DESC) = 1"
    engine.execute(f"CREATE OR REPLACE TEMP TABLE other AS SELECT * FROM keyed WHERE {complete} {latest}")
    total, usable, kept = (
        engine.execute(query).fetchone()[0]
        for query in (
            "SELECT count(*) FROM keyed",
            f"SELECT count(*) FROM keyed WHERE {complete}",
            "SELECT count(*) FROM other",
        )
    )
    engine.execute("DROP TABLE keyed")
    notes = []
    if usable < total:
        what = "key or time" if time else "key"
        notes.append(f"{join.name}: {total - usable:,} of its rows have no {what} and are left out")
    if kept < usable and time is None:
        raise BadData(
            f"{usable - kept:,} rows of {join.name} repeat a key ({list_names(join.on)})", where,
            "add columns to `on`, or give the join a `time_column`: then the latest row counts",
        )  # fmt: skip
    if kept < usable:
        rule = "of one key and time, the last one counts" if as_known else "of each key, the latest one counts"
        notes.append(f"{join.name}: {usable - kept:,} of its rows are left out: {rule}")
    return notes


def _write(
    engine: Any, path: Path, names: list[str], added: list[int], left_keys: list[str], left_time: str | None
) -> int:
    """Write the joined rows in their order; return how many have a match."""
    key_columns = ", ".join(f"{key} AS k{number}" for number, key in enumerate(left_keys))
    on = " AND ".join(f"mine.k{number} = other.k{number}" for number in range(len(left_keys)))
    own = ", ".join(f"mine.c{number}" for number in range(len(names)))
    new = "".join(f", other.c{number} AS c{len(names) + position}" for position, number in enumerate(added))
    rows = f"(SELECT *, {key_columns}, {left_time or 'NULL'} AS moment FROM left_rows)"
    kind = "ASOF LEFT" if left_time else "LEFT"
    joined = f"FROM {rows} mine {kind} JOIN other ON {on} {'AND mine.moment >= other.moment' if left_time else ''}"
    engine.execute(
        f"""COPY (SELECT mine.file, mine.row, {own}{new} {joined} ORDER BY mine.file, mine.row) TO {literal(path)}
            (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {row_group_rows(len(names) + len(added))},
             FILE_SIZE_BYTES '{SHARD_SIZE}', OVERWRITE)"""
    )
    matched: int = engine.execute(f"SELECT count(other.row) {joined}").fetchone()[0]
    return matched
