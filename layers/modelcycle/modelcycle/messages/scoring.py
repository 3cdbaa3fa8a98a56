"""Batch scoring: an object under score/{model}/ is split into shards, each shard is scored, the results are joined."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from modelcycle.messages.message import Artifact, Message


class PlanScoringRequest(Message):
    """An object under `score/{model}/` of the data bucket, as S3's event names it."""

    model: str
    key: str
    etag: str = ""

    @property
    def correlation_id(self) -> str:
        return self.key


class ScoringShard(BaseModel):
    """Rows `first` to `first + rows - 1` of the file, typed, as one object."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    number: int
    first: int
    rows: int
    columns: Artifact


class PlannedScoring(Message):
    """One item of `shards` is one call of `score_shard`."""

    model: str
    key: str
    job: str = Field(description="hash of the object, the version and the code: the same job has the same results")
    version: int = Field(description="the champion when the job was planned; it scores all shards")
    rows: int
    unread: int = Field(description="rows that the version cannot read; the results name each with its reason")
    shards: list[ScoringShard]


class ScoreShardRequest(Message):
    model: str
    job: str
    version: int
    shard: ScoringShard


class ScoredShard(Message):
    model: str
    job: str
    number: int
    rows: int
    scores: Artifact


class FinishScoringRequest(Message):
    plan: PlannedScoring
    shards: list[ScoredShard]

    @property
    def model(self) -> str:
        return self.plan.model

    @property
    def correlation_id(self) -> str:
        return self.plan.key


class FinishedScoring(Message):
    model: str
    key: str
    job: str
    version: int
    rows: int
    unread: int
    results: str = Field(description="key of the results beside the object; the manifest is written last")
    manifest: str
