"""What may pass by itself, told by its name: a service that did not answer, answered with its own failure, or asks for
patience. A state machine tries again by class name, and botocore's names are not among the ones that it knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from modelcycle.faults import Throttled, Transient

Unreachable = tuple[type[Exception], ...]

# AWS pages "Error responses" (S3), "Common Errors" (DynamoDB, Step Functions, EventBridge)
THROTTLED = frozenset({
    "SlowDown", "Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded",
    "ProvisionedThroughputExceededException", "ThrottledException", "LimitExceededException", "ExecutionLimitExceeded",
})  # fmt: skip
FAILED = frozenset({
    "InternalError", "InternalFailure", "InternalServerError", "InternalException", "ServiceUnavailable",
    "RequestTimeout", "500", "503",
})  # fmt: skip


@contextmanager
def named(service: str, where: str, unreachable: Unreachable) -> Iterator[None]:
    """Around one call of an adapter. Every other error passes as it is: a refusal by IAM names action and role itself.

    Parameters
    ----------
    unreachable : the errors by which the client says that nobody answered, or not to the end

    Raises
    ------
    Transient, Throttled
    """
    try:
        yield
    except unreachable as error:
        raise Transient(f"{service} did not answer", where, "the step is tried again") from error
    except Exception as error:
        code = getattr(error, "response", {}).get("Error", {}).get("Code")
        if code in THROTTLED:
            raise Throttled(f"{service} asks for patience", where, "the step is tried again") from error
        if code in FAILED:
            raise Transient(f"{service} answered {code}", where, "the step is tried again") from error
        raise
