"""The stack of an environment, as the commands of a delivery ask it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from infra.deployment.account import Account
from infra.deployment.faults import StackUnusable
from infra.deployment.stack import Stack, find_stack


class Session(Protocol):
    """Creates clients, as boto3's session does."""

    def client(self, service: str) -> Any:
        """Return a client of a service."""


@dataclass(frozen=True)
class Deployed:
    """A deployed stack.

    Parameters
    ----------
    outputs : by name
    credentials : access key, secret key and session token (or None), with which requests to the API are signed
    """

    session: Session
    outputs: Mapping[str, str]
    credentials: tuple[str, str, str | None]
    region: str


def existing_stack(account: Account, name: str) -> Stack:
    """Return a stack on AWS.

    Raises
    ------
    StackUnusable : there is none of this name
    """
    stack = find_stack(account.client("cloudformation"), name)
    if stack is None:
        raise StackUnusable(
            f"there is no stack {name}", str(account),
            "is it another region or account (AWS_REGION, AWS_PROFILE)? `make promote` makes the stack",
        )  # fmt: skip
    return stack


def deployed_stack(account: Account, name: str) -> Deployed:
    """Return a stack on AWS with what it has told about itself.

    Raises
    ------
    StackUnusable : there is none of this name, or none that was ever complete
    """
    stack = existing_stack(account, name)
    if not stack.outputs:
        raise StackUnusable(
            f"its first deployment has not ended well: {stack.status}", f"stack {name}",
            f"`aws cloudformation describe-stack-events --stack-name {name}` has the reason",
        )  # fmt: skip
    credentials = account.session.get_credentials().get_frozen_credentials()
    return Deployed(
        account, stack.outputs, (credentials.access_key, credentials.secret_key, credentials.token), account.region
    )
