"""What asks for a run, and what the governor answers: retrain."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Literal, Self, get_args

from pydantic import Field

from modelcycle.faults import BadMessage
from modelcycle.messages.message import Message

MAX_EVENT_ID = 70  # characters; the id becomes part of an execution's name, which has at most 80
MAX_REASON = 500  # characters of a reason, which becomes part of what the run is told
MAX_BY = 200  # characters

RetrainKind = Literal[
    "ModelDegraded", "ArrivalsFolded", "LabelledRowsArrived", "TrainingCodeChanged", "RetrainingScheduled",
    "RetrainingRequested", "RetrainingResumed",
]  # fmt: skip
"""The first four come by the bus, then the schedule of a model, and a person's request and resumption."""

DETAILS = ("reason", "run_id", "by", "author", "version", "change_point")  # of the event, that are kept


class RetrainRequest(Message):
    """An event that asks for a new run, or ends the pause of the governor."""

    model: str
    kind: RetrainKind
    event_id: str = Field(description="identifies the event; only characters that an execution's name may have")
    detail: dict[str, Any] = Field({}, description="what the event says, for the run that it starts")

    @property
    def correlation_id(self) -> str:
        return self.event_id

    @property
    def reason(self) -> str:
        """The event's own reason, as a clause; empty if it has none."""
        return str(self.detail.get("reason") or "")

    @property
    def by(self) -> str:
        """Who asks; empty if it is no person."""
        return str(self.detail.get("by") or "")

    @classmethod
    def from_event(cls, event: Any) -> Self:
        """Read an event as EventBridge delivers it, or of a schedule or a person in the same form.

        A local cloud leaves the names of EventBridge Scheduler's context (`<aws.scheduler.scheduled-time>`) as they
        are. Then the minute of the call identifies the event.

        Raises
        ------
        BadMessage : its kind is none of RetrainKind, or it names no model
        """
        try:
            detail = dict(event["detail"])
            if event["detail-type"] not in get_args(RetrainKind):
                raise BadMessage("another kind of event", "Retrain", "see events/retrain.json")
            event_id = str(detail.get("id") or event["id"])
            if "<aws." in event_id:
                event_id = f"{datetime.now(UTC):%Y-%m-%dT%H:%M}-{detail['model']}"
            kept = {name: detail[name] for name in DETAILS if name in detail}
            kept |= {
                name: _line(kept[name], most) for name, most in (("reason", MAX_REASON), ("by", MAX_BY)) if name in kept
            }
            return super().from_event(
                {
                    "model": detail["model"],
                    "kind": event["detail-type"],
                    "event_id": re.sub(r"[^A-Za-z0-9-]", "-", event_id)[:MAX_EVENT_ID],
                    "detail": kept,
                }
            )
        except (BadMessage, KeyError, TypeError, ValueError):
            raise BadMessage(
                f"the event does not ask for a run: it is none of {', '.join(get_args(RetrainKind))}", "Retrain",
                "see events/retrain.json",
            ) from None  # fmt: skip


class Retrained(Message):
    """What the governor decided."""

    kind: RetrainKind = Field(description="the event's")
    done: Literal["started", "folded", "refused", "resumed"]
    why: str = Field("", description="a sentence")
    execution: str = Field("", description="ARN of the execution that was started")


def _line(text: Any, most: int) -> str:
    """Return a text as one line of at most so many characters."""
    return " ".join(str(text or "").split())[:most]
