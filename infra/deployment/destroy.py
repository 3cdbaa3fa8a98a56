"""Takes a stack away: `make destroy ENVIRONMENT=dev`.

Deletes the stack and what is made beside it: schedules, layers, logs, packages, attachments of its policies. Data and
secrets stay, and a new deployment finds them, unless `DATA` repeats the stack's name. What stays is named, with the
command that removes it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from infra.deployment import left_behind
from infra.deployment.account import find_account
from infra.deployment.bucket_events import remove_probes
from infra.deployment.command import confirmed, run, say
from infra.deployment.emptying import delete_bucket
from infra.deployment.existing_data import find_all, find_keys
from infra.deployment.faults import Protected
from infra.deployment.left_behind import Extra
from infra.deployment.stack import Resource, Stack, check_changeable, delete_and_wait, find_stack, resources

ENVIRONMENTS = ("dev", "staging", "prod")
SECONDS_TO_CONCLUDE = 10.0  # until the function that records the end of a run has been called
KEY_DAYS = 30  # until KMS deletes a key; it allows no fewer than 7
MAX_NAMED = 8  # of one kind on the screen
# deleted with what they belong to, or handled by name; anything else that CloudFormation skipped is named
FOLLOWS = frozenset((
    "AWS::Lambda::Version", "AWS::Lambda::LayerVersion", "AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::KMS::Key",
))  # fmt: skip
Client = Callable[[str], Any]
Say = Callable[[str], None]


@dataclass
class Leaving:
    """What is there before anything is deleted.

    Parameters
    ----------
    before : has to go before the stack can
    buckets, tables : of data, also those that the stack uses and has not made
    data_keys : ids of keys that stacks of this name have made: they encrypt data, sign versions or make pseudonyms
    keys : API keys that people have made
    """

    name: str
    stack: Stack | None
    resources: list[Resource] = field(default_factory=list)
    before: list[Extra] = field(default_factory=list)
    buckets: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    secrets: list[Extra] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    data_keys: list[str] = field(default_factory=list)

    @property
    def nothing(self) -> bool:
        """Whether there is neither a stack nor data of it."""
        return not (self.stack or self.buckets or self.tables or self.secrets or self.data_keys)


def look(client: Client, name: str) -> Leaving:
    """Find a stack, and its data even if the stack is gone.

    Raises
    ------
    StackUnusable : CloudFormation is changing it
    """
    stack = find_stack(client("cloudformation"), name)
    if stack is not None and stack.status not in ("DELETE_FAILED", "DELETE_IN_PROGRESS", "UPDATE_ROLLBACK_FAILED"):
        check_changeable(stack)
    found = list(resources(client("cloudformation"), stack.id)) if stack else []
    data = find_all(client, name)
    outputs = stack.outputs if stack else {}
    buckets = {*data["buckets"], *(outputs[key] for key in ("DataBucket", "ArtifactBucket") if key in outputs)}
    tables = {*data["tables"], *(outputs[key] for key in ("RegistryTable",) if key in outputs)}
    # and whatever else the template keeps, such as a bucket of access logs
    buckets |= {item.id for item in found if item.type == "AWS::S3::Bucket" and item.id}
    tables |= {item.id for item in found if item.type == "AWS::DynamoDB::Table" and item.id}
    keys = {*find_keys(client, name), *(item.id for item in found if item.type == "AWS::KMS::Key" and item.id)}
    before = [
        *left_behind.schedules(client, name, found),
        *left_behind.running_executions(client, found),
        *left_behind.attachments(client, found),
    ]
    return Leaving(
        name, stack, found, before, sorted(buckets), sorted(tables), list(left_behind.secrets(client, name)),
        left_behind.foreign_keys(client, found), sorted(keys),
    )  # fmt: skip


def check_allowed(leaving: Leaving, data: str, unprotect: str) -> None:
    """Check the second words.

    Raises
    ------
    Protected : the stack is protected and `unprotect` is not its name; or `data` is something else than its name
    """
    name, environment = leaving.name, leaving.name.rpartition("-")[2]
    if data not in ("", name):
        raise Protected(f"DATA={data} is not the name of the stack", name, f"to delete its data for good: DATA={name}")
    if leaving.stack and leaving.stack.protected and unprotect != name:
        raise Protected(
            f"{name} is protected against deletion", f"stack {name}",
            f"if you mean it: `make destroy ENVIRONMENT={environment} UNPROTECT={name}`",
        )  # fmt: skip


def plan(leaving: Leaving, *, data: bool) -> list[str]:
    """Return what would be deleted and what would stay, for people."""
    lines = []
    if leaving.stack:
        lines.append(f"deletes  the stack {leaving.name} with {len(leaving.resources)} resources, its logs included")
    for line in _shortened(leaving.before):
        lines.append(f"stops    {line}" if line.startswith("execution ") else f"deletes  {line}")
    kept = [f"bucket {name}" for name in leaving.buckets] + [f"table {name}" for name in leaving.tables]
    kept += [str(secret) for secret in leaving.secrets]
    keys = [f"key {key}" for key in leaving.data_keys]
    if data:
        lines += [f"deletes  FOR GOOD, with all versions: {line}" for line in kept]
        return lines + [f"deletes  in {KEY_DAYS} days: {line}" for line in keys]
    return lines + [f"keeps    {line}" for line in kept + keys]


def destroy(
    client: Client, leaving: Leaving, *, data: bool, say: Say = say, pause: Callable[[float], object] = time.sleep
) -> list[str]:
    """Delete a stack and what is beside it; return what stays, for people. Idempotent.

    Parameters
    ----------
    leaving : what `look` has found
    data : delete buckets, tables and secrets too
    pause : sleeps for some seconds

    Raises
    ------
    DeploymentFailed : something could not be deleted
    """
    name, cloudformation = leaving.name, client("cloudformation")
    for extra in leaving.before:
        extra.remove()
        say(f"{'stopped ' if extra.kind == 'execution' else 'deleted '} {extra}")
    if any(extra.kind == "execution" for extra in leaving.before):
        pause(SECONDS_TO_CONCLUDE)
    if leaving.stack:
        if leaving.stack.protected:
            cloudformation.update_termination_protection(StackName=name, EnableTerminationProtection=False)
        say(f"deleting the stack {name}; CloudFormation needs some minutes")
        delete_and_wait(cloudformation, leaving.stack)
        say(f"deleted  the stack {name}")
    else:
        # changes that nobody confirmed leave an empty stack in REVIEW_IN_PROGRESS; without one this does nothing
        cloudformation.delete_stack(StackName=name)
    if data:
        _delete_data(client, leaving, say)
    apis = [found.id for found in leaving.resources if found.type == "AWS::ApiGateway::RestApi"]
    after = [
        *left_behind.layer_versions(client, name),
        *left_behind.log_groups(client, name, apis),
        *left_behind.packages(client, name),
    ]
    for extra in after:
        extra.remove()
    for line in _shortened(after):
        say(f"deleted  {line}")
    for probe in remove_probes(client, name):
        say(f"deleted  probe {probe}")
    return _what_stays(client, leaving, data=data)


def _delete_data(client: Client, leaving: Leaving, say: Say) -> None:
    s3, dynamodb = client("s3"), client("dynamodb")
    for bucket in leaving.buckets:
        versions = delete_bucket(s3, bucket, say)
        if versions is not None:
            say(f"deleted  bucket {bucket} with {versions:,} versions")
    for table in leaving.tables:
        try:
            if dynamodb.describe_table(TableName=table)["Table"].get("DeletionProtectionEnabled"):
                dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
                dynamodb.get_waiter("table_exists").wait(TableName=table)
            dynamodb.delete_table(TableName=table)
        except dynamodb.exceptions.ResourceNotFoundException:
            continue
        dynamodb.get_waiter("table_not_exists").wait(TableName=table)
        say(f"deleted  table {table}")
    for secret in leaving.secrets:
        secret.remove()
        say(f"deleted  {secret}")
    kms = client("kms")
    for key in leaving.data_keys:
        if kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] != "PendingDeletion":
            kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=KEY_DAYS)


def _what_stays(client: Client, leaving: Leaving, *, data: bool) -> list[str]:
    """Return a line for each thing that is still there, with the command that removes it."""
    lines = []
    environment = leaving.name.rpartition("-")[2]
    if not data:
        kept = [f"bucket {name}" for name in leaving.buckets] + [f"table {name}" for name in leaving.tables]
        lines += [*kept, *map(str, leaving.secrets)]
        if kept:
            lines.append(f"`make deploy ENVIRONMENT={environment}` finds these data again;")
            lines.append(f"`make destroy ENVIRONMENT={environment} DATA={leaving.name}` deletes them for good")
        lines += [
            f"key {key}, without which what was kept cannot be read, checked or joined" for key in leaving.data_keys
        ]
    else:
        lines += [
            f"key {key} for {KEY_DAYS} days: until then `aws kms cancel-key-deletion --key-id {key}` saves it"
            for key in leaving.data_keys
        ]
    lines += [f"backup {arn}: `aws dynamodb delete-backup --backup-arn {arn}`" for arn in left_behind.backups(
        client, leaving.tables)]  # fmt: skip
    lines += [f"API key {key}, without effect: `aws apigateway delete-api-key`" for key in leaving.keys]
    skipped = resources(client("cloudformation"), leaving.stack.id) if leaving.stack else ()
    for found in skipped:
        if found.status != "DELETE_SKIPPED" or found.type in FOLLOWS:
            continue
        lines += _skipped(client, found)
    return lines


def _skipped(client: Client, found: Resource) -> list[str]:
    """Return what to say of a resource that its template keeps; delete a role that nothing uses any more."""
    if found.type == "AWS::ApiGateway::Account":
        return []  # its role is named
    if found.type != "AWS::IAM::Role":
        return [f"{found.path} ({found.type}) {found.id}, which its template keeps"]
    used = client("apigateway").get_account().get("cloudwatchRoleArn", "")
    if used.endswith(f"/{found.id}"):
        return [f"role {found.id}, with which API Gateway writes the logs of all APIs in this account and region"]
    _delete_role(client("iam"), found.id)
    return []


def _delete_role(iam: Any, name: str) -> None:
    try:
        for policy in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
            iam.detach_role_policy(RoleName=name, PolicyArn=policy["PolicyArn"])
        iam.delete_role(RoleName=name)
    except iam.exceptions.NoSuchEntityException:
        return


def _shortened(extras: list[Extra]) -> list[str]:
    """Return a line for each thing, or one for all of a kind if there are many."""
    lines = []
    for kind in dict.fromkeys(extra.kind for extra in extras):
        names = [extra.name for extra in extras if extra.kind == kind]
        listed = names if len(names) <= MAX_NAMED else [f"{names[0]} ... {names[-1]}, {len(names)} in all"]
        lines += [f"{kind} {name}" for name in listed]
    return lines


def main(arguments: list[str]) -> int:
    """Delete the stack of an environment, in the account that boto3 is configured for."""
    parser = argparse.ArgumentParser(description="Deletes the stack of an environment.")
    parser.add_argument("environment", choices=ENVIRONMENTS)
    parser.add_argument("--data", default="", help="the stack's name: delete its data too, for good")
    parser.add_argument("--unprotect", default="", help="the stack's name: delete it although it is protected")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    given = parser.parse_args(arguments)
    account = find_account()
    say(str(account))
    name = f"modelcycle-{given.environment}"
    leaving = look(account.client, name)
    check_allowed(leaving, given.data, given.unprotect)
    if leaving.nothing:
        say(f"there is no stack {name} here, and no data of one")
    for line in plan(leaving, data=bool(given.data)):
        say(line)
    if not (given.yes or leaving.nothing or confirmed(f"Delete {name} from {account.number}, {account.region}?")):
        say("nothing was deleted")
        return 1
    stays = destroy(account.client, leaving, data=bool(given.data))
    for line in stays:
        print(f"stays    {line}")
    if not stays:
        print(f"nothing of {name} is left")
    return 0


if __name__ == "__main__":
    sys.exit(run(lambda: main(sys.argv[1:])))
