"""What parameters of the stack change: the key of data at rest, the network, logs of buckets, sizes of functions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from ministack.core import iam_evaluator

from infra.local.deployment.intrinsics import DeployedStack, Unresolvable
from infra.local.deployment.translate import read_template
from modelcycle.cloud_metrics import NAMESPACE

ROOT = Path(__file__).parents[2]
TEMPLATES = {path.stem: read_template(path) for path in [ROOT / "template.yaml", *(ROOT / "infra").glob("*.yaml")]}
ROOT_TEMPLATE = TEMPLATES["template"]
SCOPE = "eu-central-1:123456789012"
KEY = f"arn:aws:kms:{SCOPE}:key/51af3dc0"
# where each kind of resource names its key
KEY_OF = {
    "AWS::S3::Bucket": "KMSMasterKeyID", "AWS::DynamoDB::Table": "KMSMasterKeyId", "AWS::SQS::Queue": "KmsMasterKeyId",
    "AWS::SNS::Topic": "KmsMasterKeyId", "AWS::Logs::LogGroup": "KmsKeyId", "AWS::Kinesis::Stream": "KeyId",
    "AWS::KinesisFirehose::DeliveryStream": "KeyARN",
}  # fmt: skip
# AWS allows them on all or not at all (AWS page "Service Authorization Reference")
WITHOUT_RESOURCES = {
    "xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules", "xray:GetSamplingTargets",
    "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ecr:GetAuthorizationToken",
    # the first only in a namespace, by a condition: `test_metrics_are_written_in_one_namespace_only`
    "cloudwatch:PutMetricData", "cloudwatch:GetMetricStatistics",
}  # fmt: skip
SIZES = ("DataMemory", "LearningMemory", "ScoringMemory", "ServingMemory")


def evaluated(**parameters: str) -> dict[str, dict[str, Any]]:
    """Return the resources of all templates that exist under these parameters, with their properties."""
    defaults = {name: str(body.get("Default", "")) for name, body in ROOT_TEMPLATE["Parameters"].items()}
    given = defaults | {"Place": "aws", "Environment": "prod", "Stream": "both"} | parameters
    storage = stack_of("storage", given | {"Stack": "mc"}, {})
    names = TEMPLATES["storage"]["Outputs"]
    keys = {name: str(storage.value(names[name]["Value"])) for name in ("KeyArn", "LogKeyArn")}
    access = stack_of("access", given, keys)
    keys["KeyApiId"] = str(access.value(TEMPLATES["access"]["Outputs"]["KeyApiId"]["Value"]))
    root = stack_of("template", given, keys)
    stacks = {"template": root, "storage": storage}
    for body in ROOT_TEMPLATE["Resources"].values():
        file = Path(str(body.get("Properties", {}).get("TemplateURL", "template.yaml"))).stem
        if file not in stacks and ("Condition" not in body or root.is_true(body["Condition"])):
            stacks[file] = stack_of(file, handed_on(root, body["Properties"]["Parameters"]), keys)
    return {
        f"{file}/{name}": {"Type": body["Type"], "stack": stack, **body}
        for file, stack in stacks.items()
        for name, body in TEMPLATES[file]["Resources"].items()
        if "Condition" not in body or stack.is_true(body["Condition"])
    }


def stack_of(file: str, values: Mapping[str, str], outputs: dict[str, str]) -> DeployedStack:
    """Return a stack of a template; what other stacks and AWS itself name has the name of the parameter or resource."""
    template = TEMPLATES[file]
    resources = {
        name: {"type": body["Type"], "id": "51af3dc0" if body["Type"] == "AWS::KMS::Key" else name}
        for name, body in template["Resources"].items()
    }
    named = {name: values.get(name, f"arn:aws:x:{SCOPE}:{name}") for name in template.get("Parameters", {})}
    nested = {name: _Named(outputs) for name, body in template["Resources"].items() if body["Type"].endswith("::Stack")}
    return DeployedStack(template, named, resources, "eu-central-1", "123456789012", nested)  # type: ignore[arg-type]


def handed_on(root: DeployedStack, parameters: dict[str, Any]) -> dict[str, str]:
    """Return the parameters of a nested stack that the root template knows by itself."""
    found = {}
    for name, value in parameters.items():
        with suppress(Unresolvable):
            found[name] = str(root.value(value))
    return found


class _Named(dict[str, str]):
    """The outputs of a stack that is not there: the keys, and names for all others."""

    def __missing__(self, name: str) -> str:
        return name

    def __contains__(self, name: object) -> bool:
        return True


def keys_of(resource: dict[str, Any]) -> set[str]:
    """Return the keys that a resource names."""
    found: set[str] = set()

    def look(node: Any) -> None:
        if isinstance(node, dict):
            found.update(str(value) for name, value in node.items() if name == KEY_OF.get(resource["Type"]))
            for value in node.values():
                look(value)
        elif isinstance(node, list):
            for value in node:
                look(value)

    look({name: value for name, value in properties_of(resource).items() if name in _ENCRYPTION})
    return found


_ENCRYPTION = {
    "BucketEncryption", "SSESpecification", "KmsMasterKeyId", "KmsKeyId", "StreamEncryption",
    "DeliveryStreamEncryptionConfigurationInput",
}  # fmt: skip


def properties_of(resource: dict[str, Any]) -> dict[str, Any]:
    stack: DeployedStack = resource["stack"]
    properties = {name: value for name, value in resource.get("Properties", {}).items() if name in _ENCRYPTION | {
        "SqsManagedSseEnabled", "LoggingConfiguration", "MemorySize", "EphemeralStorage",
    }}  # fmt: skip
    value: dict[str, Any] = stack.value(properties)
    return value


def holders(resources: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return what holds data at rest; logs of access have S3's own encryption, as S3 writes them with no other."""
    return {
        name: body for name, body in resources.items() if body["Type"] in KEY_OF and not name.endswith("/AccessLogs")
    }


