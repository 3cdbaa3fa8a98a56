"""Events for the bus, written in the transaction of the change that they announce.

An event is a record of kind `event`. The table's stream carries it to the function `relay`, which puts it on the bus.
So there is no change without its event, and no event without its change.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import uuid4

from modelcycle.messages import Event
from modelcycle.registry import keys
from modelcycle.registry.table import Write

EventKind = Literal[
    "RunStarted", "RunEnded", "ArrivalsFolded", "VersionRegistered", "VersionStaged", "VersionRefused",
    "VersionApproved", "VersionRejected", "VersionPromoted", "VersionRolledBack", "VersionShadowed",
    "VersionHeld", "ModelDegraded", "LabelledRowsArrived", "TrainingCodeChanged", "RetrainingPaused",
    "IncidentOpened", "IncidentStillOpen", "IncidentClosed",
]  # fmt: skip
EVENT_LIFETIME = timedelta(days=90)  # in the table; entries of the audit trail are never deleted


def plain_line(text: str) -> str:
    r"""Return a text as one line that fits between two `"` of JSON: EventBridge does not escape what it puts there.

    >>> plain_line('the column "a\n\\b\x00"')
    "the column 'a /b '"
    """
    printable = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(printable.replace('"', "'").replace("\\", "/").split())


def event_write(kind: EventKind, model: str, **detail: Any) -> Write:
    """Return the write of an event, for the transaction of the change that it announces."""
    at = datetime.now(UTC)
    event = Event(id=uuid4().hex, kind=kind, model=model, at=at, detail=detail)
    return Write(
        *keys.event(model, at, event.id), event.model_dump(mode="json"), kind="event",
        expires=int((at + EVENT_LIFETIME).timestamp()),
    )  # fmt: skip
