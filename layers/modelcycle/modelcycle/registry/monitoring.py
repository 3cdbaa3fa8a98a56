"""Results of monitoring, and the announcement that a model has degraded."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from modelcycle.faults import Raced
from modelcycle.messages import Monitored
from modelcycle.registry import keys
from modelcycle.registry.events import event_write
from modelcycle.registry.table import Table, Write, retry_when_raced, revision_of

MAX_NAMED_COLUMNS = 50  # drifted columns that an event names; an event of EventBridge has at most 256 KiB


class Announcement(NamedTuple):
    """When ModelDegraded was announced (None: by a release that did not record it), and whether by an earlier check."""

    at: datetime | None
    before: bool


class MonitoringResults:
    """The monitoring results of all models."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def latest(self, model: str) -> Monitored | None:
        """Return the newest result; None if the model was never monitored."""
        record = self.table.get(*keys.monitoring(model))
        return Monitored.model_validate(record.body) if record else None

    @retry_when_raced
    def keep(self, result: Monitored) -> None:
        """Record a result, unless that of a later window is on record.

        Raises
        ------
        Raced : others wrote results at each attempt
        """
        key = keys.monitoring(result.model)
        record = self.table.get(*key)
        if record is None or Monitored.model_validate(record.body).window[1] < result.window[1]:
            self.table.write(Write(*key, result.wire(), revision_of(record)))

    def announce_degraded(self, result: Monitored) -> Announcement:
        """Write ModelDegraded for the bus, once for each version and day."""
        if result.version is None:
            raise ValueError("a model without a live version cannot be degraded")
        day, at = f"{result.window[1]:%Y-%m-%d}", datetime.now(UTC)
        key = keys.degradation(result.model, result.version, day)
        detail = {
            "version": result.version, "drifted": result.drifted[:MAX_NAMED_COLUMNS],
            "drifted_columns": len(result.drifted), "rows": result.rows, "window_end": day,
        }  # fmt: skip
        try:
            self.table.write(
                Write(*key, detail | {"at": at.isoformat()}), event_write("ModelDegraded", result.model, **detail)
            )
        except Raced:
            record = self.table.get(*key)
            announced_at = record.body.get("at") if record else None
            return Announcement(datetime.fromisoformat(announced_at) if announced_at else None, before=True)
        return Announcement(at, before=False)
