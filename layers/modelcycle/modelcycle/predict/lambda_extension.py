"""The part of Lambda's Extensions API that an internal extension uses: register, and wait for the next invocation.

An extension that is registered keeps the environment from being frozen: Lambda freezes it when the answer is posted and
every extension has asked for the next event (AWS pages "Lambda Extensions API" and "Running code after returning a
response from an AWS Lambda function").
"""

from __future__ import annotations

import json
import time
from typing import Any, NamedTuple

EXTENSION_NAME = "after-answer"
VERSION = "2020-01-01"  # of the API
REGISTER_TIMEOUT = 1.0  # seconds
RETRY_SECONDS = 0.1


class Invocation(NamedTuple):
    """A request that Lambda has given to the function; `deadline` in seconds since 1970."""

    request_id: str
    deadline: float


class LambdaExtension:
    """A registered extension.

    Parameters
    ----------
    api : host and port, as the variable AWS_LAMBDA_RUNTIME_API has them
    identifier : that Lambda gave at the registration
    """

    def __init__(self, api: str, identifier: str) -> None:
        self.api = api
        self.identifier = identifier
        self._connection: Any = None

    @classmethod
    def register(cls, api: str) -> LambdaExtension | None:
        """Register for the event INVOKE; return None where the place has no Extensions API."""
        from http.client import HTTPConnection, HTTPException

        connection = HTTPConnection(api, timeout=REGISTER_TIMEOUT)
        try:
            headers = {"Lambda-Extension-Name": EXTENSION_NAME, "Content-Type": "application/json"}
            connection.request("POST", f"/{VERSION}/extension/register", json.dumps({"events": ["INVOKE"]}), headers)
            response = connection.getresponse()
            response.read()
            identifier = response.getheader("Lambda-Extension-Identifier")
        except (OSError, HTTPException):
            return None
        finally:
            connection.close()
        return cls(api, identifier) if response.status == 200 and identifier else None

    def next(self) -> Invocation:
        """Tell Lambda that the work of the last invocation is done; return the next one. Blocks until there is one."""
        from http.client import HTTPException

        while True:
            try:
                return self._next()
            except (OSError, HTTPException, ValueError, KeyError):
                # without a further request Lambda would wait for this extension until the function times out
                self._close()
                time.sleep(RETRY_SECONDS)

    def _next(self) -> Invocation:
        from http.client import HTTPConnection, HTTPException

        if self._connection is None:
            self._connection = HTTPConnection(self.api)  # no time-out: an environment may be idle for hours
        headers = {"Lambda-Extension-Identifier": self.identifier}
        self._connection.request("GET", f"/{VERSION}/extension/event/next", headers=headers)
        response = self._connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise HTTPException(f"status {response.status}")
        event = json.loads(body)
        return Invocation(event["requestId"], event["deadlineMs"] / 1000)

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
