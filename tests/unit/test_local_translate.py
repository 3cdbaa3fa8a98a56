"""From the SAM template to what CloudFormation of the local cloud accepts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from infra.local.deployment.left_out import LeftOut, folded, references
from infra.local.deployment.translate import Destination, Translation, translate
from infra.local.faults import TemplateInvalid

SAMPLE = Path(__file__).parents[1] / "e2e" / "sample"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SAMPLE, tmp_path / "project"))


def translate_project(project: Path, home: Path, **parameters: str) -> Translation:
    values = {"Place": "local", "BuildSha": "one"} | parameters
    return translate(project / "template.yaml", values, Destination(home, "uploads", "http://127.0.0.1:1"))


def of_type(translation: Translation, resource_type: str) -> dict[str, dict[str, Any]]:
    """The properties of the resources of a type, by logical id."""
    resources = translation.template["Resources"]
    return {name: resource["Properties"] for name, resource in resources.items() if resource["Type"] == resource_type}


def test_a_function_is_uploaded_and_started_by_a_bootstrap(project: Path, home: Path) -> None:
    translation = translate_project(project, home)
    function = of_type(translation, "AWS::Lambda::Function")["HelloFunction"]
    assert function["Runtime"] == "provided.al2023"
    assert function["Code"]["S3Key"] in translation.objects


def test_a_new_build_publishes_a_new_version(project: Path, home: Path) -> None:
    first = of_type(translate_project(project, home), "AWS::Lambda::Version")
    second = of_type(translate_project(project, home, BuildSha="two"), "AWS::Lambda::Version")
    assert set(first) != set(second)


def test_a_state_machine_in_yaml_becomes_part_of_the_template(project: Path, home: Path) -> None:
    machine = of_type(translate_project(project, home), "AWS::StepFunctions::StateMachine")["Greeting"]
    assert "StartAt" in json.dumps(machine)
    assert "DefinitionS3Location" not in machine


def test_every_path_of_the_api_requires_a_signature(project: Path, home: Path) -> None:
    api = of_type(translate_project(project, home), "AWS::ApiGateway::RestApi")["Api"]
    methods = [method for path in api["Body"]["paths"].values() for method in path.values()]
    assert methods
    assert all({"AWS_IAM": []} in method["security"] for method in methods)


def test_a_nested_template_is_uploaded_and_has_its_parameters(project: Path, home: Path) -> None:
    translation = translate_project(project, home, Environment="prod")
    nested = translation.nested["Storage"]
    url = of_type(translation, "AWS::CloudFormation::Stack")["Storage"]["TemplateURL"]
    assert url == f"http://127.0.0.1:1/uploads/{nested.key}"
    assert nested.key in translation.objects
    assert nested.parameters == {"Environment": "prod"}


def test_the_same_project_translates_to_the_same_key(project: Path, home: Path) -> None:
    assert translate_project(project, home).key == translate_project(project, home).key


def test_a_resource_that_the_emulator_refuses_is_named_with_the_reason(project: Path, home: Path) -> None:
    left_out = [str(item) for item in translate_project(project, home).left_out]
    assert "Ratio (AWS::CloudWatch::Alarm): the emulator has no metric math" in left_out


def test_what_is_left_out_for_one_reason_is_one_line() -> None:
    group, application = "AWS::CodeDeploy::DeploymentGroup", "AWS::CodeDeploy::Application"
    policy = "AWS::SQS::QueuePolicy"
    items = [
        LeftOut(f"AskGroup ({group})", "moved at once", group),
        LeftOut(f"App ({application})", "moved at once", application),
        LeftOut("One.Policy", "not kept", policy, "Policy"),
        LeftOut(f"Inner/Group ({group})", "moved at once", group),
        LeftOut("Outputs.A", "it refers to"), LeftOut("Outputs.B", "it refers to"),
        LeftOut("Inner/Two.Policy", "not kept", policy, "Policy"),
        LeftOut("Inner/Two.Other", "not kept", policy, "Other"),
        LeftOut("a sentence: with a colon", ""), LeftOut("another", ""),
    ]  # fmt: skip
    assert folded(items) == [
        "2 deployment groups of CodeDeploy, App (AWS::CodeDeploy::Application): moved at once",
        "Policy of 2 queue policies, Inner/Two.Other: not kept",
        "Outputs.A, Outputs.B: it refers to",
        "a sentence: with a colon",
        "another",
    ]


def test_a_resource_that_needs_a_refused_one_is_an_error_with_its_name(project: Path, home: Path) -> None:
    template = project / "template.yaml"
    template.write_text(template.read_text().replace("STAGE: !Ref Environment", "STAGE: !Ref Ratio"))
    with pytest.raises(TemplateInvalid, match="HelloFunction needs Ratio"):
        translate_project(project, home)


@pytest.mark.parametrize(
    ("template", "message"),
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
            "SAM does not accept the template",
        ),
    ],
    ids=["yaml", "text", "folder", "state machine", "property"],
)
def test_an_invalid_template_gets_one_sentence(project: Path, home: Path, template: str, message: str) -> None:
    (project / "template.yaml").write_text(template)
    with pytest.raises(TemplateInvalid, match=message) as fault:
        translate_project(project, home)
    assert fault.value.where
    assert fault.value.remedy


def test_a_missing_template_gets_one_sentence(tmp_path: Path, home: Path) -> None:
    with pytest.raises(TemplateInvalid, match="no template"):
        translate_project(tmp_path, home)


def test_references_are_found_in_every_form() -> None:
    node = {"a": [{"Ref": "A"}, {"Fn::GetAtt": ["B", "Arn"]}], "b": {"Fn::Sub": ["${C.Arn}-${D}", {"D": {"Ref": "E"}}]}}
    assert references(node) == {"A", "B", "C", "D", "E"}


def test_a_number_of_a_state_machine_that_is_a_parameter_stays_a_number(project: Path, home: Path) -> None:
    flow, template = project / "statemachines" / "greeting.asl.yaml", project / "template.yaml"
    inner = "{StartAt: A, States: {A: {Type: Pass, End: true}}}"
    items = f"  Many: {{Type: Map, MaxConcurrency: '${{Many}}', ItemProcessor: {inner}, End: true}}\n"
    flow.write_text(flow.read_text().replace("States:\n", f"States:\n{items}", 1))
    text = template.read_text().replace("DefinitionSubstitutions: {", "DefinitionSubstitutions: {Many: !Ref Many, ", 1)
    template.write_text(text.replace("Parameters:\n", "Parameters:\n  Many: {Type: Number, Default: 7}\n", 1))
    machine = of_type(translate_project(project, home), "AWS::StepFunctions::StateMachine")["Greeting"]
    assert '\\"MaxConcurrency\\": 7,' in json.dumps(machine)
