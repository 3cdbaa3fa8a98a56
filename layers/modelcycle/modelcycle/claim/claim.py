from __future__ import annotations

from datetime import datetime

from modelcycle.claim.trigger import Arrival, ClaimRequest, author_of
from modelcycle.claim.window import last_change, learning_window
from modelcycle.faults import BadPipeline, Unknown
from modelcycle.flows import Flows
from modelcycle.messages import Claimed, LearningWindow, Run
from modelcycle.registry import Registry
from modelcycle.spec import parse
from modelcycle.store import AUTHOR, S3Store


def claim(request: ClaimRequest, *, data: S3Store, artifacts: S3Store, registry: Registry, flows: Flows) -> Claimed:
    """Claim the upload and the model's lease for this execution, and store a copy of the current pipeline file.

    Idempotent: a second delivery returns the first result. A missing or invalid pipeline file does not stop the claim:
    the run begins, and its first step ends it with the reason.

    Parameters
    ----------
    data : the bucket of the pipeline files
    artifacts : the bucket that gets the copy
    """
    arrival, run_id = request.arrival, request.correlation_id
    runs, leases = registry.runs, registry.leases
    earlier = runs.get(arrival.model, run_id)
    if earlier and earlier.run.execution == request.execution:
        text = artifacts.read(earlier.run.pipeline)
        return Claimed(outcome="claimed", run=earlier.run, pulls=_pulls(text, data, arrival.model), detail=run_id)
    rewritten = registry.erasures.rewritten(arrival.model, data.bucket, arrival.key) if arrival.upload else None
    if rewritten is not None and rewritten.etag == arrival.etag:
        return Claimed(outcome="duplicate", detail="an erasure has written this file without somebody's rows")
    try:
        pipeline, _ = data.latest(f"pipelines/{arrival.model}.yaml")
    except Unknown:
        pipeline = b""
    run = Run(
        model=arrival.model,
        run_id=run_id,
        execution=request.execution,
        started_at=request.started_at,
        trigger=arrival.trigger,
        pipeline=artifacts.put(f"{arrival.model}/runs/{run_id}/claim/pipeline.yaml", pipeline),
        learns=_learns(pipeline, last_change(arrival.model, arrival.trigger.change, registry)),
        author=arrival.author or _uploader(arrival, data),
    )
    key_and_etag = (arrival.key, arrival.etag) if arrival.upload else None
    outcome, holder = leases.claim(run, arrival.upload, key_and_etag, flows.is_running)
    claimed = outcome == "claimed"
    pulls = claimed and _pulls(pipeline, data, arrival.model)
    return Claimed(outcome=outcome, run=run if claimed else None, pulls=pulls, detail=holder)


def _uploader(arrival: Arrival, data: S3Store) -> str | None:
    """Return who has uploaded the file, as their command line says beside it; S3's event names only the account."""
    return author_of(data.metadata(arrival.key, arrival.etag).get(AUTHOR)) if arrival.upload else None


def _learns(text: bytes, change: datetime | None) -> LearningWindow | None:
    """Return the rows to learn from; all for a file with errors, which the first step reports."""
    try:
        return learning_window(parse(text).retraining, change)
    except BadPipeline:
        return None


def _pulls(text: bytes, data: S3Store, model: str) -> bool:
    """Return whether rows have to be pulled, from a source or from live requests whose outcome somebody has sent.

    What was pulled before counts too: an incident since then may take rows away.

    Not for a file with errors, which the first step reports.
    """
    try:
        pipeline = parse(text)
    except BadPipeline:
        return False
    live = (f"feedback/{model}/", f"landed/{model}/_traffic/")
    return bool(pipeline.pulled) or (pipeline.retraining.traffic and any(any(data.list(prefix)) for prefix in live))
