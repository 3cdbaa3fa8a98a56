"""How far the captured answers of the models are compacted, and which model lags behind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cli.screens.lines import count
from modelcycle.captured.manifest import HOUR, hour_of, read_progress
from modelcycle.store import S3Store

if TYPE_CHECKING:
    from cli.health.health import Health
    from cli.place import Place

MAX_LAG = timedelta(hours=3)  # by default there is a look each hour; a slower `MonitorRate` is told as such
MAX_NAMED = 5


def add_compaction(place: Place, health: Health, now: datetime | None = None) -> None:
    """Add how many hours of captured answers wait to be compacted.

    Windows that were not compacted are read all the same, but more slowly, and only their newest part if there is
    much. A model without progress has not been looked at since it was made.

    Parameters
    ----------
    now : by default the present time
    """
    bucket = place.outputs.get("DataBucket")
    models = place.registry.runs.models()
    if bucket is None or "CompactFunction" not in place.outputs or not models:
        return
    data = S3Store(place.s3, bucket)
    until = hour_of(now or datetime.now(UTC))
    lags = {}
    for model in models:
        through = read_progress(data, model)[0].through
        if through is not None:
            lags[model] = max(until - through, timedelta(0))
    behind = sorted((model for model, lag in lags.items() if lag > MAX_LAG), key=lambda model: (-lags[model], model))
    if behind:
        named = ", ".join(f"{model} ({count(int(lags[model] / HOUR), 'hour')})" for model in behind[:MAX_NAMED])
        more = f" and {count(len(behind) - MAX_NAMED, 'other model')}" if len(behind) > MAX_NAMED else ""
        health.problems.append(
            (f"captured answers wait to be compacted: {named}{more}",
             "does the schedule of MonitorRate start the monitoring, and does the function Compact fail? see its log")
        )  # fmt: skip
    worst = int(max(lags.values(), default=timedelta(0)) / HOUR)
    waiting = f"{count(worst, 'hour')} behind" if worst else "no hour behind"
    new = len(models) - len(lags)
    told = [*([waiting] if lags else []), *([f"{count(new, 'model')} not compacted yet"] if new else [])]
    health.facts.append(("compacted", ", ".join(told)))