@pytest.mark.parametrize("given", ["own", KEY.replace("51af", "62be")])
def test_with_a_key_of_ones_own_everything_that_holds_data_names_it(given: str) -> None:
    resources = evaluated(DataKey=given, FlowLogVpc="vpc-1", BucketLogs="on")
    assert ("storage/Key" in resources) == (given == "own")
    names = {name: keys_of(body) for name, body in holders(resources).items()}
    assert len(names) > 35
    for name, keys in names.items():
        # what other templates get is the output of storage.yaml, which stands for either
        assert keys and keys <= {KEY, given}, f"{name} is not encrypted with the key: {keys}"


KEY_OF_MODELS, KEY_OF_LOGS = KEY.replace("51af", "73cd"), KEY.replace("51af", "84de")
# by class of data; everything else holds logs, or says that something happened
ROWS_OF_PEOPLE = {"storage/Data", "storage/CapturesByModel", "streams/Records", "streams/Messages",
                  "storage/Undelivered"}  # fmt: skip
MODELS_AND_RECORDS = {"storage/Artifacts", "storage/Registry", "seals/Seals"}


@pytest.mark.parametrize("data", ["own", "none", KEY.replace("51af", "62be")])
def test_each_class_of_data_has_the_key_that_is_named_for_it(data: str) -> None:
    resources = evaluated(DataKey=data, ModelKey=KEY_OF_MODELS, LogKey=KEY_OF_LOGS, FlowLogVpc="vpc-1", Firewall="own")
    names = {name: keys_of(body) for name, body in holders(resources).items()}
    assert {"firewall/Log", "network/FlowLogGroup", "template/ApiLog", "alarms/Topic"} < set(names)
    assert names.keys() >= ROWS_OF_PEOPLE | MODELS_AND_RECORDS
    for name, keys in names.items():
        if name in MODELS_AND_RECORDS:
            assert keys == {KEY_OF_MODELS}, name
        elif name in ROWS_OF_PEOPLE:
            assert keys <= ({"alias/aws/kinesis"} if data == "none" else {KEY if data == "own" else data}), name
        else:
            assert keys == {KEY_OF_LOGS}, name


@pytest.mark.parametrize("data", ["own", "none", "aws-managed"])
def test_without_keys_by_class_all_data_have_the_same_one(data: str) -> None:
    """`same` names the key that DataKey names, whatever it is."""
    everything = {"DataKey": data, "FlowLogVpc": "vpc-1", "Firewall": "own"}
    usual = {name: keys_of(body) for name, body in holders(evaluated(**everything)).items()}
    own = KEY if data == "own" else "none"
    named = evaluated(**everything, ModelKey="same", LogKey="same")
    assert {name: keys_of(body) for name, body in holders(named).items()} == usual
    assert set().union(*usual.values()) <= {own, "alias/aws/kinesis"}


