"""Kills and repetitions: after a process is killed or an event comes twice, the registry is as after a normal run."""

from __future__ import annotations

import json
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from infra.local.cloud import LocalCloud
from modelcycle.registry import DynamoTable, Record
from modelcycle.registry.events import event_write
from tests.contract.conductor import _filled, _path, flow
from tests.e2e.conftest import ROOT
from tests.e2e.observed_model import ObservedModel, wait_for
from tests.e2e.restartable_cloud import RUN_SECONDS, RestartableCloud, kill_first_processes
from tests.e2e.signed_request import predict

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds the processes of functions in /proc")
INSTANCE = {"=weight (g)": 30.5, "größe": 9, 'the "kind"': None, "picked.on": "2025-07-01", "washed/peeled": "yes"}
LIFECYCLE_FUNCTIONS = {
    "Claim", "Collect", "Preprocess", "EngineerFeatures", "PlanTrials", "RunTrial", "SelectModel", "FindUnseen",
    "ScoreCandidate", "Validate", "Refit", "CheckRefit", "Govern", "Register", "Stage", "Deploy", "Conclude",
}  # fmt: skip
# these write to the registry
RACED_FUNCTIONS = {"Claim", "Register", "Move", "ConcludeDeployed"}


@pytest.fixture(scope="module")
def undisturbed(cloud: LocalCloud) -> ObservedModel:
    """A model that went live by an undisturbed run."""
    model = ObservedModel(cloud, "undisturbed-plums")
    model.put_pipeline()
    model.upload("plums.csv")
    model.wait_for_runs(seconds=RUN_SECONDS)
    model.wait_until_live()
    return model


def test_a_function_that_is_killed_is_retried(restartable: RestartableCloud, undisturbed: ObservedModel) -> None:
    """The first process of each function of the lifecycle is killed, some at their start, some during their work."""
    model = restartable.model("killed-plums")
    # some before their handler is loaded, some during their work, some idle after it
    age = {name: 0.4 * (len(name) % 3) for name in LIFECYCLE_FUNCTIONS}
    with kill_first_processes(restartable.cloud, LIFECYCLE_FUNCTIONS, age.__getitem__) as killed:
        model.put_pipeline()
        model.upload("plums.csv")
        newest = model.wait_for_runs(seconds=RUN_SECONDS)[0]
        model.wait_until_live(seconds=60)
    assert newest.state == "deployed", newest
    assert killed == LIFECYCLE_FUNCTIONS
    assert_same(comparable_records(model), comparable_records(undisturbed))


def test_an_execution_that_is_stopped_ends_its_run_and_releases_the_lease(restartable: RestartableCloud) -> None:
    """By the rule on its status, since no Catch handles an execution that is stopped."""
    model = restartable.model("stopped-plums")
    model.put_pipeline()
    model.upload("plums.csv")
    model.wait_for_state("Collect", RUN_SECONDS)
    (record,) = model.runs()
    model.client("stepfunctions").stop_execution(executionArn=record.run.execution)
    wait_for(lambda: model.runs()[0].state == "failed", 30)
    assert "stopped by a person" in model.runs()[0].reason
    assert lease(model)["run_id"] == ""
    model.upload("plums.csv")
    assert model.wait_for_runs(2, seconds=RUN_SECONDS)[0].state == "deployed"


