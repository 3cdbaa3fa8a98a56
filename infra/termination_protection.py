"""Protects a stack and its registry against deletion.

No template can ask for the protection of a stack. That of the table could be in the template, but then CloudFormation
could not roll back a first deployment that fails.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def protect(client: Callable[[str], Any], stack: str) -> None:
    """Turn on the termination protection of a complete stack and the deletion protection of its registry; idempotent.

    Parameters
    ----------
    client : returns boto3's client of a service
    """
    cloudformation, dynamodb = client("cloudformation"), client("dynamodb")
    cloudformation.update_termination_protection(StackName=stack, EnableTerminationProtection=True)
    outputs = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["Outputs"]
    (table,) = (item["OutputValue"] for item in outputs if item["OutputKey"] == "RegistryTable")
    if not dynamodb.describe_table(TableName=table)["Table"].get("DeletionProtectionEnabled"):
        dynamodb.update_table(TableName=table, DeletionProtectionEnabled=True)
