"""A version that serves: monitor and retrain."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from modelcycle.faults import BadMessage
from modelcycle.messages.message import Artifact, Message

MAX_EVENT_ID = 60  # characters; the id becomes part of an execution's name, which has at most 80


class MonitorRequest(Message):
    model: str
    at: datetime | None = None


class Drift(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    column: str
    psi: float | None = Field(description="population stability index; none if the column could not be checked")
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
    announced_at: datetime | None = Field(None, description="when ModelDegraded was announced for this version and day")
    announced_before: bool = Field(False, description="announced by an earlier check; once a day is enough")


class RetrainRequest(Message):
    """An event that asks for a new run."""

    model: str
    kind: Literal["ModelDegraded", "ArrivalsFolded"]
    event_id: str = Field(description="identifies the event; only characters that an execution's name may have")
    detail: dict[str, Any] = Field({}, description="`reason` or `run_id` of the event, for the run that it starts")

    @property
    def correlation_id(self) -> str:
        return self.event_id

    @classmethod
    def from_event(cls, event: Any) -> Self:
        """Read an event of the bus, as EventBridge delivers it.

        Raises
        ------
        BadMessage : it is neither ModelDegraded nor ArrivalsFolded, or names no model
        """
        try:
            detail = dict(event["detail"])
            event_id = str(detail.get("id") or event["id"])
            return super().from_event(
                {
                    "model": detail["model"],
                    "kind": event["detail-type"],
                    "event_id": re.sub(r"[^A-Za-z0-9-]", "-", event_id)[:MAX_EVENT_ID],
                    "detail": {name: detail[name] for name in ("reason", "run_id") if name in detail},
                }
            )
        except (BadMessage, KeyError, TypeError, ValueError):
            raise BadMessage(
                "the event does not ask for a run: neither ModelDegraded nor ArrivalsFolded", "Retrain",
                "see events/retrain.json",
            ) from None  # fmt: skip


class Retrained(Message):
    kind: str = Field(description="the event's")
    done: str = Field(description="`started`, or why no run was started")
