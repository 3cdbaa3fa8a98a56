"""The container of large data: its program, its image, and the requests that start it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from moto import mock_aws

from infra.container import run_step
from infra.local.deployment.intrinsics import DeployedStack
from infra.local.deployment.translate import read_template
from modelcycle import data_need
from modelcycle.collect import collect
from modelcycle.engine import connect
from modelcycle.faults import BadData, BadPipeline, NoData, Transient, Unknown
from modelcycle.messages import (
    Artifact,
    Assignment,
    Collected,
    CollectRequest,
    ContainerOutcome,
    FoundUnseen,
    Run,
    RunRequest,
    Trigger,
)
from modelcycle.model.training_need import check_rehearsal
from modelcycle.reasons import reason_text
from modelcycle.registry import Registry
from modelcycle.steps import reuse_or_run
from modelcycle.workplace import HandOver, Need, Workplace
from tests.contract.conductor import conduct
from tests.fakes import MemoryStore, MemoryTable
from tests.unit.data_steps import Workspace
from tests.unit.test_keys_and_networks import evaluated
from tests.unit.test_small_memory import UNSPILLABLE

ROOT = Path(__file__).resolve().parents[2]
ASSIGNMENT = Assignment(step="refit", code="test", why="it is large", request={}, outcome_key="m/runs/r/refit/o.json")
RUN = Run(
    model="m", run_id="r", execution="arn", started_at="2026-01-01T00:00:00Z", trigger=Trigger(kind="request"),
    pipeline=Artifact(uri="s3://artifacts/m/runs/r/claim/pipeline.yaml", sha256="", bytes=0),
)  # fmt: skip
MARK = "0123456789abcdef0123"


class Bucket(MemoryStore):
    def latest(self, key: str) -> tuple[bytes, str | None]:
        if key not in self.objects:
            raise Unknown(f"there is no object {key}", key)
        return self.objects[key], None


def program(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the step's process run another program."""
    file = folder / "program.py"
    file.write_text(text)
    monkeypatch.setattr(run_step, "__file__", str(file))


def test_a_step_whose_process_is_killed_is_out_of_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)", monkeypatch)
    outcome = ContainerOutcome.model_validate(run_step._do(ASSIGNMENT))
    assert outcome.fault == "MemoryError"
    assert "out of memory" in outcome.text


def test_a_step_that_leaves_no_outcome_fails_the_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "raise SystemExit(3)", monkeypatch)
    with pytest.raises(RuntimeError, match="status 3"):
        run_step._do(ASSIGNMENT)


def test_the_steps_process_knows_that_it_is_in_a_container_and_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = """
import json, os, sys
names = ("CONTAINER_REASON", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "OMP_NUM_THREADS")
open(sys.argv[2], "w").write(json.dumps({"result": {name: os.environ[name] for name in names}}))
"""
    program(tmp_path, text, monkeypatch)
    result = run_step._do(ASSIGNMENT)["result"]
    memory = str(run_step.memory_megabytes())
    assert result == {
        "CONTAINER_REASON": "it is large", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": memory, "OMP_NUM_THREADS": "1"
    }  # fmt: skip


def workplace(**settings: Any) -> tuple[Workplace, Bucket]:
    bucket = Bucket("artifacts")
    return Workplace(bucket, "test", **settings), bucket


def ask(place: Workplace, need: Need) -> dict[str, Any] | None:
    return place.done_elsewhere("refit", "refit", RunRequest(run=RUN), MARK, need)


def test_work_that_fits_is_done_here_and_what_does_not_is_handed_over_once() -> None:
    place, bucket = workplace(megabytes=2048, container="fargate")
    assert ask(place, Need("9 rows", megabytes=2048)) is None
    for _ in range(2):
        with pytest.raises(HandOver) as handed:
            ask(place, Need("9 rows", megabytes=2049))
        assert "9 rows need about 2,049 MB of memory; the function has 2,048" in handed.value.message.why
    assert list(bucket.objects) == ["m/runs/r/refit/container-0123456789abcdef.json"]
    stored = Assignment.model_validate_json(bucket.read(handed.value.message.handed_over))
    assert stored.request == RunRequest(run=RUN).wire()
    outcome = ContainerOutcome(result={"done": True})
    bucket.upload(stored.outcome_key, outcome.model_dump_json().encode())
    assert ask(place, Need("9 rows", megabytes=2049)) == {"done": True}


