"""Creates and updates the stack through CloudFormation."""

from __future__ import annotations

import contextlib
import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from infra.local.clients import ClientFactory
from infra.local.deployment.translate import Translation
from infra.local.faults import DeployFailed

BUCKET = "modelcycle-deploy"
DEPLOY_TIMEOUT = 120.0  # seconds
POLL_INTERVAL = 0.05  # seconds
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
COMPLETE = {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
UNUSABLE = {"CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED", "REVIEW_IN_PROGRESS"}

Resources = dict[str, dict[str, str]]
"""`type` and physical `id` of each resource by logical id; those of nested stacks as `Stack/Resource`."""


def deploy_stack(stack: str, translation: Translation, admin: ClientFactory) -> None:
    """Create or update a stack and wait until that is complete; a template without changes is complete at once.

    Parameters
    ----------
    stack : its name
    admin : clients of root

    Raises
    ------
    DeployFailed : with the resource that failed, and the reason
    """
    from botocore.exceptions import ClientError

    key = translation.key
    _upload({**translation.objects, key: translation.body}, admin)
    cloudformation = admin.client("cloudformation")
    status = _wait(cloudformation, stack)  # for a deployment that was interrupted
    if status in UNUSABLE:
        # such a stack cannot be updated; resources with a retention policy stay
        cloudformation.delete_stack(StackName=stack)
        _wait(cloudformation, stack)
        status = None
    if status == "UPDATE_ROLLBACK_FAILED":
        cloudformation.continue_update_rollback(StackName=stack)
        status = _wait(cloudformation, stack)
    create_or_update = cloudformation.update_stack if status else cloudformation.create_stack
    try:
        create_or_update(
            StackName=stack,
            TemplateURL=f"{admin.endpoint}/{BUCKET}/{key}",
            Parameters=[
                {"ParameterKey": name, "ParameterValue": value} for name, value in translation.parameters.items()
            ],
            Capabilities=CAPABILITIES,
        )
    except ClientError as error:
        message = error.response["Error"]["Message"]
        if "No updates are to be performed" in message:
            return
        raise _deploy_failed(message, stack) from None
    if _wait(cloudformation, stack) not in COMPLETE:
        raise _deploy_failed(_first_failure(cloudformation, stack), stack)


def stack_resources(stack: str, admin: ClientFactory) -> Resources:
    """Return the resources of a stack and of its nested stacks."""
    return _list_resources(admin.client("cloudformation"), stack, "")


@dataclass(frozen=True)
class Before:
    """A stack as it was before an update; empty if there was none that can be gone back to."""

    template: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    resources: Resources = field(default_factory=dict)


def deployed_before(stack: str, admin: ClientFactory) -> Before:
    """Return the stack as it is now, to go back to."""
    cloudformation = admin.client("cloudformation")
    if _wait(cloudformation, stack) not in {*COMPLETE, "UPDATE_ROLLBACK_COMPLETE"}:
        return Before()
    body = cloudformation.get_template(StackName=stack)["TemplateBody"]
    description = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    return Before(
        json.loads(body) if isinstance(body, str) else body,
        {item["ParameterKey"]: item["ParameterValue"] for item in description.get("Parameters", [])},
        stack_resources(stack, admin),
    )


def stack_outputs(stack: str, admin: ClientFactory) -> dict[str, str]:
    """Return the outputs of a stack by name."""
    description = admin.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    return outputs_of(description)


def outputs_of(description: dict[str, Any]) -> dict[str, str]:
    """Return the outputs in a stack's description."""
    return {output["OutputKey"]: output["OutputValue"] for output in description.get("Outputs", [])}


def _list_resources(cloudformation: Any, stack: str, prefix: str) -> Resources:
    resources: Resources = {}
    for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack):
        for summary in page["StackResourceSummaries"]:
            name = prefix + summary["LogicalResourceId"]
            resources[name] = {"type": summary["ResourceType"], "id": summary["PhysicalResourceId"]}
            if summary["ResourceType"] == "AWS::CloudFormation::Stack":
                resources |= _list_resources(cloudformation, summary["PhysicalResourceId"], f"{name}/")
    return resources


def _upload(objects: dict[str, bytes], admin: ClientFactory) -> None:
    """Upload the objects that are missing; keys are content hashes."""
    s3 = admin.client("s3")
    with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=BUCKET)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    existing = {item["Key"] for page in pages for item in page.get("Contents", [])}
    missing = {key: body for key, body in objects.items() if key not in existing}
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda item: s3.put_object(Bucket=BUCKET, Key=item[0], Body=item[1]), missing.items()))


def _status(cloudformation: Any, stack: str) -> str | None:
    """Return the status of a stack, or None if there is no such stack."""
    from botocore.exceptions import ClientError

    try:
        status: str = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
    except ClientError:
        return None
    return None if status == "DELETE_COMPLETE" else status


def _wait(cloudformation: Any, stack: str) -> str | None:
    """Wait until nothing is in progress; return the status."""
    deadline = time.monotonic() + DEPLOY_TIMEOUT
    while time.monotonic() < deadline:
        status = _status(cloudformation, stack)
        if status is None or not status.endswith("_IN_PROGRESS"):
            return status
        time.sleep(POLL_INTERVAL)
    raise _deploy_failed(f"CloudFormation had not finished after {DEPLOY_TIMEOUT:.0f} seconds.", stack)


def _first_failure(cloudformation: Any, stack: str) -> str:
    """Return the first resource that failed by itself, and the reason; searches nested stacks too."""
    events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    for event in reversed(events):  # oldest first
        reason = event.get("ResourceStatusReason", "")
        if not event["ResourceStatus"].endswith("_FAILED") or "cancelled" in reason:
            continue
        nested = event.get("PhysicalResourceId") or ""
        if event["ResourceType"] == "AWS::CloudFormation::Stack" and nested not in ("", event["StackId"]):
            return _first_failure(cloudformation, nested)
        return f"{event['LogicalResourceId']} ({event['ResourceType']}): {reason}"
    return "CloudFormation gave no reason."


def _deploy_failed(reason: str, stack: str) -> DeployFailed:
    return DeployFailed(
        f"The deployment failed: {reason}",
        where=f"stack {stack}",
        remedy="Fix that resource in the template, then run `modelcycle up` again. The previous deployment still runs.",
    )
