"""Reads the objects of a source: their rows as text, and their entries in the manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from modelcycle.collect.column_checks import check_same_columns
from modelcycle.collect.stream_objects import read_stream_objects
from modelcycle.reading import TextTable, read_file
from modelcycle.reading.column_names import check_second_column
from modelcycle.reading.pipeline_columns import check_pipeline_columns
from modelcycle.spec import Pipeline, StreamSource
from modelcycle.spec.sources import csv_of
from modelcycle.store import Listed, Store

Entry = dict[str, Any]
"""An object of the manifest: key, version, etag, sha256, bytes, rows, quarantined."""

Prepare = Callable[[TextTable, Entry, int], tuple[TextTable, Entry]]
"""Changes or refuses the rows of an object, by its number."""


def read_objects(
    engine: Any, data: Store, listing: list[Listed], pipeline: Pipeline, source: str, folder: Path,
    prepare: Prepare | None = None,
) -> tuple[list[TextTable], list[Entry]]:  # fmt: skip
    """Read all objects of a source; return the rows of those that are used, and the entries of all in the manifest.

    Of objects with equal bytes, only the first is read, unless the pipeline file says `duplicates: keep`.

    Parameters
    ----------
    source : its name in the pipeline file
    folder : for the tables
    prepare : called for each object before its columns are compared with those of the others

    Raises
    ------
    as `collect`
    """
    section = pipeline.sources[source]
    folder = folder / f"source-{source}"
    folder.mkdir()
    if isinstance(section, StreamSource):
        return read_stream_objects(engine, data, listing, folder)
    tables: list[TextTable] = []
    entries: list[Entry] = []
    first_of_content: dict[str, str] = {}
    for number, listed in enumerate(listing):
        path = folder / f"{number}.source"
        entry = downloaded(data, listed, path)
        first = first_of_content.setdefault(entry["sha256"], listed.key)
        if first != listed.key and pipeline.duplicates != "keep":
            path.unlink()
            entries.append(entry | {"rows": 0, "quarantined": 0, "repeats": first})
            continue
        table = read_file(engine, path, listed.key, path.with_suffix(".parquet"), csv_of(section))
        if prepare is not None:
            table, entry = prepare(table, entry, number)
        if tables:
            check_same_columns(table, tables[0], listed.key, listing[0].key)
        else:
            if not table.sparse:
                check_second_column(table.names, listed.key)
            if not pipeline.join and not table.sparse:
                check_pipeline_columns(pipeline, table.names)
        tables.append(table)
        entries.append(entry | {"rows": table.rows, "quarantined": table.broken, "notes": table.notes})
    return tables, entries


def downloaded(data: Store, listed: Listed, target: Path) -> Entry:
    """Copy an object to a file; return its entry in the manifest, without the numbers of rows."""
    version = data.download(listed, target)
    with target.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "key": listed.key, "version": version, "etag": listed.etag, "sha256": digest, "bytes": listed.bytes,
    }  # fmt: skip