@pytest.mark.parametrize("given", ["none", "aws-managed"])
def test_without_one_no_key_is_made_and_no_queue_or_topic_has_one_that_its_senders_may_not_use(given: str) -> None:
    resources = evaluated(DataKey=given, FlowLogVpc="vpc-1")
    assert [name for name, body in resources.items() if body["Type"] == "AWS::KMS::Key"] == [
        "keys/SigningKey", "keys/PseudonymKey",
    ]  # fmt: skip
    for name, body in holders(resources).items():
        assert keys_of(body) <= {"alias/aws/kinesis"}, name
        if body["Type"] == "AWS::SQS::Queue":
            assert properties_of(body)["SqsManagedSseEnabled"]


@pytest.mark.parametrize(("given", "algorithm"), [("none", "AES256"), ("aws-managed", "aws:kms"), ("own", "aws:kms")])
def test_buckets_are_always_encrypted_and_by_kms_if_asked(given: str, algorithm: str) -> None:
    resources = evaluated(DataKey=given)
    for name in ("storage/Data", "storage/Artifacts"):
        rule = properties_of(resources[name])["BucketEncryption"]["ServerSideEncryptionConfiguration"][0]
        assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == algorithm
        assert rule.get("BucketKeyEnabled", False) == (algorithm == "aws:kms")


def test_no_bucket_is_public_or_answers_without_tls() -> None:
    buckets, denied = set(), set()
    for name, body in evaluated(BucketLogs="on").items():
        if body["Type"] == "AWS::S3::Bucket":
            buckets.add(name)
            assert set(body["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}, name
        elif body["Type"] == "AWS::S3::BucketPolicy":
            for statement in body["stack"].value(body["Properties"]["PolicyDocument"])["Statement"]:
                assert statement["Effect"] == "Deny" or statement["Principal"] != "*", name
                if statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}:
                    assert (statement["Principal"], statement["Action"], len(statement["Resource"])) == ("*", "s3:*", 2)
                    denied.add(name.removesuffix("Policy"))
    assert denied == buckets and len(buckets) == 4


def test_no_queue_answers_without_tls_and_local_queues_do() -> None:
    for place, expected in (("aws", {"storage/Undelivered", "streams/Messages"}), ("local", set())):
        queues, denied = set(), set()
        for name, body in evaluated(Place=place).items():
            if body["Type"] == "AWS::SQS::Queue":
                queues.add(name)
            elif body["Type"] == "AWS::SQS::QueuePolicy":
                for statement in body["stack"].value(body["Properties"]["PolicyDocument"])["Statement"]:
                    assert statement["Effect"] == "Deny" or "Service" in statement["Principal"], name
                    if statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}:
                        assert (statement["Principal"], statement["Action"]) == ("*", "sqs:*")
                        denied.add(name.removesuffix("Policy"))
        assert queues == {"storage/Undelivered", "streams/Messages"} and denied == expected


def test_the_key_outlives_the_stack_as_the_data_do() -> None:
    resources = TEMPLATES["storage"]["Resources"]
    for name in ("Key", "Data", "Artifacts", "Registry"):
        assert resources[name]["DeletionPolicy"] == "RetainExceptOnCreate"
        assert resources[name]["UpdateReplacePolicy"] == "Retain"


def may_use_key(action: str, principal: str, service: str = "", **context: str) -> bool:
    """Return whether the key's own policy lets a principal use it."""
    body = evaluated(DataKey="own")["storage/Key"]
    policy = body["stack"].value(body["Properties"]["KeyPolicy"])
    kept = []
    for statement in policy["Statement"]:
        who = statement.pop("Principal")
        names = who.get("Service", []) if service else who.get("AWS", [])
        if {service or principal, "*"} & {names, *names} if isinstance(names, str) else {service, "*"} & set(names):
            kept.append(statement)
    evaluation = iam_evaluator.EvalContext(
        principal_arn=principal, principal_type="User", principal_account=principal.split(":")[4] if principal else "",
        action=action, resource_arn=KEY, region="eu-central-1",
        service_context={name.lower(): value for name, value in context.items()},
    )  # fmt: skip
    policies = [iam_evaluator.parse_policy_document({"Version": "2012-10-17", "Statement": kept})]
    return bool(iam_evaluator.evaluate(evaluation, policies).decision == "Allow")


ANN = "arn:aws:iam::123456789012:user/ann"
HERE = {"kms:CallerAccount": "123456789012", "kms:ViaService": "s3.eu-central-1.amazonaws.com"}


