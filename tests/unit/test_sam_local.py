"""What a function that SAM starts is told: by the template, by an event, and where it refuses to work."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode.cfn_yaml import load

from infra.local.emulator.last_events import LastEvents, events_folder
from infra.local.invocation.deployed_functions import DeployedFunction
from infra.local.invocation.effects import EFFECTS, REPEATS, effect_of
from infra.local.invocation.events import events_of
from modelcycle.aws import Adapters, Environment, adapters
from modelcycle.faults import Fault

ROOT = Path(__file__).parents[2]

TEMPLATE: dict[str, Any] = load(str(ROOT / "template.yaml"))
FUNCTIONS = {
    name: resource["Properties"]
    for name, resource in TEMPLATE["Resources"].items()
    if resource["Type"] == "AWS::Serverless::Function"
}


def test_without_an_endpoint_the_variable_is_not_declared() -> None:
    variables = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
    assert TEMPLATE["Parameters"]["Endpoint"]["Default"] == ""
    assert variables["AWS_ENDPOINT_URL"] == {"Fn::If": ["NamedEndpoint", {"Ref": "Endpoint"}, {"Ref": "AWS::NoValue"}]}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_function_names_an_endpoint_of_its_own(name: str) -> None:
    assert "AWS_ENDPOINT_URL" not in FUNCTIONS[name].get("Environment", {}).get("Variables", {})


def test_keys_have_their_reserved_names_only_with_an_endpoint() -> None:
    """Lambda refuses these names; cfn-lint's check of them is switched off."""
    reserved = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
    variables = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
    assert {name for name in variables if name.startswith(("AWS_", "LAMBDA_", "_"))} == reserved | {"AWS_ENDPOINT_URL"}
    for name in reserved:
        assert variables[name] == {"Fn::If": ["NamedEndpoint", "local", {"Ref": "AWS::NoValue"}]}
    assert TEMPLATE["Conditions"]["NamedEndpoint"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "Endpoint"}, ""]}]}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_function_declares_a_reserved_name_of_its_own(name: str) -> None:
    variables = FUNCTIONS[name].get("Environment", {}).get("Variables", {})
    assert not [variable for variable in variables if variable.startswith(("AWS_", "LAMBDA_", "_"))]


def test_an_endpoint_is_refused_on_aws() -> None:
    rule = TEMPLATE["Rules"]["AwsNeedsNoEndpoint"]
    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "Place"}, "aws"]}
    assert rule["Assertions"][0]["Assert"] == {"Fn::Equals": [{"Ref": "Endpoint"}, ""]}


