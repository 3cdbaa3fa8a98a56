"""What does not fit a function is done in a container by the same code, and the run goes on as if it had been one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.session import get_session
from botocore.validate import validate_parameters

from infra.container import run_step
from infra.local.emulator.containers import OPERATIONS
from modelcycle import aws, data_need
from modelcycle.faults import BadData, BadPipeline
from modelcycle.messages import Assignment, ContainerOutcome
from modelcycle.preprocess import tables
from tests.contract.conductor import conduct, flow
from tests.contract.conftest import World
from tests.contract.functions import functions, template
from tests.contract.rows import CSV, PIPELINE
from tests.contract.test_check_step import other_code

IN_CONTAINER = PIPELINE.replace("trials: 3", "trials: 2, where: container, refit: all")
SUBSTITUTED = {"${Cluster}": "c", "${Task}": "t", "${PublicIp}": "ENABLED", "${InstanceType}": "ml.m5.large",
               "${Image}": "image", "${JobPrefix}": "0a1b2c3d"}  # fmt: skip

STEPS = [
    "collect", "preprocess", "engineer_features", "run_trial", "select_model",
    "find_unseen", "score_candidate", "refit", "check_refit",
]  # fmt: skip
"""What a container does, in the order of the flow."""


class Containers:
    """Fargate or SageMaker, which run the container's program in this process.

    Parameters
    ----------
    world : whose functions hand work over
    kind : fargate or sagemaker
    do : what the container does; by default the assignment
    megabytes : memory of the functions
    """

    def __init__(
        self, world: World, kind: str, do: Callable[[Assignment], ContainerOutcome] | None = None, megabytes: int = 2048
    ) -> None:
        self.world, self.kind, self.do, self.megabytes = world, kind, do, megabytes
        self.done: list[str] = []
        self.requests: list[dict[str, Any]] = []

    def task(self, resource: str, event: Any) -> Any:
        if resource.endswith("states:startExecution.sync:2"):
            name = f"arn:in-container:0a1b2c3d-0000-4000-8000-{len(self.done):012}"
            _, output = conduct(flow("in_container"), event["Input"], self.task, name)
            return {"Output": output, "Status": "SUCCEEDED"}
        if resource.removesuffix(".sync") in OPERATIONS:
            self.run(resource.removesuffix(".sync"), event)
            return {}
        with self.handing_over(self.kind, aws_lambda_function_memory_size=self.megabytes):
            return self.world.task(resource, event)

    def run(self, resource: str, event: dict[str, Any]) -> None:
        """Check the request by botocore's model of the service, as AWS does, and run the container's program."""
        self.requests.append(event)
        service, operation = OPERATIONS[resource]
        shape = get_session().get_service_model(service).operation_model(operation).input_shape
        request = filled(event)
        validate_parameters(lower_camel(request) if service == "ecs" else request, shape)
        variables = event.get("Environment") or {
            entry["Name"]: entry["Value"] for entry in event["Overrides"]["ContainerOverrides"][0]["Environment"]
        }
        with pytest.MonkeyPatch.context() as patch:
            for name in ("ASSIGNMENT", "ASSIGNMENT_SHA256"):
                patch.setenv(name, variables[name])
            assert run_step.main(self.work) == 0

    def work(self, assignment: Assignment) -> dict[str, Any]:
        self.done.append(assignment.step)
        if self.do is not None:
            return self.do(assignment).model_dump()
        with self.handing_over(self.kind, container_reason=assignment.why, aws_lambda_function_memory_size=60_000):
            answer = functions()["".join(part.title() for part in assignment.step.split("_"))](assignment.request)
        return ContainerOutcome(result=answer).model_dump()

    @contextmanager
    def handing_over(self, kind: str, **settings: Any) -> Iterator[None]:
        environment = aws.adapters().environment
        with pytest.MonkeyPatch.context() as patch:
            changed = environment.model_copy(update={"large_training": kind, **settings})
            patch.setattr(aws.adapters(), "environment", changed)
            aws.adapters().__dict__.pop("workplace", None)
            yield
        aws.adapters().__dict__.pop("workplace", None)


def filled(value: Any) -> Any:
    """Return a request as it leaves the state machine: with the template's values in place of the placeholders."""
    if isinstance(value, dict):
        return {key: filled(part) for key, part in value.items()}
    if isinstance(value, list):
        return [filled(part) for part in value]
    if isinstance(value, str) and value.endswith("Role}"):
        return "arn:aws:iam::123456789012:role/step"
    for placeholder, replaced in SUBSTITUTED.items():
        value = value.replace(placeholder, replaced) if isinstance(value, str) else value
    return value


def lower_camel(value: Any) -> Any:
    """Return the members of a request as ECS names them; Step Functions has them in Pascal case."""
    if isinstance(value, dict):
        return {key[0].lower() + key[1:]: lower_camel(part) for key, part in value.items()}
    return [lower_camel(part) for part in value] if isinstance(value, list) else value


