from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from modelcycle.faults import NotAllowed, Transient, Unknown
from modelcycle.flows import Flows
from modelcycle.messages import Decided, Decision, DeployRequest, Judged
from modelcycle.registry import Entry, Move, Registry, Route, Version, champion, keys, not_allowed, state_in_words
from modelcycle.store import Store

MAX_ROLLOUTS = 20  # of one version between two moves of the route
ALL_TRAFFIC = "it already has all the traffic"
ALREADY_APPROVED = "you approved it before, and it is live"


class Ports(NamedTuple):
    """What carries out a decision; see `decide`."""

    registry: Registry
    flows: Flows
    rollout: str
    is_intact: Callable[[Version], bool]


def decide(
    decision: Decision,
    *,
    registry: Registry,
    flows: Flows,
    rollout: str,
    is_intact: Callable[[Version], bool] = lambda version: True,
) -> Decided:
    """Carry out a person's decision: approve or reject a waiting version, promote a version, or roll back.

    Who decided, when and why is recorded in the transaction of the change. Idempotent: the same decision about the same
    state of the version and the route changes nothing and has one audit entry.

    Parameters
    ----------
    rollout : ARN of the state machine that moves traffic step by step
    is_intact : returns whether the artifacts of a version exist; traffic moves to no other version

    Raises
    ------
    NotAllowed : the state of the version does not allow the decision; says what a person can do instead
    Unknown : no such model or version, or a rollback without a live version
    """
    model, version = decision.model, decision.version
    if version is None and decision.decision != "rollback":
        raise NotAllowed(
            "a version is missing", f"{decision.decision} {model}", f"name it: {model}:VERSION; "
            f"`modelcycle show {model}` lists the versions",
        )  # fmt: skip
    if version is not None:
        registry.versions.get(model, version)  # raises Unknown
    note = ""
    if decision.decision == "rollback":
        version, note = _roll_back(decision, registry, is_intact)
    elif version is not None:
        note = ACTIONS[decision.decision](decision, version, Ports(registry, flows, rollout, is_intact))
    route = registry.routes.get(model)
    return Decided(model=model, decision=decision.decision, version=version, route=route.weights, note=note)


def _roll_back(decision: Decision, registry: Registry, is_intact: Callable[[Version], bool]) -> tuple[int | None, str]:
    """Return the version that is live then, and why nothing was moved; the reason is empty if traffic was moved."""
    model = decision.model
    if not registry.routes.get(model).weights:
        what = f"{model} has no live version" if registry.runs.has_model(model) else f"there is no model {model}"
        raise Unknown(what, model, "`modelcycle models` lists the models")
    move, moved = registry.routes.roll_back(
        model, decision.by, decision.why, decision.version, decision.asked_at,
        is_intact=lambda version: is_intact(registry.versions.get(model, version)),
    )  # fmt: skip
    return champion(move.after), "" if moved else _why_unmoved(move, model)


def _why_unmoved(move: Move, model: str) -> str:
    if move.kind == "promoted":
        return ALL_TRAFFIC
    person = move.by.rpartition("/")[2] if move.by.startswith("arn:") else move.by
    return (
        f"{person} rolled {model} back at {move.at:%H:%M:%S} UTC: this is the same rollback, nothing more was moved;"
        f" `modelcycle rollback {model}:VERSION` goes further back"
    )


def _approve(decision: Decision, version: int, ports: Ports) -> str:
    model = decision.model
    standing = ports.registry.standings.get(model, version)
    if standing.state == "live" and standing.by == decision.by:
        return ALREADY_APPROVED  # and its rollout has moved traffic since
    if standing.state != "awaiting_approval" and not standing.approved:
        refusal = not_allowed(model, version, standing.state, "staged")
        what = f"version {version} is {state_in_words(standing.state)}: there is nothing to approve"
        raise NotAllowed(what, refusal.where, refusal.remedy)
    if standing.approved and _is_rolling_out(model, version, ports):  # as a shadow: its state is not `live` yet
        return f"it was approved before; {_progress(version, ports.registry.routes.get(model))}"
    _check_intact(model, version, ports)
    ports.registry.standings.move(model, version, "staged", decision.by, decision.why, decision="approve")
    _roll_out(decision, version, ports.registry.routes.get(model).moves, ports)
    return ""


