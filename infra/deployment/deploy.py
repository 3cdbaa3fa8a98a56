"""Deploys the template to AWS: `make deploy ENVIRONMENT=dev`."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from infra.build_sha import build_sha
from infra.code_version import code_parameters
from infra.deployment.account import Account, find_account
from infra.deployment.bucket_events import MAX_WAIT, wait_for_events
from infra.deployment.command import run, say
from infra.deployment.existing_data import (
    PARAMETERS,
    SEALS_PARAMETER,
    STREAM_PARAMETER,
    choose,
    find_kept,
    find_keys,
    find_seals,
    key_of,
    stream_of,
    wait_for_table,
)
from infra.deployment.existing_settings import apply_settings
from infra.deployment.faults import DeploymentFailed
from infra.deployment.governance_keys import governance_parameters
from infra.deployment.settings import check_reader, read_settings, with_silence
from infra.deployment.source import committed_source, export
from infra.deployment.stack import (
    NEVER_COMPLETE,
    Stack,
    check_changeable,
    delete_and_wait,
    find_stack,
    first_failure,
    resources,
)
from infra.local.deployment.policies import check_policies
from infra.local.deployment.translate import read_template
from infra.termination_protection import protect

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENTS = ("dev", "staging", "prod")
OWN = "own"  # DataKey: a key that the stack makes
Client = Callable[[str], Any]


def data_parameters(
    client: Client, name: str, stack: Stack | None, settings: Mapping[str, str], kept: str
) -> dict[str, str]:
    """Return the parameters that name existing data: what was kept when a stack of this name was deleted.

    A stack that exists keeps its data, and its parameters. Data that `settings` name go before those that are found.

    Raises
    ------
    DataUnclear : it is unclear which data are meant
    BadSetting : a table that is named does not exist
    """
    named = {parameter: settings[parameter] for parameter in PARAMETERS.values() if settings.get(parameter)}
    key = _key_in_use(client, name, stack, settings)
    if stack is None and not named:
        found = choose(find_kept(client, name), kept, name)
        if found is not None:
            say(f"uses the data that an earlier {name} has left: {found}")
            named = found.parameters
            seals = find_seals(client, name, found.registry)
            if seals:
                say(f"goes on with the seals of its audit trails: {seals}")
                named = named | {SEALS_PARAMETER: seals}
            key = _kept_key(client, name, found.data, settings)
    table = named.get("ExistingRegistry")
    registry = table or (stack.outputs.get("RegistryTable", "") if stack else "")
    key |= governance_parameters(client, name, stack, settings, registry)
    return named | key | ({STREAM_PARAMETER: stream_of(client, table)} if table else {})


def _kept_key(client: Client, name: str, bucket: str, settings: Mapping[str, str]) -> dict[str, str]:
    """Return the parameter of the key that encrypts kept data, if an earlier stack made it and none other is named."""
    if settings.get("DataKey", OWN) != OWN:
        return {}
    keys = find_keys(client, name)
    encrypts = key_of(client, bucket) if keys else ""
    for key, arn in keys.items():
        if encrypts in (key, arn):
            say(f"uses the key that an earlier {name} has made: {arn}")
            return {"DataKey": arn}
    return {}


def _key_in_use(client: Client, name: str, stack: Stack | None, settings: Mapping[str, str]) -> dict[str, str]:
    """Return the parameter of a kept key that a stack uses: `DataKey=own` makes no second one in its place."""
    before = stack.parameters.get("DataKey", "") if stack else ""
    if settings.get("DataKey") == OWN and before.startswith("arn:") and before in find_keys(client, name).values():
        return {"DataKey": before}
    return {}


def effective_parameters(declared: Mapping[str, Any], stack: Stack | None, given: Mapping[str, str]) -> dict[str, str]:
    """Return what the parameters of a stack will be: given now, else what the stack has, else the default."""
    defaults = {name: str(body["Default"]) for name, body in declared.items() if "Default" in body}
    had = {name: value for name, value in (stack.parameters if stack else {}).items() if name in declared}
    return {**defaults, **had, **given}


def stack_parameters(
    project: Path, environment: str, before: Stack | None, settings: Mapping[str, str], data: Mapping[str, str]
) -> dict[str, str]:
    """Return the parameters that a deployment of a project gives to its stack.

    Parameters
    ----------
    before : the stack as it is; None: there is none
    settings : given by who deploys
    data : what `data_parameters` returned
    """
    template = project / "template.yaml"
    parameters = {"Place": "aws", "Environment": environment, **code_parameters(project), **settings, **data}
    effective = effective_parameters(read_template(template)["Parameters"], before, parameters)
    return parameters | {"BuildSha": build_sha(template, effective)}


def overrides(parameters: Mapping[str, str]) -> list[str]:
    """Return the arguments by which SAM gives parameters to a stack.

    SAM reads each as a command line of its own: a value with spaces, such as rate(1 hour), needs quotes.

    >>> overrides({"MonitorRate": "rate(1 hour)"})
    ['--parameter-overrides', 'MonitorRate="rate(1 hour)"']
    """
    quoted = {name: value.replace('"', '\\"') for name, value in parameters.items()}
    return ["--parameter-overrides", *(f'{name}="{value}"' for name, value in quoted.items())]


def sam(arguments: list[str], folder: Path, region: str) -> int:
    """Run the project's own SAM in a folder; return its exit status."""
    tools = ROOT / ".venv" / "bin"  # `uv`, for the layers
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    # PWD: the Makefile of a layer copies the policies from where SAM was called, and these are the committed ones
    settings = {"PATH": path, "PWD": str(folder), "SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": region}
    environment = os.environ | settings
    return subprocess.run([ROOT / "build/sam/bin/sam", *arguments], cwd=folder, env=environment, check=False).returncode


