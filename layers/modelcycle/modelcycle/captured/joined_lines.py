"""Joins the lines of captured objects in one file, within a limit of disk."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, NamedTuple

from modelcycle.captured.objects import CHUNK_BYTES, GZIP_FAULTS, MAX_CONCURRENT_DOWNLOADS, opened
from modelcycle.faults import Unknown
from modelcycle.store import Listed, Store

MAX_JOINED_BYTES = 256 * 2**20  # unpacked; a file has at most one object more
MAX_OBJECT_BYTES = 1024 * 2**20  # unpacked; Firehose gathers at most 128 MiB
DOWNLOADS_ON_DISK = 64  # objects that are downloaded before they are joined and deleted


class Joined(NamedTuple):
    """What was done with the first of the objects.

    Parameters
    ----------
    read : their lines are in the file
    broken : their gzip data are cut off or broken, or unpack to more than MAX_OBJECT_BYTES; no line is in the file
    gone : deleted since they were listed
    rest : not looked at, because the file is large enough
    lines : in the file
    """

    read: list[Listed]
    broken: list[Listed]
    gone: list[Listed]
    rest: list[Listed]
    lines: int = 0


def join_lines(data: Store, objects: Sequence[Listed], target: Path, max_bytes: int = MAX_JOINED_BYTES) -> Joined:
    """Write the lines of objects, in their order, into one file.

    Parameters
    ----------
    target : the file; downloads lie beside it meanwhile
    max_bytes : from which on no further object is added

    Raises
    ------
    Transient : an object was replaced since it was listed, or the store does not answer
    """
    joined = Joined([], [], [], [])
    count = 0

    def download(one: Listed, path: Path) -> bool:
        try:
            data.download(one, path)
        except Unknown:
            return False
        return True

    with target.open("wb") as lines, ThreadPoolExecutor(MAX_CONCURRENT_DOWNLOADS) as pool:
        for start in range(0, len(objects), DOWNLOADS_ON_DISK):
            batch = objects[start : start + DOWNLOADS_ON_DISK]
            if lines.tell() >= max_bytes:
                joined.rest.extend(batch)
                continue
            paths = [target.with_name(f"{target.name}-{position}") for position in range(len(batch))]
            for one, path, is_there in zip(batch, paths, pool.map(download, batch, paths), strict=True):
                if lines.tell() >= max_bytes:
                    joined.rest.append(one)
                elif not is_there:
                    joined.gone.append(one)
                else:
                    appended = _append(path, lines)
                    count += appended or 0
                    (joined.broken if appended is None else joined.read).append(one)
                path.unlink(missing_ok=True)
    return joined._replace(lines=count)


def _append(path: Path, lines: BinaryIO) -> int | None:
    """Append a file; return its lines, or None, and append nothing, if it cannot be unpacked."""
    begin, last, count = lines.tell(), b"", 0
    try:
        with opened(path) as source:
            while chunk := source.read(CHUNK_BYTES):
                lines.write(chunk)
                count += chunk.count(b"\n")
                last = chunk[-1:]
                if lines.tell() - begin > MAX_OBJECT_BYTES:
                    raise EOFError
    except GZIP_FAULTS:
        lines.seek(begin)
        lines.truncate()
        return None
    if last not in (b"", b"\n"):
        lines.write(b"\n")
        count += 1
    return count
