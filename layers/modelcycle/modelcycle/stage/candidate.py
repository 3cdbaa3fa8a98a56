"""The function that serves the version before it is live, as the load test calls it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from modelcycle.faults import Throttled, Transient
from modelcycle.invocations import Invocations
from modelcycle.proxy_requests import proxy_request

# AWS page "Log and monitor Python Lambda functions"; only an environment's first call has the time of its start
REPORT = re.compile(r"^REPORT RequestId: .*?Max Memory Used: (\d+) MB(?:.*?Init Duration: ([\d.]+) ms)?", re.MULTILINE)


@dataclass(frozen=True)
class Environment:
    """What the environment that answered told about itself.

    Parameters
    ----------
    id : of the environment
    calls : that it has answered, this one included
    ms : of the handler in this call
    init_ms : from the start of its process until its code was imported
    memory_mb, peak_mb : resident memory now and at its peak, MiB
    """

    id: str
    calls: int
    ms: float
    init_ms: float
    memory_mb: float
    peak_mb: float


@dataclass(frozen=True)
class Reply:
    """The outcome of one call.

    Parameters
    ----------
    outcome : "error" is an answer of the version or its function; "throttled" and "failed" are Lambda's
    round_trip_ms : until the caller had the answer
    detail : of another outcome than "answered": the status, or the class name of the error
    body : the parsed answer
    reported_mb, reported_init_ms : of the line REPORT that AWS writes
    """

    outcome: Literal["answered", "error", "throttled", "failed"]
    round_trip_ms: float
    detail: str = ""
    body: Any = None
    environment: Environment | None = None
    reported_mb: float | None = None
    reported_init_ms: float | None = None


class Candidate:
    """One version in the function `Candidate`.

    Parameters
    ----------
    function : the function
    clock : in seconds
    """

    def __init__(
        self, function: Invocations, model: str, version: int, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.function = function
        self.model = model
        self.version = version
        self.clock = clock

    def event(self, row: int, instance: dict[str, Any]) -> bytes:
        """Return a request with one row as API Gateway passes it."""
        path = f"/models/{self.model}/versions/{self.version}/predict"
        resource = "/models/{name}/versions/{version}/predict"
        parameters = {"name": self.model, "version": str(self.version)}
        return proxy_request("POST", path, resource, parameters, f"stage-{row}", {"instances": [instance]})

    def ask(self, event: bytes) -> Reply:
        """Call the function once."""
        started = self.clock()
        try:
            invoked = self.function.invoke(event)
        except Throttled:
            return Reply("throttled", self._since(started), "Throttled")
        except Transient as fault:
            return Reply("failed", self._since(started), fault.what)
        took = self._since(started)
        if invoked.failure:
            return Reply("error", took, invoked.failure)
        answer = invoked.payload if isinstance(invoked.payload, dict) else {}
        reported = REPORT.search(invoked.log)
        status = answer.get("statusCode")
        return Reply(
            "answered" if status == 200 else "error",
            took,
            "" if status == 200 else f"status {status}",
            json.loads(answer["body"]) if status == 200 else None,
            Environment(**answer["environment"]) if answer.get("environment") else None,
            float(reported[1]) if reported else None,
            float(reported[2]) if reported and reported[2] else None,
        )

    def _since(self, started: float) -> float:
        return (self.clock() - started) * 1000
