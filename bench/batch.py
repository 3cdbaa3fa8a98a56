"""Measure batch scoring against onnxruntime in a plain loop: python -m bench.batch [ROWS]

A model is trained on the Adult data; then a CSV file of ROWS rows like them is scored twice. Once by the code of the
functions, from the file to the result files: each step in a process of its own, as in a function of MEMORY_MB, with its
objects in a folder. Once by a loop that only calls onnxruntime, over arrays that are ready in memory, with the session
options of the functions. Both use one thread, and the start of the libraries is not counted for either. The seconds are
those of the processor, which other work on the machine changes little; the memory is the largest resident set, Python
and all libraries included.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from bench.commands import DATA, PIPELINE
from bench.folder_store import FolderStore
from bench.own_process import apart, peak_megabytes
from modelcycle.messages import (
    FinishScoringRequest,
    PlannedScoring,
    PlanScoringRequest,
    ScoredShard,
    ScoreShardRequest,
)
from modelcycle.registry import Record, Registry
from tests.fakes import UNSIGNED, MemoryTable

ROWS = 1_000_000
MEMORY_MB = 2048  # of the functions
MODEL = "adult-income"
KEY = f"score/{MODEL}/rows.csv"
BATCH_ROWS = 4096  # of the plain loop
CODE = "bench"


class Used(NamedTuple):
    """What a step took."""

    name: str
    seconds: float
    megabytes: float


def main(rows: int = ROWS) -> None:
    """Train, score twice, and print a line for each step and the ratio of both ways."""
    folder = Path(tempfile.mkdtemp(prefix="modelcycle-batch-"))
    os.environ |= {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(MEMORY_MB), "OMP_NUM_THREADS": "1", "TMPDIR": str(folder)}
    try:
        apart(_train, folder)
        apart(_write_rows, folder, rows)
        steps = [apart(_plan, folder), *apart(_score_all, folder), apart(_finish, folder)]
        plain = apart(_plain_loop, folder)
    finally:
        shutil.rmtree(folder)
    print(f"{rows:,} rows of 14 columns")
    for used in steps:
        print(f"  {used.name:<24}{used.seconds:>8.1f} s{used.megabytes:>8.0f} MB")
    ours = sum(used.seconds for used in steps)
    print(f"batch scoring{ours:>21.1f} s   {rows / ours:>9,.0f} rows/s")
    print(f"{plain.name:<26}{plain.seconds:>8.1f} s   {rows / plain.seconds:>9,.0f} rows/s{plain.megabytes:>8.0f} MB")
    print(f"ratio of the rows/s: {plain.seconds / ours:.2f}")


def _train(folder: Path) -> None:
    import gzip

    import yaml

    from bench.in_memory import Lifecycle

    lifecycle = Lifecycle(MODEL)
    lifecycle.upload("adult.csv", gzip.decompress(DATA.read_bytes()).decode())
    end = lifecycle.run(**{key: value for key, value in yaml.safe_load(PIPELINE.read_text()).items() if key != "name"})
    assert end.outcome == "deployed", end
    artifacts = FolderStore(folder / "artifacts")
    for key, body in lifecycle.artifacts.objects.items():
        artifacts.put(key, body)
    records: Any = lifecycle.registry.versions.table
    (folder / "registry.json").write_text(json.dumps([tuple(record) for record in records.records.values()]))


def _write_rows(folder: Path, rows: int) -> None:
    """Write rows whose values are drawn from those of the data, each column by itself, and new numbers for `fnlwgt`."""
    import duckdb

    path = folder / "data" / KEY
    path.parent.mkdir(parents=True)
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE adult AS SELECT row_number() OVER () AS n, * FROM read_csv('{DATA}')")
        names = [name for (name,) in connection.execute("SELECT name FROM pragma_table_info('adult')").fetchall()][1:]
        (count,) = connection.execute("SELECT count(*) FROM adult").fetchone() or (0,)
        drawn = ", ".join(
            f'(SELECT list("{name}" ORDER BY n) FROM adult)[1 + (hash(i + {number * rows}) % {count})::BIGINT]'
            f' AS "{name}"'
            if name != "fnlwgt"
            else '(12285 + hash(i) % 1400000) AS "fnlwgt"'
            for number, name in enumerate(names)
            if name != "income"
        )
        connection.execute(f"COPY (SELECT {drawn} FROM range({rows}) r(i)) TO '{path}' (FORMAT csv, HEADER)")


def _ports(folder: Path) -> dict[str, Any]:
    table = MemoryTable()
    for pk, sk, body, revision in json.loads((folder / "registry.json").read_text()):
        table.records[pk, sk] = Record(pk, sk, body, revision)
    return {"artifacts": FolderStore(folder / "artifacts"), "registry": Registry(table), "code": CODE}


def _plan(folder: Path) -> Used:
    import duckdb  # noqa: F401 (its start is not measured, as that of onnxruntime in the plain loop)

    from modelcycle.score_batch.plan_scoring import plan_scoring

    with _measured("read the file") as used:
        plan = plan_scoring(
            PlanScoringRequest(model=MODEL, key=KEY), data=FolderStore(folder / "data"), keys=UNSIGNED, **_ports(folder)
        )
    (folder / "plan.json").write_text(plan.model_dump_json())
    return used()


def _score_all(folder: Path) -> list[Used]:
    import onnxruntime  # noqa: F401

    from modelcycle.score_batch.score_shard import score_shard

    plan = PlannedScoring.model_validate_json((folder / "plan.json").read_text())
    ports = _ports(folder)
    with _measured(f"score {len(plan.shards)} shards") as used:
        scored = [
            score_shard(
                ScoreShardRequest(model=MODEL, job=plan.job, version=plan.version, shard=shard), keys=UNSIGNED, **ports
            )
            for shard in plan.shards
        ]
    (folder / "scored.json").write_text(json.dumps([shard.wire() for shard in scored]))
    return [used()]


def _finish(folder: Path) -> Used:
    import duckdb  # noqa: F401

    from modelcycle.score_batch.finish_scoring import finish_scoring

    plan = PlannedScoring.model_validate_json((folder / "plan.json").read_text())
    shards = [ScoredShard.model_validate(shard) for shard in json.loads((folder / "scored.json").read_text())]
    with _measured("write the results") as used:
        finished = finish_scoring(
            FinishScoringRequest(plan=plan, shards=shards), data=FolderStore(folder / "data"), **_ports(folder)
        )
    assert finished.rows == plan.rows and not finished.unread
    return used()


def _plain_loop(folder: Path) -> Used:
    """Score all rows by onnxruntime alone; the arrays are made before the clock starts."""
    import numpy as np
    import onnxruntime

    from modelcycle.model.columns import Columns, concatenate
    from modelcycle.model.signature import Signature

    plan = PlannedScoring.model_validate_json((folder / "plan.json").read_text())
    ports = _ports(folder)
    version = ports["registry"].versions.get(MODEL, plan.version)
    signature = Signature.model_validate_json(ports["artifacts"].read(version.signature))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        ports["artifacts"].read(version.onnx), options, providers=["CPUExecutionProvider"]
    )
    columns = concatenate([Columns.from_bytes(ports["artifacts"].read(shard.columns)) for shard in plan.shards])
    names = {graph_input.name for graph_input in session.get_inputs()}
    arrays = {name: values for name, values in signature.encode(columns).items() if name in names}
    rows = columns.rows
    with _measured("onnxruntime in a loop") as used:
        scores = np.concatenate(
            [
                session.run(
                    ["probabilities"], {name: array[start : start + BATCH_ROWS] for name, array in arrays.items()}
                )[0]
                for start in range(0, rows, BATCH_ROWS)
            ]
        )
    assert len(scores) == rows
    return used()


@contextmanager
def _measured(name: str) -> Iterator[Callable[[], Used]]:
    """Measure the block; call what it gives after the block."""
    started = time.process_time()
    taken: list[float] = []
    yield lambda: Used(name, taken[0], peak_megabytes())
    taken.append(time.process_time() - started)


if __name__ == "__main__":
    main(*(int(size.replace("_", "")) for size in sys.argv[1:]))
