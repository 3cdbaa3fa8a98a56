"""A version in use: decisions, rollout, monitoring, and what is told of it all on the bus."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from modelcycle.messages.message import Artifact, Message


class RolloutEnded(Message):
    """A rollout that did not come to its end."""

    model: str
    version: int


class Decision(Message):
    """What a person decided about a version."""

    model: str
    decision: Literal["approve", "reject", "rollback", "promote"]
    version: int | None = None
    why: str = Field("", max_length=1000)
    by: str


class Decided(Message):
    model: str
    decision: str
    version: int | None
    route: dict[int, int] = Field(description="per cent of traffic by version, after the decision")


class DeployRequest(Message):
    """One step of a rollout: the route gives `version` the weight of step `step`."""

    model: str
    version: int
    step: int = 0
    actor: str = "lifecycle"


class Deployed(Message):
    model: str
    version: int
    step: int = Field(description="the step that comes next")
    actor: str
    weight: int = Field(description="per cent of traffic that the version has now")
    done: bool
    wait_seconds: int


class MonitorRequest(Message):
    model: str
    at: datetime | None = None


class Drift(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    column: str
    psi: float | None = Field(description="population stability index; none where the column could not be judged")
    missing_before: float
    missing_now: float
    drifted: bool
    detail: str = ""


class Monitored(Message):
    model: str
    version: int | None
    window: tuple[datetime, datetime]
    rows: int
    state: Literal["ok", "drifted", "degraded", "no data", "not live"]
    drifted: list[str]
    degraded: bool
    estimated: float | None = None
    realized: float | None = None
    report: Artifact | None = None
    announced_at: datetime | None = Field(None, description="when ModelDegraded was told for this version and day")
    announced_before: bool = Field(False, description="an earlier look had told it; it is told once a day")


class Event(BaseModel):
    """A change of the registry, told on the bus."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    kind: str
    model: str
    at: datetime
    detail: dict[str, Any] = {}
