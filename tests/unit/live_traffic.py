"""A live model `m`, its captured requests and the outcomes that people have sent back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

from modelcycle.collect import pull_traffic
from modelcycle.collect.landed import TRAFFIC, read_manifest
from modelcycle.collect.pull_traffic import PulledTraffic
from modelcycle.contract import Contract
from modelcycle.messages import Artifact
from modelcycle.model.fields import Field
from modelcycle.model.signature import Signature
from modelcycle.registry import Registry, Version
from modelcycle.spec import Pipeline
from tests.fakes import MemoryStore, MemoryTable
from tests.unit.data_steps import AT
from tests.unit.pulled_rows import PullWorkspace

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
JANUARY = "raw/m/january.csv"


@dataclass
class LiveModel(PullWorkspace):
    """A model whose first version is live.

    Parameters
    ----------
    pipeline : keys of the pipeline file
    reads : columns that the signature names
    """

    pipeline: dict[str, Any] = field(default_factory=dict)
    captured: int = 0
    reads: Sequence[str] = ()

    @property
    def file(self) -> Pipeline:
        return Pipeline(name="m", **self.pipeline)

    def go_live(self, body: bytes, run_id: str = "first") -> None:
        """Upload a file, and make a version live that has learned from it; its contract and signature are real."""
        self.data.upload(JANUARY, body)
        run = self.run(run_id, **self.pipeline)
        preprocessed = self.preprocess(run)
        assert preprocessed.contract is not None
        contract = Contract.model_validate_json(self.artifacts.read(preprocessed.contract))
        signature = Signature(
            model="m", task=contract.task, target=contract.target.name, classes=contract.classes, ignored=[],
            fields=[Field(name=name, type="text") for name in self.reads], inputs=[], id_columns=self.file.id_columns,
        )  # fmt: skip
        stored = self.artifacts.put(
            f"m/runs/{run_id}/select_model/signature.json", signature.model_dump_json().encode()
        )
        none = Artifact(uri="s3://artifacts/none", sha256="0", bytes=0)
        draft = Version(
            model="m", version=0, run_id=run_id, created_at=AT, task=contract.task, onnx=none, skops=none,
            signature=stored, plan=none, profile=none, lineage=none, card=none, validation=none, pipeline=none,
            metric="accuracy", metrics={}, interval=(0, 1), data="", code="", opset=1, contract=preprocessed.contract,
        )  # fmt: skip
        made, _ = self.registry.versions.register(draft, run_id)
        self.registry.standings.move("m", made.version, "staged", "test")
        self.registry.routes.promote("m", made.version, 100, "test")

    def copy(self, data: MemoryStore | None = None, table: MemoryTable | None = None) -> LiveModel:
        """Return the same model elsewhere: in a bucket and a registry that a test chooses."""
        data, table = data or MemoryStore("data"), table or MemoryTable()
        data.objects |= self.data.objects
        own = self.registry.landings.table
        assert isinstance(own, MemoryTable)
        table.records |= own.records
        artifacts = MemoryStore()
        artifacts.objects |= self.artifacts.objects
        return LiveModel(
            data=data,
            artifacts=artifacts,
            registry=Registry(table),
            pipeline=dict(self.pipeline),
            captured=self.captured,
        )

    def ask(
        self, instances: Sequence[dict[str, Any]], at: datetime = NOW - timedelta(days=1), **line: Any
    ) -> list[str]:
        """Capture the answers to some requests; return their prediction ids."""
        ids = [hashlib.sha256(f"{self.captured} {n}".encode()).hexdigest()[:32] for n in range(len(instances))]
        lines = [
            json.dumps(
                {"prediction_id": one, "at": at.isoformat(), "model": "m", "version": 1, "instance": instance} | line
            )
            for one, instance in zip(ids, instances, strict=True)
        ]
        self.captured += 1
        self.data.upload(f"captures/model=m/{at:%Y/%m/%d/%H}/part-{self.captured}", "\n".join(lines).encode())
        return ids

    def tell(self, ids: Sequence[str], outcomes: Sequence[Any], name: str = "outcomes.jsonl") -> None:
        """Send outcomes back."""
        lines = [json.dumps({"prediction_id": one, "outcome": o}) for one, o in zip(ids, outcomes, strict=True)]
        self.data.upload(f"feedback/m/{name}", "\n".join(lines).encode())

    def pull_live(self, now: datetime = NOW) -> PulledTraffic:
        return pull_traffic(self.file, data=self.data, artifacts=self.artifacts, registry=self.registry, now=now)

    def landed_ids(self) -> list[str]:
        """The predictions that have landed, in all files that count."""
        landing = self.registry.landings.get("m", TRAFFIC).landing
        files = [file.artifact for file in read_manifest(self.data, landing)]
        with TemporaryDirectory() as folder, duckdb.connect() as engine:
            paths = [self.data.fetch(artifact, Path(folder)) for artifact in files]
            query = "SELECT prediction_id FROM read_parquet($1)"
            return [one for path in paths for (one,) in engine.execute(query, [str(path)]).fetchall()]

    def live_rows(self, run_id: str = "r2") -> list[dict[str, str | None]]:
        """The rows of a new snapshot that are live requests."""
        collected = self.snapshot(run_id, **self.pipeline)
        return self.table(collected)[collected.rows - collected.traffic :]
