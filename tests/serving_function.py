"""The function Candidate in this process: environments that answer one request at a time, as Lambda keeps them."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from modelcycle.faults import Throttled, Transient
from modelcycle.invocations import Invoked
from modelcycle.model.answer import answer
from modelcycle.predict.registered_versions import RegisteredVersions
from modelcycle.registry import Registry, Route
from modelcycle.store import Store
from tests.fakes import UNSIGNED


@dataclass
class _Environment:
    id: str
    versions: RegisteredVersions
    calls: int = 0


@dataclass
class ServingFunction:
    """Answers with the registered versions.

    Parameters
    ----------
    seconds : that each call takes, without using the processor
    leak_mb : by which the memory grows with each call
    warm : whether all environments have answered before
    limit : of environments; a call that finds none is throttled
    fails : by number of the call, the class name of the error with which the function ends
    reports : whether the log has Lambda's line REPORT
    away : whether Lambda does not answer at all
    """

    registry: Registry
    store: Store
    seconds: float = 0.0
    leak_mb: float = 0.0
    warm: bool = False
    limit: int = 100
    fails: dict[int, str] = field(default_factory=dict)
    status: int = 200
    reports: bool = False
    away: bool = False
    wrong: bool = False
    events: int = 0
    answered: int = 0
    idle: list[_Environment] = field(default_factory=list)
    started: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def invoke(self, event: bytes) -> Invoked:
        if self.away:
            raise Transient("Lambda did not answer", "candidate", "try again")
        with self.lock:
            self.events += 1
            if not self.idle and self.started >= self.limit:
                raise Throttled("Lambda is throttling requests", "candidate", "try again")
            self.answered += 1
            number = self.answered
            environment = self.idle.pop() if self.idle else self._start()
        try:
            return self._invoke(json.loads(event), environment, number)
        finally:
            with self.lock:
                self.idle.append(environment)

    def _start(self) -> _Environment:
        self.started += 1
        environment = _Environment(f"e{self.started}", RegisteredVersions(self.registry, self.store, UNSIGNED))
        environment.calls = 1000 if self.warm else 0
        return environment

    def _invoke(self, event: dict[str, Any], environment: _Environment, number: int) -> Invoked:
        environment.calls += 1
        started = time.perf_counter()
        if number in self.fails:
            return Invoked(None, self.fails[number])
        name, version = event["pathParameters"]["name"], int(event["pathParameters"]["version"])
        assert event["path"] == f"/models/{name}/versions/{version}/predict"
        loaded = environment.versions.get(name, version)
        wire = answer(json.loads(event["body"]), Route(weights={version: 100}), {version: loaded}, "k").wire()
        if self.wrong:
            wire["probabilities"] = [{name: 1 - score for name, score in wire["probabilities"][0].items()}]
        time.sleep(self.seconds)
        memory = 100 + self.leak_mb * environment.calls
        told = {
            "id": environment.id, "calls": environment.calls, "init_ms": 300.0,
            "ms": (time.perf_counter() - started) * 1000, "memory_mb": memory, "peak_mb": memory + 1,
        }  # fmt: skip
        log = "START RequestId: 1\n{}\nREPORT RequestId: 1\tDuration: 1.00 ms\tMax Memory Used: 222 MB"
        log += "\tInit Duration: 444.40 ms\t\n" if environment.calls == 1 else "\t\n"
        return Invoked(
            {"statusCode": self.status, "body": json.dumps(wire), "environment": told}, log=log if self.reports else ""
        )
