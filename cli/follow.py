"""Follow a run to its end."""

from __future__ import annotations

from typing import Protocol

from cli.decided_by import add_decide
from cli.execution import Execution, Step
from cli.outcome import Outcome, outcome_of
from cli.place import Place
from cli.polling import attempts, pause
from cli.rollout import wait_for_traffic
from cli.run_costs import run_cost
from modelcycle.faults import Fault
from modelcycle.reasons import reason_text
from modelcycle.registry import RunRecord

# seconds
RUN_CLAIM_TIMEOUT = 10.0  # from the start of an execution to the record of its run
RECORD_TIMEOUT = 15.0  # from the end of an execution to the end of its run on record, or to the start of the next run


class Screen(Protocol):
    """Shows a run while it goes on."""

    def running(self, step: Step, trials: tuple[int, int] | None) -> None:
        """Show a step that runs; called repeatedly. `trials`: how many are done, of how many."""

    def ended(self, step: Step) -> None:
        """Show a step that has ended; called once."""

    def note(self, text: str) -> None:
        """Show a sentence between the steps."""


def follow(place: Place, model: str, arn: str, screen: Screen) -> Outcome:
    """Show an execution until it is over; if its run was joined to another run, follow that one.

    Raises
    ------
    Fault : the execution ended, and no record says what became of its run
    """
    execution = Execution(place, arn)
    _show_steps(execution, model, screen)
    if execution.claim.get("outcome") == "folded":
        holder = place.registry.runs.get(model, execution.claim["detail"])
        if holder is not None:
            screen.note(joined(holder.run.run_id))
            return follow(place, model, holder.run.execution, screen)
    record = _final_record(place, execution, model)
    route = place.registry.routes.get(model)
    outcome = outcome_of(record, execution, route, execution.started, record.ended_at or execution.ended)
    outcome.cost = run_cost(place, execution.calls)
    deploy = execution.steps.get("deploy")
    if deploy is not None:
        if outcome.status == "deployed":
            wait_for_traffic(place, outcome, deploy)
        deploy.results["route"] = outcome.route.model_dump(mode="json")
        screen.ended(deploy)
    return outcome


def wait_for_claim(place: Place, arn: str) -> RunRecord | None:
    """Return the run of an execution that has just started; None if it claims none in time."""
    for _ in attempts(place, RUN_CLAIM_TIMEOUT):
        record = place.registry.runs.of_execution(arn)
        if record is not None:
            return record
        if place.states.describe_execution(executionArn=arn)["status"] != "RUNNING":
            break
    return place.registry.runs.of_execution(arn)


def wait_for_next_run(place: Place, model: str, run_id: str) -> str | None:
    """Return the execution of the run that follows `run_id`; None if none starts in time."""
    for _ in attempts(place, RECORD_TIMEOUT):
        latest = place.registry.runs.latest(model, 1)
        if latest and latest[0].run.run_id > run_id:  # run ids begin with the time
            return latest[0].run.execution
    return None


def joined(run_id: str) -> str:
    """Return the note for an upload that a run in progress includes."""
    return f"run {run_id} is in progress and will include this file"


def _show_steps(execution: Execution, model: str, screen: Screen) -> None:
    """Show the steps of an execution until it is over; `deploy`, which ends with its rollout, is shown later."""
    place = execution.place
    shown: set[str] = set()
    while True:
        execution.refresh()
        for step in execution.steps.values():
            if step.status == "running":
                screen.running(step, _trials(place, model, execution.arn, step))
            elif step.name not in shown and step.name != "deploy":
                _add_version(place, model, step)
                _add_decide(place, execution.arn, step)
                shown.add(step.name)
                screen.ended(step)
        if execution.is_over:
            return
        pause(place)


def _trials(place: Place, model: str, arn: str, step: Step) -> tuple[int, int] | None:
    """Return how many trials are done, of how many.

    They are counted by the objects that they wrote: a local cloud has no events of Map iterations.
    """
    plan = step.results.get("plan_trials")
    if step.name != "train" or plan is None:
        return None
    if "run_id" not in step.results:
        record = place.registry.runs.of_execution(arn)
        step.results["run_id"] = record.run.run_id if record else ""
    prefix = f"{model}/runs/{step.results['run_id']}/train/trial-"
    page = place.s3.list_objects_v2(Bucket=place.output("ArtifactBucket"), Prefix=prefix)
    return min(page.get("KeyCount", 0), len(plan["trials"])), len(plan["trials"])


def _add_version(place: Place, model: str, step: Step) -> None:
    """Add the hashes of a new version's data and code, and whether it is signed, to the results of `register`."""
    if step.name == "register" and step.status != "failed":
        version = place.registry.versions.get(model, step.results["register"]["version"])
        step.results["version"] = {
            "data": version.data, "code": version.code, "signed": version.bundle is not None,
        }  # fmt: skip


def _add_decide(place: Place, arn: str, step: Step) -> None:
    """Add what chose the threshold to the results of `validate`."""
    if step.name == "validate":
        record = place.registry.runs.of_execution(arn)
        if record is not None:
            add_decide(place, record.run, step)


def _final_record(place: Place, execution: Execution, model: str) -> RunRecord:
    """Return the run's record once it says how the run ended; it may be written after the execution has ended."""
    record = None
    for _ in attempts(place, RECORD_TIMEOUT):
        record = place.registry.runs.of_execution(execution.arn)
        if record is None:
            break
        if record.state != "running":
            return record
    if execution.claim.get("outcome") == "duplicate":
        raise Fault(
            "this upload event was delivered twice; another run handles it",
            str(execution.claim.get("detail", model)), f"`modelcycle runs {model}` lists the runs",
        )  # fmt: skip
    if record is not None and execution.status != "SUCCEEDED":
        cause = {"Error": execution.error, "Cause": execution.cause or execution.status}
        return record.model_copy(update={"state": "failed", "reason": reason_text(cause)})
    if execution.error:
        raise Fault(*Fault.parse(reason_text({"Error": execution.error, "Cause": execution.cause})))
    raise Fault(
        f"the execution ended as {execution.status}, but its run is not on record", execution.arn,
        f"run again: finished steps are reused; `modelcycle runs {model}` lists the runs",
    )  # fmt: skip
