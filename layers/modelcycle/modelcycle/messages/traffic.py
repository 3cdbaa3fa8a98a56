"""A version in use: decisions, rollout, monitoring, and what is told of it all on the bus."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from modelcycle.messages.message import Artifact, Message


class RolloutEnded(Message):
    """A rollout that failed, timed out or was aborted."""

    model: str
    version: int
    rollout: str = Field("", description="name of its execution; empty if unknown")

    @classmethod
    def from_event(cls, event: Any) -> Self:
        """Read EventBridge's "Step Functions Execution Status Change"; the execution's input names the version.

        Raises
        ------
        BadMessage : the event is of another kind, or the input names no version
        """
        try:
            detail = event["detail"]
            given = json.loads(detail["input"])
            named = {name: given[name] for name in ("model", "version") if name in given}
            return super().from_event(named | {"rollout": str(detail["executionArn"]).rpartition(":")[2]})
        except (KeyError, TypeError, ValueError):
            return super().from_event({})

    @property
    def correlation_id(self) -> str:
        return f"{self.model}-v{self.version}"


class Withdrawn(Message):
    model: str
    version: int
    rollout: str
    put_back: bool = Field(description="false where the version has all traffic, or others have moved it since")


class Decision(Message):
    """What a person decided about a version."""

    model: str
    decision: Literal["approve", "reject", "rollback", "promote"]
    version: int | None = None
    why: str = Field("", max_length=1000)
    by: str
    asked_at: AwareDatetime | None = Field(None, description="when the person asked; none means now")


class Decided(Message):
    model: str
    decision: str
    version: int | None
    route: dict[int, int] = Field(description="per cent of traffic by version, after the decision")
    note: str = Field("", description="why nothing was changed, where nothing was")


class DeployRequest(Message):
    """One step of a rollout: the route gives `version` the weight of step `step`.

    The step is taken only where `moves` is still the number of the route's last move: a move by others in between ends
    the rollout.
    """

    model: str
    version: int
    step: int = 0
    actor: str = "lifecycle"
    why: str = Field("", max_length=1000, description="the reason of the person who started the rollout")
    moves: int | None = Field(None, description="last move of the route that the rollout knows; none in old messages")
    rollout: str = Field("", description="name of the rollout's execution; empty in old messages")

    @property
    def correlation_id(self) -> str:
        return f"{self.model}-v{self.version}"


class Deployed(Message):
    model: str
    version: int
    step: int = Field(description="the step that comes next")
    actor: str
    why: str = ""
    moves: int | None = Field(None, description="last move of the route after this step")
    weight: int = Field(description="per cent of traffic that the version has now")
    overruled: bool = Field(False, description="others have moved the traffic: the rollout ends and leaves it as it is")
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
