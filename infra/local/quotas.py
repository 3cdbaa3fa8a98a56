"""AWS's quotas that the local cloud keeps, each with the page that states it. Read in November 2026.

The figures are AWS's fixed ones; those that an account can have raised are not here.
"""

from __future__ import annotations

from dataclasses import dataclass

KIB, MIB = 1024, 1024 * 1024
LAMBDA_QUOTAS = "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"
STEP_FUNCTIONS_QUOTAS = "https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html"
STEP_FUNCTIONS_ERRORS = "https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html"
API_GATEWAY_QUOTAS = (
    "https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html"
)


@dataclass(frozen=True)
class Quota:
    """A quota.

    Parameters
    ----------
    maximum : the largest value that AWS accepts
    unit : of the values
    error : the name of AWS's error
    page : where AWS states it
    minimum : the smallest value that AWS accepts
    """

    maximum: int
    unit: str
    error: str
    page: str
    minimum: int = 0


STATE_DATA = Quota(256 * KIB, "bytes of JSON", "States.DataLimitExceeded", STEP_FUNCTIONS_QUOTAS)
HISTORY = Quota(25_000, "events of an execution", "States.Runtime", STEP_FUNCTIONS_QUOTAS)
REQUEST = Quota(6 * MIB, "bytes of a synchronous call", "RequestEntityTooLargeException", LAMBDA_QUOTAS)
# "6 MB" there; Lambda accepts 100 bytes more, and its error says so
RESPONSE = Quota(6 * MIB + 100, "bytes of an answer", "Function.ResponseSizeTooLarge", LAMBDA_QUOTAS)
# 256 KB until October 2025
EVENT = Quota(1 * MIB, "bytes of an asynchronous call", "RequestEntityTooLargeException", LAMBDA_QUOTAS)
API_REQUEST = Quota(10 * MIB, "bytes of a request to an API", "REQUEST_TOO_LARGE", API_GATEWAY_QUOTAS)
TIMEOUT = Quota(900, "seconds", "Sandbox.Timedout", LAMBDA_QUOTAS, minimum=1)
MEMORY = Quota(10_240, "MB", "Runtime.ExitError", LAMBDA_QUOTAS, minimum=128)
# The name that a handler in Python reports; the operating system's is ENOSPC.
TEMPORARY_FILES = Quota(10_240, "MB", "OSError", LAMBDA_QUOTAS, minimum=512)
UNZIPPED = Quota(250 * MIB, "bytes of code and layers", "InvalidParameterValueException", LAMBDA_QUOTAS)

# how the limits of a function are named in its configuration, and in AWS's message about a value outside of them
FUNCTION_SETTINGS = {
    ("Timeout",): ("timeout", TIMEOUT),
    ("MemorySize",): ("memorySize", MEMORY),
    ("EphemeralStorage", "Size"): ("ephemeralStorage.size", TEMPORARY_FILES),
}
