"""Results of monitoring, and the announcement that a model has degraded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from modelcycle.faults import Raced
from modelcycle.messages import Monitored, WindowKind
from modelcycle.registry import keys
from modelcycle.registry.events import event_write
from modelcycle.registry.table import Table, Write, retry_when_raced, revision_of

KEPT: dict[WindowKind, timedelta] = {"hour": timedelta(days=30), "day": timedelta(days=400)}  # results of windows
# A transaction may name 100 records of 4 MB together (AWS page "TransactWriteItems"); a result has at most 300 KB.
MAX_AMENDED_AT_ONCE = 10


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

    def between(self, model: str, kind: WindowKind, start: datetime, end: datetime) -> list[Monitored]:
        """Return the results of all windows that ended in [start, end], the oldest first."""
        prefix = keys.monitored_windows(kind)
        records = self.table.query(keys.monitoring(model).pk, prefix, start=f"{prefix}{keys.moment(start)}")
        last = f"{prefix}{keys.moment(end)}~"
        return [Monitored.model_validate(record.body) for record in records if record.sk < last]

    @retry_when_raced
    def keep(self, results: Sequence[Monitored]) -> None:
        """Record the results of one look; the first is the model's newest, unless that of a later look is on record.

        Raises
        ------
        Raced : others wrote results at each attempt
        """
        writes = self._changed(results)
        newest = results[0]
        key = keys.monitoring(newest.model)
        record = self.table.get(*key)
        if record is None or Monitored.model_validate(record.body).window[1] < newest.window[1]:
            writes.append(Write(*key, newest.wire(), revision_of(record)))
        if writes:
            self.table.write(*writes)

    def amend(self, results: Sequence[Monitored]) -> None:
        """Record again what earlier looks saw, with the outcomes that have come since.

        They do not depend on each other: what a call that was killed left out, the next look writes.

        Raises
        ------
        Raced : others wrote the same results at each attempt
        """
        for first in range(0, len(results), MAX_AMENDED_AT_ONCE):
            self._amend(results[first : first + MAX_AMENDED_AT_ONCE])

    @retry_when_raced
    def _amend(self, results: Sequence[Monitored]) -> None:
        writes = self._changed(results)
        if writes:
            self.table.write(*writes)

    def _changed(self, results: Sequence[Monitored]) -> list[Write]:
        """Return the writes of those results of windows that are not on record as they are."""
        writes = []
        for result in results:
            if result.version is not None:
                key = keys.monitored_window(result.model, result.kind, result.window[1], result.version)
                record = self.table.get(*key)
                if record is None or record.body != result.wire():
                    expires = int((result.window[1] + KEPT[result.kind]).timestamp())
                    writes.append(Write(*key, result.wire(), revision_of(record), expires=expires))
        return writes

    def announce_degraded(self, result: Monitored) -> Announcement:
        """Write ModelDegraded for the bus, once for each version and day."""
        if result.version is None:
            raise ValueError("a model without a live version cannot be degraded")
        day, at = f"{result.window[1]:%Y-%m-%d}", datetime.now(UTC)
        key = keys.degradation(result.model, result.version, day)
        detail = {
            "version": result.version, "drifted": result.drifted,
            "drifted_columns": result.drifted_columns, "rows": result.rows, "window_end": day,
        }  # fmt: skip
        if result.change_point is not None:
            detail["change_point"] = result.change_point.isoformat()
        try:
            self.table.write(
                Write(*key, detail | {"at": at.isoformat()}), event_write("ModelDegraded", result.model, **detail)
            )
        except Raced:
            record = self.table.get(*key)
            announced_at = record.body.get("at") if record else None
            return Announcement(datetime.fromisoformat(announced_at) if announced_at else None, before=True)
        return Announcement(at, before=False)
