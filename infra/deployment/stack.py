"""What CloudFormation says about the project's stack in an account."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from infra.deployment.faults import DeploymentFailed, StackUnusable

NESTED = "AWS::CloudFormation::Stack"
# nothing was ever complete in such a stack, and CloudFormation updates none of them
NEVER_COMPLETE = frozenset(("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"))


@dataclass(frozen=True)
class Stack:
    """A stack that exists.

    Parameters
    ----------
    id : its ARN, by which it can still be asked for when it has been deleted
    parameters, outputs : by name
    """

    name: str
    id: str
    status: str
    protected: bool
    parameters: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Resource:
    """A resource of a stack or of a stack that it nests; `path` is its logical id, such as `Storage/Data`."""

    path: str
    type: str
    id: str
    status: str


def find_stack(cloudformation: Any, name: str) -> Stack | None:
    """Return a stack, by its name or ARN; None if there is none, or only an unconfirmed change set for one."""
    from botocore.exceptions import ClientError

    try:
        found = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        return None
    if found["StackStatus"] in ("DELETE_COMPLETE", "REVIEW_IN_PROGRESS"):
        return None
    return Stack(
        found["StackName"], found["StackId"], found["StackStatus"], found.get("EnableTerminationProtection", False),
        {item["ParameterKey"]: item.get("ParameterValue", "") for item in found.get("Parameters", [])},
        {item["OutputKey"]: item["OutputValue"] for item in found.get("Outputs", [])},
    )  # fmt: skip


def check_changeable(stack: Stack) -> None:
    """Raise StackUnusable for a stack that CloudFormation would not update."""
    if stack.status.endswith("_IN_PROGRESS"):
        raise StackUnusable(
            f"CloudFormation is changing it: {stack.status}", f"stack {stack.name}",
            f"wait for it: `aws cloudformation describe-stacks --stack-name {stack.name}`",
        )  # fmt: skip
    if stack.status == "UPDATE_ROLLBACK_FAILED":
        raise StackUnusable(
            "an update failed, and so did the way back", f"stack {stack.name}",
            f"`aws cloudformation continue-update-rollback --stack-name {stack.name}`, then deploy again",
        )  # fmt: skip
    if stack.status == "DELETE_FAILED":
        environment = stack.name.rpartition("-")[2]
        raise StackUnusable(
            "its deletion has begun and failed",
            f"stack {stack.name}",
            f"finish it: `make destroy ENVIRONMENT={environment}`",
        )


def resources(cloudformation: Any, stack: str, prefix: str = "") -> Iterator[Resource]:
    """Yield the resources of a stack and of its nested stacks; by ARN also those of a deleted stack."""
    for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack):
        for item in page["StackResourceSummaries"]:
            path, physical = prefix + item["LogicalResourceId"], item.get("PhysicalResourceId", "")
            yield Resource(path, item["ResourceType"], physical, item["ResourceStatus"])
            if item["ResourceType"] == NESTED and physical:
                yield from resources(cloudformation, physical, f"{path}/")


def first_failure(cloudformation: Any, stack: str) -> tuple[str, str] | None:
    """Return where the latest operation on a stack failed first, and why; searches nested stacks too."""
    for event in reversed(list(_latest_events(cloudformation, stack))):
        reason = event.get("ResourceStatusReason", "")
        if not event["ResourceStatus"].endswith("_FAILED") or "cancelled" in reason.lower():
            continue
        nested = event.get("PhysicalResourceId") or ""
        if event["ResourceType"] == NESTED and nested not in ("", event["StackId"]):
            below = first_failure(cloudformation, nested)
            if below:
                return f"{event['LogicalResourceId']}/{below[0]}", below[1]
        return f"{event['LogicalResourceId']} ({event['ResourceType']})", reason or "no reason was given"
    return None


def delete_and_wait(cloudformation: Any, stack: Stack, max_minutes: int = 60) -> None:
    """Delete a stack and wait until that is done.

    Parameters
    ----------
    max_minutes : network interfaces of functions in a VPC alone take up to 40

    Raises
    ------
    DeploymentFailed : CloudFormation could not delete a resource, or needs more time
    """
    from botocore.exceptions import WaiterError

    seconds = 5
    cloudformation.delete_stack(StackName=stack.id)
    waiter = cloudformation.get_waiter("stack_delete_complete")
    try:
        waiter.wait(StackName=stack.id, WaiterConfig={"Delay": seconds, "MaxAttempts": max_minutes * 60 // seconds})
    except WaiterError:
        now = find_stack(cloudformation, stack.id)
        if now is None:
            return
        if now.status.endswith("_IN_PROGRESS"):
            raise DeploymentFailed(
                f"CloudFormation had not finished after {max_minutes} minutes", f"stack {stack.name}",
                "it goes on by itself; run the same command again to see what is left",
            ) from None  # fmt: skip
        where, reason = first_failure(cloudformation, stack.id) or (f"stack {stack.name}", now.status)
        raise DeploymentFailed(
            f"CloudFormation could not delete it: {reason}", where, "remove the cause, then run the same command again"
        ) from None


def _latest_events(cloudformation: Any, stack: str) -> Iterator[dict[str, Any]]:
    """Yield the events of the latest operation, newest first: down to the one by which the stack itself began it."""
    for page in cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack):
        for event in page["StackEvents"]:
            yield event
            own = event["PhysicalResourceId"] == event["StackId"]
            if own and event["ResourceStatus"] in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"):
                return
