"""Following a run to its end: the steps as they come, then what became of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from cli.execution import Execution, Step
from cli.place import Place
from modelcycle.conclude import sentence
from modelcycle.faults import Fault
from modelcycle.registry import Route, RunRecord

PAUSE = {"local": 0.2, "localstack": 0.3, "aws": 1.0}  # seconds between two looks
BEGINNING = 10.0  # seconds from the start of an execution to the claim of its run
LAST_WORD = 15.0  # seconds that a run's record may lag behind its execution
GOING_LIVE = 60.0  # seconds from the run's end to the first move of the route


class Screen(Protocol):
    """Where a run is shown while it goes on."""

    def running(self, step: Step, trials: tuple[int, int] | None) -> None:
        """A step is under way; called again and again. `trials`: how many are done, of how many."""

    def ended(self, step: Step) -> None:
        """A step is over; called once."""

    def note(self, text: str) -> None:
        """One sentence beside the steps."""


@dataclass
class Ending:
    """What became of a run. `route` is how the traffic stands now; `version` the one that this run is about.

    `unseen` uploads came too late for it; another run, which starts by itself, sees them.
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
    unseen: int = 0
    results: dict[str, Any] = field(default_factory=dict)
    rollout: str = ""  # status of the rollout that this run started, where that was looked up
    went_live: bool = True  # whether the version ever had traffic, where the run is shown as it was

    def wire(self) -> dict[str, Any]:
        """The object of `run --json`."""
        validated = self.results.get("validate") or {}
        return {
            "run_id": self.run_id, "model": self.model, "version": self.version, "status": self.status,
            "reason": self.reason, "metrics": validated.get("metrics", {}), "seconds": self.seconds,
            "steps": [{"name": step.name, "status": step.status, "seconds": step.seconds} for step in self.steps],
        }  # fmt: skip


def follow(place: Place, model: str, arn: str, screen: Screen) -> Ending:
    """Show an execution until it is over.

    Raises
    ------
    Fault : the execution is gone, or it ended and nobody says what became of the run
    """
    execution = Execution(place, arn)
    told: set[str] = set()
    while True:
        execution.refresh()
        for step in execution.steps.values():
            if step.status == "running":
                screen.running(step, _trials(place, model, arn, step))
            elif step.name not in told and step.name != "deploy":
                _with_version(place, model, step)
                told.add(step.name)
                screen.ended(step)
        if execution.over:
            break
        time.sleep(PAUSE[place.name])
    if execution.claim.get("outcome") == "folded":
        holder = place.registry.runs.get(model, execution.claim["detail"])
        if holder is not None:
            screen.note(folded(holder.run.run_id))
            return follow(place, model, holder.run.execution, screen)
    record = _last_word(place, execution, model)
    ending = _ending(place, record, execution)
    deploy = execution.steps.get("deploy")
    if deploy is not None:
        if ending.status == "deployed":
            _went_live(place, ending, deploy)
        deploy.results["route"] = ending.route.model_dump(mode="json")
        screen.ended(deploy)
    return ending


def begun(place: Place, execution: str) -> RunRecord | None:
    """The run of an execution that has just started; None where it claims none within some seconds."""
    deadline = time.monotonic() + BEGINNING
    while True:
        record = place.registry.runs.of_execution(execution)
        if record is not None or time.monotonic() > deadline:
            return record
        if place.states.describe_execution(executionArn=execution)["status"] != "RUNNING":
            return place.registry.runs.of_execution(execution)
        time.sleep(PAUSE[place.name])


def next_run(place: Place, model: str, before: str) -> str | None:
    """The execution that sees what the run `before` did not; None where none starts in time."""
    deadline = time.monotonic() + LAST_WORD
    while time.monotonic() < deadline:
        latest = place.registry.runs.latest(model, 1)
        if latest and latest[0].run.run_id > before:  # run ids begin with the time
            return latest[0].run.execution
        time.sleep(PAUSE[place.name])
    return None


def folded(run_id: str) -> str:
    return f"folded into run {run_id}, which will see this file too"


def _trials(place: Place, model: str, arn: str, step: Step) -> tuple[int, int] | None:
    """Trials done and planned. Counted by what they wrote: a local cloud tells no Map iterations."""
    planned = step.results.get("plan_trials")
    if step.name != "train" or planned is None:
        return None
    if "run_id" not in step.results:
        record = place.registry.runs.of_execution(arn)
        step.results["run_id"] = record.run.run_id if record else ""
    prefix = f"{model}/runs/{step.results['run_id']}/train/trial-"
    page = place.s3.list_objects_v2(Bucket=place.output("ArtifactBucket"), Prefix=prefix)
    return min(page.get("KeyCount", 0), len(planned["trials"])), len(planned["trials"])