def test_without_containers_work_is_tried_that_may_fit() -> None:
    place, _ = workplace(megabytes=2048)
    assert ask(place, Need("9 rows", megabytes=4000, least_megabytes=2000)) is None
    with pytest.raises(BadData) as caught:
        ask(place, Need("9 rows", megabytes=4000, least_megabytes=2049))
    assert "LargeTraining" in caught.value.remedy
    with pytest.raises(BadPipeline):
        ask(place, Need("9 rows", where="container"))
    assert ask(place, Need("9 rows", megabytes=4000, least_megabytes=4000, where="function")) is None


@pytest.mark.parametrize("place", ["function", "function alone", "container"])
def test_work_that_outgrows_the_memory_of_its_place_is_handed_over_if_it_can_be(tmp_path: Path, place: str) -> None:
    container, is_container = "none" if place == "function alone" else "fargate", place == "container"
    here, bucket = workplace(megabytes=40, container=container, is_container=is_container)

    def work() -> FoundUnseen:
        with connect(tmp_path, "find_unseen", 40) as engine:
            engine.execute(UNSPILLABLE)
        raise AssertionError("it fits")

    def reuse() -> FoundUnseen:
        return reuse_or_run(
            work, FoundUnseen, step="find_unseen", request=RunRequest(run=RUN), parameters=None, code="1",
            results=Registry(MemoryTable()).results, artifacts=bucket, workplace=here,
        )  # fmt: skip

    with pytest.raises(HandOver if place == "function" else BadData, match="do not fit into 40 MB") as raised:
        reuse()
    if place == "function":
        left = ContainerOutcome(fault="NoData", text="the container's own error")
        (stored,) = bucket.objects.values()
        bucket.upload(Assignment.model_validate_json(stored).outcome_key, left.model_dump_json().encode())
        with pytest.raises(NoData, match="the container's own error"):
            reuse()
    else:
        assert isinstance(raised.value, BadData)
        assert ("LargeTraining" in raised.value.remedy) == (place == "function alone")


def test_test_rows_that_stage_could_not_read_are_refused_before_they_are_scored() -> None:
    size = (100_000_000, 12)  # 2,489 MB
    for place in ({"container": "none"}, {"is_container": True, "container": "fargate"}):
        check_rehearsal(*size, workplace(megabytes=2048, **place)[0])
    check_rehearsal(*size, workplace(megabytes=3008, container="fargate")[0])
    with pytest.raises(BadData, match="2,489 MB") as refused:
        check_rehearsal(*size, workplace(megabytes=2048, container="fargate")[0])
    assert "ScoringMemory" in refused.value.remedy


def test_what_does_not_fit_the_container_either_is_refused_there() -> None:
    place, _ = workplace(megabytes=60_000, container="fargate", is_container=True, why="large")
    assert ask(place, Need("9 rows", megabytes=70_000, least_megabytes=50_000)) is None
    with pytest.raises(BadData, match="the container has 60,000"):
        ask(place, Need("9 rows", megabytes=70_000, least_megabytes=60_001))
    assert place.notes == ["done in a container: large"]


@pytest.mark.parametrize(("name", "kind"), [("Transient", Transient), ("MemoryError", MemoryError)])
def test_the_error_of_a_container_is_raised_by_its_own_class(name: str, kind: type[Exception]) -> None:
    place, bucket = workplace(megabytes=1, container="sagemaker")
    outcome = ContainerOutcome(fault=name, text="what\nwhere\nremedy")
    bucket.upload("m/runs/r/refit/container-0123456789abcdef-outcome.json", outcome.model_dump_json().encode())
    with pytest.raises(kind) as caught:
        ask(place, Need("9 rows", megabytes=2))
    assert type(caught.value) is kind


def requests(kind: str, values: dict[str, str]) -> list[tuple[str, dict[str, Any]]]:
    """Return resource and request of each task of the state machine, with values in place of its placeholders."""
    made: list[tuple[str, dict[str, Any]]] = []
    work = {"container": kind, "handed_over": {"uri": "s3://artifacts/m/a.json", "sha256": "0" * 64}}
    role = "arn:aws:iam::123456789012:role/step"

    def task(resource: str, event: Any) -> Any:
        made.append((resource, event))
        return {}

    text = (ROOT / "statemachines" / "in_container.asl.yaml").read_text()
    machine = yaml.safe_load(re.sub(r"\$\{(\w+)\}", lambda name: values.get(name[1], "x"), text))
    conduct(machine, {"work": work, "role": role}, task, "arn:x:0a1b2c3d-0000-4000-8000-000000000000")
    return made


