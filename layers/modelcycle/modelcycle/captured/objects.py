"""The objects that hold captured answers or outcomes: which of them to read, and their bytes."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from modelcycle.faults import Transient, Unknown
from modelcycle.store import Listed, Store

MAX_OBJECTS = 2_000
MAX_STORED_BYTES = 64 * 2**20  # of all objects, as they are stored
MAX_UNPACKED_BYTES = 1024 * 2**20  # of all objects together; a function's disk has 4 GiB
MAX_CONCURRENT_DOWNLOADS = 8
MAX_RECENT_OUTCOMES = 20_000  # objects
MAX_RECENT_OUTCOME_BYTES = 256 * 2**20  # of all of them, as they are stored
CHUNK_BYTES = 2**20
GZIP_FAULTS = (gzip.BadGzipFile, EOFError, zlib.error)  # raised while broken gzip data are read


class Selection(NamedTuple):
    """Objects, newest first, and whether older ones were left out because there are too many, or too large ones."""

    objects: list[Listed]
    left_out: bool


def select_captures(data: Store, model: str, start: datetime, end: datetime) -> Selection:
    """Select the objects that may hold a model's answers of a time window.

    Firehose writes them under `captures/model={model}/YYYY/MM/DD/HH/`, by the hour of arrival in UTC, which is later
    than the answer.

    Parameters
    ----------
    start, end : of the answers, in UTC
    """
    return newest(hourly(data, [f"captures/model={model}"], start, end))


def select_newest_captures(data: Store, model: str) -> Selection:
    """Select a model's captured answers, whenever they were answered."""
    return newest(reversed(list(data.list(f"captures/model={model}/"))))


def select_outcomes(data: Store, model: str) -> Selection:
    """Select the objects with outcomes of a model's predictions, by when they were written, newest first."""
    listed = sorted(data.list(f"feedback/{model}/"), key=lambda one: (one.modified, one.key), reverse=True)
    return newest(listed)


def select_recent_outcomes(data: Store, model: str, since: datetime) -> Selection:
    """Select the objects that may hold outcomes of predictions since a time, by when they were written, newest first.

    Parameters
    ----------
    since : in UTC; of objects whose age the store does not know, all are selected
    """
    listed = [one for one in data.list(f"feedback/{model}/") if not 0 < one.modified < since.timestamp()]
    listed.sort(key=lambda one: (one.modified, one.key), reverse=True)
    return newest(listed, MAX_RECENT_OUTCOMES, MAX_RECENT_OUTCOME_BYTES)


def hourly(data: Store, folders: Sequence[str], start: datetime, end: datetime) -> Iterator[Listed]:
    """Yield the objects of a time window from folders with a part `YYYY/MM/DD/HH/` for each hour, newest hour first."""
    hour = end.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)  # Firehose delivers late
    while hour >= start.replace(minute=0, second=0, microsecond=0):
        for folder in folders:
            yield from reversed(list(data.list(f"{folder}/{hour:%Y/%m/%d/%H}/")))
        hour -= timedelta(hours=1)


def newest(
    listed: Iterable[Listed], max_objects: int = MAX_OBJECTS, max_stored_bytes: int = MAX_STORED_BYTES
) -> Selection:
    """Select the first of the listed objects, which are newest first."""
    objects: list[Listed] = []
    size = 0
    for one in listed:
        if one.key.endswith("/"):
            continue
        if len(objects) >= max_objects or size + one.bytes > max_stored_bytes:
            return Selection(objects, left_out=True)
        objects.append(one)
        size += one.bytes
    return Selection(objects, left_out=False)


def download(data: Store, objects: Sequence[Listed], folder: Path) -> tuple[list[Path], int]:
    """Download objects, each into a file of its own in `folder`, unpacked if it is gzip.

    Returns
    -------
    the files in the order of the objects, and how many objects could not be read: broken, changed or deleted since they
    were listed, or beyond MAX_UNPACKED_BYTES
    """
    folder.mkdir(exist_ok=True)

    def fetch(numbered: tuple[int, Listed]) -> Path | None:
        number, listed = numbered
        path = folder / f"{number:06d}{_kind(listed.key)}"
        try:
            data.download(listed, path)
        except (Transient, Unknown):
            return None
        return path

    files: list[Path] = []
    size = unread = 0
    with ThreadPoolExecutor(MAX_CONCURRENT_DOWNLOADS) as pool:
        for path in pool.map(fetch, enumerate(objects)):
            unpacked = _unpack(path, MAX_UNPACKED_BYTES - size) if path else None
            if unpacked is None:
                unread += 1
                continue
            files.append(unpacked)
            size += unpacked.stat().st_size
    return files, unread


def _kind(key: str) -> str:
    """Return how the name of an object says that it is written.

    >>> _kind("feedback/churn/march.CSV.gz"), _kind("captures/model=churn/2026/01/01/00/part")
    ('.csv', '.jsonl')
    """
    return ".csv" if key.lower().removesuffix(".gz").endswith(".csv") else ".jsonl"


def opened(path: Path) -> BinaryIO:
    """Open a downloaded file, unpacked if it is gzip; reading it may then raise GZIP_FAULTS."""
    return cast(BinaryIO, gzip.open(path)) if _is_packed(path) else path.open("rb")


def _is_packed(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _unpack(path: Path, most_bytes: int) -> Path | None:
    """Return the file, unpacked; None, and no file, if its gzip data are broken or it is larger than `most_bytes`."""
    if _is_packed(path):
        packed = path.with_suffix(".packed")
        path.rename(packed)
        try:
            with gzip.open(packed) as source, path.open("wb") as target:
                while chunk := source.read(CHUNK_BYTES):
                    target.write(chunk)
                    if target.tell() > most_bytes:
                        break
        except GZIP_FAULTS:
            path.unlink()
            return None
        finally:
            packed.unlink()
    if path.stat().st_size > most_bytes:
        path.unlink()
        return None
    return path
