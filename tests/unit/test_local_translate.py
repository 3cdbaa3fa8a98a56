"""From the SAM template to what the local cloud takes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from infra.local.faults import TemplateInvalid
from infra.local.left_out import mentions
from infra.local.translate import Site, Translation, translate

SAMPLE = Path(__file__).parents[1] / "e2e" / "sample"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SAMPLE, tmp_path / "project"))


def translated(project: Path, home: Path, **parameters: str) -> Translation:
    given = {"Place": "local", "BuildSha": "one"} | parameters
    return translate(project / "template.yaml", given, Site(home, "uploads", "http://127.0.0.1:1"))


def of_type(translation: Translation, kind: str) -> dict[str, dict[str, Any]]:
    return {name: one["Properties"] for name, one in translation.template["Resources"].items() if one["Type"] == kind}


def test_a_function_runs_by_a_bootstrap_that_is_uploaded(project: Path, home: Path) -> None:
    result = translated(project, home)
    function = of_type(result, "AWS::Lambda::Function")["HelloFunction"]
    assert function["Runtime"] == "provided.al2023"
    assert function["Code"]["S3Key"] in result.objects


def test_a_new_build_publishes_a_new_version(project: Path, home: Path) -> None:
    one = of_type(translated(project, home), "AWS::Lambda::Version")
    two = of_type(translated(project, home, BuildSha="two"), "AWS::Lambda::Version")
    assert set(one) != set(two)


def test_a_flow_in_yaml_is_inlined(project: Path, home: Path) -> None:
    flow = of_type(translated(project, home), "AWS::StepFunctions::StateMachine")["Greeting"]
    text = json.dumps(flow)
    assert "StartAt" in text
    assert "DefinitionS3Location" not in flow


def test_every_path_of_the_api_asks_for_a_signature(project: Path, home: Path) -> None:
    api = of_type(translated(project, home), "AWS::ApiGateway::RestApi")["Api"]
    methods = [method for path in api["Body"]["paths"].values() for method in path.values()]
    assert methods
    assert all({"AWS_IAM": []} in method["security"] for method in methods)


def test_a_nested_template_is_uploaded_and_knows_its_parameters(project: Path, home: Path) -> None:
    result = translated(project, home, Environment="prod")
    child = result.nested["Storage"]
    url = of_type(result, "AWS::CloudFormation::Stack")["Storage"]["TemplateURL"]
    assert url == f"http://127.0.0.1:1/uploads/{child.key}"
    assert child.key in result.objects
    assert child.parameters == {"Environment": "prod"}


def test_the_same_project_translates_to_the_same_key(project: Path, home: Path) -> None:
    assert translated(project, home).key == translated(project, home).key


def test_what_is_refused_is_named_with_its_reason(project: Path, home: Path) -> None:
    said = [str(one) for one in translated(project, home).left_out]
    assert "Ratio (AWS::CloudWatch::Alarm): the emulator has no metric maths" in said


def test_what_needs_a_refused_resource_is_an_error_with_its_name(project: Path, home: Path) -> None:
    template = project / "template.yaml"
    template.write_text(template.read_text().replace("STAGE: !Ref Environment", "STAGE: !Ref Ratio"))
    with pytest.raises(TemplateInvalid, match="HelloFunction needs Ratio"):
        translated(project, home)


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ("Resources: [", "not YAML"),
        ("just text", "no Resources"),
        ("Resources: {F: {Type: AWS::Serverless::Function, Properties: {CodeUri: nowhere}}}", "nowhere"),
        (
            "Resources: {M: {Type: AWS::Serverless::StateMachine, Properties: {DefinitionUri: no.yaml}}}",
            "no.yaml",
        ),
        (
            "Transform: AWS::Serverless-2016-10-31\nResources: {F: {Type: AWS::Serverless::Function, "
            "Properties: {CodeUri: functions/hello, Nonsense: 1}}}",
            "SAM does not take the template",
        ),
    ],
    ids=["yaml", "text", "folder", "flow", "property"],
)
def test_a_template_that_cannot_be_read_is_one_sentence(project: Path, home: Path, broken: str, told: str) -> None:
    (project / "template.yaml").write_text(broken)
    with pytest.raises(TemplateInvalid, match=told) as fault:
        translated(project, home)
    assert fault.value.where
    assert fault.value.remedy


def test_a_missing_template_is_one_sentence(tmp_path: Path, home: Path) -> None:
    with pytest.raises(TemplateInvalid, match="no template"):
        translated(tmp_path, home)


def test_mentions_are_found_in_every_form() -> None:
    node = {"a": [{"Ref": "A"}, {"Fn::GetAtt": ["B", "Arn"]}], "b": {"Fn::Sub": ["${C.Arn}-${D}", {"D": {"Ref": "E"}}]}}
    assert mentions(node) == {"A", "B", "C", "D", "E"}
