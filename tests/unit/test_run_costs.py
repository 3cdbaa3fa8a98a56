"""What a run costs, and how a step ended, from the events of its execution."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cli.costs.prices import price_table
from cli.execution import Execution
from cli.run_costs import CallLog, RunCost, StepCost, run_cost
from cli.screens.costs import cost_text, costs_table
from cli.screens.steps import figures

PRICES = price_table().prices
PRICE_PER_GB_SECOND, PRICE_PER_CALL = PRICES["lambda_gb_second"].of(1), PRICES["lambda_call"].of(1)
AT = datetime(2026, 1, 1, tzinfo=UTC)
TRIAL = "arn:aws:lambda:us-east-1:1:function:RunTrial:live"
COLLECT = "arn:aws:lambda:us-east-1:1:function:Collect:live"


class Place:
    """Lambda, whose functions have 2 GB."""

    allowed = True

    def client(self, service: str) -> Place:
        return self

    def get_function_configuration(self, *, FunctionName: str) -> dict[str, Any]:  # noqa: N803
        if not self.allowed:
            raise ClientError({"Error": {"Code": "AccessDenied"}}, "GetFunctionConfiguration")
        return {"MemorySize": 2048}


def event(number: int, kind: str, seconds: float, previous: int = 0, **details: Any) -> dict[str, Any]:
    at = AT + timedelta(seconds=seconds)
    return {"id": number, "previousEventId": previous, "type": kind, "timestamp": at, **details}


def emulated(trials: list[tuple[float, float]]) -> list[dict[str, Any]]:
    """Events as the local cloud writes them: every event of a call names the function, none its predecessor."""
    moments = sorted([(start, "Scheduled") for start, _ in trials] + [(end, "Succeeded") for _, end in trials])
    return [
        event(number, f"Task{kind}", at, **{f"task{kind}EventDetails": {"resource": TRIAL}})
        for number, (at, kind) in enumerate(moments, start=1)
    ]


def test_calls_that_overlap_count_each_with_its_own_seconds() -> None:
    log = CallLog()
    for one in emulated([(0, 4), (1, 3), (3.5, 5)]):
        log.add(one, "train")
    cost = run_cost(Place(), log)  # type: ignore[arg-type]
    assert cost is not None
    assert cost.steps == [StepCost("train", 3, pytest.approx(7.5), pytest.approx(15))]
    assert cost.dollars == pytest.approx(15 * PRICE_PER_GB_SECOND + 3 * PRICE_PER_CALL)


def test_on_aws_the_end_of_a_call_is_found_through_its_chain_of_events_and_a_failed_call_costs_too() -> None:
    log = CallLog()
    for one in (
        event(1, "LambdaFunctionScheduled", 0, lambdaFunctionScheduledEventDetails={"resource": COLLECT}),
        event(2, "LambdaFunctionScheduled", 1, lambdaFunctionScheduledEventDetails={"resource": TRIAL}),
        event(3, "LambdaFunctionStarted", 1, 1),
        event(4, "LambdaFunctionStarted", 2, 2),
        event(5, "LambdaFunctionSucceeded", 6, 4, lambdaFunctionSucceededEventDetails={"output": "{}"}),
        event(6, "LambdaFunctionFailed", 9, 3, lambdaFunctionFailedEventDetails={"error": "Transient"}),
    ):
        log.add(one, "any")
    assert {name: (calls.number, calls.seconds) for name, calls in log.calls.items()} == {
        COLLECT: (1, pytest.approx(9)), TRIAL: (1, pytest.approx(5)),
    }  # fmt: skip


def test_another_service_is_no_call() -> None:
    log = CallLog()
    log.add(event(1, "TaskScheduled", 0, taskScheduledEventDetails={"resource": "startExecution"}), "deploy")
    assert run_cost(Place(), log) is None  # type: ignore[arg-type]


def test_without_permission_to_read_the_functions_there_is_no_cost() -> None:
    log, place = CallLog(), Place()
    place.allowed = False
    for one in emulated([(0, 1)]):
        log.add(one, "train")
    assert run_cost(place, log) is None  # type: ignore[arg-type]


def test_the_calls_of_an_execution_belong_to_the_step_that_they_are_made_in() -> None:
    execution = Execution(None, "arn")  # type: ignore[arg-type]

    def entered(number: int, name: str) -> dict[str, Any]:
        return event(number, "TaskStateEntered", number, stateEnteredEventDetails={"name": name})

    for number, (state, function) in enumerate(
        [("Claim", "Claim"), ("Collect", "Collect"), ("Train", "RunTrial"), ("ConcludeDeployed", "Conclude")]
    ):
        execution._apply(entered(3 * number, state))
        resource = f"arn:aws:lambda:us-east-1:1:function:{function}:live"
        execution._apply(event(3 * number + 1, "TaskScheduled", 0, taskScheduledEventDetails={"resource": resource}))
    assert [calls.step for calls in execution.calls.calls.values()] == [
        "begin and end", "collect", "train", "begin and end",
    ]  # fmt: skip


def test_a_refit_that_was_caught_is_shown_with_its_reason_and_not_as_failed() -> None:
    execution = Execution(None, "arn")  # type: ignore[arg-type]
    reason = {"schema": 1, "done": False, "reason": "not enough memory"}
    caught = {"validate": {}, "error": {"Error": "MemoryError", "Cause": "{}"}}
    for number, (kind, name, output) in enumerate(
        [("Entered", "Refit", {}), ("Exited", "Refit", caught), ("Exited", "RefitTooLarge", caught | {"refit": reason})]
    ):
        details = {f"state{kind}EventDetails": {"name": name, "output": json.dumps(output)}}
        execution._apply(event(number, f"TaskState{kind}", number, **details))
    refit = execution.steps["refit"]
    assert (refit.status, refit.seconds) == ("done", 2)
    assert figures(refit) == (["the judged model is registered"], ["not enough memory"])


def test_the_cost_is_shown_in_one_line_and_by_step() -> None:
    cost = RunCost([StepCost("collect", 1, 0.5, 1.0), StepCost("train", 12, 30, 60.0)])
    assert cost_text(cost) == "about 61 GB-seconds of Lambda, 0.001 $ at the price of us-east-1"
    assert [line.split() for line in costs_table(cost).splitlines()] == [
        ["cost", "time", "GB-seconds"], ["train", "12", "calls", "30", "s", "60.0"],
        ["collect", "1", "call", "0.5", "s", "1.0"],
    ]  # fmt: skip
