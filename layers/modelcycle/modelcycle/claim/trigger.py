"""What starts a run: an upload under raw/{model}/, or an event that asks for one."""

from __future__ import annotations

from typing import Any, NamedTuple

from modelcycle.faults import BadMessage
from modelcycle.messages import Trigger

KINDS = {"RunRequested": "request", "ModelDegraded": "degraded", "ArrivalsFolded": "arrivals"}


class Arrival(NamedTuple):
    """`upload` names a delivered object once and for ever: EventBridge gives each write of a key a `sequencer`."""

    model: str
    trigger: Trigger
    upload: str | None = None
    key: str = ""
    etag: str = ""


def read(event: dict[str, Any]) -> Arrival:
    """The arrival in an EventBridge event (AWS page "EventBridge event message structure" of S3).

    Raises
    ------
    BadMessage : neither an upload under raw/{model}/ nor one of RunRequested, ModelDegraded, ArrivalsFolded
    """
    try:
        kind, detail = event["detail-type"], event["detail"]
        if kind == "Object Created":
            key = detail["object"]["key"]
            root, model, name = key.split("/", 2)
            if root == "raw" and model and name:
                etag, sequencer = detail["object"]["etag"].strip('"'), detail["object"]["sequencer"]
                return Arrival(model, Trigger(kind="upload", detail=key), f"{key}#{sequencer}", key, etag)
        elif kind in KINDS:
            reason = str(detail.get("by") or detail.get("reason") or detail.get("run_id") or "")
            return Arrival(detail["model"], Trigger.model_validate({"kind": KINDS[kind], "detail": reason}))
    except (AttributeError, KeyError, TypeError, ValueError):
        pass
    raise BadMessage(
        "the event is neither an upload under raw/{model}/ nor a request to run", "Claim", "see events/claim.json"
    )