def test_a_cloud_that_is_killed_during_a_run_loses_nothing(
    restartable: RestartableCloud, undisturbed: ObservedModel
) -> None:
    """Killed in Train; the next run is killed in Stage; the third finds a version that was registered and not live."""
    restartable.model("killed-plums").wait_until_live()
    model = restartable.model("killed-cloud-plums")
    model.put_pipeline()
    model.upload("plums.csv")
    model.wait_for_state("Train", RUN_SECONDS)
    restartable.save()
    restartable.kill_and_start()
    assert predict(restartable.cloud, "killed-plums", [INSTANCE])["version"] == 1

    model = restartable.model(model.name)
    assert [record.state for record in model.runs()] == ["failed"]
    model.upload("plums.csv")
    model.wait_for_state("Stage", RUN_SECONDS)
    restartable.save()
    restartable.kill_and_start()

    model = restartable.model(model.name)
    runs = len(model.runs())
    model.upload("plums.csv")
    last, *failed = model.wait_for_runs(runs + 1, seconds=RUN_SECONDS)
    assert last.state == "deployed"
    assert len(failed) == 2
    assert all("the local cloud was stopped during the run" in record.reason for record in failed)
    assert reused_steps(model, last.run.execution) >= {"collect", "preprocess", "engineer_features"}
    versions = [version.version for version in model.registry.versions.all(model.name)]
    assert versions == [model.wait_until_live()] == [1]
    assert lease(model)["run_id"] == ""
    # records about a run differ: there were three
    about_the_model = ("ROUTE#", "STATE#", "VERSION#MODEL LATEST", "RUN#MODEL LEASE")
    assert [line for line in comparable_records(model) if line.startswith(about_the_model)] == [
        line for line in comparable_records(undisturbed) if line.startswith(about_the_model)
    ]


def test_an_event_that_comes_twice_changes_nothing(undisturbed: ObservedModel) -> None:
    """Each task's own input, through the alias that the state machine calls; twice at once for writers."""
    before = records(undisturbed)
    inputs = [
        *task_inputs(undisturbed, "LifecycleArn", "lifecycle"),
        *task_inputs(undisturbed, "RolloutArn", "rollout"),
    ]
    assert {name for name, _, _ in inputs} >= {"Claim", "RunTrial", "Register", "ConcludeDeployed", "Move"}
    functions = undisturbed.client("lambda")

    def invoke(alias: str, event: Any) -> Any:
        return functions.invoke(FunctionName=alias, Payload=json.dumps(event).encode())

    with ThreadPoolExecutor(2) as pool:
        for name, alias, event in inputs:
            call_twice = pool.map if name in RACED_FUNCTIONS else map
            for answer in call_twice(invoke, [alias, alias], [event, event]):
                assert answer.get("FunctionError") is None, (name, answer["Payload"].read())
    assert records(undisturbed) == before


def test_a_hundred_degradations_in_a_minute_are_one_run(undisturbed: ObservedModel) -> None:
    """By the table's stream and the bus; each gets an answer, and one of them a run."""
    cloud = undisturbed.cloud
    table = DynamoTable(cloud.admin.client("dynamodb"), cloud.outputs["RegistryTable"])
    for number in range(100):
        table.write(event_write("ModelDegraded", undisturbed.name, reason=f"look {number}"))
    retrainings = undisturbed.registry.retrainings
    assert wait_for(lambda: len(retrainings.latest(undisturbed.name)) == 100, RUN_SECONDS)
    decided = [decision.decision for decision in retrainings.latest(undisturbed.name)]
    assert decided.count("started") == 1
    assert undisturbed.wait_for_runs(2, seconds=RUN_SECONDS)[0].state == "unchanged"
    assert undisturbed.runs()[0].run.trigger.kind == "degraded"


def test_a_request_for_retraining_that_comes_twice_starts_one_run(undisturbed: ObservedModel) -> None:
    event = json.loads((ROOT / "events" / "retrain.json").read_text())
    event |= {"detail-type": "RetrainingRequested"}  # a person's: the run before began a cooldown
    event["detail"] |= {"model": undisturbed.name, "id": "twice"}
    functions = undisturbed.cloud.admin.client("lambda").list_functions()["Functions"]
    retrain = next(f["FunctionName"] for f in functions if "-Retrain-" in f["FunctionName"])

    def invoke() -> Any:
        answer = undisturbed.client("lambda").invoke(FunctionName=f"{retrain}:live", Payload=json.dumps(event).encode())
        return json.loads(answer["Payload"].read())["done"]

    assert [invoke(), invoke()] == ["started", "started"]
    assert undisturbed.wait_for_runs(3, seconds=RUN_SECONDS)[0].state == "unchanged"


