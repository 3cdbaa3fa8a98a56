"""What starts a run: an upload under raw/{model}/, or an event that asks for one."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any, NamedTuple

from modelcycle.claim.author import author_of
from modelcycle.faults import BadMessage
from modelcycle.messages import Trigger

TRIGGERS = {
    "RunRequested": "request",
    "ModelDegraded": "degraded",
    "ArrivalsFolded": "arrivals",
    "RunScheduled": "schedule",
    "LabelledRowsArrived": "outcomes",
    "TrainingCodeChanged": "code",
    "RetrainingScheduled": "schedule",
    "RetrainingRequested": "request",
}  # by detail-type


class Arrival(NamedTuple):
    """An event that starts a run.

    `upload` identifies one write of an object: S3 gives each write of a key a `sequencer`, and in a versioned bucket a
    version id. Both are in it, because LocalStack's `sequencer` is a constant, and MiniStack's event has no version id.
    It is None if the event is a request. `author` is the ARN of the person who asked, as they say; None: nobody knows.
    """

    model: str
    trigger: Trigger
    upload: str | None = None
    key: str = ""
    etag: str = ""
    author: str | None = None


class ClaimRequest(NamedTuple):
    """An arrival, and the execution that it started."""

    arrival: Arrival
    execution: str
    started_at: datetime

    @property
    def model(self) -> str:
        return self.arrival.model

    @property
    def receipt(self) -> str:
        """The key of the object with which a person has proved that they asked for this very execution."""
        return f"requests/{self.model}/{self.execution.rpartition(':')[2]}"

    @property
    def correlation_id(self) -> str:
        """The run's id. Ids sort by time, in milliseconds: a failed run and the next one may share a second."""
        time = f"{self.started_at:%Y%m%dT%H%M%S}{self.started_at.microsecond // 1000:03}"
        return f"{time}-{hashlib.sha256(self.execution.encode()).hexdigest()[:4]}"

    @staticmethod
    def from_event(event: dict[str, Any]) -> ClaimRequest:
        """Read the state's input: {event, execution, started_at}.

        Raises
        ------
        BadMessage : a part is missing, or the event starts no run
        """
        arrival = arrival_of(event.get("event", {}))
        try:
            return ClaimRequest(arrival, str(event["execution"]), datetime.fromisoformat(event["started_at"]))
        except (KeyError, TypeError, ValueError):
            raise _not_an_arrival() from None


def arrival_of(event: dict[str, Any]) -> Arrival:
    """Read an EventBridge event (AWS page "EventBridge event message structure" of S3).

    Raises
    ------
    BadMessage : it is neither an upload under raw/{model}/ nor one of `TRIGGERS`
    """
    try:
        kind, detail = event["detail-type"], event["detail"]
        if kind == "Object Created":
            key = detail["object"]["key"]
            root, model, name = key.split("/", 2)
            if root == "raw" and model and name:
                written = detail["object"]
                upload = "#".join(filter(None, (key, written["sequencer"], written.get("version-id"))))
                return Arrival(model, Trigger(kind="upload", detail=key), upload, key, written["etag"].strip('"'))
        elif kind in TRIGGERS:
            told = ": ".join(str(detail[name]) for name in ("by", "reason") if detail.get(name))
            reason = told or str(detail.get("run_id") or "")
            trigger = {"kind": TRIGGERS[kind], "detail": reason, "change": detail.get("change_point")}
            author = detail.get("author")
            return Arrival(detail["model"], Trigger.model_validate(trigger), author=author_of(author))
    except (AttributeError, KeyError, TypeError, ValueError):
        pass
    raise _not_an_arrival()


def _not_an_arrival() -> BadMessage:
    return BadMessage(
        "the event is neither an upload under raw/{model}/ nor a request to run", "Claim", "see events/claim.json"
    )
