"""A run: what starts it, what every step knows of it, and how it ends."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from modelcycle.messages.message import Artifact, Message

Outcome = Literal["deployed", "awaiting_approval", "refused", "unchanged", "failed"]


class Trigger(BaseModel):
    """What started a run: an upload, a person, or the monitor."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["upload", "request", "degraded", "arrivals"]
    detail: str = ""


class Run(BaseModel):
    """One pass through the lifecycle."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    run_id: str
    execution: str
    started_at: datetime
    trigger: Trigger
    pipeline: Artifact

    def key(self, step: str, name: str) -> str:
        """Return the key of a step's artifact in the artifact bucket."""
        return f"{self.model}/runs/{self.run_id}/{step}/{name}"

    def holdout_key(self, part: Literal["features", "labels"]) -> str:
        """Return the key of the test rows: under a prefix of their own, so that IAM can say who may read them."""
        return f"holdout/{part}/{self.model}/{self.run_id}.npz"


class Claimed(Message):
    outcome: Literal["claimed", "duplicate", "folded"]
    run: Run | None = None
    detail: str = ""


class RunRequest(Message):
    """A request that belongs to a run."""

    run: Run

    @property
    def model(self) -> str:
        return self.run.model

    @property
    def correlation_id(self) -> str:
        return self.run.run_id


class ConcludeRequest(RunRequest):
    """The end of a run: its outcome, and why."""

    outcome: Outcome
    version: int | None = None
    reason: Any = Field(None, description="text, a list of texts, or what a Catch gives: {Error, Cause}")


class Concluded(Message):
    outcome: Outcome
    reason: str
    folded: int = Field(description="uploads that arrived during the run and were not read; they start a new run")