def task_inputs(model: ObservedModel, output: str, name: str) -> list[tuple[str, str, Any]]:
    """Return state, alias and input of each function that the model's first execution of a state machine called."""
    states = model.client("stepfunctions")
    oldest = model.executions(output)[-1]["executionArn"]
    execution = states.describe_execution(executionArn=oldest)
    machine = json.loads(states.describe_state_machine(stateMachineArn=model.cloud.outputs[output])["definition"])
    assert machine["States"].keys() == flow(name)["States"].keys()
    started = {"Id": oldest, "Name": oldest.rpartition(":")[2], "StartTime": execution["startDate"].isoformat()}
    context = {"Execution": started}
    inputs = []
    for event in states.get_execution_history(executionArn=oldest, maxResults=1000)["events"]:
        entered = event.get("stateEnteredEventDetails")
        if not entered:
            continue
        state, data = machine["States"][entered["name"]], json.loads(entered["input"])
        if state["Type"] == "Map":
            inner = state["ItemProcessor"]["StartAt"]
            task = state["ItemProcessor"]["States"][inner]
            for item in _path(state["ItemsPath"], data, context):
                item_context = context | {"Map": {"Item": {"Value": item}}}
                inputs.append((inner, task["Resource"], _filled(state["ItemSelector"], data, item_context)))
        elif ":lambda:" in state.get("Resource", ""):
            task_input = _filled(state["Parameters"], data, context) if "Parameters" in state else data
            inputs.append((entered["name"], state["Resource"], task_input))
    return inputs


def reused_steps(model: ObservedModel, execution: str) -> set[str]:
    """Return the steps of an execution that reused the result of an earlier run."""
    output = json.loads(model.client("stepfunctions").describe_execution(executionArn=execution)["output"])
    return {step for step, result in output.items() if isinstance(result, dict) and result.get("cached")}


def lease(model: ObservedModel) -> dict[str, Any]:
    """Return the model's lease."""
    record = model.registry.table.get(f"RUN#{model.name}", "LEASE")
    assert record
    return record.body


def records(model: ObservedModel) -> dict[str, Any]:
    """Return everything that the registry holds about a model, except events."""
    return {record.key: record.body for record in all_records(model) if not record.pk.startswith("EVENT#")}


def all_records(model: ObservedModel) -> list[Record]:
    """Return everything that the registry holds about a model, but for the runs by their executions."""
    table = model.cloud.outputs["RegistryTable"]
    pages = model.cloud.admin.client("dynamodb").get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    items = [item for page in pages for item in page["Items"] if item["pk"]["S"].endswith(f"#{model.name}")]
    return [
        Record(item["pk"]["S"], item["sk"]["S"], json.loads(item["body"]["S"]), int(item["revision"]["N"]))
        for item in items
    ]


def comparable_records(model: ObservedModel) -> list[str]:
    """Return the registry without what differs between any two runs: names, times, ids, hashes, durations."""
    lines = []
    for record in all_records(model):
        if record.sk.startswith("EVENT#"):
            lines.append(f"EVENT {record.body['kind']}")
            continue
        text = f"{record.pk} {record.sk} {json.dumps(dict(record.body), sort_keys=True)}"
        for pattern, replacement in (
            (r"\d{8}T\d{9}-[0-9a-f]{4}", "RUN"),
            (r"[0-9a-f]{32,64}", "HASH"),
            (r"code [0-9a-f]{12}", "code"),
            (r"\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)", "TIME"),
            (r"arn:aws:states:[\w:.-]+", "EXECUTION"),
            (r"#[0-9A-F]{18}", "#SEQUENCER"),
            (r'"(seconds|p50_ms|p99_ms|bytes)": [\d.]+', r'"\1": 0'),
            (r'"(cached|created)": (true|false)', r'"\1": 0'),
            (r"s3://[\w-]+/", "s3://BUCKET/"),
            (re.escape(model.name), "MODEL"),
        ):
            text = re.sub(pattern, replacement, text)
        lines.append(text)
    return sorted(lines)


def assert_same(lines: list[str], expected: list[str]) -> None:
    """Compare lines; the message has only those that differ, since all would fill screens."""
    missing = [f"- {line}" for line in expected if line not in lines]
    unexpected = [f"+ {line}" for line in lines if line not in expected]
    assert lines == expected, "\n".join(missing + unexpected)[:6000]
