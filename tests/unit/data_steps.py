"""What the data steps need, in memory: two buckets and a registry, for one model `m`."""

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
from tests.fakes import MemoryKeys, MemoryStore, MemoryTable

AT = datetime(2026, 1, 2, 3, 30, tzinfo=UTC)


@dataclass
class Workspace:
    data: MemoryStore = field(default_factory=lambda: MemoryStore("data"))
    artifacts: MemoryStore = field(default_factory=lambda: MemoryStore("artifacts"))
    registry: Registry = field(default_factory=lambda: Registry(MemoryTable()))
    keys: MemoryKeys | None = field(default_factory=MemoryKeys)

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
        return collect(
            request, data=self.data, artifacts=self.artifacts, leases=leases, results=results, code=code,
            registry=self.registry, keys=self.keys,
        )  # fmt: skip

    def preprocess(self, run: Run, code: str = "1") -> Preprocessed:
        request = PreprocessRequest(run=run, collect=self.collect(run))
        return preprocess(request, artifacts=self.artifacts, results=self.registry.results, code=code)

    def parquet(self, artifact: Any) -> list[tuple[Any, ...]]:
        with TemporaryDirectory() as folder, duckdb.connect() as engine:
            path = self.artifacts.fetch(artifact, Path(folder))
            rows: list[tuple[Any, ...]] = engine.execute(f"SELECT * FROM '{path}'").fetchall()
            return rows

    def rows(self, collected: Collected) -> list[tuple[Any, ...]]:
        """Return the rows of a snapshot, without `file` and `row`."""
        return [row[2:] for shard in collected.shards for row in self.parquet(shard)]

    def schema(self, result: Preprocessed) -> TableSchema:
        return TableSchema.model_validate_json(self.artifacts.read(result.table))

    def columns(self, artifact: Any) -> Columns:
        return Columns.from_bytes(self.artifacts.read(artifact))


def workspace_with(*, target: str = "y", **files: str | bytes) -> tuple[Workspace, Run]:
    """Return a workspace with these files (`a__csv` is `a.csv`), and a run that predicts `target`."""
    workspace = Workspace()
    for name, body in files.items():
        workspace.data.upload(f"raw/m/{name.replace('__', '.')}", body.encode() if isinstance(body, str) else body)
    return workspace, workspace.run(target=target)


def table(rows: int, **columns: Any) -> str:
    """Return CSV text with generated columns: each a function of the row's number, or a list to repeat."""
    import csv

    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    for row in range(rows):
        writer.writerow([cells(row) if callable(cells) else cells[row % len(cells)] for cells in columns.values()])
    return text.getvalue()
