"""Reads what the governor decides from: runs and rollouts under way, refusals, incidents, and versions that wait."""

from __future__ import annotations

from datetime import datetime, timedelta

from modelcycle.flows import Flows
from modelcycle.registry import Governor, Registry, StartedRun
from modelcycle.retrain.governor import Facts

STARTING = timedelta(minutes=2)  # from a decision to the claim of its run
REFUSED_LATER = ("refused", "rejected", "rolled_back")  # states of a version that lost after its run


def read_facts(model: str, governor: Governor, registry: Registry, flows: Flows, now: datetime) -> Facts:
    """Return the facts about a model.

    Parameters
    ----------
    governor : what the governor remembers; read before everything else, so that a later change of it is noticed
    """
    waiting = registry.versions.newest(model)
    broken = [incident for incident in registry.incidents.open(model) if incident.kind == "broken data"]
    return Facts(
        in_progress=_in_progress(model, governor, registry, flows, now),
        waiting=waiting if waiting and registry.standings.get(model, waiting).state == "awaiting_approval" else None,
        broken=broken[0] if broken else None,
        starts=governor.starts,
        refused=_refused_in_a_row(model, governor, registry, now),
    )


def _in_progress(model: str, governor: Governor, registry: Registry, flows: Flows, now: datetime) -> str | None:
    lease = registry.leases.holder(model)
    if lease.execution and flows.is_running(lease.execution):
        return f"run {lease.run_id} is in progress"
    if governor.starts and _is_starting(governor.starts[-1], registry, flows, now):
        return f"a run is starting since {governor.starts[-1].at:%H:%M:%S} UTC"
    route = registry.routes.get(model)
    if len(route.weights) > 1 or route.shadow is not None:
        version = route.shadow or min(route.weights, key=lambda one: (route.weights[one], -one))
        return f"version {version} is being rolled out"
    return None


def _is_starting(start: StartedRun, registry: Registry, flows: Flows, now: datetime) -> bool:
    """Return whether a run was decided and has no record yet."""
    if registry.runs.of_execution(start.execution) is not None:
        return False
    return flows.is_running(start.execution) or timedelta(0) <= now - start.at < STARTING


def _refused_in_a_row(model: str, governor: Governor, registry: Registry, now: datetime) -> int:
    """Return how many of the newest challengers of the live version lost, in their run or after it.

    Challengers from before the live version was made lost to another one. A start in the future was written by a clock
    that was wrong: nothing tells when it was. Runs that failed, changed nothing or are under way had no challenger:
    they neither count nor end the row.
    """
    champion = registry.routes.get(model).champion
    since = None if champion is None else registry.versions.get(model, champion).created_at
    refused = 0
    for start in reversed(governor.starts):
        if start.at > now:
            continue
        if governor.resumed_at is not None and start.at <= governor.resumed_at:
            break
        if since is not None and start.at < since:
            break
        record = registry.runs.of_execution(start.execution)
        if record is None or record.state in ("running", "failed", "unchanged"):
            continue
        version = record.version
        lost = record.state == "refused" or (
            version is not None and registry.standings.get(model, version).state in REFUSED_LATER
        )
        if not lost:
            break
        refused += 1
    return refused
