"""Least privilege, checked by removal: what fails without one permission names that permission."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.local.clients import REGION
from infra.local.cloud import LocalCloud
from infra.local.emulator.used_permissions import TRIAL
from tests.e2e.observed_model import ObservedModel
from tests.e2e.test_policies import as_list, check_permissions


@pytest.fixture(scope="module")
def plums(cloud: LocalCloud) -> ObservedModel:
    model = ObservedModel(cloud, "denied-plums")
    model.put_pipeline()
    return model


@pytest.mark.parametrize(
    ("function", "action", "resource"),
    [
        ("Collect", "s3:PutObject", "/collect/*"),
        ("FindUnseen", "s3:GetObject", "/collect/*"),
        ("Validate", "s3:GetObject", "holdout/labels/*"),
        ("Register", "dynamodb:PutItem", "table/"),
    ],
)
def test_a_function_without_one_permission_fails_its_run_and_the_reason_names_it(
    plums: ObservedModel, function: str, action: str, resource: str
) -> None:
    before = len(plums.runs())
    with permission_removed(plums.cloud, role_of(plums.cloud, function), action, resource):
        plums.upload("plums.csv")
        newest = plums.wait_for_runs(before + 1, seconds=240)[0]
    assert newest.state == "failed"
    assert "AccessDenied" in newest.reason
    assert action in newest.reason
    assert f"{function}Role" in newest.reason or f"-{function}-" in newest.reason
    assert "Traceback" not in newest.reason


def test_with_all_permissions_the_same_upload_goes_live(plums: ObservedModel) -> None:
    before = len(plums.runs())
    plums.upload("plums.csv")
    assert plums.wait_for_runs(before + 1, seconds=240)[0].state == "deployed"
    assert plums.wait_until_live() == 1


def test_only_what_judges_and_their_writer_may_read_the_test_labels(cloud: LocalCloud, plums: ObservedModel) -> None:
    """Each function's role tries it."""
    bucket = cloud.outputs["ArtifactBucket"]
    listed = cloud.admin.client("s3").list_objects_v2(Bucket=bucket, Prefix="holdout/labels/")["Contents"]
    readers = set()
    for function in functions(cloud):
        try:
            s3_as(cloud, role_of(cloud, function)).get_object(Bucket=bucket, Key=listed[0]["Key"])["Body"].read()
            readers.add(function)
        except ClientError as error:
            assert error.response["Error"]["Code"] == "AccessDenied"
    # two compare live traffic with the rows on which a version was judged; the last one takes a person out of them
    assert readers == {"Preprocess", "Validate", "Refit", "Summarize", "Monitor", "EraseObjects"}


@pytest.mark.parametrize(
    ("role", "action", "resource", "named"),
    [
        (
            "LifecycleRole",
            "lambda:InvokeFunction",
            "-Validate-",
            "modelcycle-lifecycle.Validate: lambda:InvokeFunction",
        ),
        ("LifecycleRole", "states:StartExecution", "-rollout", "modelcycle-lifecycle.Deploy: states:StartExecution"),
        ("RolloutRole", "lambda:InvokeFunction", "-Deploy-", "modelcycle-rollout.Move: lambda:InvokeFunction"),
        ("MonitoringRole", "dynamodb:Query", "table/", "modelcycle-monitoring.ListModels: dynamodb:Query"),
        ("UploadRole", "states:StartExecution", "-lifecycle", "rule .*Upload.*: states:StartExecution"),
        ("LookRole", "states:StartExecution", "-monitoring", "schedule .*: states:StartExecution"),
        ("LookRole", "sqs:SendMessage", "", "schedule .*: sqs:SendMessage"),
    ],
)
def test_a_state_machine_rule_or_schedule_without_one_permission_is_named(
    cloud: LocalCloud, role: str, action: str, resource: str, named: str
) -> None:
    with (
        permission_removed(cloud, role_named(cloud, role), action, resource),
        pytest.raises(AssertionError, match=named),
    ):
        check_permissions(cloud)


