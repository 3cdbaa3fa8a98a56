from __future__ import annotations

from datetime import datetime

from modelcycle.claim.author import Author, author_of_object
from modelcycle.claim.trigger import ClaimRequest
from modelcycle.claim.window import last_change, learning_window
from modelcycle.faults import BadPipeline, Unknown
from modelcycle.flows import Flows
from modelcycle.messages import Claimed, LearningWindow, Run
from modelcycle.registry import Registry
from modelcycle.spec import parse
from modelcycle.store import S3Store


def claim(
    request: ClaimRequest, *, data: S3Store, artifacts: S3Store, registry: Registry, flows: Flows,
    is_enforced: bool = True,
) -> Claimed:  # fmt: skip
    """Claim the upload and the model's lease for this execution, and store a copy of the current pipeline file.

    Idempotent: a second delivery returns the first result. A missing or invalid pipeline file does not stop the claim:
    the run begins, and its first step ends it with the reason.

    Parameters
    ----------
    data : the bucket of the pipeline files
    artifacts : the bucket that gets the copy
    is_enforced : whether this place enforces policies of buckets, which prove who has uploaded
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
    author = _author(request, data, is_enforced)
    run = Run(
        model=arrival.model,
        run_id=run_id,
        execution=request.execution,
        started_at=request.started_at,
        trigger=arrival.trigger,
        pipeline=artifacts.put(f"{arrival.model}/runs/{run_id}/claim/pipeline.yaml", pipeline),
        learns=_learns(pipeline, last_change(arrival.model, arrival.trigger.change, registry)),
        author=author.arn,
        author_proved=author.proved,
        author_stated=author.stated,
    )
    key_and_etag = (arrival.key, arrival.etag) if arrival.upload else None
    outcome, holder = leases.claim(run, arrival.upload, key_and_etag, flows.is_running)
    claimed = outcome == "claimed"
    pulls = claimed and _pulls(pipeline, data, arrival.model)
    return Claimed(outcome=outcome, run=run if claimed else None, pulls=pulls, detail=holder)


def _author(request: ClaimRequest, data: S3Store, is_enforced: bool) -> Author:
    """Return who has started the run; S3's event and a request name no person whom AWS has proved."""
    arrival = request.arrival
    if arrival.upload:
        return author_of_object(data.written(arrival.key, arrival.etag), request.started_at, is_enforced)
    if arrival.author is None:
        return Author()
    proved = author_of_object(data.written(request.receipt), request.started_at, is_enforced)
    if not proved.proved:
        return Author(arrival.author)
    return proved._replace(stated=arrival.author if arrival.author != proved.arn else None)


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
