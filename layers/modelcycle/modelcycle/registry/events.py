"""What happened, told in the same transaction that made it happen.

An event is a record of kind `event` beside the change itself. The table's stream carries it to the relay function and
that one to the bus: no change without its event, no event without its change.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import uuid4

from modelcycle.messages import Event
from modelcycle.registry.table import Write

Kind = Literal[
    "RunStarted", "RunEnded", "ArrivalsFolded", "VersionRegistered", "VersionStaged", "VersionRefused",
    "VersionApproved", "VersionRejected", "VersionPromoted", "VersionRolledBack", "ModelDegraded",
]  # fmt: skip
KEPT = 90 * 24 * 3600  # seconds; the audit trail keeps its own records for ever


def now() -> datetime:
    return datetime.now(UTC)


def event(kind: Kind, model: str, **detail: Any) -> Write:
    """The write that tells `kind`; goes into the transaction of the change."""
    at = now()
    told = Event(id=uuid4().hex, kind=kind, model=model, at=at, detail=detail)
    return Write(
        f"MODEL#{model}", f"EVENT#{at.isoformat()}#{told.id}", told.model_dump(mode="json"), kind="event",
        expires=int(time.time()) + KEPT,
    )  # fmt: skip
