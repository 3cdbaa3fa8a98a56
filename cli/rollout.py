"""Wait until the rollout that a run has started gives its version traffic."""

from __future__ import annotations

from datetime import datetime

from cli.execution import Step
from cli.outcome import Outcome
from cli.place import Place
from cli.polling import attempts
from modelcycle.faults import Fault
from modelcycle.registry import keys

FIRST_TRAFFIC_TIMEOUT = 60.0  # seconds from the run's end
NOT_FOUND = "NOT_FOUND"
OVER = ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")


def wait_for_traffic(place: Place, outcome: Outcome, deploy: Step) -> None:
    """Wait until the version of a deployed run has traffic, and update the outcome and the step `deploy`.

    The run itself only starts the rollout. If the rollout ends without traffic for the version, the run has failed.
    """
    arn = _rollout_arn(place, outcome)
    for _ in attempts(place, FIRST_TRAFFIC_TIMEOUT):
        # read before the route, so that the route includes everything that a finished rollout has done
        outcome.rollout = _execution_status(place, arn)
        outcome.route = place.registry.routes.get(outcome.model)
        live_at = _first_traffic(place, outcome)
        if live_at is not None:
            # read again: the move may have come after the route was read above
            outcome.route = place.registry.routes.get(outcome.model)
            deploy.ended = max(live_at, deploy.started)
            if outcome.started:
                outcome.seconds = (deploy.ended - outcome.started).total_seconds()
            return
        # an earlier run has given it traffic, or it answers as a shadow first
        if outcome.version in outcome.route.weights or outcome.version == outcome.route.shadow is not None:
            return
        if outcome.rollout in OVER:
            break
        outcome.held = _held(place, outcome)
        if outcome.held:
            return
    outcome.status, deploy.status = "failed", "failed"
    outcome.reason = str(
        Fault(
            f"version {outcome.version} is registered, but {_without_traffic(outcome.rollout)}", arn,
            f"`modelcycle promote {outcome.model}:{outcome.version}` tries again",
        )
    )  # fmt: skip


def _held(place: Place, outcome: Outcome) -> str:
    """Return why the rollout makes no step now; empty if nothing holds it."""
    name = f"{outcome.model}-v{outcome.version}-{outcome.run_id}"
    decision = keys.decision_by_policy(outcome.version or 0, name, 0, "frozen")
    if not place.registry.audit.has(outcome.model, decision):
        return ""
    entries = place.registry.audit.all(outcome.model)
    subject = f"version {outcome.version}"
    return next(entry.why for entry in entries if (entry.decision, entry.subject) == ("frozen", subject))


def _without_traffic(status: str) -> str:
    """Return why a version has no traffic, by the status of its rollout."""
    return {
        NOT_FOUND: "its rollout did not start",
        "RUNNING": f"its rollout gave it no traffic within {FIRST_TRAFFIC_TIMEOUT:.0f} s",
        "SUCCEEDED": "its rollout has ended: others moved the traffic, or it was worse as a shadow",
        "TIMED_OUT": "its rollout timed out",
        "ABORTED": "its rollout was aborted",
    }.get(status, "its rollout failed")


def _rollout_arn(place: Place, outcome: Outcome) -> str:
    """Return the ARN of the rollout that the run has started; `deploy` names it this way."""
    prefix = place.output("RolloutArn").replace(":stateMachine:", ":execution:")
    return f"{prefix}:{outcome.model}-v{outcome.version}-{outcome.run_id}"


def _execution_status(place: Place, arn: str) -> str:
    """Return the status of an execution, or NOT_FOUND."""
    try:
        return str(place.states.describe_execution(executionArn=arn)["status"])
    except place.states.exceptions.ExecutionDoesNotExist:
        return NOT_FOUND


def _first_traffic(place: Place, outcome: Outcome) -> datetime | None:
    """Return when the version first got traffic after the run started, even if it has none any more."""
    moves = [
        move.at
        for move in place.registry.routes.moves(outcome.model)  # newest first
        if outcome.version in move.after
        and outcome.version not in move.before
        and (outcome.started is None or move.at > outcome.started)
    ]
    return moves[-1] if moves else None
