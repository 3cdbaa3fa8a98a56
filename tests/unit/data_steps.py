"""A place for the data steps to run in: two buckets and a registry in memory, one model `m`."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

from modelcycle.collect import collect
from modelcycle.messages import Collected, CollectRequest, Preprocessed, PreprocessRequest, Run, Trigger
from modelcycle.model.columns import Columns, TableSchema
from modelcycle.preprocess import preprocess
from modelcycle.registry import Registry
from modelcycle.spec import Pipeline
from tests.fakes import MemoryStore, MemoryTable

AT = datetime(2026, 1, 2, 3, 30, tzinfo=UTC)


@dataclass
class Place:
    data: MemoryStore = field(default_factory=lambda: MemoryStore("data"))
    artifacts: MemoryStore = field(default_factory=lambda: MemoryStore("artifacts"))
    registry: Registry = field(default_factory=lambda: Registry(MemoryTable()))

    def run(self, run_id: str = "r1", **pipeline: Any) -> Run:
        file = Pipeline(name="m", **pipeline)
        stored = self.artifacts.put(f"m/runs/{run_id}/claim/pipeline.json", file.model_dump_json().encode())
        return Run(
            model="m", run_id=run_id, execution=f"arn:{run_id}", started_at=AT, trigger=Trigger(kind="request"),
            pipeline=stored,
        )  # fmt: skip

    def collect(self, run: Run, code: str = "1") -> Collected:
        request = CollectRequest(run=run)
        leases, results = self.registry.leases, self.registry.results
        return collect(request, data=self.data, artifacts=self.artifacts, leases=leases, results=results, code=code)

    def preprocess(self, run: Run, code: str = "1") -> Preprocessed:
        request = PreprocessRequest(run=run, collect=self.collect(run))
        return preprocess(request, artifacts=self.artifacts, results=self.registry.results, code=code)

    def parquet(self, artifact: Any) -> list[tuple[Any, ...]]:
        with TemporaryDirectory() as folder, duckdb.connect() as engine:
            path = self.artifacts.fetch(artifact, Path(folder))
            found: list[tuple[Any, ...]] = engine.execute(f"SELECT * FROM '{path}'").fetchall()
            return found

    def rows(self, collected: Collected) -> list[tuple[Any, ...]]:
        """The snapshot's rows, without file and number."""
        return [row[2:] for shard in collected.shards for row in self.parquet(shard)]

    def schema(self, result: Preprocessed) -> TableSchema:
        return TableSchema.model_validate_json(self.artifacts.read(result.table))

    def columns(self, artifact: Any) -> Columns:
        return Columns.from_bytes(self.artifacts.read(artifact))


def place(*, target: str = "y", **files: str | bytes) -> tuple[Place, Run]:
    """A place whose model has these files (`__` stands for the dot) and predicts `target`."""
    here = Place()
    for name, body in files.items():
        here.data.upload(f"raw/m/{name.replace('__', '.')}", body.encode() if isinstance(body, str) else body)
    return here, here.run(target=target)


def table(rows: int, **columns: Any) -> str:
    """CSV of generated columns: a function of the row's number, or a list to repeat."""
    import csv

    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    for row in range(rows):
        writer.writerow([c(row) if callable(c) else c[row % len(c)] for c in columns.values()])
    return text.getvalue()
