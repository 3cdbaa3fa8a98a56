"""Outages of a service as faults that the state machines retry.

A state machine retries by class name, and botocore's class names are not among those it knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from modelcycle.faults import Fault, Throttled, Transient

Unreachable = tuple[type[Exception], ...]
"""The client's errors for a service that did not answer, or not completely."""

# AWS pages "Error responses" (S3), "Common Errors" (DynamoDB, Step Functions, EventBridge), "Sign" (KMS)
THROTTLING_CODES = frozenset({
    "SlowDown", "Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded",
    "ProvisionedThroughputExceededException", "ThrottledException", "LimitExceededException", "ExecutionLimitExceeded",
})  # fmt: skip
SERVER_ERROR_CODES = frozenset({
    "InternalError", "InternalFailure", "InternalServerError", "InternalException", "ServiceUnavailable",
    "RequestTimeout", "500", "503", "KMSInternalException", "DependencyTimeoutException", "KeyUnavailableException",
})  # fmt: skip
# DynamoDB and others; STS; S3; temporary keys
UNKNOWN_KEY_CODES = frozenset({
    "UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId", "InvalidToken", "ExpiredToken",
    "ExpiredTokenException",
})  # fmt: skip
RETRIED = "the step is retried automatically"
NEW_KEYS = "check the credentials; for `sam local`, `modelcycle up` writes build/sam/env.json anew"
LOCAL_CLOUD = "is the local cloud up? `modelcycle up` starts it"


@contextmanager
def outages_as_faults(service: str, where: str, unreachable: Unreachable) -> Iterator[None]:
    """Raise the outages of one service call as faults.

    Every other error passes unchanged: an IAM refusal already names its action and role.

    Parameters
    ----------
    service : the service's name, for the message
    where : the object, table or state machine of the call, for the message
    unreachable : see `Unreachable`

    Raises
    ------
    Transient : the service did not answer, or failed
    Throttled : the service rejected the call because of its rate
    Fault : the service does not know the access keys

    Examples
    --------
    >>> with outages_as_faults("S3", "s3://data/a.csv", (ConnectionError,)):
    ...     raise ConnectionError
    Traceback (most recent call last):
    modelcycle.faults.Transient: S3 did not answer
    s3://data/a.csv
    the step is retried automatically
    """
    try:
        yield
    except unreachable as error:
        address = _local_address(error)
        if address:
            raise Transient(f"{service} did not answer at {address}", where, f"{LOCAL_CLOUD}; {RETRIED}") from error
        raise Transient(f"{service} did not answer", where, RETRIED) from error
    except Exception as error:
        code = getattr(error, "response", {}).get("Error", {}).get("Code")
        if code in THROTTLING_CODES:
            raise Throttled(f"{service} is throttling requests", where, RETRIED) from error
        if code in SERVER_ERROR_CODES:
            raise Transient(f"{service} answered {code}", where, RETRIED) from error
        if code in UNKNOWN_KEY_CODES:
            raise Fault(f"{service} does not know the access keys ({code})", where, NEW_KEYS) from error
        raise


def _local_address(error: Exception) -> str:
    """Return host and port that the client tried, where they are not AWS's; a missing cloud is then named.

    Examples
    --------
    >>> error = ConnectionError()
    >>> error.kwargs = {"endpoint_url": "http://127.0.0.1:4566/data/raw/a.csv"}
    >>> _local_address(error)
    '127.0.0.1:4566'
    """
    address = urlsplit(str(getattr(error, "kwargs", {}).get("endpoint_url", "")))
    is_aws = (address.hostname or "").endswith((".amazonaws.com", ".amazonaws.com.cn", ".api.aws"))
    return "" if is_aws else address.netloc