def build_and_deploy(folder: Path, environment: str, parameters: Mapping[str, str], account: Account) -> Stack:
    """Build what is in a folder and give it to CloudFormation; return the stack.

    Raises
    ------
    DeploymentFailed : with the resource that failed, and the reason
    """
    name = f"modelcycle-{environment}"
    if sam(["build", "--config-env", environment], folder, account.region):
        raise DeploymentFailed("`sam build` failed; its reason is above", str(folder), "correct it and commit")
    unasked = ["--no-confirm-changeset"] if os.environ.get("CI") else []
    status = sam(["deploy", "--config-env", environment, *unasked, *overrides(parameters)], folder, account.region)
    cloudformation = account.client("cloudformation")
    stack = find_stack(cloudformation, name)
    if stack is None and status:
        raise DeploymentFailed("nothing was deployed; SAM's reason is above", name, "correct it, then deploy again")
    if stack is None:
        raise DeploymentFailed(
            "nothing was deployed: the changes were not confirmed", name, "deploy again, and answer y"
        )
    if status:
        where, reason = first_failure(cloudformation, stack.id) or (f"stack {name}", "its reason is above")
        raise DeploymentFailed(
            f"the deployment failed: {reason}", where,
            "correct it, then deploy again"
            + ("" if stack.status in NEVER_COMPLETE else "; what was deployed before still runs"),
        )  # fmt: skip
    if any(stack.parameters.get(name) != value for name, value in parameters.items()):
        raise DeploymentFailed(
            "nothing was changed: the changes were not confirmed", name, "deploy again, and answer y"
        )
    return stack


def remove_incomplete(client: Client, stack: Stack) -> None:
    """Delete a stack that was never complete, its registry included.

    CloudFormation cannot roll back a table that is protected against deletion, and keeps it when it deletes the stack
    later; the next deployment would take it for kept data without buckets.

    Raises
    ------
    DeploymentFailed : the table has records, or something could not be deleted
    """
    dynamodb, cloudformation = client("dynamodb"), client("cloudformation")
    tables = [
        found.id
        for found in resources(cloudformation, stack.id)
        if found.type == "AWS::DynamoDB::Table" and found.id and found.status != "DELETE_COMPLETE"
    ]
    for table in tables:
        try:
            if dynamodb.scan(TableName=table, Limit=1)["Items"]:
                raise DeploymentFailed(
                    f"the stack was never complete ({stack.status}), but this table has records", table,
                    f"`make destroy ENVIRONMENT={stack.name.rpartition('-')[2]}` keeps it, then deploy again",
                )  # fmt: skip
            if dynamodb.describe_table(TableName=table)["Table"].get("DeletionProtectionEnabled"):
                dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
                wait_for_table(client, table)
        except dynamodb.exceptions.ResourceNotFoundException:
            continue
    delete_and_wait(cloudformation, stack)
    for table in tables:
        try:
            dynamodb.delete_table(TableName=table)
        except dynamodb.exceptions.ResourceNotFoundException:
            continue
        dynamodb.get_waiter("table_not_exists").wait(TableName=table)


