"""Measure how the data steps grow with the rows: python -m bench.data [ROWS ...]

Each of `collect`, `preprocess` and `engineer_features` runs in a process of its own, as in a function of MEMORY_MB,
with its objects in a folder, over a generated CSV file of five columns; and once over a million rows of twenty.
The seconds are those of the processor, which other work on the machine changes little; the memory is the largest
resident set, Python and all libraries included. Compare ratios of one run only: `time` is the growth of the time
divided by the growth of the rows (1 is linear), `memory` is the growth of the peak, both since the first size.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from bench.folder_store import FolderStore
from bench.own_process import apart, peak_megabytes
from modelcycle import messages
from modelcycle.collect import collect
from modelcycle.engineer_features import engineer_features
from modelcycle.messages import Run, Trigger
from modelcycle.preprocess import preprocess
from modelcycle.registry import Results
from tests.fakes import MemoryTable

SIZES = (300_000, 1_000_000, 3_000_000, 10_000_000)  # rows of five columns
WIDE_ROWS, WIDE_COLUMNS = 1_000_000, 20
MEMORY_MB = 512  # a quarter of what the functions have
MODEL = "table"
STEPS = ("collect", "preprocess", "engineer features")
FIVE = {
    "amount": "round((hash(i) % 1000000) / 100.0, 2)",
    "age": "18 + hash(i + 1) % 70",
    "city": "'city ' || (hash(i + 2) % 200)",
    "opened": "DATE '2015-01-01' + (hash(i + 3) % 3000)::INTEGER",
    "left": "CASE WHEN hash(i) % 1000000 + hash(i + 4) % 500000 > 900000 THEN 'yes' ELSE 'no' END",
}
"""SQL of each column, by the number of the row; the last one is the target."""


class Used(NamedTuple):
    """What a step took."""

    seconds: float
    megabytes: float


class Unleased:
    """The lease of a run that nobody competes with."""

    def mark_as_read(self, run: Run, objects: list[tuple[str, str]]) -> None:
        """Record nothing."""


def main(sizes: list[int]) -> None:
    """Measure each size, and print a line for each step."""
    print(f"{'':<20}{'rows':>12}{'columns':>9}{'seconds':>9}{'peak':>9}{'time':>7}{'memory':>8}")
    first: dict[str, tuple[int, Used]] = {}
    for rows in sizes or SIZES:
        for step, used in measure(rows, FIVE).items():
            first_rows, before = first.setdefault(step, (rows, used))
            growth = used.seconds / before.seconds / (rows / first_rows), used.megabytes / before.megabytes
            print(f"{step:<20}{rows:>12,}{len(FIVE):>9}{used.seconds:>9.1f}{used.megabytes:>6.0f} MB"
                  f"{growth[0]:>7.2f}{growth[1]:>8.2f}", flush=True)  # fmt: skip
    if not sizes:
        for step, used in measure(WIDE_ROWS, wide_table(WIDE_COLUMNS)).items():
            print(f"{step:<20}{WIDE_ROWS:>12,}{WIDE_COLUMNS:>9}{used.seconds:>9.1f}{used.megabytes:>6.0f} MB")


def wide_table(columns: int) -> dict[str, str]:
    """Return the SQL of a table: three quarters of the columns are numbers, the others categories."""
    names = [f"c{number}" for number in range(columns - len(FIVE))]
    more = {
        name: f"'level ' || (hash(i + {number + 9}) % 40)" if number % 4 == 3 else f"hash(i + {number + 9}) % 100000"
        for number, name in enumerate(names)
    }
    return more | FIVE


def measure(rows: int, columns: dict[str, str]) -> dict[str, Used]:
    """Return what each step took over a generated table."""
    folder = Path(tempfile.mkdtemp(prefix="modelcycle-data-"))
    os.environ |= {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(MEMORY_MB), "OMP_NUM_THREADS": "1", "TMPDIR": str(folder)}
    try:
        return prepare(folder, rows, columns, STEPS)
    finally:
        shutil.rmtree(folder)


def prepare(folder: Path, rows: int, columns: dict[str, str], steps: Sequence[str]) -> dict[str, Used]:
    """Write a generated table to a folder and run steps on it, whose results stay there; return what each took."""
    apart(_write_table, folder, rows, columns)
    return {step: apart(_run_step, folder, step) for step in steps}


def _write_table(folder: Path, rows: int, columns: dict[str, str]) -> None:
    import duckdb

    raw = folder / "data" / "raw" / MODEL
    raw.mkdir(parents=True)
    listed = ", ".join(f"{sql} AS {name}" for name, sql in columns.items())
    duckdb.sql(f"COPY (SELECT {listed} FROM range({rows}) r(i)) TO '{raw / 'rows.csv'}' (FORMAT csv, HEADER)")
    pipeline = FolderStore(folder / "artifacts").put(
        "pipeline.json", f'{{"name": "{MODEL}", "target": "{list(columns)[-1]}"}}'.encode()
    )
    run = Run(
        model=MODEL, run_id="r1", execution="bench", started_at=datetime.now(UTC), trigger=Trigger(kind="request"),
        pipeline=pipeline,
    )  # fmt: skip
    (folder / "run.json").write_text(run.model_dump_json())


def _run_step(folder: Path, step: str) -> Used:
    """Run one step, with the results of the earlier ones, which lie as JSON in the folder."""
    run = Run.model_validate_json((folder / "run.json").read_text())
    artifacts = FolderStore(folder / "artifacts")
    ports: dict[str, Any] = {"artifacts": artifacts, "results": Results(MemoryTable()), "code": "bench"}
    results: dict[str, Any] = {"collect": messages.Collected, "preprocess": messages.Preprocessed}
    inputs: dict[str, Any] = {
        name: result.model_validate_json((folder / f"{name}.json").read_text())
        for name, result in results.items()
        if (folder / f"{name}.json").exists()
    }
    started = time.process_time()
    result: Any
    if step == "collect":
        leases: Any = Unleased()
        request = messages.CollectRequest(run=run)
        result = collect(request, data=FolderStore(folder / "data"), leases=leases, **ports)
    elif step == "preprocess":
        result = preprocess(messages.PreprocessRequest(run=run, collect=inputs["collect"]), **ports)
    else:
        result = engineer_features(messages.EngineerFeaturesRequest(run=run, preprocess=inputs["preprocess"]), **ports)
    used = Used(time.process_time() - started, peak_megabytes())
    (folder / f"{step}.json").write_text(result.model_dump_json())
    return used


if __name__ == "__main__":
    main([int(size.replace("_", "")) for size in sys.argv[1:]])
