from __future__ import annotations

from datetime import UTC, datetime, timedelta

from modelcycle.faults import Unknown
from modelcycle.flows import Flows
from modelcycle.messages import Retrained, RetrainRequest
from modelcycle.registry import Runs
from modelcycle.spec import Retraining, parse
from modelcycle.store import S3Store

STARTED_BEFORE = "was started before"  # by the same event
MAX_COOLDOWN_HOURS = 10 * 365 * 24.0  # no run is older, so a longer cooldown has the same effect


def retrain(request: RetrainRequest, *, lifecycle: str, data: S3Store, runs: Runs, flows: Flows) -> Retrained:
    """Start the lifecycle under a name made of the event, so that an event delivered twice starts one run.

    A degraded model starts a run only if the pipeline file asks for it (`retraining.on_degraded`) and the last run
    that a degradation started is older than the cooldown. Arrivals that a run did not read always start one.

    Parameters
    ----------
    lifecycle : ARN of the state machine
    data : the bucket of the pipeline files
    """
    return Retrained(kind=request.kind, done=_start(request, lifecycle, data, runs, flows))


def _start(request: RetrainRequest, lifecycle: str, data: S3Store, runs: Runs, flows: Flows) -> str:
    try:
        retraining = parse(data.latest(f"pipelines/{request.model}.yaml")[0]).retraining
    except Unknown:
        return f"{request.model} has no pipeline file"
    name = f"retrain-{request.event_id}"
    obstacle = _obstacle(request.model, name, retraining, runs) if request.kind == "ModelDegraded" else None
    if obstacle:
        return obstacle
    event = {
        "source": "modelcycle",
        "detail-type": request.kind,
        "detail": {"model": request.model} | request.detail,
    }
    return "started" if flows.start(lifecycle, name, event) else STARTED_BEFORE


def _obstacle(model: str, name: str, retraining: Retraining, runs: Runs) -> str | None:
    """Return why a degraded model is not trained again now; None if it is.

    Parameters
    ----------
    name : of the execution that the event starts
    """
    if not retraining.on_degraded:
        return "retraining.on_degraded is false"
    cooldown = timedelta(hours=min(retraining.cooldown_hours, MAX_COOLDOWN_HOURS))
    recent = runs.since(model, datetime.now(UTC) - cooldown)
    latest = next((record for record in recent if record.run.trigger.kind == "degraded"), None)
    if latest is None:
        return None
    if latest.run.execution.endswith(f":{name}"):
        return STARTED_BEFORE
    return f"cooling down: a degradation started run {latest.run.run_id} less than {cooldown} ago"
