from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from modelcycle.faults import BadMessage, Unknown
from modelcycle.flows import Flows
from modelcycle.registry import Runs
from modelcycle.spec import parse
from modelcycle.store import S3Store

MAX_COOLDOWN_HOURS = 10 * 365 * 24.0  # a longer one means the same: no run is older


class Asked(NamedTuple):
    """An event that asks for a new run, as EventBridge delivers it."""

    id: str
    kind: str
    model: str
    detail: dict[str, Any]

    @staticmethod
    def read(event: dict[str, Any]) -> Asked:
        """Raises BadMessage."""
        try:
            kind, detail = str(event["detail-type"]), dict(event["detail"])
            name = str(detail.get("id") or event["id"])
            if kind in ("ModelDegraded", "ArrivalsFolded"):
                return Asked(re.sub(r"[^A-Za-z0-9-]", "-", name)[:60], kind, str(detail["model"]), detail)
        except (KeyError, TypeError, ValueError):
            pass
        raise BadMessage("the event asks for no run", "retrain", "see events/retrain.json")


def retrain(asked: Asked, *, lifecycle: str, data: S3Store, runs: Runs, flows: Flows) -> str:
    """Start the lifecycle, under a name made of the event: delivered twice, it starts once.

    A degradation counts only where the pipeline file wants it (`retraining.on_degraded`) and the last run that one
    started lies further back than the cooldown; arrivals that a run did not see always count.

    Returns
    -------
    what was done, in a few words
    """
    try:
        retraining = parse(data.latest(f"pipelines/{asked.model}.yaml")[0]).retraining
    except Unknown:
        return f"{asked.model} has no pipeline file"
    if asked.kind == "ModelDegraded":
        if not retraining.on_degraded:
            return "retraining.on_degraded is false"
        calm = timedelta(hours=min(retraining.cooldown_hours, MAX_COOLDOWN_HOURS))
        within = runs.since(asked.model, datetime.now(UTC) - calm)
        latest = next((record for record in within if record.run.trigger.kind == "degraded"), None)
        if latest:
            return f"cooling down: run {latest.run.run_id} was started by a degradation less than {calm} ago"
    detail = {"model": asked.model} | {
        name: asked.detail[name] for name in ("reason", "run_id") if name in asked.detail
    }
    message = {"source": "modelcycle", "detail-type": asked.kind, "detail": detail}
    return "started" if flows.start(lifecycle, f"retrain-{asked.id}", message) else "was started before"
