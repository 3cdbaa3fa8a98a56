"""Compare a model's live traffic with its training data, keep a report, and announce a degraded model."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from modelcycle.engine import connect
from modelcycle.messages import Drift, Monitored, MonitorRequest, fingerprint
from modelcycle.model.profile import ColumnProfile, Profile
from modelcycle.model.signature import Signature
from modelcycle.monitor import captures
from modelcycle.monitor.drift import compare_column, compare_missing
from modelcycle.registry import Registry
from modelcycle.spec import Monitoring, Pipeline, parse
from modelcycle.store import Store, put_json


def monitor(request: MonitorRequest, *, data: Store, artifacts: Store, registry: Registry) -> Monitored:
    """Compare the champion's captured predictions with its training rows.

    Only columns that the model reads are compared. `estimated` is the mean of the largest probability of each
    prediction: the accuracy to expect if the probabilities are calibrated (confidence-based performance estimation).
    ModelDegraded is announced once a day for each version.

    Returns
    -------
    state `not live` without a live version, `no data` with fewer predictions than `monitoring.minimum_rows`
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
    columns = _compared_columns(pipeline, profile, signature)
    window = end - timedelta(hours=pipeline.monitoring.window_hours), end
    objects, newest_only = captures.list_captures(data, request.model, *window)
    with TemporaryDirectory() as name, connect(Path(name), "monitor") as engine:
        folder = Path(name)
        lines, unread = captures.download_captures(data, objects, folder)
        rows = captures.load_predictions(
            engine, lines, request.model, champion, window, columns, profile.missing_values
        )
        drifts: list[Drift] = []
        estimated = None
        enough = rows >= pipeline.monitoring.minimum_rows
        if enough:
            drifts = [_compare(engine, *numbered, pipeline.monitoring) for numbered in enumerate(columns)]
            estimated = engine.execute("SELECT avg(sure) FROM live").fetchone()[0]
    drifted = [drift.column for drift in drifts if drift.drifted]
    degraded = bool(drifted) and len(drifted) >= pipeline.monitoring.share * len(drifts)
    report = {
        "model": request.model, "version": champion, "window": [moment.isoformat() for moment in window], "rows": rows,
        "objects": len(objects), "objects_unread": unread, "newest_only": newest_only,
        "limits": pipeline.monitoring.model_dump(mode="json"),
        "columns": [drift.model_dump(mode="json") for drift in drifts],
    }  # fmt: skip
    # captures arrive late, so a second report on the same window may differ: each has its own key
    content = fingerprint("monitor", "", report)[:8]
    key = f"{request.model}/monitoring/{champion}/{end:%Y-%m-%dT%H%M%SZ}-{content}.json"
    result = Monitored(
        model=request.model,
        version=champion,
        window=window,
        rows=rows,
        state="no data" if not enough else "degraded" if degraded else "drifted" if drifted else "ok",
        drifted=drifted,
        degraded=degraded,
        estimated=round(estimated, 6) if estimated is not None else None,
        report=put_json(artifacts, key, report),
    )
    if degraded:
        announced_at, before = registry.monitoring.announce_degraded(result)
        result = result.model_copy(update={"announced_at": announced_at, "announced_before": before})
    registry.monitoring.keep(result)
    return result


def _compared_columns(pipeline: Pipeline, profile: Profile, signature: Signature) -> list[ColumnProfile]:
    """Return the columns that the model reads, without ids and the time column, which always change."""
    read = {field.name for field in signature.fields} - {*pipeline.id_columns, pipeline.time_column}
    return [column for column in profile.columns if column.name in read]


def _compare(engine: Any, position: int, profile: ColumnProfile, limits: Monitoring) -> Drift:
    import duckdb

    try:
        missing_share = captures.missing_share_if_masked(engine, position)
        if missing_share is not None:
            return compare_missing(profile, missing_share, "masked (capture.mask): only missing values are compared")
        if captures.was_sent(engine, position):
            return compare_column(profile, captures.live_values(engine, position, profile), limits.psi)
        missing_now, detail = 1.0, "in no request"
    except (duckdb.Error, ValueError, ArithmeticError) as error:  # the other columns are still compared
        missing_now, detail = profile.missing_share, f"could not be compared: {type(error).__name__}"
    return Drift(
        column=profile.name, psi=None, missing_before=profile.missing_share, missing_now=missing_now, drifted=False,
        detail=detail,
    )  # fmt: skip