def run(world: World, model: str, pipeline: str, task: Callable[[str, Any], Any]) -> tuple[str, dict[str, Any]]:
    """Run the lifecycle of a new model."""
    text = pipeline.replace("sour-plums", model)
    boto3.client("s3").put_object(Bucket="data", Key=f"pipelines/{model}.yaml", Body=text.encode())
    event = world.upload(f"raw/{model}/first.csv", CSV.encode())
    return conduct(until_governed(), event, task, f"arn:execution:{model}-{len(world.given.get('Claim', []))}")


def until_governed() -> dict[str, Any]:
    """Return the lifecycle without the states after Refit, which no container does."""
    machine = flow("lifecycle")
    machine["States"]["Govern"] = {"Type": "Pass", "Next": "ConcludeUnchanged"}
    return machine


@pytest.mark.long
@pytest.mark.parametrize("kind", ["fargate", "sagemaker"])
def test_a_model_made_in_containers_has_the_bytes_of_one_made_in_functions(
    world: World, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    containers = Containers(world, kind)
    end, there = run(world, f"made-{kind}", IN_CONTAINER, containers.task)
    assert end == "Unchanged", there
    with other_code(monkeypatch):  # so that no result is reused
        _, here = run(world, f"made-{kind}", IN_CONTAINER.replace("where: container", "where: function"), world.task)
    assert not here["select_model"]["cached"]
    assert containers.done == ["run_trial", "run_trial", "select_model", "refit"]
    files = [("select_model", "onnx"), ("select_model", "reference"), ("refit", "onnx")]
    assert [there[made][file]["sha256"] for made, file in files] == [here[made][file]["sha256"] for made, file in files]
    assert [trial["loss"] for trial in there["trials"]] == [trial["loss"] for trial in here["trials"]]
    notes = " ".join(there["select_model"]["notes"])
    assert "done in a container: the pipeline file says training.where: container" in notes


@pytest.fixture
def world(world: World) -> World:
    """The same region, without the events of the other tests, which they read from a world of theirs."""
    return World()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Functions that take next to nothing."""
    for limit, least in (("MAX_SNAPSHOT_BYTES", 10_000), ("MAX_CELLS", 1_000), ("MAX_FETCHED_BYTES", 100)):
        monkeypatch.setattr(data_need, limit, least)


@pytest.mark.usefixtures("small")
def test_every_step_that_reads_all_rows_is_done_in_a_container_if_they_do_not_fit_a_function(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # these functions have less memory than Python takes, so `stage` would not fit either
    monkeypatch.setattr(import_module("modelcycle.score_candidate.score_candidate"), "check_rehearsal", lambda *_: None)
    containers = Containers(world, "fargate", megabytes=150)
    end, data = run(world, "large", IN_CONTAINER.replace("where: container", "where: auto"), containers.task)
    assert end == "Unchanged", data
    assert list(dict.fromkeys(containers.done)) == STEPS
    assert "function has 150" in " ".join(data["select_model"]["notes"])


@pytest.mark.usefixtures("small")
def test_files_that_arrive_while_a_container_reads_the_others_belong_to_the_next_run(world: World) -> None:
    containers, arrived = Containers(world, "fargate"), 0

    def task(resource: str, event: Any) -> Any:
        nonlocal arrived
        try:
            return containers.task(resource, event)
        finally:
            arrived += 1
            world.upload(f"raw/busy/later-{arrived}.csv", CSV.encode() + b"\n" * arrived)

    end, data = run(world, "busy", PIPELINE.replace("trials: 3", "trials: 1"), task)
    assert (end, containers.done.count("collect")) == ("Unchanged", 1)
    assert data["collect"]["objects"] == 2  # one arrived after Claim
    assert arrived > len(STEPS)


@pytest.mark.parametrize("kind", ["fargate", "none"])
def test_texts_that_turn_out_too_long_for_a_function_are_read_in_a_container(
    world: World, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "MAX_TEXT_COLUMN_BYTES", 2_000)  # in a container, 30 times as many
    containers = Containers(world, kind)
    if kind == "none":
        with pytest.raises(Exception, match=r"(?s)text columns have .* deploy the stack with LargeTraining"):
            run(world, f"texts-{kind}", PIPELINE, containers.task)
        return
    end, _ = run(world, f"texts-{kind}", PIPELINE, containers.task)
    assert (end, containers.done) == ("Unchanged", ["preprocess"])


@pytest.mark.usefixtures("small")
def test_without_containers_files_that_do_not_fit_are_refused_with_what_to_do(world: World) -> None:
    with pytest.raises(Exception, match=r"(?s)the files have .* LargeTraining"):
        run(world, "refused", PIPELINE, Containers(world, "none").task)


def test_without_containers_a_table_that_does_not_fit_the_memory_is_refused_before_it_is_read(world: World) -> None:
    containers = Containers(world, "none", megabytes=150)
    with pytest.raises(Exception, match="rows of 5 columns need about 200 MB of memory; the function has 150"):
        run(world, "wide", PIPELINE, containers.task)


def test_a_container_of_a_step_has_the_role_of_its_function(world: World) -> None:
    containers = Containers(world, "fargate")
    run(world, "roles", IN_CONTAINER, containers.task)
    given = [request["Overrides"]["TaskRoleArn"] for request in containers.requests]
    assert given == ["${RunTrialRole}", "${RunTrialRole}", "${SelectModelRole}", "${RefitRole}"]
    filled_in = template()["Resources"]["Lifecycle"]["Properties"]["DefinitionSubstitutions"]
    for role in set(given):
        name = role.strip("${}")
        assert filled_in[name] == f"Identity.Outputs.{name}"
        assert template()["Resources"][name.removesuffix("Role")]["Properties"]["Role"] == filled_in[name]


def test_the_program_knows_the_handlers_of_all_steps_that_are_handed_over() -> None:
    named = {step: function for function in functions().values() for step in [function.name]}
    for step, path in run_step.HANDLERS.items():
        assert named[step].path == run_step.FUNCTIONS / path
    roles = template()["Resources"]["Lifecycle"]["Properties"]["DefinitionSubstitutions"]
    handed_over = {name.removesuffix("Role") for name in roles if name.endswith("Role")}
    assert handed_over == {named[step].resource for step in run_step.HANDLERS}


@pytest.mark.long
def test_a_second_run_finds_what_the_containers_of_the_first_have_made(world: World) -> None:
    run(world, "again", IN_CONTAINER, Containers(world, "fargate").task)
    containers = Containers(world, "fargate")
    event = world.upload("raw/again/first.csv", CSV.encode())
    end, data = conduct(until_governed(), event, containers.task, "arn:execution:again-2")
    assert (end, containers.done) == ("Unchanged", [])
    assert data["select_model"]["cached"]


@pytest.mark.long
def test_a_trial_whose_container_runs_out_of_memory_has_no_model_and_the_others_go_on(world: World) -> None:
    containers = Containers(world, "fargate")

    def do(assignment: Assignment) -> ContainerOutcome:
        if assignment.request.get("trial", {}).get("number") == 1:
            return ContainerOutcome(fault="MemoryError", text="killed")
        containers.do = None
        try:
            return ContainerOutcome.model_validate(containers.work(assignment))
        finally:
            containers.do = do

    containers.do = do
    end, data = run(world, "hungry", IN_CONTAINER, containers.task)
    assert end == "Unchanged"
    assert ["memory" in trial.get("failed", "") for trial in data["trials"]] == [True, False]


@pytest.mark.long
def test_a_refit_that_fails_in_its_container_leaves_the_judged_model(world: World) -> None:
    containers = Containers(world, "fargate")

    def do(assignment: Assignment) -> ContainerOutcome:
        if assignment.step == "refit":
            return ContainerOutcome(fault="MemoryError", text="killed")
        containers.do = None
        try:
            return ContainerOutcome.model_validate(containers.work(assignment))
        finally:
            containers.do = do

    containers.do = do
    end, data = run(world, "unrefitted", IN_CONTAINER, containers.task)
    assert end == "Unchanged"
    assert not data["refit"]["done"]
    assert "memory" in data["refit"]["reason"]


def test_a_fault_of_a_step_in_its_container_is_the_fault_of_the_function(world: World) -> None:
    fault = ContainerOutcome(fault="BadData", text="the sky fell\ntrain\nlook up")
    containers = Containers(world, "fargate", lambda _: fault)
    raised: list[Exception] = []

    def task(resource: str, event: Any) -> Any:
        try:
            return containers.task(resource, event)
        except Exception as error:
            raised.append(error)
            raise

    with pytest.raises(Exception, match="the sky fell"):
        run(world, "fallen", IN_CONTAINER, task)
    assert type(raised[0]) is BadData
    assert (raised[0].where, raised[0].remedy) == ("train", "look up")


def test_without_containers_what_asks_for_one_is_refused(world: World) -> None:
    with pytest.raises(Exception, match="LargeTraining=fargate or sagemaker"):
        run(world, "alone", IN_CONTAINER, world.task)
    (event, *_) = [given for given in world.given["RunTrial"] if given["run"]["model"] == "alone"]
    with pytest.raises(BadPipeline):
        functions()["RunTrial"](event)


def test_a_container_of_other_code_refuses_the_work(
    world: World, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assignment = Assignment(step="refit", code="older", why="", request={}, outcome_key="m/runs/r/refit/o.json")
    stored = aws.adapters().artifacts.put("m/runs/r/refit/a.json", json.dumps(assignment.model_dump()).encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSIGNMENT", stored.uri)
        patch.setenv("ASSIGNMENT_SHA256", stored.sha256)
        assert run_step.main() == 0
    assert "make image" in capsys.readouterr().err
    left = ContainerOutcome.model_validate_json(aws.adapters().artifacts.latest("m/runs/r/refit/o.json")[0])
    assert left.fault == "Fault"
    assert "make image" in left.text
