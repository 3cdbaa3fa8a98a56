"""Buckets are emptied, events of a new bucket are waited for, and what is beside a stack is found and deleted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from infra.deployment import left_behind
from infra.deployment.bucket_events import PREFIX, remove_probes, wait_for_events
from infra.deployment.deploy import data_parameters, remove_incomplete
from infra.deployment.destroy import Leaving, check_allowed, destroy, look, plan
from infra.deployment.emptying import delete_bucket
from infra.deployment.existing_data import find_all, find_keys
from infra.deployment.faults import DeploymentFailed, Protected
from infra.deployment.stack import Resource, Stack
from tests.integration.kept_stack import (
    STACK,
    Client,
    account_of_moto,
    keep,
    make_bucket,
    make_table,
    tags,
    with_tags_of_keys,
)

ROOT = Path(__file__).parents[2]


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    with account_of_moto(monkeypatch) as client:
        yield client


# Buckets are emptied


def test_a_bucket_goes_with_every_version_marker_and_unfinished_upload(client: Client) -> None:
    s3 = client("s3")
    make_bucket(client, "full", [])
    for number in range(1003):
        s3.put_object(Bucket="full", Key=f"raw/ü {number % 600}", Body=b"1")
    s3.delete_object(Bucket="full", Key="raw/ü 1")
    s3.create_multipart_upload(Bucket="full", Key="raw/large")
    assert delete_bucket(s3, "full") == 1004
    assert not s3.list_buckets()["Buckets"]
    assert delete_bucket(s3, "full") is None


# Events arrive


def test_the_event_of_a_probe_ends_the_wait_and_nothing_of_it_stays(client: Client) -> None:
    make_bucket(client, "new", [])
    client("s3").put_bucket_notification_configuration(
        Bucket="new", NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    said: list[str] = []
    assert wait_for_events(client, STACK, "new", said.append, interval=1) is not None
    assert not client("s3").list_object_versions(Bucket="new").get("Versions")
    assert not client("events").list_rules()["Rules"] and not client("sqs").list_queues().get("QueueUrls")


def test_a_bucket_that_sends_no_events_is_given_up_after_a_while(client: Client) -> None:
    make_bucket(client, "silent", [])
    now = iter(range(0, 10_000, 50))
    said: list[str] = []
    assert wait_for_events(client, STACK, "silent", said.append, interval=0, clock=lambda: next(now)) is None
    assert any("still waiting for events of silent" in line for line in said)
    assert not client("s3").list_object_versions(Bucket="silent", Prefix=PREFIX).get("Versions")


def test_probes_of_a_killed_command_are_removed_and_no_other_rule(client: Client) -> None:
    events = client("events")
    for name in (f"{STACK}-probe-1", f"{STACK}-Triggers-Upload"):
        events.put_rule(Name=name, EventPattern=json.dumps({"source": ["aws.s3"]}))
    client("sqs").create_queue(QueueName=f"{STACK}-probe-1")
    assert remove_probes(client, STACK) == [f"{STACK}-probe-1", f"{STACK}-probe-1"]
    assert [rule["Name"] for rule in events.list_rules()["Rules"]] == [f"{STACK}-Triggers-Upload"]


# What is beside a stack


def test_schedules_secrets_and_logs_are_found_by_name_and_neighbours_are_not(client: Client) -> None:
    scheduler = client("scheduler")
    for name in (f"{STACK}-churn", f"{STACK}-Triggers-Look", "modelcycle-prod-churn"):
        scheduler.create_schedule(
            Name=name, ScheduleExpression="rate(1 day)", FlexibleTimeWindow={"Mode": "OFF"},
            Target={"Arn": "arn:aws:sqs:us-east-1:1:q", "RoleArn": "arn:aws:iam::1:role/r"},
        )  # fmt: skip
    for name in (f"{STACK}/shop", "modelcycle-dev2/shop"):
        client("secretsmanager").create_secret(Name=name, SecretString="x")
    for name in (f"/modelcycle/{STACK}/claim", f"/modelcycle/{STACK}2/claim", "API-Gateway-Execution-Logs_abc/live"):
        client("logs").create_log_group(logGroupName=name)
    own = [Resource("Triggers/Look", "AWS::Scheduler::Schedule", f"{STACK}-Triggers-Look", "CREATE_COMPLETE")]
    found = [
        *left_behind.schedules(client, STACK, own), *left_behind.secrets(client, STACK),
        *left_behind.log_groups(client, STACK, ["abc"]),
    ]  # fmt: skip
    assert [str(extra) for extra in found] == [
        f"schedule {STACK}-churn", f"secret {STACK}/shop", f"log group /modelcycle/{STACK}/claim",
        "log group API-Gateway-Execution-Logs_abc/live",
    ]  # fmt: skip
    for extra in found:
        extra.delete()
    assert not [*left_behind.schedules(client, STACK, own), *left_behind.secrets(client, STACK)]
    client("secretsmanager").create_secret(Name=f"{STACK}/shop", SecretString="again")  # the name is free at once


def test_policies_are_detached_from_people_and_not_from_the_roles_of_the_stack(client: Client) -> None:
    iam = client("iam")
    statement = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    arn = iam.create_policy(PolicyName="operator", PolicyDocument=document)["Policy"]["Arn"]
    iam.create_user(UserName="ana")
    iam.attach_user_policy(UserName="ana", PolicyArn=arn)
    iam.create_group(GroupName="analysts")
    iam.attach_group_policy(GroupName="analysts", PolicyArn=arn)
    for role in ("own", "sso"):
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=document)
        iam.attach_role_policy(RoleName=role, PolicyArn=arn)
    resources = [
        Resource("Permissions/OperatorPolicy", "AWS::IAM::ManagedPolicy", arn, "CREATE_COMPLETE"),
        Resource("Own", "AWS::IAM::Role", "own", "CREATE_COMPLETE"),
    ]
    found = list(left_behind.attachments(client, resources))
    assert [extra.name for extra in found] == [
        f"of OperatorPolicy to the {entity}" for entity in ("user ana", "group analysts", "role sso")
    ]
    for extra in found:
        extra.delete()
    assert not list(left_behind.attachments(client, resources))


# Second words


def leaving(protected: bool = False, name: str = "modelcycle-prod") -> Leaving:
    return Leaving(name, Stack(name, "arn", "UPDATE_COMPLETE", protected), buckets=["b"], tables=["t"])


def test_a_protected_stack_needs_its_name_said_again() -> None:
    with pytest.raises(Protected, match="protected") as raised:
        check_allowed(leaving(protected=True), "", "")
    assert "UNPROTECT=modelcycle-prod" in raised.value.remedy
    check_allowed(leaving(protected=True), "", "modelcycle-prod")
    check_allowed(leaving(), "", "")


@pytest.mark.parametrize("word", ["yes", "1", "modelcycle-dev"])
def test_data_need_the_name_of_their_stack(word: str) -> None:
    with pytest.raises(Protected, match="not the name of the stack"):
        check_allowed(leaving(), word, "")


def test_the_plan_says_what_goes_for_good() -> None:
    assert {"keeps    bucket b", "keeps    table t"} < set(plan(leaving(), data=False))
    with_data = plan(leaving(), data=True)
    assert sum("FOR GOOD" in line for line in with_data) == 2 and not any("keeps" in line for line in with_data)


def test_data_that_outlived_their_stack_are_deleted_without_it_protection_included(client: Client) -> None:
    data = keep(client, "one")
    client("dynamodb").update_table(TableName=data.registry, DeletionProtectionEnabled=True)
    client("dynamodb").create_backup(TableName=data.registry, BackupName="before")
    found = find_all(client, STACK)
    gone = Leaving(STACK, None, buckets=found["buckets"], tables=found["tables"])
    stays = without_layers(client, gone)
    assert not client("s3").list_buckets()["Buckets"] and not client("dynamodb").list_tables()["TableNames"]
    (backup,) = stays
    assert backup.startswith("backup arn:aws:dynamodb") and "delete-backup" in backup


def without_layers(client: Client, gone: Leaving, data: bool = True) -> list[str]:
    """Destroy with moto, which has no Lambda or CloudFormation here."""

    def only_some(service: str) -> Any:
        return Nothing() if service in ("lambda", "cloudformation") else client(service)

    return destroy(only_some, gone, data=data, say=lambda line: None)


class Nothing:
    """A client of a service that has nothing."""

    def get_paginator(self, name: str) -> Any:
        return self

    def paginate(self, **request: Any) -> list[dict[str, Any]]:
        return []

    def describe_stacks(self, **request: Any) -> dict[str, Any]:
        return {"Stacks": [{}]}

    def delete_stack(self, **request: Any) -> None:
        return None


# What a first deployment leaves that has failed


class Incomplete(Nothing):
    """CloudFormation with a stack whose rollback failed: it deletes the stack, and keeps the table."""

    def __init__(self, table: str) -> None:
        self.table = table
        self.deleted = False

    def paginate(self, **request: Any) -> list[dict[str, Any]]:
        found = {"LogicalResourceId": "Registry", "ResourceType": "AWS::DynamoDB::Table",
                 "PhysicalResourceId": self.table, "ResourceStatus": "DELETE_FAILED"}  # fmt: skip
        return [{"StackResourceSummaries": [found]}]

    def delete_stack(self, **request: Any) -> None:
        self.deleted = True

    def get_waiter(self, name: str) -> Any:
        return self

    def wait(self, **request: Any) -> None:
        assert self.deleted


@pytest.mark.parametrize("records", [False, True])
def test_the_protected_table_of_a_failed_first_deployment_is_removed_if_it_is_empty(
    client: Client, records: bool
) -> None:
    make_table(client, "left", tags(STACK, "one", "registry"), DeletionProtectionEnabled=True)
    if records:
        client("dynamodb").put_item(TableName="left", Item={"pk": {"S": "a"}, "sk": {"S": "b"}})
    cloudformation = Incomplete("left")
    stack = Stack("modelcycle-prod", "arn", "ROLLBACK_FAILED", protected=False)

    def with_stack(service: str) -> Any:
        return cloudformation if service == "cloudformation" else client(service)

    if records:
        with pytest.raises(DeploymentFailed, match="has records"):
            remove_incomplete(with_stack, stack)
    else:
        remove_incomplete(with_stack, stack)
    assert cloudformation.deleted != records
    assert (client("dynamodb").list_tables()["TableNames"] == []) != records


# What CloudFormation skips when it deletes a stack


class Deleted(Nothing):
    """CloudFormation and Lambda with a stack that is gone at once, and lists what it has kept."""

    def __init__(self, kept: list[tuple[str, str, str]]) -> None:
        self.kept = kept
        self.calls: list[str] = []

    def paginate(self, **request: Any) -> list[dict[str, Any]]:
        if "StackName" not in request:
            return []
        summaries = [
            {"LogicalResourceId": path, "ResourceType": kind, "PhysicalResourceId": name, "ResourceStatus": status}
            for path, kind, name, status in ((*item, "DELETE_SKIPPED") for item in self.kept)
        ]
        return [{"StackResourceSummaries": summaries}]

    def update_termination_protection(self, **request: Any) -> None:
        self.calls.append(f"protection {request['EnableTerminationProtection']}")

    def delete_stack(self, **request: Any) -> None:
        self.calls.append("delete")

    def get_waiter(self, name: str) -> Any:
        return self

    def wait(self, **request: Any) -> None:
        self.calls.append("wait")


def skip(client: Client, kept: list[tuple[str, str, str]], *, data: bool = False) -> tuple[list[str], list[str]]:
    """Return what stays of a protected stack, and the calls to CloudFormation."""
    cloudformation = Deleted(kept)

    def with_stack(service: str) -> Any:
        return cloudformation if service in ("lambda", "cloudformation") else client(service)

    stack = Stack("modelcycle-prod", "arn", "UPDATE_COMPLETE", protected=True)
    return destroy(with_stack, Leaving(stack.name, stack), data=data, say=lambda line: None), cloudformation.calls


def test_the_protection_is_lifted_only_then_is_the_stack_deleted(client: Client) -> None:
    assert skip(client, []) == ([], ["protection False", "delete", "wait"])


@pytest.mark.parametrize("used", [True, False])
def test_the_log_role_of_the_account_stays_only_if_it_is_used(
    client: Client, monkeypatch: pytest.MonkeyPatch, used: bool
) -> None:
    statement = {"Effect": "Allow", "Principal": {"Service": "apigateway.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    arn = client("iam").create_role(RoleName="log-role", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    account = {"cloudwatchRoleArn": arn if used else arn + "-of-another-stack"}
    gateway = boto3.client("apigateway", region_name="us-east-1")
    monkeypatch.setattr(gateway, "get_account", lambda: account)
    kept = [("ApiLogRole", "AWS::IAM::Role", "log-role"), ("ApiAccount", "AWS::ApiGateway::Account", "a")]
    stays, _ = skip(lambda name: gateway if name == "apigateway" else client(name), kept)
    assert len(stays) == used
    assert all("log-role" in line for line in stays)
    assert len(client("iam").list_roles()["Roles"]) == used


@pytest.mark.parametrize("data", [True, False])
def test_the_key_of_the_data_stays_as_long_as_they_do(client: Client, data: bool) -> None:
    key = client("kms").create_key()["KeyMetadata"]["KeyId"]
    gone = Leaving(STACK, None, data_keys=[key])
    assert any(key in line and ("30 days" in line) == data for line in plan(gone, data=data))
    (line,) = without_layers(client, gone, data=data)
    assert key in line
    assert ("cancel-key-deletion" in line) == data
    state = client("kms").describe_key(KeyId=key)["KeyMetadata"]["KeyState"]
    assert state == ("PendingDeletion" if data else "Enabled")


def test_a_key_is_found_by_its_tags_after_its_stack_and_the_data_are_gone(client: Client) -> None:
    key, another, ended = (make_key(client, stack) for stack in (STACK, "modelcycle-prod", STACK))
    client("kms").schedule_key_deletion(KeyId=ended["KeyId"], PendingWindowInDays=30)
    tagged = with_tags_of_keys(client)
    assert find_keys(tagged, STACK) == {key["KeyId"]: key["Arn"]}
    gone = look(without_stacks(tagged), STACK)
    assert gone.data_keys == [key["KeyId"]] and not gone.nothing
    without_layers(tagged, gone)
    states = {one["KeyId"]: client("kms").describe_key(KeyId=one["KeyId"])["KeyMetadata"]["KeyState"]
              for one in (key, another)}  # fmt: skip
    assert states == {key["KeyId"]: "PendingDeletion", another["KeyId"]: "Enabled"}
    assert look(without_stacks(tagged), STACK).nothing


@pytest.mark.parametrize("settings", [{}, {"DataKey": "own"}])
def test_kept_data_come_back_with_their_key_and_no_second_one_is_made(client: Client, settings: dict[str, str]) -> None:
    data = keep(client, "one")
    _, key = make_key(client, STACK), make_key(client, STACK)
    rule = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key["Arn"]}
    client("s3").put_bucket_encryption(
        Bucket=data.data,
        ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": rule}]},
    )
    tagged = with_tags_of_keys(client)
    assert data_parameters(tagged, STACK, None, settings, "")["DataKey"] == key["Arn"]
    assert "DataKey" not in data_parameters(tagged, STACK, None, {"DataKey": "aws-managed"}, "")
    assert "DataKey" not in data_parameters(tagged, STACK, None, settings, "new")
    # the deployments after it
    uses = Stack(STACK, "arn", "UPDATE_COMPLETE", False, {"DataKey": key["Arn"]})
    assert settings | data_parameters(tagged, STACK, uses, settings, "") in ({}, {"DataKey": key["Arn"]})
    made = Stack(STACK, "arn", "UPDATE_COMPLETE", False, {"DataKey": "own"})
    assert data_parameters(tagged, STACK, made, settings, "") == {}


def without_stacks(client: Client) -> Client:
    class CloudFormation(Nothing):
        def describe_stacks(self, **request: Any) -> dict[str, Any]:
            raise ClientError({"Error": {"Code": "ValidationError", "Message": "it does not exist"}}, "DescribeStacks")

    others = {"cloudformation": CloudFormation(), "apigateway": Nothing(), "stepfunctions": Nothing()}
    return lambda service: others.get(service) or client(service)


def make_key(client: Client, stack: str) -> dict[str, Any]:
    of_key = [{"TagKey": tag["Key"], "TagValue": tag["Value"]} for tag in tags(stack, "one", "key")]
    made: dict[str, Any] = client("kms").create_key(Tags=of_key)["KeyMetadata"]
    return made


def test_anything_else_that_a_template_keeps_is_named_and_what_follows_its_owner_is_not(client: Client) -> None:
    kept = [
        ("Large/Cluster", "AWS::ECS::Cluster", "arn:aws:ecs:one"),
        ("PredictVersion1", "AWS::Lambda::Version", "arn:aws:lambda:one:1"),
    ]
    (line,), _ = skip(client, kept)
    assert "Large/Cluster" in line and "arn:aws:ecs:one" in line