def test_whom_a_service_lets_in_may_use_the_key_and_only_through_it() -> None:
    assert may_use_key("kms:Decrypt", ANN, **HERE)
    assert may_use_key("kms:GenerateDataKey", ANN, **HERE | {"kms:ViaService": "dynamodb.eu-central-1.amazonaws.com"})
    assert not may_use_key("kms:Decrypt", ANN, **{"kms:CallerAccount": "123456789012"})
    assert not may_use_key("kms:Decrypt", ANN, **HERE | {"kms:ViaService": "ec2.eu-central-1.amazonaws.com"})
    assert not may_use_key("kms:Decrypt", ANN, **HERE | {"kms:CallerAccount": "210987654321"})
    for action in ("kms:ScheduleKeyDeletion", "kms:PutKeyPolicy", "kms:DisableKey"):
        assert not may_use_key(action, ANN, **HERE)


@pytest.mark.parametrize("service", ["events.amazonaws.com", "cloudwatch.amazonaws.com"])
def test_events_and_alarms_of_this_account_reach_the_encrypted_queue_and_topic(service: str) -> None:
    for action in ("kms:Decrypt", "kms:GenerateDataKey"):
        assert may_use_key(action, "", service, **{"aws:SourceAccount": "123456789012"})
        assert not may_use_key(action, "", service, **{"aws:SourceAccount": "210987654321"})
        assert not may_use_key(action, "", "sns.amazonaws.com", **{"aws:SourceAccount": "123456789012"})