def test_a_rule_without_permission_to_call_its_function_is_named(cloud: LocalCloud) -> None:
    lambdas = cloud.admin.client("lambda")
    conclude = name_of(cloud, "Conclude")
    policy = json.loads(lambdas.get_policy(FunctionName=conclude, Qualifier="live")["Policy"])
    statement = next(s for s in policy["Statement"] if s["Principal"] == {"Service": "events.amazonaws.com"})
    lambdas.remove_permission(FunctionName=conclude, Qualifier="live", StatementId=statement["Sid"])
    try:
        with pytest.raises(AssertionError, match=r"LifecycleEnded.* may not call .*Conclude"):
            check_permissions(cloud)
    finally:
        lambdas.add_permission(
            FunctionName=conclude,
            Qualifier="live",
            StatementId=statement["Sid"],
            Action="lambda:InvokeFunction",
            Principal="events.amazonaws.com",
            SourceArn=next(iter(statement["Condition"].values()))["AWS:SourceArn"],
        )
    check_permissions(cloud)


@contextlib.contextmanager
def permission_removed(cloud: LocalCloud, role: str, action: str, resource: str) -> Iterator[None]:
    """Remove `action` on the resources whose ARN contains `resource` from a role, and restore it at the end."""
    iam = cloud.admin.client("iam")
    removed = 0
    originals: dict[str, Any] = {}
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        originals[name] = document if isinstance(document, dict) else json.loads(document)
        statements = []
        for statement in originals[name]["Statement"]:
            actions, resources = as_list(statement["Action"]), as_list(statement["Resource"])
            affected = [arn for arn in resources if resource in arn] if action in actions else []
            removed += len(affected)
            other_resources = [arn for arn in resources if arn not in affected]
            other_actions = [allowed for allowed in actions if allowed != action]
            if other_resources:
                statements.append(statement | {"Action": actions, "Resource": other_resources})
            if affected and other_actions:
                statements.append(statement | {"Action": other_actions, "Resource": affected})
        if statements:
            changed = json.dumps(originals[name] | {"Statement": statements})
            iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=changed)
        else:
            iam.delete_role_policy(RoleName=role, PolicyName=name)
    assert removed, f"{role} has no {action} on {resource}"
    try:
        yield
    finally:
        for name, document in originals.items():
            iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))


def functions(cloud: LocalCloud) -> dict[str, dict[str, Any]]:
    """Return the configurations by the function's name in the template."""
    listed = cloud.admin.client("lambda").get_paginator("list_functions").paginate().build_full_result()["Functions"]
    return {f["FunctionName"].split("-")[1]: f for f in listed if f["FunctionName"].startswith("modelcycle-")}


def name_of(cloud: LocalCloud, function: str) -> str:
    """Return the physical name of a function."""
    return str(functions(cloud)[function]["FunctionName"])


def role_of(cloud: LocalCloud, function: str) -> str:
    """Return the name of a function's role."""
    return str(functions(cloud)[function]["Role"].rpartition("/")[2])


def role_named(cloud: LocalCloud, logical: str) -> str:
    """Return the name of a role by its logical id."""
    pages = cloud.admin.client("iam").get_paginator("list_roles").paginate()
    (name,) = [r["RoleName"] for page in pages for r in page["Roles"] if f"-{logical}-" in r["RoleName"]]
    return str(name)


def s3_as(cloud: LocalCloud, role: str) -> Any:
    """Return an S3 client with the permissions of a role."""
    import boto3
    from botocore.config import Config

    account = cloud.admin.client("sts").get_caller_identity()["Account"]
    credentials = cloud.admin.client("sts").assume_role(
        RoleArn=f"arn:aws:iam::{account}:role/{role}", RoleSessionName=TRIAL
    )["Credentials"]
    return boto3.client(
        "s3",
        endpoint_url=cloud.endpoint,
        region_name=REGION,
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
        config=Config(s3={"addressing_style": "path"}),
    )
