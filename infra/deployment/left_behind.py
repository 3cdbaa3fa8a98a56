"""What is made beside a stack and outlives it: found by its name, or asked of the stack before it is gone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from infra.deployment.emptying import empty
from infra.deployment.stack import Resource

SAM_STACK = "aws-sam-cli-managed-default"  # of `sam deploy --resolve-s3`, one for all applications of an account
# of an execution that ended meanwhile Step Functions says ValidationException
GONE = frozenset(("ResourceNotFoundException", "NoSuchEntity", "ExecutionDoesNotExist", "ValidationException"))
Client = Callable[[str], Any]


@dataclass(frozen=True)
class Extra:
    """One thing beside the stack.

    Parameters
    ----------
    kind : for people, such as `schedule`
    delete : deletes it
    """

    kind: str
    name: str
    delete: Callable[[], object] = field(repr=False, compare=False)

    def remove(self) -> None:
        """Delete it; what is gone already is no error."""
        from botocore.exceptions import ClientError

        try:
            self.delete()
        except ClientError as error:
            if error.response["Error"]["Code"] not in GONE:
                raise

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def running_executions(client: Client, resources: Iterable[Resource]) -> Iterator[Extra]:
    """Yield the executions that are running in a stack's state machines."""
    states = client("stepfunctions")
    why = {"error": "Destroyed", "cause": "`make destroy` deletes the stack"}
    for machine in _of_type(resources, "AWS::StepFunctions::StateMachine"):
        pages = states.get_paginator("list_executions").paginate(stateMachineArn=machine.id, statusFilter="RUNNING")
        for page in pages:
            for found in page["executions"]:
                stop = partial(states.stop_execution, executionArn=found["executionArn"], **why)
                yield Extra("execution", f"{machine.path} {found['name']}", stop)


def attachments(client: Client, resources: Iterable[Resource]) -> Iterator[Extra]:
    """Yield where the stack's policies are attached to people and roles outside it; IAM deletes no attached policy."""
    iam = client("iam")
    resources = list(resources)
    own = {role.id for role in _of_type(resources, "AWS::IAM::Role")}
    detaching = {"User": iam.detach_user_policy, "Group": iam.detach_group_policy, "Role": iam.detach_role_policy}
    for policy in _of_type(resources, "AWS::IAM::ManagedPolicy"):
        for page in iam.get_paginator("list_entities_for_policy").paginate(PolicyArn=policy.id):
            for kind, method in detaching.items():
                for name in (found[f"{kind}Name"] for found in page.get(f"Policy{kind}s", [])):
                    if kind == "Role" and name in own:
                        continue
                    detach = partial(method, **{f"{kind}Name": name, "PolicyArn": policy.id})
                    yield Extra(
                        "attachment", f"of {policy.path.rpartition('/')[2]} to the {kind.lower()} {name}", detach
                    )


def schedules(client: Client, stack: str, resources: Iterable[Resource] = ()) -> Iterator[Extra]:
    """Yield the schedules that the command line has made for models; not that of the stack itself."""
    scheduler = client("scheduler")
    own = {found.id.rpartition("/")[2] for found in _of_type(resources, "AWS::Scheduler::Schedule")}
    for page in scheduler.get_paginator("list_schedules").paginate(NamePrefix=f"{stack}-"):
        for found in page["Schedules"]:
            if found["Name"] not in own:
                where = {"Name": found["Name"], "GroupName": found.get("GroupName", "default")}
                yield Extra("schedule", found["Name"], partial(scheduler.delete_schedule, **where))


def secrets(client: Client, stack: str) -> Iterator[Extra]:
    """Yield the secrets of sources."""
    manager = client("secretsmanager")
    for page in manager.get_paginator("list_secrets").paginate(Filters=[{"Key": "name", "Values": [f"{stack}/"]}]):
        for name in (found["Name"] for found in page["SecretList"]):
            if name.startswith(f"{stack}/"):
                # at once: a name that waits for its deletion cannot be used again
                yield Extra("secret", name, partial(
                    manager.delete_secret, SecretId=name, ForceDeleteWithoutRecovery=True))  # fmt: skip


def layer_versions(client: Client, stack: str) -> Iterator[Extra]:
    """Yield all versions of the stack's layers; CloudFormation keeps each that was ever deployed."""
    functions = client("lambda")
    for page in functions.get_paginator("list_layers").paginate():
        for layer in (found["LayerName"] for found in page["Layers"]):
            if not layer.startswith(f"{stack}-"):
                continue
            for versions in functions.get_paginator("list_layer_versions").paginate(LayerName=layer):
                for number in (found["Version"] for found in versions["LayerVersions"]):
                    delete = partial(functions.delete_layer_version, LayerName=layer, VersionNumber=number)
                    yield Extra("layer version", f"{layer}:{number}", delete)


def log_groups(client: Client, stack: str, api_ids: Iterable[str] = ()) -> Iterator[Extra]:
    """Yield the log groups that the stack has not made: of other settings, or written again after its deletion."""
    logs = client("logs")
    prefixes = [f"/modelcycle/{stack}/", f"/aws/lambda/{stack}-"]
    prefixes += [f"API-Gateway-Execution-Logs_{api}/" for api in api_ids]
    for prefix in prefixes:
        for page in logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix):
            for name in (found["logGroupName"] for found in page["logGroups"]):
                yield Extra("log group", name, partial(logs.delete_log_group, logGroupName=name))


def packages(client: Client, stack: str) -> Iterator[Extra]:
    """Yield the folder of the stack's archives and templates in the bucket of `sam deploy`."""
    from botocore.exceptions import ClientError

    try:
        found = client("cloudformation").describe_stacks(StackName=SAM_STACK)["Stacks"][0]
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        return
    buckets = [item["OutputValue"] for item in found.get("Outputs", []) if item["OutputKey"] == "SourceBucket"]
    s3 = client("s3")
    for bucket in buckets:
        if s3.list_object_versions(Bucket=bucket, Prefix=f"{stack}/", MaxKeys=1).get("Versions"):
            yield Extra("packages", f"s3://{bucket}/{stack}/", partial(empty, s3, bucket, f"{stack}/"))


def foreign_keys(client: Client, resources: Iterable[Resource]) -> list[str]:
    """Return the API keys that people have added to the stack's usage plans; they stay, without effect."""
    gateway = client("apigateway")
    resources = list(resources)
    own = {key.id for key in _of_type(resources, "AWS::ApiGateway::ApiKey")}
    names = []
    for plan in _of_type(resources, "AWS::ApiGateway::UsagePlan"):
        for page in gateway.get_paginator("get_usage_plan_keys").paginate(usagePlanId=plan.id):
            names += [f"{key['name']} ({key['id']})" for key in page["items"] if key["id"] not in own]
    return names


def backups(client: Client, tables: Iterable[str]) -> list[str]:
    """Return the ARNs of the backups of tables, which outlive them."""
    dynamodb = client("dynamodb")
    return [
        found["BackupArn"]
        for table in tables
        for page in dynamodb.get_paginator("list_backups").paginate(TableName=table, BackupType="ALL")
        for found in page["BackupSummaries"]
    ]


def _of_type(resources: Iterable[Resource], kind: str) -> Iterator[Resource]:
    return (found for found in resources if found.type == kind and found.id and found.status != "DELETE_COMPLETE")