# the composition root


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("PLACE", "AWS_ENDPOINT_URL", "DATA_BUCKET", "ARTIFACT_BUCKET", "REGISTRY_TABLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CODE_VERSION", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    adapters.cache_clear()
    return monkeypatch


@pytest.mark.parametrize("place", ["local", "localstack"])
@pytest.mark.parametrize("endpoint", [None, ""])
def test_no_local_place_talks_to_aws(place: str, endpoint: str | None, variables: pytest.MonkeyPatch) -> None:
    variables.setenv("PLACE", place)
    if endpoint is not None:
        variables.setenv("AWS_ENDPOINT_URL", endpoint)
    with pytest.raises(Fault, match=f"Place={place}.*it would talk to AWS"):
        adapters()


def test_aws_needs_no_endpoint_and_a_local_place_has_one(variables: pytest.MonkeyPatch) -> None:
    variables.setenv("PLACE", "aws")
    assert adapters().code == "test"
    adapters.cache_clear()
    variables.setenv("PLACE", "local")
    variables.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert adapters().code == "test"


def test_names_that_sam_leaves_empty_are_named(variables: pytest.MonkeyPatch) -> None:
    variables.setenv("DATA_BUCKET", "data")
    variables.setenv("ARTIFACT_BUCKET", "")
    variables.setenv("REGISTRY_TABLE", "")
    with pytest.raises(Fault, match="are empty: ARTIFACT_BUCKET, REGISTRY_TABLE"):
        adapters()


def test_a_bucket_is_no_part_of_the_host_name_of_a_local_cloud(variables: pytest.MonkeyPatch) -> None:
    """No resolver knows `bucket.host.docker.internal`."""

    def url(**extra: str) -> str:
        for name, value in extra.items():
            variables.setenv(name, value)
        client = Adapters(Environment(code_version="test")).client("s3")
        return str(client.generate_presigned_url("get_object", Params={"Bucket": "plums", "Key": "a"}))

    assert url(AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="b").startswith("https://plums.s3.amazonaws.com/a?")
    assert url(AWS_ENDPOINT_URL="http://host.docker.internal:4566").startswith(
        "http://host.docker.internal:4566/plums/a?"
    )


# events


class Worker:
    """A process of a function, as the emulator has it."""

    def __init__(self, name: str) -> None:
        self.config = {"FunctionName": name}

    def invoke(self, event: Any, request_id: str, **named: Any) -> dict[str, Any]:
        return {"event": event}


def call(worker: type[Worker], name: str, event: Any) -> None:
    assert worker(name).invoke(event, "7d5e") == {"event": event}


@pytest.fixture
def worker() -> type[Worker]:
    return type("Worker", (Worker,), {})


def test_the_last_event_of_each_function_is_kept_for_its_owner(worker: type[Worker], tmp_path: Path) -> None:
    events = LastEvents(tmp_path / "events")
    events.install(worker)
    call(worker, "a", {"größe": 1})
    call(worker, "b", [1])
    call(worker, "a", {"größe": 2})
    events.write()
    path = tmp_path / "events" / "a.json"
    assert json.loads(path.read_text()) == {"größe": 2}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert sorted(file.name for file in path.parent.iterdir()) == ["a.json", "b.json"]
    path.unlink()
    events.write()
    assert not path.exists(), "only new events are written"


def test_events_that_cannot_be_written_stop_no_call_and_no_save(worker: type[Worker], tmp_path: Path) -> None:
    (tmp_path / "events").write_text("a file, no folder")
    events = LastEvents(tmp_path / "events")
    events.install(worker)
    call(worker, "a", {})
    events.write()


def deployed(*names: str) -> dict[str, DeployedFunction]:
    buckets = {"DATA_BUCKET": "d7", "ARTIFACT_BUCKET": "a7"}
    return {name: DeployedFunction(name, f"stack-{name}-1", "role", "app.handler", buckets, 512, 60) for name in names}


def given(home: Path, name: str, event: Any) -> None:
    events_folder(home).mkdir(exist_ok=True)
    (events_folder(home) / f"stack-{name}-1.json").write_text(json.dumps(event))


def test_a_function_that_was_not_called_gets_what_the_last_run_has_passed_on(tmp_path: Path) -> None:
    run = {"model": "sour-plums", "run_id": "r1"}
    given(tmp_path, "Collect", {"run": {"model": "other", "run_id": "r0"}, "collect": {"rows": 1}})
    os.utime(events_folder(tmp_path) / "stack-Collect-1.json", (1, 1))
    given(tmp_path, "Govern", {"run": run, "validate": {"verdict": "passed"}, "preprocess": {"rows": 9}})
    events = events_of(deployed("Collect", "Govern", "Refit", "Predict", "Claim"), tmp_path, ROOT)
    assert events["Govern"].was_given and events["Govern"].value["run"] == run
    refit = events["Refit"]
    assert not refit.was_given and "events/refit.json" in refit.origin
    assert refit.value["run"] == run and refit.value["validate"] == {"verdict": "passed"}
    assert refit.value["preprocess"] == {"rows": 9}
    assert refit.value["select_model"]["onnx"]["uri"].startswith("s3://a7/sour-plums/")
    assert events["Predict"].value["pathParameters"] == {"name": "sour-plums"}
    assert events["Claim"].value["event"]["detail"]["object"]["key"] == "raw/sour-plums/adult.csv.gz"


def test_a_function_without_an_example_gets_an_empty_event(tmp_path: Path) -> None:
    assert events_of(deployed("NoneSuch"), tmp_path, ROOT)["NoneSuch"].value == {}


def test_without_any_call_the_examples_keep_their_model(tmp_path: Path) -> None:
    events = events_of(deployed("Govern", "Monitor"), tmp_path, ROOT)
    assert events["Govern"].value["run"]["model"] == "adult-income"
    assert events["Monitor"].value["model"] == "adult-income"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_it_is_known_what_a_call_changes(name: str) -> None:
    assert (name in EFFECTS) != (name in REPEATS), f"add {name} to one of them: infra/local/invocation/effects.py"
    assert bool(effect_of(name)) == (name in EFFECTS)
