"""A version that goes live: decide, deploy and withdraw."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from modelcycle.messages.message import Message


class Decision(Message):
    """What a person decided about a version."""

    model: str
    decision: Literal["approve", "reject", "rollback", "promote"]
    version: int | None = None
    why: str = Field("", max_length=1000)
    by: str
    asked_at: AwareDatetime | None = Field(None, description="when the person asked; None means now")


class Decided(Message):
    model: str
    decision: str
    version: int | None
    route: dict[int, int] = Field(description="percent of traffic by version, after the decision")
    note: str = Field("", description="why nothing was changed; empty if something was")
    told: str = Field("", description="what the person has to know besides")
    waits: bool = Field(False, description="the decision is on record, and another person has to decide too")
    frozen: bool = Field(False, description="the rollout waits for the end of a freeze; `told` says until when")


class ExpireRequest(Message):
    """Look for versions that have waited too long for an approval."""

    models: Literal["all"] | list[str] = Field(description="only of these models")

    @property
    def model(self) -> str:
        """Of log lines: it is about no one model."""
        return ""


class Expired(Message):
    models: int = Field(description="that were looked at")
    expired: int = Field(description="versions that are refused now")
    versions: list[str] = Field(description="the first of them, as MODEL:VERSION")
    unread: list[str] = Field([], description="models to which no one policy applies, with the reason")


class DeployRequest(Message):
    """One step of a rollout: the route gives `version` the weight of step `step`.

    The step is made only if `moves` is still the number of the route's last move: a move by others ends the rollout.
    """

    model: str
    version: int
    step: int = 0
    actor: str = "lifecycle"
    why: str = Field("", max_length=1000, description="the reason of the person who started the rollout")
    moves: int | None = Field(None, description="last move of the route that the rollout knows; None in old messages")
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
    weight: int = Field(description="percent of traffic that the version has now")
    overruled: bool = Field(False, description="others have moved the traffic: the rollout ends and leaves it as it is")
    done: bool
    wait_seconds: int
    judged: bool = Field(False, description="whether the rollout is judged before it goes on")
    look_seconds: int = Field(0, description="time to the first judgement")
    run_id: str = Field("", description="the run that made the version; log lines name it")
    held: str = Field("", description="why the step was not made yet, as a clause: it is tried again")


class JudgeRequest(Message):
    """Judge a version that is being rolled out by what it has answered since its last step."""

    model: str
    version: int
    step: int = Field(description="the step that comes next")
    actor: str = "lifecycle"
    why: str = ""
    moves: int | None = None
    weight: int = 0
    rollout: str = ""
    done: bool = Field(False, description="the version has all the traffic, and is only watched")
    since: datetime | None = Field(
        None, description="when the version got its present share; None: the last move's time"
    )

    @property
    def correlation_id(self) -> str:
        return f"{self.model}-v{self.version}"


class Finding(BaseModel):
    """One kind of evidence: how champion and challenger compare, against its limit."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    kind: Literal["errors", "latency", "predictions", "quality"]
    champion: float | None
    challenger: float | None
    low: float | None = Field(None, description="confidence sequence of the difference (latency: of the ratio)")
    high: float | None = None
    limit: float
    rows: tuple[int, int] = Field(description="of champion and challenger")
    verdict: Literal["worse", "not worse", "open", "not known"]
    detail: str = Field("", description="one sentence for people")


class Judged(Message):
    """A judgement; it is on record under the rollout's name and step, and in the audit trail if it rolls back."""

    model: str
    version: int
    step: int
    actor: str
    why: str
    moves: int | None
    weight: int
    rollout: str
    verdict: Literal["proceed", "hold", "roll_back", "overruled"]
    reason: str
    findings: list[Finding]
    done: bool
    wait_seconds: int
    overdue: bool = Field(False, description="whether it waits for longer than its patience, and so for a person")
    run_id: str = Field("", description="the run that made the version; log lines name it")


class RolloutEnded(Message):
    """A rollout that failed, timed out or was aborted."""

    model: str
    version: int
    rollout: str = Field("", description="name of its execution; empty if unknown")

    @property
    def correlation_id(self) -> str:
        return f"{self.model}-v{self.version}"

    @classmethod
    def from_event(cls, event: Any) -> Self:
        """Read EventBridge's "Step Functions Execution Status Change"; the execution's input names the version.

        Raises
        ------
        BadMessage : the event is of another kind, or the input names no version
        """
        try:
            detail = event["detail"]
            execution_input = json.loads(detail["input"])
            version = {name: execution_input[name] for name in ("model", "version") if name in execution_input}
            return super().from_event(version | {"rollout": str(detail["executionArn"]).rpartition(":")[2]})
        except (KeyError, TypeError, ValueError):
            return super().from_event({})


class Withdrawn(Message):
    model: str
    version: int
    rollout: str
    put_back: bool = Field(description="false if the version has all traffic, or if others have moved it since")
