from __future__ import annotations

import hashlib
from datetime import datetime

from modelcycle.claim.trigger import Arrival
from modelcycle.faults import Unknown
from modelcycle.flows import Flows
from modelcycle.messages import Claimed, Run
from modelcycle.registry import Runs
from modelcycle.store import S3Store


def claim(
    arrival: Arrival,
    *,
    execution: str,
    started_at: datetime,
    data: S3Store,
    artifacts: S3Store,
    runs: Runs,
    flows: Flows,
) -> Claimed:
    """Claim the upload and the model's lease for this execution; keep the pipeline file as it stands now.

    Delivered twice, the first answer is given again. A pipeline file that is missing or wrong does not stop the claim:
    the run begins, and its first step ends it on record, with the reason.
    """
    # ids sort by time, to the millisecond: a run that fails at once and the next one may share a second
    moment = f"{started_at:%Y%m%dT%H%M%S}{started_at.microsecond // 1000:03}"
    run_id = f"{moment}-{hashlib.sha256(execution.encode()).hexdigest()[:4]}"
    begun = runs.get(arrival.model, run_id)
    if begun and begun.run.execution == execution:
        return Claimed(outcome="claimed", run=begun.run, detail=run_id)
    try:
        pipeline, _ = data.latest(f"pipelines/{arrival.model}.yaml")
    except Unknown:
        pipeline = b""
    run = Run(
        model=arrival.model,
        run_id=run_id,
        execution=execution,
        started_at=started_at,
        trigger=arrival.trigger,
        pipeline=artifacts.put(f"{arrival.model}/runs/{run_id}/claim/pipeline.yaml", pipeline),
    )
    seen = (arrival.key, arrival.etag) if arrival.upload else None
    outcome, holder = runs.claim(run, arrival.upload, seen, flows.is_running)
    return Claimed(outcome=outcome, run=run if outcome == "claimed" else None, detail=holder)
