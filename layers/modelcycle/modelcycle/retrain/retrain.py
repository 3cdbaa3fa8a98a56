from __future__ import annotations

import random
import time
from datetime import UTC, datetime
from typing import Any

from modelcycle.faults import BadPipeline, Raced, Unknown
from modelcycle.flows import Flows
from modelcycle.messages import Retrained, RetrainRequest
from modelcycle.registry import Governor, Registry, RetrainingDecision, StartedRun
from modelcycle.registry.events import plain_line
from modelcycle.retrain.facts import read_facts
from modelcycle.retrain.governor import Answer, govern, is_asked_for
from modelcycle.spec import Retraining, parse
from modelcycle.store import S3Store

MAX_RACES = 20  # decisions about one request; each one lost means that another request was decided
MAX_PAUSE = 0.5  # seconds before the next


def retrain(
    request: RetrainRequest,
    *,
    lifecycle: str,
    data: S3Store,
    registry: Registry,
    flows: Flows,
    now: datetime | None = None,
) -> Retrained:
    """Decide whether a request starts the lifecycle, write the decision down, and start it.

    The decision is written before the run is started, in one transaction with the claim of the start, so two requests
    at the same time cannot both start one. The execution is named after the request: a request that comes again finds
    the decision, starts what a killed function did not, and gets the same answer.

    Parameters
    ----------
    lifecycle : ARN of the state machine
    data : the bucket of the pipeline files
    now : the time of the decision; default: now

    Raises
    ------
    Raced : others decided at each attempt
    """
    decision = _decide(request, lifecycle, data, registry, flows, now)
    if decision.decision == "started":
        flows.start(lifecycle, _name(request), decision.message)
    return Retrained(kind=request.kind, done=decision.decision, why=decision.why, execution=decision.execution)


def _decide(
    request: RetrainRequest, lifecycle: str, data: S3Store, registry: Registry, flows: Flows, now: datetime | None
) -> RetrainingDecision:
    for _ in range(MAX_RACES):
        earlier = registry.retrainings.answer(request.model, request.event_id)
        if earlier is not None:
            return earlier
        governor = registry.retrainings.governor(request.model)
        at = now or datetime.now(UTC)
        if request.kind == "RetrainingResumed":
            decision = _decision(request, at, "resumed", "a person ended the pause")
            after: Governor | None = _resumed(governor, at)
            pause: dict[str, Any] = {}
        else:
            limits = _limits(request, data)
            if isinstance(limits, Answer):
                answer = limits
            else:
                facts = read_facts(request.model, governor, registry, flows, at)
                answer = govern(request.model, request.kind, request.reason, facts, limits, at)
            decision = _decision(request, at, answer.decision, answer.why, lifecycle)
            after, pause = _remembered(governor, decision, answer, request.model)
        try:
            registry.retrainings.put(request.model, decision, after, **pause)
        except Raced:
            time.sleep(random.uniform(0, MAX_PAUSE))  # noqa: S311 (jitter, not a secret)
            continue
        return decision
    raise Raced("other requests for a run were decided at the same time", request.model, "try again")


def _limits(request: RetrainRequest, data: S3Store) -> Retraining | Answer:
    """Return what the pipeline file of now says about retraining, or the answer to a request that it cannot govern."""
    try:
        return parse(data.latest(f"pipelines/{request.model}.yaml")[0]).retraining
    except Unknown:
        return Answer("refused", f"{request.model} has no pipeline file")
    except BadPipeline as fault:
        if request.kind == "ArrivalsFolded":  # was promised to an upload; the run says what is wrong
            return Retraining()
        where = f" ({fault.where})" if fault.where else ""
        return Answer("refused", f"the pipeline file is wrong{where}: {fault.what}")


def _resumed(governor: Governor, at: datetime) -> Governor:
    """Return what the governor remembers after a person has ended the pause.

    Starts in the future, of a clock that was wrong, are from before it too.
    """
    starts = [start.model_copy(update={"at": min(start.at, at)}) for start in governor.starts]
    return governor.model_copy(update={"starts": starts, "resumed_at": at, "paused_at": None})


def _decision(
    request: RetrainRequest, at: datetime, decision: Any, why: str, lifecycle: str = ""
) -> RetrainingDecision:
    started = decision == "started"
    return RetrainingDecision(
        request_id=request.event_id, kind=request.kind, at=at, decision=decision, why=why, by=request.by,
        execution=_execution(lifecycle, _name(request)) if started else "",
        message=_message(request, why) if started else {},
    )  # fmt: skip


def _message(request: RetrainRequest, why: str) -> dict[str, Any]:
    """Return the event that the execution gets; `claim` reads it."""
    detail = {"model": request.model, "request": request.event_id, "why": why} | request.detail
    return {"source": "modelcycle", "detail-type": request.kind, "detail": detail}


def _remembered(
    governor: Governor, decision: RetrainingDecision, answer: Answer, model: str
) -> tuple[Governor | None, dict[str, Any]]:
    """Return what the governor remembers after a decision, None if nothing new; and what a pause announces."""
    if decision.decision == "started" and decision.kind != "ArrivalsFolded":
        start = StartedRun(
            at=decision.at, kind=decision.kind, execution=decision.execution, asked=is_asked_for(decision.kind)
        )
        return governor.model_copy(update={"starts": [*governor.starts, start], "paused_at": None}), {}
    if answer.pauses and governor.paused_at is None:
        text = f"{model}: retraining is {answer.why}"
        return governor.model_copy(update={"paused_at": decision.at}), {"reason": answer.why, "text": plain_line(text)}
    return None, {}


def _name(request: RetrainRequest) -> str:
    return f"retrain-{request.event_id}"


def _execution(lifecycle: str, name: str) -> str:
    """Return the ARN of an execution of a state machine.

    >>> _execution("arn:aws:states:us-east-1:1:stateMachine:mc-lifecycle", "retrain-7")
    'arn:aws:states:us-east-1:1:execution:mc-lifecycle:retrain-7'
    """
    return f"{lifecycle.replace(':stateMachine:', ':execution:', 1)}:{name}"
