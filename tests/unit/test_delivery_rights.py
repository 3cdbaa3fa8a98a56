"""What the roles of a delivery may do: enough for every resource of the templates, and no more than their names."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.local.deployment.translate import read_template
from tests.cloudformation_rights import (
    ACL,
    ALARMS,
    BUCKET,
    FLOW,
    GROUPS,
    IN,
    KEY,
    KEY_OF_ANOTHER,
    NO_RESOURCE,
    RIGHTS,
    STAGE,
    Needs,
    named,
)

ROOT = Path(__file__).parents[2]
DELIVERY = ROOT / "infra" / "delivery"
ENVIRONMENT = read_template(DELIVERY / "environment.yaml")["Resources"]
# of another account: no pattern of this one covers them
KEY_OF_MODELS, KEY_OF_LOGS = (f"arn:aws:kms:eu-central-1:210987654321:key/{name}" for name in ("models", "logs"))
VALUES = {
    "AWS::Partition": "aws", "AWS::Region": "eu-central-1", "AWS::AccountId": "123456789012", "Environment": "dev",
    "ReleaseBucket": "releases", "FlowLogVpc": "vpc-1", "DataKey": KEY_OF_ANOTHER, "ModelKey": KEY_OF_MODELS,
    "LogKey": KEY_OF_LOGS, "Firewall": "own",
}  # fmt: skip
MAX_INLINE_CHARACTERS, MAX_MANAGED_CHARACTERS = 10_240, 6_144  # AWS page "IAM and AWS STS quotas", without white space


def resolved(value: Any, branch: int) -> Any:
    """Return a part of environment.yaml with each condition true (branch 1) or false (branch 2)."""
    if isinstance(value, list):
        return [resolved(one, branch) for one in value if resolved(one, branch) is not None]
    if not isinstance(value, dict):
        return value
    if "Fn::If" in value:
        return resolved(value["Fn::If"][branch], branch)
    if "Fn::Sub" in value:
        return re.sub(r"\$\{([^}]+)\}", lambda found: VALUES[found[1]], value["Fn::Sub"])
    if "Ref" in value:
        return VALUES.get(value["Ref"])
    if "Fn::GetAtt" in value:
        return f"arn:of:{value['Fn::GetAtt'][0]}"
    return {key: resolved(one, branch) for key, one in value.items()}


def documents(role: str, branch: int) -> list[dict[str, Any]]:
    """Return the policies of a role: its own, and the shared one."""
    properties = ENVIRONMENT[role]["Properties"]
    assert properties["ManagedPolicyArns"] == [{"Ref": "ReadPolicy"}]
    own = [policy["PolicyDocument"] for policy in properties["Policies"]]
    return [resolved(one, branch) for one in [*own, ENVIRONMENT["ReadPolicy"]["Properties"]["PolicyDocument"]]]


def listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def allows(role: str, action: str, arn: str, branch: int = 1) -> bool:
    """Whether a role may do something; the conditions of its statements are taken to be met."""
    return any(
        any(fnmatch.fnmatchcase(action, pattern) for pattern in listed(statement["Action"]))
        and any(fnmatch.fnmatchcase(arn, pattern) for pattern in listed(statement["Resource"]))
        for document in documents(role, branch)
        for statement in document["Statement"]
    )


def templates() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in (ROOT / "template.yaml", *sorted((ROOT / "infra").glob("*.yaml"))):
        for name, resource in read_template(path)["Resources"].items():
            yield f"{path.name}: {name}", resource


def arns(resource: dict[str, Any], needs: Needs) -> str:
    if needs.arn or resource["Type"] != "AWS::Logs::LogGroup":
        return needs.arn
    # without a name, CloudFormation takes that of the stack
    name = resource["Properties"].get("LogGroupName", {"Fn::Sub": "modelcycle-dev-X-1"})["Fn::Sub"]
    return f"arn:aws:logs{IN}log-group:" + re.sub(r"\$\{(Stack|AWS::StackName)\}", "modelcycle-dev", name)


def test_cloudformation_may_make_and_read_every_resource_and_the_workflow_may_read_it_too() -> None:
    unknown = {resource["Type"] for _, resource in templates()} - set(RIGHTS)
    assert not unknown, "say in RIGHTS what CloudFormation does to these, and let its role do it"
    lacking = set()
    for where, resource in templates():
        for needs in RIGHTS[resource["Type"]]:
            arn = arns(resource, needs)
            for action in f"{needs.makes} {needs.reads}".split():
                if not allows("CloudFormationRole", action, arn):
                    lacking.add(f"{where}: CloudFormation may not {action} on {arn}")
            for action in needs.reads.split():
                if not allows("DeliverRole", action, arn):
                    lacking.add(f"{where}: the workflow may not {action} on {arn}")
    assert not lacking, "\n".join(sorted(lacking))


@pytest.mark.parametrize(
    "arn",
    [
        f"arn:aws:lambda{IN}function:payroll",
        f"arn:aws:dynamodb{IN}table/modelcycle-prod-Registry-1",
        f"arn:aws:sqs{IN}orders",
        "arn:aws:s3:::payroll",
        "arn:aws:s3:::modelcycle-prod-data-1",
        "arn:aws:iam::123456789012:role/admin",
        f"arn:aws:logs{IN}log-group:/modelcycle/modelcycle-prod/predict",
        f"arn:aws:ecr{IN}repository/other",
        f"arn:aws:ecs{IN}cluster/other",
        f"arn:aws:wafv2{IN}regional/webacl/payroll/1",
        "arn:aws:iam::123456789012:role/modelcycle-delivery-dev-DeliverRole-1",
    ],
)
def test_nothing_of_another_stack_is_changed_or_read(arn: str) -> None:
    service = arn.split(":")[2]
    actions = {
        action
        for needed in RIGHTS.values() for needs in needed if needs.arn not in (NO_RESOURCE, GROUPS, ALARMS)
        for action in f"{needs.makes} {needs.reads}".split() if action.startswith(f"{service}:")
    }  # fmt: skip
    assert actions
    for role in ("DeliverRole", "CloudFormationRole"):
        assert not [action for action in actions if allows(role, action, arn)]


def test_keys_and_flow_logs_are_changed_only_where_the_stack_has_them() -> None:
    for action, arn in (("kms:CreateKey", NO_RESOURCE), ("kms:PutKeyPolicy", KEY), ("kms:CreateGrant", KEY),
                        ("kms:Decrypt", KEY), ("ec2:DeleteFlowLogs", FLOW)):  # fmt: skip
        assert allows("CloudFormationRole", action, arn, branch=1)
        assert not allows("CloudFormationRole", action, arn, branch=2)


@pytest.mark.parametrize("key", [KEY_OF_MODELS, KEY_OF_LOGS])
def test_keys_of_models_and_of_logs_are_used_where_the_stack_names_them(key: str) -> None:
    for role in ("DeliverRole", "CloudFormationRole"):
        assert allows(role, "kms:DescribeKey", key, branch=1)
    for action in ("kms:GenerateDataKey", "kms:Decrypt"):
        assert allows("DeliverRole", action, key, branch=1) and not allows("DeliverRole", action, key, branch=2)
    for action in ("kms:Encrypt", "kms:CreateGrant"):
        assert allows("CloudFormationRole", action, key, branch=1)
        assert not allows("CloudFormationRole", action, key, branch=2)


def test_a_firewall_is_made_and_joined_to_the_api_only_where_the_stack_has_one() -> None:
    for action, arn in (("wafv2:CreateWebACL", ACL), ("wafv2:AssociateWebACL", STAGE), ("apigateway:SetWebACL", STAGE)):
        assert allows("CloudFormationRole", action, arn, branch=1)
        assert not allows("CloudFormationRole", action, arn, branch=2)
        assert not allows("DeliverRole", action, arn, branch=1)
    for other in (ACL.replace("modelcycle-dev", "payroll"), ACL.replace("modelcycle-dev", "modelcycle-prod")):
        assert not allows("CloudFormationRole", "wafv2:DeleteWebACL", other, branch=1)


def test_roles_are_passed_only_to_services_that_the_templates_trust() -> None:
    text = "\n".join(path.read_text() for path in (ROOT / "template.yaml", *(ROOT / "infra").glob("*.yaml")))
    passed = {
        service
        for statement in documents("CloudFormationRole", 1)[0]["Statement"]
        if statement["Action"] == "iam:PassRole"
        for service in statement["Condition"]["StringEquals"]["iam:PassedToService"]
    }
    assert {"ecs-tasks.amazonaws.com", "vpc-flow-logs.amazonaws.com", "lambda.amazonaws.com"} < passed
    assert all(service in text for service in passed)


def test_the_policies_are_as_short_as_iam_wants_them() -> None:
    def characters(document: Any) -> int:
        longest = {"eu-central-1": "ap-southeast-1", ":dev": ":staging", "-dev": "-staging", "/dev": "/staging"}
        text = json.dumps(document, separators=(",", ":"))
        for short, long in longest.items():
            text = text.replace(short, long)
        return len(text)

    for role in ("DeliverRole", "CloudFormationRole"):
        *own, shared = documents(role, 1)
        assert sum(map(characters, own)) < MAX_INLINE_CHARACTERS
        assert characters(shared) < MAX_MANAGED_CHARACTERS


# AWS knows no resource for these, or none that is known before
WITHOUT_RESOURCES = frozenset((
    "cloudformation:DescribeStackDriftDetectionStatus", "cloudformation:ValidateTemplate", "ec2:DescribeFlowLogs",
    "ec2:DescribeNetworkInterfaces", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs",
    "ecs:CreateCluster", "ecs:DeregisterTaskDefinition", "ecs:DescribeTaskDefinition", "ecs:RegisterTaskDefinition",
    "events:ListRules", "kms:CreateKey", "logs:CreateLogDelivery", "logs:DeleteLogDelivery",
    "logs:DeleteQueryDefinition", "logs:DescribeIndexPolicies", "logs:DescribeQueryDefinitions",
    "logs:DescribeResourcePolicies", "logs:GetLogDelivery", "logs:ListLogDeliveries", "logs:PutQueryDefinition",
    "logs:PutResourcePolicy", "logs:UpdateLogDelivery", "sns:GetSubscriptionAttributes",
    "sns:SetSubscriptionAttributes", "sns:Unsubscribe", "sqs:ListQueues", "tag:GetResources", "tag:TagResources",
))  # fmt: skip


def test_no_role_of_the_delivery_may_do_all_or_reach_all() -> None:
    release = read_template(DELIVERY / "releases.yaml")["Resources"]["ReleaseRole"]["Properties"]["Policies"]
    policies = [policy["PolicyDocument"] for policy in release]
    for document in [*documents("DeliverRole", 1), *documents("CloudFormationRole", 1), *policies]:
        for statement in document["Statement"]:
            actions = listed(statement["Action"])
            assert "*" not in actions
            assert "*" not in listed(statement["Resource"]) or set(actions) <= WITHOUT_RESOURCES, actions
            assert not any(action.startswith(("iam:", "kms:Create", "kms:Put")) and "*" in action for action in actions)


# What a promotion does around the stack, of infra/deployment, to a bucket, a table, a rule and a queue.
PROBE = "modelcycle-dev-probe-0123"
AROUND = [
    (NO_RESOURCE, "tag:GetResources tag:TagResources events:ListRules sqs:ListQueues"),
    (
        BUCKET,
        "s3:ListBucket s3:GetBucketNotification s3:PutBucketNotification s3:PutBucketTagging s3:GetBucketTagging "
        "s3:GetEncryptionConfiguration s3:PutEncryptionConfiguration s3:GetLifecycleConfiguration "
        "s3:PutLifecycleConfiguration s3:GetBucketPublicAccessBlock s3:PutBucketPublicAccessBlock "
        "s3:GetBucketVersioning s3:PutBucketVersioning s3:GetBucketLogging s3:PutBucketLogging",
    ),
    (
        named("dynamodb", "table/"),
        "dynamodb:DescribeTable dynamodb:UpdateTable dynamodb:DescribeContinuousBackups "
        "dynamodb:UpdateContinuousBackups dynamodb:DescribeTimeToLive dynamodb:UpdateTimeToLive dynamodb:TagResource",
    ),
    (
        f"arn:aws:events{IN}rule/{PROBE}",
        "events:PutRule events:PutTargets events:ListTargetsByRule events:RemoveTargets events:DeleteRule",
    ),
    (
        f"arn:aws:sqs{IN}{PROBE}",
        "sqs:CreateQueue sqs:GetQueueAttributes sqs:SetQueueAttributes sqs:ReceiveMessage sqs:DeleteQueue",
    ),
    (f"{BUCKET}/probes/{PROBE}/0", "s3:PutObject s3:DeleteObject s3:DeleteObjectVersion"),
    ("arn:aws:s3:::releases/deployments/dev/0.template", "s3:PutObject s3:GetObject"),
    (named("cloudformation", "stack/"), "cloudformation:DescribeStacks cloudformation:ListStackResources"),
    (
        f"arn:aws:cloudformation{IN}stack/modelcycle-dev/1",
        "cloudformation:DescribeStacks cloudformation:DescribeStackEvents "
        "cloudformation:UpdateTerminationProtection cloudformation:DetectStackDrift",
    ),
]


@pytest.mark.parametrize(("arn", "actions"), AROUND)
def test_the_workflow_may_do_what_a_promotion_does_around_the_stack(arn: str, actions: str) -> None:
    assert [action for action in actions.split() if not allows("DeliverRole", action, arn)] == []


def test_accounts_that_read_releases_upload_the_templates_of_their_promotions_and_nothing_else() -> None:
    policy = read_template(DELIVERY / "releases.yaml")["Resources"]["ReleasesPolicy"]["Properties"]["PolicyDocument"]
    allowed = [
        (action, statement["Resource"]["Fn::Sub"])
        for statement in policy["Statement"]
        if statement["Effect"] == "Allow" and statement["Principal"] == {"AWS": {"Ref": "ReaderAccounts"}}
        for action in listed(statement["Action"])
    ]
    assert allowed == [
        ("s3:GetObject", "${Releases.Arn}/*"), ("s3:GetObjectVersion", "${Releases.Arn}/*"),
        ("s3:PutObject", "${Releases.Arn}/deployments/*"),
    ]  # fmt: skip


@pytest.mark.parametrize("file", ["environment.yaml", "releases.yaml"])
def test_a_repository_is_named_as_in_the_subject_of_its_tokens(file: str) -> None:
    pattern = read_template(DELIVERY / file)["Parameters"]["Repository"]["AllowedPattern"]
    for name in ("octo/cat", "octo@123/cat@456", "o-c.t/my_repo.x@4"):
        assert re.fullmatch(pattern, name), name
    for name in ("octo", "octo/*", "repo:octo/cat", "octo/cat:ref", "o/c/t"):
        assert not re.fullmatch(pattern, name), name