def _reject(decision: Decision, version: int, ports: Ports) -> str:
    route = ports.registry.routes.get(decision.model)
    if route.shadow == version:
        raise NotAllowed(
            f"version {version} answers as a shadow: there is nothing to reject", f"{decision.model}:{version}",
            f"`modelcycle rollback {decision.model}:{route.champion}` ends the shadow; nobody sees its answers",
        )  # fmt: skip
    ports.registry.standings.move(decision.model, version, "rejected", decision.by, decision.why, decision="reject")
    return ""


def _promote(decision: Decision, version: int, ports: Ports) -> str:
    ports.registry.standings.check(decision.model, version, "live")
    route = ports.registry.routes.get(decision.model)
    if route.weights == {version: 100}:
        return ALL_TRAFFIC
    step = 0
    if _is_rolling_out(decision.model, version, ports):
        held = _held(decision.model, route, ports)
        if held is None:
            return _progress(version, route)
        step = held.step
    _check_intact(decision.model, version, ports)
    # Written before the rollout starts. If the function is killed in between, the same decision again finds its entry
    # and starts the rollout.
    entry = Entry(subject=f"version {version}", decision="promote", by=decision.by, why=decision.why)
    ports.registry.audit.add(decision.model, keys.decision_to_promote(version, route.moves), entry)
    _roll_out(decision, version, route.moves, ports, step)
    return ""


def _held(model: str, route: Route, ports: Ports) -> Judged | None:
    """Return the judgement of a rollout that has too few answers and waits for a person; None if it waits for none."""
    last = ports.registry.routes.move(model, route.moves)
    if last is None:
        return None
    step = 0 if last.kind == "shadowed" or last.step is None else last.step + 1
    judgement = ports.registry.judgements.get(model, last.rollout, step, last.number)
    return judgement.judged if judgement is not None and judgement.judged.overdue else None


# each returns why nothing was changed; "" if something was
ACTIONS = {"approve": _approve, "reject": _reject, "promote": _promote}


def artifacts_exist(version: Version, artifacts: Store) -> bool:
    """Return whether the artifacts exist without which a version cannot serve.

    True if S3 does not answer: a rollback must not depend on it.
    """
    try:
        return not artifacts.missing(version.essentials)
    except Transient:
        return True


def _check_intact(model: str, version: int, ports: Ports) -> None:
    """Raise NotAllowed if artifacts of the version are gone: it would get traffic that it cannot serve."""
    if not ports.is_intact(ports.registry.versions.get(model, version)):
        raise NotAllowed(
            f"the artifacts of version {version} are gone: it cannot serve", f"{model}:{version}",
            "run again: the model is then made again under a new version number",
        )  # fmt: skip


def _is_rolling_out(model: str, version: int, ports: Ports) -> bool:
    """Return whether a running rollout of the version made the route's last move."""
    last = next(iter(ports.registry.routes.moves(model, 1)), None)
    if last is None or not last.rollout or not last.was_made_by(last.rollout, version):
        return False
    return ports.flows.is_running(_execution(ports.rollout, last.rollout))


def _progress(version: int, route: Route) -> str:
    """Return how far the running rollout of a version has come."""
    if route.shadow == version:
        return "its rollout is running: it answers as a shadow, and has no traffic yet"
    return f"its rollout is running, and has given it {route.weights.get(version, 0)} % of the traffic so far"


def _execution(rollout: str, name: str) -> str:
    """Return the ARN of an execution of the state machine."""
    return f"{rollout.replace(':stateMachine:', ':execution:')}:{name}"


def _roll_out(decision: Decision, version: int, moves: int, ports: Ports, step: int = 0) -> None:
    """Start the rollout, unless one of this version is running that started after the route's last move.

    A failed execution keeps its name, so the next decision takes the next name.

    Parameters
    ----------
    moves : number of the route's last move; the rollout ends if others move the traffic after it
    step : with which it begins
    """
    message = DeployRequest(
        model=decision.model, version=version, step=step, actor=decision.by, why=decision.why, moves=moves
    ).wire()
    for attempt in range(1, MAX_ROLLOUTS + 1):
        name = f"{decision.model}-v{version}-{moves}" + (f"-{attempt}" if attempt > 1 else "")
        if ports.flows.start(ports.rollout, name, message) or ports.flows.is_running(_execution(ports.rollout, name)):
            return
    raise NotAllowed(
        f"{MAX_ROLLOUTS} rollouts of version {version} have failed since the traffic last moved",
        f"{decision.model}:{version}", "fix what the log of `deploy` reports, then run again",
    )  # fmt: skip