def _with_version(place: Place, model: str, step: Step) -> None:
    """What the registry has on record of a new version, beside what `register` answered."""
    if step.name == "register" and step.status != "failed":
        version = place.registry.versions.get(model, step.results["register"]["version"])
        step.results["version"] = {"data": version.data, "code": version.code}


def _last_word(place: Place, execution: Execution, model: str) -> RunRecord:
    """The run's record once it says how the run ended, which may come after the execution's own end."""
    deadline = time.monotonic() + LAST_WORD
    while True:
        record = place.registry.runs.of_execution(execution.arn)
        if record is not None and record.state != "running":
            return record
        if record is None or time.monotonic() > deadline:
            break
        time.sleep(PAUSE[place.name])
    if execution.claim.get("outcome") == "duplicate":
        raise Fault(
            "this delivery of the upload was a repeat; another run has it", str(execution.claim.get("detail", model)),
            f"`modelcycle runs {model}` lists the runs",
        )  # fmt: skip
    if record is not None and execution.status != "SUCCEEDED":
        return record.model_copy(
            update={
                "state": "failed",
                "reason": sentence({"Error": execution.error, "Cause": execution.cause or execution.status}),
            }
        )
    if execution.error:
        raise Fault(*Fault.parse(sentence({"Error": execution.error, "Cause": execution.cause})))
    raise Fault(
        f"the execution ended as {execution.status}, and no run of it is on record", execution.arn,
        f"run again: what was done is taken over; `modelcycle runs {model}` lists the runs",
    )  # fmt: skip


def _ending(place: Place, record: RunRecord, execution: Execution) -> Ending:
    results: dict[str, Any] = {}
    for step in execution.steps.values():
        results |= step.results
    ended = record.ended_at or execution.ended
    return Ending(
        record.run.model, record.run.run_id, str(record.state), record.reason,
        record.version if record.version is not None else (results.get("register") or {}).get("version"),
        place.registry.routes.get(record.run.model), list(execution.steps.values()),
        (ended - execution.started).total_seconds() if ended and execution.started else None,
        execution.started, execution.unseen, results,
    )  # fmt: skip


def _went_live(place: Place, ending: Ending, deploy: Step) -> None:
    """Wait for the rollout's first step, which the run has started and does not wait for itself."""
    deadline = time.monotonic() + GOING_LIVE
    flow = place.output("RolloutArn").replace(":stateMachine:", ":execution:")
    rollout = f"{flow}:{ending.model}-v{ending.version}-{ending.run_id}"
    while True:
        # asked before the route is read: what a rollout that is over has done, the route then shows
        told = ending.rollout = _rollout(place, rollout)
        ending.route = place.registry.routes.get(ending.model)
        first = _first_move(place, ending)
        if first is not None:
            deploy.ended = max(first, deploy.started)
            ending.seconds = (deploy.ended - ending.started).total_seconds() if ending.started else ending.seconds
            return
        if ending.version in ending.route.weights:  # a repeat finds the route as it was
            return
        if told in ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED") or time.monotonic() > deadline:
            ending.status, deploy.status = "failed", "failed"
            end = "has ended and others have moved the traffic" if told == "SUCCEEDED" else told.lower()
            ending.reason = Fault(
                f"version {ending.version} is registered, but its rollout {end.replace('_', ' ')}", rollout,
                f"`modelcycle promote {ending.model}:{ending.version}` tries again",
            ).args[0]  # fmt: skip
            return
        time.sleep(PAUSE[place.name])


def _first_move(place: Place, ending: Ending) -> datetime | None:
    """When the version first got traffic after the run began; another may have taken its place since."""
    moved = [
        move.at
        for move in place.registry.routes.moves(ending.model)
        if ending.version in move.after
        and ending.version not in move.before
        and (ending.started is None or move.at > ending.started)
    ]
    return moved[-1] if moved else None


def _rollout(place: Place, arn: str) -> str:
    try:
        return str(place.states.describe_execution(executionArn=arn)["status"])
    except place.states.exceptions.ExecutionDoesNotExist:
        return "did not start"
