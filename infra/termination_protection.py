"""Protects a stack against deletion: `python -m infra.termination_protection STACK`. No template can ask for it."""

from __future__ import annotations

import sys
from typing import Any


def protect(cloudformation: Any, stack: str) -> None:
    """Turn on the termination protection of a stack; idempotent.

    Parameters
    ----------
    cloudformation : boto3's client
    """
    cloudformation.update_termination_protection(StackName=stack, EnableTerminationProtection=True)


def main(arguments: list[str]) -> int:
    """Protect the stack that the command line names, with boto3's own credentials and region."""
    import boto3

    (stack,) = arguments
    protect(boto3.client("cloudformation"), stack)
    print(f"{stack} is protected against deletion: delete-stack refuses it until the protection is turned off")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