@mock_aws
def test_a_training_job_is_accepted_as_it_is_asked_for() -> None:
    image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/r:t"
    values = {"JobPrefix": "0a1b2c3d", "Image": image, "InstanceType": "ml.m5.4xlarge", "ArtifactBucket": "artifacts"}
    ((resource, request),) = requests("sagemaker", values)
    assert resource == "arn:aws:states:::sagemaker:createTrainingJob.sync"
    client = boto3.client("sagemaker", region_name="us-east-1")
    client.create_training_job(**request)
    described = client.describe_training_job(TrainingJobName=request["TrainingJobName"])
    assert described["RoleArn"].endswith(":role/step")
    assert len(request["TrainingJobName"]) <= 63
    assert max(map(len, request["Environment"].values())) <= 512


@mock_aws
def test_a_task_is_accepted_as_it_is_asked_for() -> None:
    subnet = boto3.client("ec2", region_name="us-east-1").describe_subnets()["Subnets"][0]["SubnetId"]
    client = boto3.client("ecs", region_name="us-east-1")
    client.create_cluster(clusterName="c")
    step = {"name": "step", "image": "i", "essential": True, "cpu": 256, "memory": 512}
    task = client.register_task_definition(
        family="step", networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512",
        containerDefinitions=[step],
    )["taskDefinition"]["taskDefinitionArn"]  # fmt: skip
    values = {"Cluster": "c", "Task": task, "Subnets": subnet, "PublicIp": "ENABLED"}
    ((resource, request),) = requests("fargate", values)
    assert resource == "arn:aws:states:::ecs:runTask.sync"
    sent = _camel(request)
    sent["networkConfiguration"]["awsvpcConfiguration"]["securityGroups"] = []  # moto knows no default one
    started = client.run_task(**sent)["tasks"][0]
    assert started["overrides"]["taskRoleArn"].endswith(":role/step")


def _camel(value: Any) -> Any:
    if isinstance(value, dict):
        return {key[0].lower() + key[1:]: _camel(part) for key, part in value.items()}
    return [_camel(part) for part in value] if isinstance(value, list) else value


def test_the_image_has_the_functions_and_every_layer_that_a_handler_imports() -> None:
    text = (ROOT / "infra" / "container" / "Dockerfile").read_text()
    copied = re.findall(r"^COPY (\S+)", text, re.MULTILINE)
    assert all((ROOT / path).exists() for path in copied)
    template = read_template(ROOT / "template.yaml")["Resources"]
    handlers = {f"functions/{path.partition('/')[0]}" for path in run_step.HANDLERS.values()}
    layers = {
        layer["Ref"].removesuffix("Layer").lower()
        for made in template.values()
        if made["Type"] == "AWS::Serverless::Function" and made["Properties"]["CodeUri"] in handlers
        for layer in made["Properties"]["Layers"]
    } - {"sources"}  # of Pull alone, which no container does
    assert {f"layers/{layer}/requirements.txt" for layer in layers} <= set(copied)


@pytest.mark.parametrize(
    ("kind", "made"), [("none", set()), ("fargate", {"Cluster", "Task"}), ("sagemaker", {"JobPolicy"})]
)
def test_a_stack_has_the_resources_of_its_kind_of_container(kind: str, made: set[str]) -> None:
    template = read_template(ROOT / "infra" / "containers.yaml")
    parameters = dict.fromkeys(template["Parameters"], "x") | {"Kind": kind, "StepRoleNames": "a,b"}
    stack = DeployedStack(template, parameters, {}, "us-east-1", "1")
    present = {
        name
        for name, resource in template["Resources"].items()
        if "Condition" not in resource or stack.is_true({"Condition": resource["Condition"]})
    }
    assert present & {"Cluster", "Task", "JobPolicy"} == made
    assert ("Repository" in present) == (kind != "none")


RULES = {
    "states:startExecution.sync:2": "StepFunctionsGetEventsForStepFunctionsExecutionRule",
    "ecs:runTask.sync": "StepFunctionsGetEventsForECSTaskRule",
    "sagemaker:createTrainingJob.sync": "StepFunctionsGetEventsForSageMakerTrainingJobsRule",
}
"""The rule that Step Functions makes for a task that waits (AWS pages "IAM policies for ...")."""


