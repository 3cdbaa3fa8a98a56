"""Measure the compaction of captured answers: python -m bench.compaction [ROWS ...]

A day of a model's answers (30 columns, gzip, four objects an hour) is compacted by a function of 512 MB, in a process
of its own. Then a window of the day is read, once from the captured lines and once from Parquet: CPU seconds to open it
and to add up all its numbers. Peaks are of the whole process, Python and DuckDB included.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.folder_store import FolderStore
from bench.own_process import apart, peak_megabytes
from modelcycle.captured import open_window
from modelcycle.compact import compact
from modelcycle.engine import connect
from modelcycle.messages import CompactRequest

SIZES = (100_000, 1_000_000)  # rows
NUMBERS, TEXTS = 18, 12  # columns
LEVELS = 50  # of a text
HOURS, OBJECTS_AN_HOUR = 24, 4
MEGABYTES = 512
MODEL = "bench"
START = datetime(2026, 3, 4, tzinfo=UTC)
SEED = 18


class Measured(NamedTuple):
    """CPU seconds and the largest resident set; `rows` and `total` are of what was read."""

    seconds: float
    megabytes: float
    rows: int
    total: float = 0.0


def main(sizes: list[int]) -> None:
    """Measure each size, and print a table."""
    os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] = str(MEGABYTES)
    print(f"{'rows':>10}{'':<4}{'what':<28}{'CPU s':>8}{'us/row':>8}{'peak MB':>9}{'stored MB':>11}")
    for rows in sizes or SIZES:
        folder = Path(tempfile.mkdtemp(prefix="modelcycle-compaction-"))
        try:
            write_captures(FolderStore(folder / "data"), rows)
            stored = _megabytes(folder / "data" / "captures")
            lines = apart(read_window, folder)
            _print(rows, "read a day of lines", lines, stored)
            done = apart(compact_day, folder)
            stored = _megabytes(folder / "data" / "compacted")
            _print(rows, "compact it", done, stored)
            shutil.rmtree(folder / "data" / "captures")
            parquet = apart(read_window, folder)
            _print(rows, "read the day of Parquet", parquet, stored)
            if (lines.rows, parquet.rows, done.rows) != (rows,) * 3 or not np.isclose(lines.total, parquet.total):
                raise RuntimeError(f"rows were lost: {lines}, {done}, {parquet}")
            print(f"{'':>14}a window of Parquet takes 1/{lines.seconds / parquet.seconds:.0f} of the CPU seconds")
        finally:
            shutil.rmtree(folder)


def write_captures(store: FolderStore, rows: int) -> None:
    """Write the answers of a day; equal sizes give equal objects."""
    objects = HOURS * OBJECTS_AN_HOUR
    random = np.random.default_rng(SEED)
    for number in range(objects):
        first, last = (rows * n // objects for n in (number, number + 1))
        at = START + timedelta(hours=number / OBJECTS_AN_HOUR)
        body = "".join(_lines(random, first, last, at)).encode()
        store.put(f"captures/model={MODEL}/{at:%Y/%m/%d/%H}/{number:03d}.gz", gzip.compress(body, 1, mtime=0))


def _lines(random: np.random.Generator, first: int, last: int, at: datetime) -> Iterator[str]:
    numbers = np.round(random.normal(0, 100, (last - first, NUMBERS)), 3).tolist()
    texts = random.integers(0, LEVELS, (last - first, TEXTS)).tolist()
    shares = np.round(random.uniform(0, 1, last - first), 6).tolist()
    for row, (values, levels, share) in enumerate(zip(numbers, texts, shares, strict=True), first):
        instance = {f"number {n}": value for n, value in enumerate(values)}
        instance |= {f"text {n}": f"level {level}" for n, level in enumerate(levels)}
        record = {
            "prediction_id": f"{row:032x}", "at": at.isoformat(), "model": MODEL, "version": 1, "ms": 3.5, "of": 1,
            "prediction": "yes" if share > 0.5 else "no", "probabilities": {"yes": share, "no": round(1 - share, 6)},
            "instance": instance,
        }  # fmt: skip
        yield json.dumps(record) + "\n"


def compact_day(folder: Path) -> Measured:
    """Compact all hours of the day."""
    os.environ["TMPDIR"] = str(folder)
    begun = time.process_time()
    done = compact(CompactRequest(model=MODEL, at=START + timedelta(hours=HOURS)), data=FolderStore(folder / "data"))
    return Measured(time.process_time() - begun, peak_megabytes(), done.rows)


def read_window(folder: Path) -> Measured:
    """Open the window of the day, and add up all its numbers."""
    begun = time.process_time()
    work = folder / "work"
    work.mkdir()
    window = open_window(FolderStore(folder / "data"), MODEL, START, START + timedelta(hours=HOURS), work / "files")
    with connect(work, "bench") as engine:
        window.create_rows(engine)
        cells = ", ".join(f"sum({cell.number}), count({cell.text})" for cell in window.cells.values())
        counts = engine.execute(f"SELECT count(*), {cells} FROM answered").fetchone()
    shutil.rmtree(work)
    total = sum(value for value in counts[1::2] if value is not None)
    return Measured(time.process_time() - begun, peak_megabytes(), counts[0], total)


def _print(rows: int, what: str, measured: Measured, stored: float) -> None:
    each = 1e6 * measured.seconds / rows
    print(
        f"{rows:>10,}{'':<4}{what:<28}{measured.seconds:>8.1f}{each:>8.1f}{measured.megabytes:>9.0f}{stored:>11.1f}",
        flush=True,
    )


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20


if __name__ == "__main__":
    main([int(size.replace("_", "")) for size in sys.argv[1:]])
