"""Labelled live requests as rows of a snapshot, behind those of the files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from modelcycle.collect.objects import Entry, downloaded
from modelcycle.collect.pinned_contract import Pinned
from modelcycle.collect.shards import write_shards
from modelcycle.collect.traffic_file import read_traffic_file, traffic_table, versions_of
from modelcycle.collect.traffic_spelling import readings_of
from modelcycle.reading import TextTable
from modelcycle.sql_literal import literal
from modelcycle.store import Listed, Store

MAX_NAMED_VERSIONS = 5  # the newest


class LiveRows(NamedTuple):
    """The rows as Parquet files, the entries of their objects in the manifest, the columns of the snapshot that no
    request holds, and what people should know.
    """

    rows: int
    shards: list[Path]
    entries: list[Entry]
    unsent: list[str]
    notes: list[str]


def read_traffic(
    engine: Any, data: Store, listing: Sequence[Listed], names: Sequence[str], pinned: Pinned | None, first: int,
    folder: Path,
) -> LiveRows:  # fmt: skip
    """Read the landed live requests.

    Parameters
    ----------
    names : of the snapshot's columns; a column that the requests lack is missing
    pinned : the contract to which the run is held
    first : number of the first object in the manifest
    folder : for the shards

    Raises
    ------
    Transient, Unknown : an object has changed or is gone
    """
    if not listing:
        return LiveRows(0, [], [], [], [])
    folder = folder / "traffic"
    folder.mkdir()
    readings = readings_of(pinned.contract.terms()) if pinned is not None else {}
    tables: list[TextTable] = []
    entries: list[Entry] = []
    versions: set[int] = set()
    sent: set[str] = set()
    for number, listed in enumerate(listing, start=first):
        source = folder / f"{number}.source"
        entry = downloaded(data, listed, source)
        file = read_traffic_file(engine, source)
        table = traffic_table(engine, file, names, readings, number, folder / f"{number}.parquet")
        sent |= {*file.sent}
        versions |= {*versions_of(engine, [source])}
        source.unlink()
        tables.append(table)
        entries.append(entry | {"rows": table.rows, "quarantined": 0, "traffic": True})
    rows = sum(table.rows for table in tables)
    shards = write_shards(engine, tables, list(names), folder)
    newest = sorted(versions)[-MAX_NAMED_VERSIONS:]
    of = f"version{'s' * (len(newest) > 1)} {', '.join(map(str, newest))}"
    unsent = [name for name in names if name not in sent]
    return LiveRows(rows, shards, entries, unsent, [f"{rows:,} rows are live requests to {of} whose outcome is known"])


def count_known(
    engine: Any, files: Sequence[Path], live: Sequence[Path], names: Sequence[str], ids: Sequence[str]
) -> int:
    """Return how many live requests are about an entity that the files have, too.

    Parameters
    ----------
    files, live : shards, see `write_shards`
    names : of their columns
    ids : columns that identify an entity; those that the files lack tell nothing
    """
    columns = ", ".join(f"c{number}" for number, name in enumerate(names) if name in ids)
    if not columns or not files or not live:
        return 0
    asked, uploaded = (
        f"(SELECT {columns} FROM read_parquet([{', '.join(map(literal, paths))}]))" for paths in (live, files)
    )
    # the few live rows are held in memory, not the many of the files
    known: int = engine.execute(
        f"""SELECT count(*) FROM {asked} SEMI JOIN
              (SELECT DISTINCT {columns} FROM {uploaded} SEMI JOIN {asked} USING ({columns})) USING ({columns})"""
    ).fetchone()[0]
    return known
