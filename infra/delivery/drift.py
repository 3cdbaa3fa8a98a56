"""Reports what in a stack on AWS differs from its template: `python -m infra.delivery.drift STACK`.

CloudFormation compares (AWS page "Detect unmanaged configuration changes to stacks"), each nested stack by itself.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

POLL_SECONDS = 5.0
MAX_SECONDS = 900.0  # of one stack
MAX_SHOWN = 200  # characters of a value
DRIFTED = ("MODIFIED", "DELETED")


class NotCompared(Exception):
    """CloudFormation could not compare a stack; the text says why."""


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


def drift_of(cloudformation: Any, stack: str, sleep: Callable[[float], None] = time.sleep) -> Iterator[Drift]:
    """Yield what has drifted in a stack and in those that it nests.

    Parameters
    ----------
    cloudformation : boto3's client

    Raises
    ------
    NotCompared : with the reason
    """
    _detect(cloudformation, stack, sleep)
    yield from _drifted(cloudformation, stack)
    for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack):
        for resource in page["StackResourceSummaries"]:
            if resource["ResourceType"] == "AWS::CloudFormation::Stack" and resource.get("PhysicalResourceId"):
                yield from drift_of(cloudformation, resource["PhysicalResourceId"], sleep)


def _detect(cloudformation: Any, stack: str, sleep: Callable[[float], None]) -> None:
    """Have a stack compared, and wait until that is done."""
    detection = cloudformation.detect_stack_drift(StackName=stack)["StackDriftDetectionId"]
    for _ in range(int(MAX_SECONDS / POLL_SECONDS)):
        found = cloudformation.describe_stack_drift_detection_status(StackDriftDetectionId=detection)
        if found["DetectionStatus"] == "DETECTION_COMPLETE":
            return
        if found["DetectionStatus"] == "DETECTION_FAILED":
            raise NotCompared(f"{stack}: {found.get('DetectionStatusReason', 'CloudFormation gives no reason')}")
        sleep(POLL_SECONDS)
    raise NotCompared(f"{stack}: the comparison did not end in {MAX_SECONDS:.0f} seconds")


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
                stack.rpartition("stack/")[2].partition("/")[0], found["LogicalResourceId"], found["ResourceType"],
                found["StackResourceDriftStatus"], differences,
            )  # fmt: skip
        if not page.get("NextToken"):
            return
        arguments["NextToken"] = page["NextToken"]


def _short(value: str) -> str:
    return value if len(value) <= MAX_SHOWN else f"{value[:MAX_SHOWN]}…"


def main(arguments: list[str]) -> int:
    """Report the drift of the stack that the command line names; return 1 if there is any."""
    import boto3

    (stack,) = arguments
    try:
        drifted = list(drift_of(boto3.client("cloudformation"), stack))
    except NotCompared as failure:
        print(f"The stack was not compared with its template. {failure}", file=sys.stderr)
        return 2
    if not drifted:
        print(f"{stack} is as its template says")
        return 0
    print("\n".join(map(str, drifted)))
    print(f"{len(drifted)} resources are not as the template says: put them back, or change the template and deploy.")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
