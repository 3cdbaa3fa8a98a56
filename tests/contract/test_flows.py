"""The definitions of the state machines: time-outs, retries, catches, and names that the template fills."""

from __future__ import annotations

import re
from typing import Any

import pytest

from modelcycle import faults
from modelcycle.messages import CheckedRefit, Deployed, DeployRequest, Judged, JudgeRequest, TrialResult
from modelcycle.train.held_out_loss import NO_MODEL
from tests.contract.conductor import Failed, conduct, flow
from tests.contract.functions import functions, template

FLOWS = ["lifecycle", "rollout", "monitoring", "batch_scoring", "in_container", "erasure"]
MAX_CONTAINER_SECONDS = 79_800  # twelve hours, and ten in which it may wait for capacity


def states(machine: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    named = []
    for name, state in machine["States"].items():
        named.append((name, state))
        if "ItemProcessor" in state:
            named += states(state["ItemProcessor"])
    return named


@pytest.mark.parametrize("name", FLOWS)
def test_every_state_machine_and_task_has_a_time_out_and_every_task_retries(name: str) -> None:
    assert 0 < flow(name)["TimeoutSeconds"] < 31_536_000  # a year is what an execution has at most
    for state, body in states(flow(name)):
        if body["Type"] == "Task":
            is_function = body["Resource"].startswith("${") or not body["Resource"].partition(".")[2].startswith("sync")
            assert 0 < body["TimeoutSeconds"] <= (900 if is_function else MAX_CONTAINER_SECONDS), state
            assert body["TimeoutSeconds"] < flow(name)["TimeoutSeconds"], state
            assert body["Retry"], state


def test_every_lambda_task_has_the_same_retries() -> None:
    retries = {
        str(body["Retry"])
        for name in FLOWS
        for _, body in states(flow(name))
        if body["Type"] == "Task" and body["Resource"].startswith("${")
    }
    assert len(retries) == 1


def test_every_retried_fault_exists_under_that_name() -> None:
    retried = flow("lifecycle")["States"]["Claim"]["Retry"][0]["ErrorEquals"]
    ours = [name for name in retried if "." not in name]
    assert ours
    for name in ours:
        assert issubclass(getattr(faults, name), faults.Fault)


def test_every_end_of_the_lifecycle_is_recorded() -> None:
    """Every task except the first and the last one catches all errors and records the failure."""
    for state, body in flow("lifecycle")["States"].items():
        if body["Type"] in ("Task", "Map") and state not in ("Claim", "ConcludeFailed"):
            assert body["Catch"][-1]["Next"] == "ConcludeFailed", state
            assert body["Catch"][-1]["ErrorEquals"] == ["States.ALL"], state


@pytest.mark.parametrize("name", FLOWS)
def test_every_placeholder_is_filled_by_the_template(name: str) -> None:
    resource = template()["Resources"][name.title().replace("_", "")]["Properties"]
    used = set(re.findall(r"\$\{(\w+)\}", str(flow(name))))
    assert used == set(resource["DefinitionSubstitutions"])


def test_every_path_of_the_api_requires_a_signature() -> None:
    api = template()["Resources"]["Api"]["Properties"]
    # and the functions are called with the API's permissions, not with the caller's
    assert api["Auth"] == {"DefaultAuthorizer": "AWS_IAM", "InvokeRole": "NONE"}


def test_an_event_that_a_function_fails_to_process_is_kept_in_the_queue() -> None:
    for name in ("Retrain", "Conclude", "Withdraw"):
        kept = template()["Resources"][name]["Properties"]["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]
        assert kept["Type"] == "SQS", name


def test_no_function_has_a_secret_in_its_environment() -> None:
    for name in functions():
        variables = template()["Resources"][name]["Properties"].get("Environment", {}).get("Variables", {})
        assert not [key for key in variables if re.search("KEY|SECRET|TOKEN|PASSWORD", key)], name


def test_a_rollout_gives_each_step_the_number_of_the_last_steps_move() -> None:
    given: list[dict[str, Any]] = []

    def deploy(resource: str, event: dict[str, Any]) -> dict[str, Any]:
        given.append(event)
        step = event["step"] + 1
        unchanged = {name: event[name] for name in ("model", "version", "actor", "why")}
        return unchanged | {
            "step": step, "moves": 7 + step, "weight": 0, "overruled": step == 3, "done": step == 3, "wait_seconds": 60
        }  # fmt: skip

    start = {"model": "m", "version": 2, "step": 0, "actor": "ann", "why": "better", "moves": 7}
    end, _ = conduct(flow("rollout"), start, deploy, "arn:aws:states:execution:rollout:m-v2-7")
    assert end == "Overruled"
    assert [(event["step"], event["moves"]) for event in given] == [(0, 7), (1, 8), (2, 9)]
    assert {(event["rollout"], event["why"]) for event in given} == {("m-v2-7", "better")}


def test_a_rollout_accepts_the_message_of_an_older_lifecycle() -> None:
    given: list[dict[str, Any]] = []

    def deploy(resource: str, event: dict[str, Any]) -> dict[str, Any]:
        given.append(event)
        return event | {"overruled": False, "done": True}

    old = {"model": "m", "version": 2, "step": 0, "actor": "run r"}
    assert conduct(flow("rollout"), old, deploy, "arn:m-v2-r")[0] == "Finished"
    assert DeployRequest.from_event(given[0]) == DeployRequest(model="m", version=2, actor="run r", rollout="m-v2-r")


@pytest.mark.parametrize(
    ("verdicts", "end", "moves"),
    [
        (["hold", "hold", "proceed", "proceed"], "Finished", 2),
        (["proceed", "hold", "roll_back"], "RolledBack", 2),
        (["roll_back"], "RolledBack", 1),
        (["hold", "overruled"], "Overruled", 1),
    ],
)
def test_a_rollout_does_what_its_judge_says(verdicts: list[str], end: str, moves: int) -> None:
    """Two steps, the second of which is watched; each message of the judge and of deploy is one that they accept."""
    given: list[tuple[str, dict[str, Any]]] = []
    left = iter(verdicts)

    def task(resource: str, event: dict[str, Any]) -> dict[str, Any]:
        given.append((resource, event))
        if resource == "${Deploy}":
            request = DeployRequest.from_event(event)
            moved = Deployed(
                model="m", version=2, step=request.step + 1, actor=request.actor, why=request.why,
                moves=(request.moves or 0) + 1, weight=100 if request.step else 10, overruled=False,
                done=bool(request.step), wait_seconds=60, judged=True, look_seconds=30,
            )  # fmt: skip
            return moved.wire()
        asked = JudgeRequest.from_event(event)
        judged = asked.model_dump(exclude={"since", "schema_number"}) | {
            "verdict": next(left), "reason": "because", "findings": [], "wait_seconds": 10,
        }  # fmt: skip
        return Judged.model_validate(judged).wire()

    start = {"model": "m", "version": 2, "step": 0, "actor": "ann", "why": "better", "moves": 7}
    assert conduct(flow("rollout"), start, task, "arn:aws:states:execution:rollout:m-v2-7")[0] == end
    steps = [event for resource, event in given if resource == "${Deploy}"]
    assert [(event["step"], event["moves"]) for event in steps] == [(0, 7), (1, 8)][:moves]
    assert {event["rollout"] for _, event in given} == {"m-v2-7"}
    assert next(left, None) is None


STATES_OF_REFIT = ("Refit", "RefitPlace", "RefitTooLarge", "CheckRefit", "CheckRefitPlace", "RefitUnchecked")


@pytest.mark.parametrize(("failing", "why"), [("Refit", "could not learn"), ("CheckRefit", "could not be checked")])
@pytest.mark.parametrize(("error", "end"), [("MemoryError", "Govern"), ("BadMessage", "ConcludeFailed")])
def test_a_refit_out_of_memory_leaves_the_judged_model_and_another_error_ends_the_run(
    failing: str, why: str, error: str, end: str
) -> None:
    states = flow("lifecycle")["States"]
    machine = {
        "StartAt": "Refit",
        "States": {name: states[name] for name in STATES_OF_REFIT},
    }
    machine["States"] |= {"Govern": {"Type": "Succeed"}, "ConcludeFailed": {"Type": "Succeed"}}

    def work(resource: str, given: Any) -> Any:
        if resource == f"${{{failing}}}":
            raise type(error, (Exception,), {})
        return {"rows": 7}

    start: dict[str, Any] = {key: {} for key in ("run", "preprocess", "engineer_features", "select_model", "validate")}
    reached, data = conduct(machine, start, work, "arn:m-r")
    assert reached == end
    if end == "Govern":
        assert not CheckedRefit.model_validate(data["refit"]).done
        assert "memory" in data["refit"]["reason"] and why in data["refit"]["reason"]


@pytest.mark.parametrize(("error", "reason"), [("MemoryError", "out of memory"), ("TimeoutError", "")])
def test_a_trial_out_of_memory_does_not_end_the_search_and_an_unknown_error_does(error: str, reason: str) -> None:
    train = flow("lifecycle")["States"]["Train"]
    machine = {"StartAt": "Train", "States": {"Train": {**train, "Next": "Done"}, "Done": {"Type": "Succeed"}}}
    machine["States"]["ConcludeFailed"] = {"Type": "Fail"}
    trials = [{"number": number, "algorithm": "linear", "parameters": {}, "seed": 0} for number in (1, 2)]

    def run_trial(resource: str, given: Any) -> Any:
        assert (given["folds"], given["ends_at"]) == (5, None)
        if given["trial"]["number"] == 1:
            raise type(error, (Exception,), {})
        return {"trial": given["trial"], "loss": 0.5, "seconds": 1}

    start = {"run": {}, "preprocess": {}, "engineer_features": {},
             "plan_trials": {"trials": trials, "folds": 5, "ends_at": None}}  # fmt: skip
    if not reason:
        with pytest.raises(Failed):
            conduct(machine, start, run_trial, "arn:m-r")
        return
    _, data = conduct(machine, start, run_trial, "arn:m-r")
    failed, fitted = [TrialResult.model_validate(result) for result in data["trials"]]
    assert reason in failed.failed
    assert failed.loss == NO_MODEL
    assert fitted.loss == 0.5
