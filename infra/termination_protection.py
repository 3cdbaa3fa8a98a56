"""Protects a stack against deletion; no template can ask for it."""

from __future__ import annotations

from typing import Any


def protect(cloudformation: Any, stack: str) -> None:
    """Turn on the termination protection of a stack; idempotent.

    Parameters
    ----------
    cloudformation : boto3's client
    """
    cloudformation.update_termination_protection(StackName=stack, EnableTerminationProtection=True)