def storage_parameters(client: Client, stack: Stack) -> dict[str, str]:
    """Return the parameters of the nested stack of buckets and table, and its name."""
    cloudformation = client("cloudformation")
    for found in resources(cloudformation, stack.id):
        if found.path == "Storage":
            nested = find_stack(cloudformation, found.id)
            if nested is not None:
                return nested.parameters | {"AWS::StackName": nested.name}
    return {}


def finish(client: Client, stack: Stack, before: Stack | None, environment: str) -> None:
    """Do what no template can: settings of existing data, the wait for a new bucket's events, protection of prod."""
    apply_settings(client, ROOT / "infra" / "storage.yaml", storage_parameters(client, stack), say)
    bucket = stack.outputs["DataBucket"]
    if before is None or before.outputs.get("DataBucket") != bucket:
        say(f"waiting for the events of the new bucket {bucket}: S3 takes about five minutes to begin sending them")
        waited = wait_for_events(client, stack.name, bucket, say)
        say(
            f"no event of {bucket} arrived in {MAX_WAIT / 60:.0f} minutes: an upload may start nothing yet; "
            "`modelcycle run` says so if that happens"
            if waited is None
            else f"events arrive; that took {waited:.0f} s"
        )
    if environment == "prod":
        protect(client("cloudformation"), stack.name)
        say(f"{stack.name} is protected against deletion")
    if not stack.parameters.get("AlarmEmail"):
        say(f"its alarms reach nobody: `make deploy ENVIRONMENT={environment} ALARM_EMAIL=you@example.com`")


def deploy(account: Account, environment: str, given: str, kept: str) -> None:
    """Deploy HEAD of the working copy.

    Parameters
    ----------
    given : parameters as `Name=value`, separated by spaces, quoted as in a shell
    kept : which of several sets of kept data a new stack uses: the name of its table, or `new`

    Raises
    ------
    DeploymentFault : one of its subclasses
    """
    client, name = account.client, f"modelcycle-{environment}"
    settings = read_settings(given, read_template(ROOT / "template.yaml")["Parameters"])
    source = committed_source(ROOT)
    for path in source.unknown:
        say(f"not in the build, because git does not know it: {path}")
    before = find_stack(client("cloudformation"), name)
    if before is not None and before.status in NEVER_COMPLETE:
        say(f"removes what the failed first deployment has left ({before.status})")
        remove_incomplete(client, before)
        before = None
    if before is not None:
        check_changeable(before)
    check_reader(environment, settings, before)
    settings = with_silence(settings, before)
    data = data_parameters(client, name, before, settings, kept)
    folder = ROOT / "build" / "deployment" / environment
    export(source, folder)
    check_policies(folder)
    parameters = stack_parameters(folder, environment, before, settings, data)
    stack = build_and_deploy(folder, environment, parameters, account)
    finish(client, stack, before, environment)
    print(f"{name} is deployed: {source.commit[:12]} in {account.number}, {account.region}")
    print(f"  predictions   {stack.outputs.get('PredictUrl', '')}")
    print(f"  a first run   .venv/bin/modelcycle run PIPELINE.yaml --data FILE --place aws --stage {environment}")
    print(f"  take it away  make destroy ENVIRONMENT={environment}")


def main(arguments: list[str]) -> int:
    """Deploy to the account that boto3 is configured for."""
    parser = argparse.ArgumentParser(description="Deploys the template to AWS.")
    parser.add_argument("environment", choices=ENVIRONMENTS)
    parser.add_argument("--settings", default="", help="parameters of the template, as Name=value Name='a value'")
    parser.add_argument("--kept", default="", help="which kept data a new stack uses: the name of the table, or `new`")
    given = parser.parse_args(arguments)
    account = find_account()
    say(str(account))
    deploy(account, given.environment, given.settings, given.kept)
    return 0


if __name__ == "__main__":
    sys.exit(run(lambda: main(sys.argv[1:])))
