"""A run: what started it, what every step knows about it, and how it ends."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from modelcycle.messages.message import Artifact, Message

Outcome = Literal["deployed", "awaiting_approval", "refused", "unchanged", "failed"]


def _is_none(value: object) -> bool:
    """Return whether a field is left out: while functions are replaced, those of release 0.1 refuse it."""
    return value is None


def _is_false(value: object) -> bool:
    """Return whether a field is left out, for the same reason."""
    return value is False


class Trigger(BaseModel):
    """What started a run: an upload, a person, a degraded model, uploads that an earlier run did not
    read, the schedule of its source or of its retraining, new outcomes of live traffic, or new training code.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    kind: Literal["upload", "request", "degraded", "arrivals", "schedule", "outcomes", "code"]
    detail: str = ""
    change: datetime | None = Field(
        None, description="since when predictions have been worse, if that is why", exclude_if=_is_none
    )


class LearningWindow(BaseModel):
    """The rows that a run learns from, if not from all: decided when it begins, so that it can be made again.

    Parameters
    ----------
    kind : sliding: the newest rows; since_change: those since the relation of columns and target has changed
    days : of the sliding window; None: the newest rows, as many as are enough
    change : when it has changed; None: no change is known
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    kind: Literal["sliding", "since_change"]
    days: float | None = None
    change: datetime | None = None


class Run(BaseModel):
    """One pass through the lifecycle."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    model: str
    run_id: str
    execution: str
    started_at: datetime
    trigger: Trigger
    pipeline: Artifact
    learns: LearningWindow | None = Field(None, description="None: from all rows", exclude_if=_is_none)
    author: str | None = Field(
        None, description="ARN of who started it, as their command line says; None: nobody knows", exclude_if=_is_none
    )
    author_proved: bool = Field(
        False, description="whether the bucket has proved that `author` started it", exclude_if=_is_false
    )
    author_stated: str | None = Field(
        None, description="whom the upload or request names as its author, if the bucket has proved somebody else",
        exclude_if=_is_none,
    )  # fmt: skip

    def key(self, step: str, name: str) -> str:
        """Return the key of a step's artifact in the artifact bucket."""
        return f"{self.model}/runs/{self.run_id}/{step}/{name}"

    def holdout_key(self, part: Literal["features", "labels"], suffix: str = "") -> str:
        """Return the key of the test rows: under a separate prefix, so that IAM can restrict who reads them."""
        return f"holdout/{part}/{self.model}/{self.run_id}{suffix}.npz"


class Claimed(Message):
    outcome: Literal["claimed", "duplicate", "folded"]
    run: Run | None = None
    pulls: bool = Field(False, description="whether rows are pulled from a source before they are collected")
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


class ConcludeRequest(Message):
    """The end of a run, its outcome and the reason."""

    run: Run | None = Field(description="none if the execution that ended has no run")
    outcome: Outcome
    version: int | None = None
    reason: Any = Field(None, description="a text, a list of texts, or {Error, Cause} of a Catch")

    @property
    def model(self) -> str:
        return self.run.model if self.run else ""

    @property
    def correlation_id(self) -> str:
        return self.run.run_id if self.run else ""


class Concluded(Message):
    outcome: Outcome | Literal["no run of ours"]
    reason: str
    folded: int = Field(description="uploads that arrived during the run and were not read; they start another run")