def test_requests_to_buckets_are_logged_if_asked_by_s3_alone() -> None:
    assert "storage/AccessLogs" not in evaluated()
    resources = evaluated(BucketLogs="on")
    for name, folder in (("storage/Data", "data/"), ("storage/Artifacts", "artifacts/")):
        assert properties_of(resources[name])["LoggingConfiguration"]["LogFilePrefix"] == folder
    body = resources["storage/AccessLogsPolicy"]
    allowed = [
        one
        for one in body["stack"].value(body["Properties"])["PolicyDocument"]["Statement"]
        if one["Effect"] == "Allow"
    ]
    assert [one["Principal"] for one in allowed] == [{"Service": "logging.s3.amazonaws.com"}]
    assert allowed[0]["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}


def test_in_a_vpc_each_function_may_have_an_interface_and_its_code_may_not_make_one() -> None:
    assert "identity/InVpcPolicy" not in evaluated()
    body = evaluated(SubnetIds="subnet-1,subnet-2", SecurityGroupIds="sg-1")["identity/InVpcPolicy"]
    roles = {name for name, one in TEMPLATES["identity"]["Resources"].items() if one["Type"] == "AWS::IAM::Role"}
    named = {role["Ref"] for role in TEMPLATES["identity"]["Resources"]["InVpcPolicy"]["Properties"]["Roles"]}
    assert named == roles, "name each role of a function in InVpcPolicy"
    policy = body["stack"].value(body["Properties"]["PolicyDocument"])
    parsed = [iam_evaluator.parse_policy_document(policy)]

    def allowed(action: str, context: dict[str, str]) -> bool:
        evaluation = iam_evaluator.EvalContext(
            principal_arn=ANN, principal_type="AssumedRole", principal_account="123456789012", action=action,
            resource_arn=f"arn:aws:ec2:{SCOPE}:network-interface/eni-1", region="eu-central-1", service_context=context,
        )  # fmt: skip
        return bool(iam_evaluator.evaluate(evaluation, parsed).decision == "Allow")

    for action in ("ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:DescribeNetworkInterfaces"):
        assert allowed(action, {})
        assert not allowed(action, {"lambda:sourcefunctionarn": f"arn:aws:lambda:{SCOPE}:function:mc-Collect-1"})
    assert not allowed("ec2:RunInstances", {})


def test_only_what_has_no_resources_is_allowed_on_all() -> None:
    """In all templates, whatever the parameters; a key's own policy means that key."""
    unlimited = set()
    for template in TEMPLATES.values():
        for resource in template["Resources"].values():
            text = json.dumps(resource.get("Properties", {}))
            if resource["Type"] == "AWS::KMS::Key" or '"Resource": "*"' not in text:
                continue
            properties = resource["Properties"]
            documents = [policy["PolicyDocument"] for policy in properties.get("Policies", [properties])]
            for statement in (one for document in documents for one in document["Statement"]):
                if statement.get("Resource") == "*" and statement["Effect"] == "Allow":
                    actions = statement["Action"]
                    unlimited |= {actions} if isinstance(actions, str) else set(actions)
    assert unlimited <= WITHOUT_RESOURCES, unlimited - WITHOUT_RESOURCES


def test_memory_of_what_grows_with_the_data_is_a_parameter_up_to_lambdas_limit() -> None:
    heavy = {"DataLayer": "DataMemory", "LearningLayer": "LearningMemory"}
    used = set()
    for name, resource in ROOT_TEMPLATE["Resources"].items():
        if resource["Type"] != "AWS::Serverless::Function" or name in ("PlanTrials", "Reveal"):  # they read no rows
            continue
        properties = resource["Properties"]
        layers = {layer["Ref"] for layer in properties["Layers"]}
        memory = properties["MemorySize"]
        for layer, parameter in heavy.items():
            assert layer not in layers or memory == {"Ref": parameter}, name
        if "ServingLayer" in layers:
            assert memory["Ref"] in ("ScoringMemory", "ServingMemory"), name
        assert properties.get("EphemeralStorage", {"Size": {"Ref": "DataDisk"}}) == {"Size": {"Ref": "DataDisk"}}, name
        used |= {memory["Ref"]} if isinstance(memory, dict) else set()
    assert used == set(SIZES)
    for name in (*SIZES, "DataDisk"):
        assert ROOT_TEMPLATE["Parameters"][name]["MaxValue"] == 10_240


def test_each_check_that_is_skipped_has_its_reason() -> None:
    lines = (ROOT / ".checkov.yaml").read_text().splitlines()
    skipped = yaml.safe_load("\n".join(lines))["skip-check"]
    for check in skipped:
        before = lines[lines.index(f"  - {check}") - 1]
        assert before.startswith("  # ") and len(before) > 20, f"{check} is skipped without a reason"
    for template in TEMPLATES.values():
        for name, resource in template["Resources"].items():
            for skip in resource.get("Metadata", {}).get("checkov", {}).get("skip", []):
                assert len(skip["comment"]) > 20, name


def test_metrics_are_written_in_one_namespace_only() -> None:
    """No role may write what the alarms of functions read: `ModelCycle` without a part of its own."""
    conditions = []
    for template in TEMPLATES.values():
        for resource in template["Resources"].values():
            for policy in resource.get("Properties", {}).get("Policies") or []:
                for statement in policy["PolicyDocument"]["Statement"] if isinstance(policy, dict) else []:
                    if "cloudwatch:PutMetricData" in json.dumps(statement):
                        conditions.append(statement.get("Condition"))
    assert conditions == [{"StringEquals": {"cloudwatch:namespace": NAMESPACE}}]


def test_only_register_signs_and_whatever_loads_a_version_checks_and_only_digests() -> None:
    rights: dict[str, set[str]] = {}
    for name, body in evaluated().items():
        if body["Type"] != "AWS::IAM::Role" or not name.startswith("identity/"):
            continue
        policies = body["stack"].value(body["Properties"]["Policies"])
        for statement in (one for policy in policies for one in policy["PolicyDocument"]["Statement"]):
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            used = {action for action in actions if action in ("kms:Sign", "kms:Verify")}
            if used:
                assert statement["Condition"] == {
                    "StringEquals": {"kms:SigningAlgorithm": "ECDSA_SHA_256", "kms:MessageType": "DIGEST"}
                }  # fmt: skip
                rights.setdefault(name.removeprefix("identity/").removesuffix("Role"), set()).update(used)
    seal = rights.pop("Seal", None)  # signs heads of the audit trail
    assert seal is None or "kms:Sign" in seal
    assert rights.pop("Register") == {"kms:Sign", "kms:Verify"}
    assert rights.pop("EraseObjects") == {"kms:Sign"}  # what it has made of a version's files
    assert rights == {name: {"kms:Verify"} for name in ("Stage", "Candidate", "Predict", "ScoreShard")}


def test_without_keys_of_governance_none_is_made_and_none_is_named() -> None:
    resources = evaluated(GovernanceKeys="off", DataKey="none")
    assert not [name for name, body in resources.items() if body["Type"] == "AWS::KMS::Key"]
    outputs = TEMPLATES["keys"]["Outputs"]
    off = {
        "GovernanceKeys": "off", "ExistingSigningKey": KEY, "ExistingPseudonymKey": "", "Stack": "mc", "Registry": "r",
    }  # fmt: skip
    stack = DeployedStack(TEMPLATES["keys"], off, {}, "eu-central-1", "123456789012")
    assert {stack.value(output["Value"]) for output in outputs.values()} == {"none"}
