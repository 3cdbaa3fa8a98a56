"""The outcome of a run: its status, its version, and the traffic as it is now."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cli.execution import Execution, Step
from cli.run_costs import RunCost
from modelcycle.registry import Entry, Route, RunRecord


@dataclass
class Outcome:
    """What a run has led to.

    Parameters
    ----------
    version : that the run has registered or found
    route : the traffic of the model now
    seconds : from the start of the run to its end, or until its version got traffic
    late_uploads : files that arrived too late for this run; the next run includes them
    results : the messages of all states, by their keys
    rollout : status of the rollout that the run started; empty if it was not read
    went_live : whether the version ever got traffic
    cost : of the run on Lambda; None if it was not read
    decision : a person's approval or rejection since, of a version that the run left to a person
    held : why the rollout waits before its first step; empty if it does not
    then : the traffic to which the run's rollout led; None if it led to none, or was not read
    """

    model: str
    run_id: str
    status: str
    reason: str
    version: int | None
    route: Route
    steps: list[Step]
    seconds: float | None
    started: datetime | None = None
    late_uploads: int = 0
    results: dict[str, Any] = field(default_factory=dict)
    rollout: str = ""
    went_live: bool = True
    cost: RunCost | None = None
    decision: Entry | None = None
    then: dict[int, int] | None = None
    held: str = ""

    def wire(self) -> dict[str, Any]:
        """Return the object of `run --json`."""
        validated = self.results.get("validate") or {}
        wire = {
            "run_id": self.run_id, "model": self.model, "version": self.version, "status": self.status,
            "reason": self.reason, "metrics": validated.get("metrics", {}), "seconds": self.seconds,
            "steps": [{"name": step.name, "status": step.status, "seconds": step.seconds} for step in self.steps],
            "metric": validated.get("metric"), "compared": validated.get("compared", 0),
        }  # fmt: skip
        if self.decision is not None:
            wire["decision"] = self.decision.model_dump(mode="json")
        return wire | ({"cost": self.cost.wire()} if self.cost else {})


def outcome_of(
    record: RunRecord, execution: Execution, route: Route, started: datetime | None, ended: datetime | None
) -> Outcome:
    """Return the outcome of a run by its record and its execution."""
    results = execution.results
    registered = (results.get("register") or {}).get("version")
    return Outcome(
        record.run.model, record.run.run_id, str(record.state), record.reason,
        record.version if record.version is not None else registered, route, list(execution.steps.values()),
        (ended - started).total_seconds() if ended and started else None, started, execution.late_uploads, results,
    )  # fmt: skip
