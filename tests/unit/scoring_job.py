"""A scoring job in memory: the functions one after the other, as the state machine calls them."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass, field
from typing import Any

from modelcycle.key_service import KeyService
from modelcycle.messages import (
    FinishedScoring,
    FinishScoringRequest,
    PlannedScoring,
    PlanScoringRequest,
    ScoredShard,
    ScoreShardRequest,
)
from modelcycle.registry import Registry
from modelcycle.score_batch.finish_scoring import finish_scoring
from modelcycle.score_batch.plan_scoring import plan_scoring
from modelcycle.score_batch.score_shard import score_shard
from tests.fakes import UNSIGNED, MemoryStore, MemoryTable
from tests.trained import COLOUR, HOURS, ID, MODEL, SEX, Cycle, Trained, cycle, train


def csv_text(*rows: list[Any]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


HEAD = [HOURS, COLOUR, SEX, ID]
ROWS = [
    [40.5, "red", "Male", "c1"], ["", "ünï", "Female", "c2"], ["?", "never, \"seen\"", "Male", "c3"],
    [1e30, "blue", "", "c4"], [-3, "", "Female", "c5"], ["12", " red ", "Female", "c6"],
]  # fmt: skip
FILE = csv_text(HEAD, *ROWS)


@dataclass
class Job:
    """A live model, and files that it scores."""

    trained: Trained = field(default_factory=lambda: train("binary"))
    data: MemoryStore = field(default_factory=lambda: MemoryStore("data"))
    artifacts: MemoryStore = field(default_factory=MemoryStore)
    table: MemoryTable = field(default_factory=MemoryTable)
    code: str = "c"
    keys: KeyService = UNSIGNED

    def __post_init__(self) -> None:
        self.registry = Registry(self.table)
        self.cycle: Cycle = cycle(self.trained, self.artifacts, self.registry)
        self.cycle.go_live()

    def plan(self, name: str) -> PlannedScoring:
        request = PlanScoringRequest.from_event({"key": f"score/{MODEL}/{name}"})
        return plan_scoring(
            request, data=self.data, artifacts=self.artifacts, registry=self.registry, keys=self.keys, code=self.code
        )

    def shards(self, plan: PlannedScoring) -> list[ScoredShard]:
        return [
            score_shard(
                ScoreShardRequest(model=plan.model, job=plan.job, version=plan.version, shard=shard),
                artifacts=self.artifacts, registry=self.registry, keys=self.keys, code=self.code,
            )
            for shard in plan.shards
        ]  # fmt: skip

    def finish(self, plan: PlannedScoring, shards: list[ScoredShard]) -> FinishedScoring:
        return finish_scoring(
            FinishScoringRequest(plan=plan, shards=list(shards)), data=self.data, artifacts=self.artifacts,
            registry=self.registry, code=self.code,
        )  # fmt: skip

    def again(self, name: str) -> FinishedScoring:
        plan = self.plan(name)
        return self.finish(plan, self.shards(plan))

    def score(self, name: str, body: bytes | str) -> FinishedScoring:
        self.data.upload(f"score/{MODEL}/{name}", body.encode() if isinstance(body, str) else body)
        return self.again(name)

    def lines(self, finished: FinishedScoring) -> list[dict[str, str]]:
        """The results, as a reader of CSV files gets them."""
        found: list[dict[str, str]] = []
        for artifact in finished.files[:-1]:
            text = self.data.read(artifact).decode()
            found += csv.DictReader(io.StringIO(text, newline=""))
        return found

    def manifest(self, finished: FinishedScoring) -> dict[str, Any]:
        manifest: dict[str, Any] = json.loads(self.data.objects[finished.manifest])
        return manifest
