"""Reads the objects of a stream: many small ones, as few tables."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from modelcycle.reading import TextTable, read_file
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
        tables.append(read_file(engine, merged, group[0].key, merged.with_suffix(".parquet")))
    return tables, entries


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