@pytest.mark.parametrize("large", ["none", "fargate", "sagemaker"])
def test_the_role_of_a_state_machine_may_make_the_rule_of_each_task_that_waits(large: str) -> None:
    """Step Functions checks it for the whole definition when it makes the state machine, whatever a run reaches."""
    resources = evaluated(LargeTraining=large, ContainerSubnets="subnet-1")
    machines = {name: made for name, made in resources.items() if made["Type"] == "AWS::Serverless::StateMachine"}
    waits = set()
    for name, made in machines.items():
        text = (ROOT / made["Properties"]["DefinitionUri"]).read_text()
        role = resources[f"template/{made['Properties']['Role']['Fn::GetAtt'][0]}"]
        statements = [
            role["stack"].value([statement])
            for policy in role["Properties"]["Policies"]
            for statement in policy["PolicyDocument"]["Statement"]
            if "events:PutRule" in str(statement)
        ]
        allowed = {one["Resource"].rpartition("rule/")[2] for found in statements for one in found}
        waiting = set(re.findall(r"Resource: arn:aws:states:::(\S+\.sync\S*)", text))
        waits |= waiting
        assert {RULES[resource] for resource in waiting} <= allowed, name
    assert waits == set(RULES) if large != "none" else {"states:startExecution.sync:2"}


@pytest.mark.parametrize(("container", "refused"), [("none", False), ("fargate", True)])
def test_where_nothing_takes_files_over_the_limit_is_that_of_each_source(
    container: str, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    join = {"name": "shops", "on": ["x"], "source": {"type": "sql", "secret": "shop", "table": "shops"}}
    workspace = Workspace(artifacts=Bucket())
    run = workspace.run(target="y", join=[join])
    workspace.data.upload("raw/m/a.csv", b"x,y\n1,a\n2,b\n")
    workspace.data.upload("landed/m/shops/a.csv", b"x,city\n1,Jena\n2,Bonn\n")
    monkeypatch.setattr(data_need, "MAX_SNAPSHOT_BYTES", 30)  # of both together more, of each less

    def collected() -> Collected:
        return collect(
            CollectRequest(run=run), data=workspace.data, artifacts=workspace.artifacts, code="1",
            leases=workspace.registry.leases, results=workspace.registry.results,
            workplace=Workplace(workspace.artifacts, "1", container=container),
        )  # fmt: skip

    if refused:
        with pytest.raises(HandOver):
            collected()
    else:
        assert collected().columns == 3


@pytest.mark.parametrize(
    ("state", "error", "hours"),
    [("Fargate", "AmazonECS.Unknown", 0.4), ("SageMaker", "SageMaker.ResourceLimitExceededException", 2)],
)
def test_a_container_waits_for_capacity(state: str, error: str, hours: float) -> None:
    machine = yaml.safe_load((ROOT / "statemachines" / "in_container.asl.yaml").read_text())
    (retry,) = [one for one in machine["States"][state]["Retry"] if error in one["ErrorEquals"]]
    waits = [min(retry["IntervalSeconds"] * 2**n, retry["MaxDelaySeconds"]) for n in range(retry["MaxAttempts"])]
    # with full jitter a wait is half of that on average
    assert sum(waits) / 2 > hours * 3600
    assert machine["TimeoutSeconds"] >= sum(waits) + machine["States"][state]["TimeoutSeconds"]


NESTED = {
    "ECS": {"TaskArn": "t", "StopCode": "TaskFailedToStart", "Containers": [{"Name": "step"}],
            "StoppedReason": "CannotPullContainerError: pull image manifest has been retried 1 time(s)"},
    "killed": {"TaskArn": "t", "Containers": [{"Name": "step", "ExitCode": 2}],
               "StoppedReason": "Essential container in task exited"},
    "SageMaker": {"TrainingJobName": "0a-1", "FailureReason": "InternalServerError: try again"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "what", "remedy"),
    [
        ("ECS", "CannotPullContainerError", "make image"),
        ("killed", r"exited \(exit status 2\)", "/modelcycle/STACK/container"),
        ("SageMaker", "InternalServerError: try again", "/aws/sagemaker/TrainingJobs"),
    ],
)
def test_the_reason_of_a_failed_container_is_what_its_service_says_and_where_to_look(
    kind: str, what: str, remedy: str
) -> None:
    inner = {
        "ExecutionArn": "arn:x",
        "Status": "FAILED",
        "Error": "States.TaskFailed",
        "Cause": json.dumps(NESTED[kind]),
    }
    text = reason_text({"Error": "States.TaskFailed", "Cause": json.dumps(inner)})
    assert "{" not in text
    assert len(text.split("\n")) == 3
    assert re.search(what, text.split("\n")[0])
    assert remedy in text.split("\n")[2]
