"""Least privilege, from the other side: one permission less, and what then fails says which one it was."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.local import cloud as local
from infra.local.clients import Session
from tests.e2e.test_policies import test_every_flow_rule_and_schedule_may_do_just_what_it_is_there_for as walk
from tests.e2e.watch import Watch


@pytest.fixture(scope="module")
def plums(cloud: local.Cloud) -> Watch:
    watch = Watch(cloud, "denied-plums")
    watch.pipeline()
    return watch


@pytest.mark.parametrize(
    ("function", "action", "resource"),
    [
        ("Collect", "s3:PutObject", "/collect/*"),
        ("Validate", "s3:GetObject", "holdout/labels/*"),
        ("Register", "dynamodb:PutItem", "table/"),
    ],
)
def test_a_function_that_lacks_one_permission_fails_its_run_with_its_name(
    plums: Watch, function: str, action: str, resource: str
) -> None:
    before = len(plums.runs())
    with without(plums.cloud, role_of(plums.cloud, function), action, resource):
        plums.upload("plums.csv")
        newest = plums.settled(runs=before + 1, seconds=240)[0]
    assert newest.state == "failed"
    assert "AccessDenied" in newest.reason
    assert action in newest.reason
    assert f"{function}Role" in newest.reason or f"-{function}-" in newest.reason
    assert "Traceback" not in newest.reason


def test_with_all_of_them_back_the_same_upload_goes_live(plums: Watch) -> None:
    before = len(plums.runs())
    plums.upload("plums.csv")
    assert plums.settled(runs=before + 1, seconds=240)[0].state == "deployed"
    assert plums.live() == 1


def test_test_labels_are_read_by_validate_and_by_their_writer_alone(cloud: local.Cloud, plums: Watch) -> None:
    """Asked of each function's role by itself, with a key of that role."""
    bucket = cloud.outputs["ArtifactBucket"]
    listed = cloud.admin.client("s3").list_objects_v2(Bucket=bucket, Prefix="holdout/labels/")["Contents"]
    readers = set()
    for function in functions(cloud):
        try:
            acting(cloud, role_of(cloud, function)).get_object(Bucket=bucket, Key=listed[0]["Key"])["Body"].read()
            readers.add(function)
        except ClientError as error:
            assert error.response["Error"]["Code"] == "AccessDenied"
    assert readers == {"Preprocess", "Validate"}


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
def test_a_flow_rule_or_schedule_that_lacks_one_permission_is_named(
    cloud: local.Cloud, role: str, action: str, resource: str, named: str
) -> None:
    with without(cloud, role_named(cloud, role), action, resource), pytest.raises(AssertionError, match=named):
        walk(cloud)


def test_a_rule_that_may_not_call_its_function_is_named(cloud: local.Cloud) -> None:
    lambdas = cloud.admin.client("lambda")
    conclude = name_of(cloud, "Conclude")
    policy = json.loads(lambdas.get_policy(FunctionName=conclude, Qualifier="live")["Policy"])
    statement = next(s for s in policy["Statement"] if s["Principal"] == {"Service": "events.amazonaws.com"})
    lambdas.remove_permission(FunctionName=conclude, Qualifier="live", StatementId=statement["Sid"])
    try:
        with pytest.raises(AssertionError, match=r"LifecycleEnded.* may not call .*Conclude"):
            walk(cloud)
    finally:
        lambdas.add_permission(
            FunctionName=conclude,
            Qualifier="live",
            StatementId=statement["Sid"],
            Action="lambda:InvokeFunction",
            Principal="events.amazonaws.com",
            SourceArn=next(iter(statement["Condition"].values()))["AWS:SourceArn"],
        )
    walk(cloud)


@contextlib.contextmanager
def without(cloud: local.Cloud, role: str, action: str, resource: str) -> Iterator[None]:
    """A role that may no longer do `action` on the resources whose ARN holds `resource`."""
    iam = cloud.admin.client("iam")
    taken = 0
    kept: dict[str, Any] = {}
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        kept[name] = document if isinstance(document, dict) else json.loads(document)
        statements = []
        for statement in kept[name]["Statement"]:
            actions, resources = as_list(statement["Action"]), as_list(statement["Resource"])
            gone = [arn for arn in resources if resource in arn] if action in actions else []
            taken += len(gone)
            rest = [arn for arn in resources if arn not in gone]
            others = [one for one in actions if one != action]
            statements += [statement | {"Action": actions, "Resource": rest}] if rest else []
            statements += [statement | {"Action": others, "Resource": gone}] if gone and others else []
        if statements:
            document = json.dumps(kept[name] | {"Statement": statements})
            iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=document)
        else:
            iam.delete_role_policy(RoleName=role, PolicyName=name)
    assert taken, f"{role} has no {action} on {resource}"
    try:
        yield
    finally:
        for name, document in kept.items():
            iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))


def as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def functions(cloud: local.Cloud) -> dict[str, dict[str, Any]]:
    """Configurations by the function's name in the template."""
    listed = cloud.admin.client("lambda").get_paginator("list_functions").paginate().build_full_result()["Functions"]
    return {one["FunctionName"].split("-")[1]: one for one in listed if one["FunctionName"].startswith("modelcycle-")}


def name_of(cloud: local.Cloud, function: str) -> str:
    return str(functions(cloud)[function]["FunctionName"])


def role_of(cloud: local.Cloud, function: str) -> str:
    return str(functions(cloud)[function]["Role"].rpartition("/")[2])


def role_named(cloud: local.Cloud, logical: str) -> str:
    pages = cloud.admin.client("iam").get_paginator("list_roles").paginate()
    (name,) = [r["RoleName"] for page in pages for r in page["Roles"] if f"-{logical}-" in r["RoleName"]]
    return str(name)


def acting(cloud: local.Cloud, role: str) -> Any:
    """S3 as a function with that role sees it."""
    import boto3
    from botocore.config import Config

    account = cloud.admin.client("sts").get_caller_identity()["Account"]
    given = cloud.admin.client("sts").assume_role(
        RoleArn=f"arn:aws:iam::{account}:role/{role}", RoleSessionName="a-test"
    )["Credentials"]
    return boto3.client(
        "s3",
        endpoint_url=cloud.endpoint,
        region_name=Session.region_name,
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
        config=Config(s3={"addressing_style": "path"}),
    )
