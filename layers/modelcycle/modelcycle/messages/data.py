"""From uploads to typed and split rows: collect and preprocess."""

from __future__ import annotations

from pydantic import Field

from modelcycle.messages.message import Artifact, Message
from modelcycle.messages.run import RunRequest
from modelcycle.spec import Task

CollectRequest = RunRequest


class Collected(Message):
    manifest: Artifact = Field(
        description="JSON: each source object with key, version, etag, sha256, rows, quarantined"
    )
    shards: list[Artifact] = Field(description="Parquet, all columns text, at most 100 MB each")
    quarantine: Artifact | None = Field(description="Parquet of broken lines: file, line, text, reason")
    columns: int
    objects: int
    bytes: int
    rows: int
    quarantined: int
    cached: bool = False


class PreprocessRequest(RunRequest):
    collect: Collected


class Preprocessed(Message):
    table: Artifact = Field(description="JSON: each column's type and how its text is parsed; the target; the task")
    profile: Artifact = Field(description="JSON: distribution of each column over the training rows")
    train: Artifact = Field(description="npz of typed columns, target included")
    validation: Artifact
    test_features: Artifact
    test_labels: Artifact
    quarantine: Artifact | None
    task: Task
    rows: int
    kept: int
    quarantined: int
    unread: int = Field(0, description="quarantined rows with an unparseable value; the others lack a target")
    duplicates: int
    split: tuple[int, int, int] = Field(description="rows of train, validation and test")
    cached: bool = False
