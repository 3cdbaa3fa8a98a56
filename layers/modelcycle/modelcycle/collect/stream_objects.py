"""Reads the objects of a stream: many small ones, as few tables."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from modelcycle.collect.corrections import Correction, corrected_content, corrected_sql
from modelcycle.engine import row_group_rows
from modelcycle.reading import TextTable, read_file
from modelcycle.reading.line_numbers import LineNumbers
from modelcycle.sql_literal import literal
from modelcycle.store import Listed, Store

MAX_CONCURRENT_DOWNLOADS = 8
MAX_DOWNLOADED = 256  # objects on the disk at a time, besides the merged file
MAX_MERGED_BYTES = 64 * 2**20  # of one table


def read_stream_objects(
    engine: Any, data: Store, listing: list[Listed], folder: Path
) -> tuple[list[TextTable], list[dict[str, Any]]]:
    """Return the rows of all objects in the order of the listing, and the objects' entries in the manifest.

    Objects are merged before they are read: a table of its own takes longer than the ten rows that an object may have.
    """
    entries: list[dict[str, Any]] = []
    tables: list[TextTable] = []
    for number, group in enumerate(_groups(listing)):
        merged = folder / f"{number}.source"
        with merged.open("wb") as file:
            for listed, path, version in _downloaded(data, group, folder):
                body = path.read_bytes()
                path.unlink()
                file.write(body)
                digest = hashlib.sha256(body).hexdigest()
                entry = {"key": listed.key, "version": version, "etag": listed.etag, "sha256": digest}
                entries.append(entry | {"bytes": len(body), "rows": body.count(b"\n"), "quarantined": 0})
        table = read_file(engine, merged, group[0].key, merged.with_suffix(".parquet"))
        tables.append(_by_object(engine, table, entries, len(entries) - len(group)))
    return tables, entries


def _by_object(engine: Any, table: TextTable, entries: list[dict[str, Any]], first: int) -> TextTable:
    """Return the table of a merged file, whose rows name their object and their place in it.

    Parameters
    ----------
    entries : of all objects so far
    first : the position of the group's first object in them
    """
    starts, before = [], 0
    for entry in entries[first:]:
        starts.append(before)
        before += entry["rows"]
    engine.execute(
        "CREATE OR REPLACE TEMP TABLE object_starts AS"
        " SELECT unnest($1::BIGINT[]) AS start, unnest($2::BIGINT[]) AS object",
        [starts, list(range(first, len(entries)))],
    )
    path = table.path.with_suffix(".objects.parquet")
    columns = ", ".join(f"c{number}" for number in range(len(table.names)))
    engine.execute(
        f"""COPY (SELECT object AS file, row - start AS row, {columns}
                  FROM read_parquet({literal(table.path)}) merged ASOF JOIN object_starts ON merged.row > start
                  ORDER BY merged.row)
            TO {literal(path)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {row_group_rows(len(table.names))})"""
    )
    table.path.unlink()
    return replace(table, path=path, numbers=LineNumbers())


def correct_objects(
    engine: Any, tables: list[TextTable], entries: list[dict[str, Any]], corrections: Sequence[Correction]
) -> list[TextTable]:
    """Return the tables with their corrected cells; the entries of their objects get another content."""
    numbers = {entry["sha256"]: number for number, entry in enumerate(entries)}
    cells = {
        (numbers[correction.content], correction.at, correction.column): correction.text
        for correction in corrections
        if correction.scope == "cell" and correction.content in numbers
        and 1 <= correction.at <= entries[numbers[correction.content]]["rows"]
    }  # fmt: skip
    applied: dict[int, list[Any]] = {}
    for (number, row, column), text in sorted(cells.items(), key=str):
        applied.setdefault(number, []).append([row, column, text])
    for number, own in applied.items():
        content = corrected_content(entries[number]["sha256"], own)
        entries[number] |= {"content": content, "corrected": len(own)}
    return [_corrected(engine, table, cells) for table in tables] if cells else tables


def _corrected(engine: Any, table: TextTable, cells: dict[tuple[int, int, str | None], str | None]) -> TextTable:
    places = {name: number for number, name in enumerate(table.names)}
    own: list[tuple[int, int, int, str | None]] = [
        (file, row, places[column], text) for (file, row, column), text in cells.items() if column in places
    ]  # fmt: skip
    if not own:
        return table
    path = table.path.with_suffix(".corrected.parquet")
    engine.execute(
        f"COPY ({corrected_sql(engine, table, own)} ORDER BY source.file, source.row) TO {literal(path)}"
        f" (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {row_group_rows(len(table.names))})"
    )
    table.path.unlink()
    return replace(table, path=path)


def _groups(listing: list[Listed]) -> Iterator[list[Listed]]:
    """Yield the objects in groups of at most MAX_MERGED_BYTES, or of one."""
    group: list[Listed] = []
    size = 0
    for listed in listing:
        if group and size + listed.bytes > MAX_MERGED_BYTES:
            yield group
            group, size = [], 0
        group.append(listed)
        size += listed.bytes
    if group:
        yield group


def _downloaded(data: Store, group: list[Listed], folder: Path) -> Iterator[tuple[Listed, Path, str | None]]:
    """Yield each object, its file and its version, in order."""
    with ThreadPoolExecutor(MAX_CONCURRENT_DOWNLOADS) as pool:
        for begin in range(0, len(group), MAX_DOWNLOADED):
            part = group[begin : begin + MAX_DOWNLOADED]
            paths = [folder / f"object-{number}" for number in range(len(part))]
            yield from zip(part, paths, pool.map(data.download, part, paths), strict=True)
