"""The verb: look at a model's live traffic, keep what was seen, and tell when the model has degraded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from modelcycle.engine import connect
from modelcycle.messages import Drift, Monitored, MonitorRequest, fingerprint
from modelcycle.model.profile import ColumnProfile, Profile
from modelcycle.model.signature import Signature
from modelcycle.monitor import captures, drift
from modelcycle.registry import Registry
from modelcycle.spec import Monitoring, parse
from modelcycle.store import Store, put_json


def monitor(request: MonitorRequest, *, data: Store, artifacts: Store, registry: Registry) -> Monitored:
    """Compare the champion's captured predictions with the rows that it has learned from.

    Only columns that the model reads are judged. `estimated` is the mean of the largest probability: the accuracy that
    the model expects of itself, true as far as its probabilities are (confidence-based performance estimation).
    The same version is told to be degraded once a day.

    Returns
    -------
    `not live` without a route, `no data` with fewer predictions than `monitoring.minimum_rows`
    """
    end = (request.at or datetime.now(UTC)).astimezone(UTC)
    champion = registry.routes.get(request.model).champion
    if champion is None:
        return Monitored(
            model=request.model, version=None, window=(end, end), rows=0, state="not live", drifted=[], degraded=False
        )
    version = registry.versions.get(request.model, champion)
    pipeline = parse(artifacts.read(version.pipeline))
    profile = Profile.model_validate_json(artifacts.read(version.profile))
    signature = Signature.model_validate_json(artifacts.read(version.signature))
    unjudged = {*pipeline.id_columns, *([pipeline.time_column] if pipeline.time_column is not None else [])}
    read = {field.name for field in signature.fields} - unjudged
    columns = [column for column in profile.columns if column.name in read]
    window = end - timedelta(hours=pipeline.monitoring.window_hours), end
    objects, sampled = captures.listed(data, *window)
    with TemporaryDirectory() as name, connect(Path(name), "monitor") as engine:
        lines, unread = captures.gathered(data, objects, Path(name))
        rows = captures.read(engine, lines, request.model, champion, window, columns, profile.missing_values)
        enough = rows >= pipeline.monitoring.minimum_rows
        judged = [_judged(engine, *one, pipeline.monitoring) for one in enumerate(columns)] if enough else []
        sure = engine.execute("SELECT avg(sure) FROM live").fetchone()[0] if enough else None
    drifted = [row.column for row in judged if row.drifted]
    degraded = bool(drifted) and len(drifted) >= pipeline.monitoring.share * len(judged)
    report = {
        "model": request.model, "version": champion, "window": [moment.isoformat() for moment in window], "rows": rows,
        "objects": len(objects), "objects_unread": unread, "newest_only": sampled,
        "limits": pipeline.monitoring.model_dump(mode="json"),
        "columns": [row.model_dump(mode="json") for row in judged],
    }  # fmt: skip
    # the same window looked at again may hold more: another report, not the first one's
    seen = fingerprint("monitor", "", report)[:8]
    place = f"{request.model}/monitoring/{champion}/{end:%Y-%m-%dT%H%M%SZ}-{seen}.json"
    told = Monitored(
        model=request.model,
        version=champion,
        window=window,
        rows=rows,
        state="no data" if not enough else "degraded" if degraded else "drifted" if drifted else "ok",
        drifted=drifted,
        degraded=degraded,
        estimated=round(sure, 6) if sure is not None else None,
        report=put_json(artifacts, place, report),
    )
    if degraded:
        announced_at, before = registry.monitoring.announce_degraded(told)
        told = told.model_copy(update={"announced_at": announced_at, "announced_before": before})
    registry.monitoring.keep(told)
    return told


def _judged(engine: Any, number: int, column: ColumnProfile, limits: Monitoring) -> Drift:
    import duckdb

    before = column.missing_share
    try:
        if not captures.sent(engine, number):
            return Drift(
                column=column.name, psi=None, missing_before=before, missing_now=1.0, drifted=False,
                detail="no request held it",
            )  # fmt: skip
        return drift.compared(column, captures.values(engine, number, column), limits.psi)
    except (duckdb.Error, ValueError, ArithmeticError) as error:  # one odd column must not hide the others
        return Drift(
            column=column.name, psi=None, missing_before=before, missing_now=before, drifted=False,
            detail=f"could not be judged: {type(error).__name__}",
        )  # fmt: skip
