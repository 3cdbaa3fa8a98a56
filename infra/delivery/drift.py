"""Reports what in a stack on AWS differs from its template: `python -m infra.delivery.drift STACK`.

CloudFormation compares (AWS page "Detect unmanaged configuration changes to stacks"), each nested stack by itself.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from infra.delivery.deployed import existing_stack
from infra.deployment.account import find_account
from infra.deployment.command import run, say

POLL_SECONDS = 5.0
MAX_SECONDS = 900.0  # of one stack
MAX_SHOWN = 200  # characters of a value
DRIFTED = ("MODIFIED", "DELETED")
NOTHING_COMPARED = 2  # exit status


@dataclass(frozen=True)
class NotCompared:
    """A stack that CloudFormation could not compare, or not all of it, and why."""

    stack: str
    reason: str

    def __str__(self) -> str:
        return f"warning: {self.stack} was not compared as a whole: {self.reason}"


@dataclass(frozen=True)
class Compared:
    """A stack that was compared as a whole."""

    stack: str


@dataclass(frozen=True)
class Drift:
    """A resource that is not as the template says.

    Parameters
    ----------
    status : MODIFIED or DELETED
    differences : sentences, one for each property
    """

    stack: str
    resource: str
    type: str
    status: str
    differences: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"{self.stack}: {self.resource} ({self.type}) is {self.status.lower()}"]
        return "\n".join([*lines, *(f"    {line}" for line in self.differences)])


def drift_of(
    cloudformation: Any, stack: str, sleep: Callable[[float], None] = time.sleep
) -> Iterator[Drift | NotCompared | Compared]:
    """Yield what has drifted in a stack and in those that it nests, and of each stack whether it was compared.

    A resource that CloudFormation may not read makes the comparison of its stack fail; the others are compared.

    Parameters
    ----------
    cloudformation : boto3's client
    """
    from botocore.exceptions import ClientError

    try:
        reason = _detect(cloudformation, stack, sleep)
        yield NotCompared(_name(stack), reason) if reason else Compared(_name(stack))
        yield from _drifted(cloudformation, stack)
    except ClientError as error:
        yield NotCompared(_name(stack), str(error))
    for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack):
        for resource in page["StackResourceSummaries"]:
            if resource["ResourceType"] == "AWS::CloudFormation::Stack" and resource.get("PhysicalResourceId"):
                yield from drift_of(cloudformation, resource["PhysicalResourceId"], sleep)


def _detect(cloudformation: Any, stack: str, sleep: Callable[[float], None]) -> str:
    """Have a stack compared, and wait until that is done; return why it was not, or an empty text."""
    detection = cloudformation.detect_stack_drift(StackName=stack)["StackDriftDetectionId"]
    for _ in range(int(MAX_SECONDS / POLL_SECONDS)):
        found = cloudformation.describe_stack_drift_detection_status(StackDriftDetectionId=detection)
        if found["DetectionStatus"] == "DETECTION_COMPLETE":
            return ""
        if found["DetectionStatus"] == "DETECTION_FAILED":
            return found.get("DetectionStatusReason") or "CloudFormation gives no reason"
        sleep(POLL_SECONDS)
    return f"the comparison did not end in {MAX_SECONDS:.0f} seconds"


def _drifted(cloudformation: Any, stack: str) -> Iterator[Drift]:
    arguments: dict[str, Any] = {"StackName": stack, "StackResourceDriftStatusFilters": list(DRIFTED)}
    while True:
        page = cloudformation.describe_stack_resource_drifts(**arguments)
        for found in page["StackResourceDrifts"]:
            differences = tuple(
                f"{one['PropertyPath']}: {_short(one['ActualValue'])} instead of {_short(one['ExpectedValue'])}"
                for one in found.get("PropertyDifferences", [])
            )
            yield Drift(
                _name(stack), found["LogicalResourceId"], found["ResourceType"],
                found["StackResourceDriftStatus"], differences,
            )  # fmt: skip
        if not page.get("NextToken"):
            return
        arguments["NextToken"] = page["NextToken"]


def _name(stack: str) -> str:
    """Return the name of a stack, of which this is the name or the ARN."""
    return stack.rpartition("stack/")[2].partition("/")[0]


def _short(value: str) -> str:
    return value if len(value) <= MAX_SHOWN else f"{value[:MAX_SHOWN]}…"


def report(name: str, found: Sequence[Drift | NotCompared | Compared]) -> int:
    """Print what a comparison has found; return 1 if something drifted, 2 if nothing could be compared, otherwise 0."""
    drifted = [one for one in found if isinstance(one, Drift)]
    unknown = [one for one in found if isinstance(one, NotCompared)]
    for one in unknown:
        say(str(one))
    if drifted:
        print("\n".join(map(str, drifted)))
        print(
            f"{len(drifted)} resources are not as the template says: put them back, or change the template and deploy."
        )
        return 1
    if not any(isinstance(one, Compared) for one in found):
        say(f"error    nothing of {name} could be compared with its template")
        return NOTHING_COMPARED
    print(f"{name} is as its template says" + (f", but for {len(unknown)} stacks above" if unknown else ""))
    return 0


def main(arguments: list[str]) -> int:
    """Report the drift of the stack that the command line names; return what `report` returns."""
    (name,) = arguments
    found: list[Drift | NotCompared | Compared] = []

    def compare() -> int:
        account = find_account()
        existing_stack(account, name)
        found.extend(drift_of(account.client("cloudformation"), name))
        return 0

    return NOTHING_COMPARED if run(compare) else report(name, found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
