"""A day of labelled live requests as a Parquet file.

Its columns: `prediction_id`, `asked_at` (seconds since 1970 UTC) and `version` say where a row comes from; `c0`, `c1`
... are the values as text. The names of these and how they are read are in the metadata: names may be anything, and
DuckDB does not tell `Age` from `age`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from modelcycle.cells.reading import Reading
from modelcycle.collect.broken_times import BrokenTime, asked_in
from modelcycle.collect.traffic_spelling import readings_of
from modelcycle.engine import row_group_rows
from modelcycle.reading import TextTable
from modelcycle.sql_literal import literal

KEY = "modelcycle_columns"


class TrafficFile(NamedTuple):
    """A file on the disk; how its columns `c0`, `c1` ... are read, by name and in order; those that requests hold."""

    path: Path
    readings: dict[str, list[Any]]
    sent: list[str]


def read_traffic_file(engine: Any, path: Path) -> TrafficFile:
    """Return the columns of a file."""
    found = engine.execute(
        f"SELECT decode(value) FROM parquet_kv_metadata({literal(path)}) WHERE decode(key) = {literal(KEY)}"
    ).fetchone()
    told = json.loads(found[0])
    return TrafficFile(path, dict(told["columns"]), told["sent"])


def write_traffic_file(
    engine: Any, day: str, readings: Mapping[str, Reading], sent: Sequence[str], earlier: TrafficFile | None,
    broken: Sequence[BrokenTime], path: Path,
) -> int:  # fmt: skip
    """Write the rows of a day in `landing_rows`, and those of an earlier file whose prediction is not among them.

    Values of the earlier file whose column is read otherwise now are missing.

    Parameters
    ----------
    broken : times whose rows of the earlier file are left out

    Returns
    -------
    number of rows
    """
    now = readings_of(readings)
    own = ", ".join(f"c{number}" for number in range(len(now)))
    query = f"SELECT prediction_id, asked_at, version, {own} FROM landing_rows WHERE day = {literal(day)}"
    if earlier is not None:
        old = ", ".join(_old(earlier, name, reading, number) for number, (name, reading) in enumerate(now.items()))
        query += (
            f" UNION ALL SELECT prediction_id, asked_at, version, {old} FROM read_parquet({literal(earlier.path)})"
            f" ANTI JOIN landing_rows USING (prediction_id) WHERE NOT {asked_in(broken, 'asked_at')}"
        )
    told = {"columns": list(now.items()), "sent": sorted({*sent, *(earlier.sent if earlier is not None else [])})}
    metadata = literal(json.dumps(told, ensure_ascii=True))
    rows: int = engine.execute(
        f"""COPY (SELECT * FROM ({query}) ORDER BY asked_at, prediction_id) TO {literal(path)}
            (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {row_group_rows(len(now))},
             KV_METADATA {{{KEY}: {metadata}}})"""
    ).fetchone()[0]
    return rows


def traffic_table(
    engine: Any, file: TrafficFile, names: Sequence[str], readings: Mapping[str, list[Any]], number: int, path: Path
) -> TextTable:
    """Return the rows of a file as a table of texts.

    Parameters
    ----------
    names : of the columns of the model's files
    readings : how these are read, as far as a contract says so; values that were written for another one are missing
    number : of the file in the manifest
    path : of the table
    """
    columns = ", ".join(
        _old(file, name, readings.get(name, file.readings.get(name)), n) for n, name in enumerate(names)
    )
    rows: int = engine.execute(
        f"""COPY (SELECT {number}::INTEGER AS file, row_number() OVER () AS row, {columns}
                  FROM read_parquet({literal(file.path)}))
            TO {literal(path)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {row_group_rows(len(names))})"""
    ).fetchone()[0]
    return TextTable(path, list(names), rows, broken=0)


def versions_of(engine: Any, paths: Sequence[Path]) -> list[int]:
    """Return the versions that answered the requests of some files."""
    files = ", ".join(map(literal, paths))
    found = engine.execute(f"SELECT DISTINCT version FROM read_parquet([{files}]) ORDER BY version").fetchall()
    return [version for (version,) in found if version is not None]


def _old(file: TrafficFile, name: str, reading: list[Any] | None, number: int) -> str:
    if name not in file.readings or file.readings[name] != reading:
        return f"NULL::VARCHAR AS c{number}"
    return f"c{list(file.readings).index(name)} AS c{number}"
