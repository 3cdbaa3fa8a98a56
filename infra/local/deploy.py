"""Brings a translated template up through CloudFormation."""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from infra.local.clients import Session
from infra.local.faults import DeployFailed
from infra.local.translate import Translation

BUCKET = "modelcycle-deploy"
DEPLOY_WITHIN = 120.0  # seconds
_CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
_DONE = {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
_UNUSABLE = {"CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED", "REVIEW_IN_PROGRESS"}


def deploy(stack: str, translation: Translation, admin: Session) -> None:
    """Create or update the stack and wait for it. A template that changes nothing is no fault.

    Raises
    ------
    DeployFailed
        With the resource that CloudFormation refused, and why.
    """
    key = translation.key
    _upload({**translation.objects, key: translation.body}, admin)
    cloudformation = admin.client("cloudformation")
    status = _wait(cloudformation, stack)  # of a command that was interrupted
    if status in _UNUSABLE:
        # Nothing of such a stack can be updated; what it retains stays.
        cloudformation.delete_stack(StackName=stack)
        _wait(cloudformation, stack)
        status = None
    if status == "UPDATE_ROLLBACK_FAILED":
        cloudformation.continue_update_rollback(StackName=stack)
        status = _wait(cloudformation, stack)
    call = cloudformation.update_stack if status else cloudformation.create_stack
    from botocore.exceptions import ClientError

    try:
        call(
            StackName=stack,
            TemplateURL=f"{admin.endpoint}/{BUCKET}/{key}",
            Parameters=[
                {"ParameterKey": name, "ParameterValue": value} for name, value in translation.parameters.items()
            ],
            Capabilities=_CAPABILITIES,
        )
    except ClientError as error:
        message = error.response["Error"]["Message"]
        if "No updates are to be performed" in message:
            return
        raise _failed(message, stack) from None
    ended = _wait(cloudformation, stack)
    if ended not in _DONE:
        raise _failed(_reason(cloudformation, stack), stack)


def resources(stack: str, admin: Session) -> dict[str, dict[str, str]]:
    """Type and physical id of each resource by logical id; those of nested stacks as `Stack/Resource`."""
    return dict(_resources(admin.client("cloudformation"), stack, ""))


def _resources(cloudformation: Any, stack: str, prefix: str) -> list[tuple[str, dict[str, str]]]:
    found = []
    for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack):
        for one in page["StackResourceSummaries"]:
            name = prefix + one["LogicalResourceId"]
            found.append((name, {"type": one["ResourceType"], "id": one["PhysicalResourceId"]}))
            if one["ResourceType"] == "AWS::CloudFormation::Stack":
                found += _resources(cloudformation, one["PhysicalResourceId"], f"{name}/")
    return found


def outputs(stack: str, admin: Session) -> dict[str, str]:
    """The outputs of a stack as CloudFormation gives them."""
    described = admin.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    return {one["OutputKey"]: one["OutputValue"] for one in described.get("Outputs", [])}


def _upload(objects: dict[str, bytes], admin: Session) -> None:
    s3 = admin.client("s3")
    with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=BUCKET)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    there = {item["Key"] for page in pages for item in page.get("Contents", [])}
    missing = {key: body for key, body in objects.items() if key not in there}
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda item: s3.put_object(Bucket=BUCKET, Key=item[0], Body=item[1]), missing.items()))


def _status(cloudformation: Any, stack: str) -> str | None:
    from botocore.exceptions import ClientError

    try:
        status: str = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
    except ClientError:
        return None
    return None if status == "DELETE_COMPLETE" else status


def _wait(cloudformation: Any, stack: str) -> str | None:
    deadline = time.monotonic() + DEPLOY_WITHIN
    while time.monotonic() < deadline:
        status = _status(cloudformation, stack)
        if status is None or not status.endswith("_IN_PROGRESS"):
            return status
        time.sleep(0.05)
    raise _failed(f"CloudFormation was not done after {DEPLOY_WITHIN:.0f} seconds.", stack)


def _reason(cloudformation: Any, stack: str) -> str:
    """The first resource that failed by itself, looked for inside nested stacks too."""
    events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    for event in reversed(events):  # oldest first
        reason = event.get("ResourceStatusReason", "")
        if not event["ResourceStatus"].endswith("_FAILED") or "cancelled" in reason:
            continue
        nested = event.get("PhysicalResourceId") or ""
        if event["ResourceType"] == "AWS::CloudFormation::Stack" and nested not in ("", event["StackId"]):
            return _reason(cloudformation, nested)
        return f"{event['LogicalResourceId']} ({event['ResourceType']}): {reason}"
    return "CloudFormation gave no reason."


def _failed(reason: str, stack: str) -> DeployFailed:
    return DeployFailed(
        f"The deploy failed: {reason}",
        where=f"stack {stack}",
        remedy="Mend that resource in the template, then run `modelcycle up` again; what ran before still runs.",
    )
