"""A model whose versions get and lose traffic, in memory, and people who decide about them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from modelcycle.deploy import deploy
from modelcycle.govern import Ports, decide
from modelcycle.messages import Decision, Deployed, DeployRequest
from modelcycle.policy import deployed_shelf
from modelcycle.registry import Entry, Registry, Version, Write
from tests.fakes import MemoryStore, MemoryTable

CANARY = "name: m\ntarget: t\nrollout: {steps: [10, 50, 100], wait_minutes: 3}\n"


class ContendedTable(MemoryTable):
    """A table in which `meanwhile` runs just before the next move of the route is written."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: Callable[[], Any] | None = None

    def write(self, *writes: Write) -> None:
        if self.meanwhile and any(write.sk == "ROUTE" for write in writes):
            others, self.meanwhile = self.meanwhile, None
            others()
        super().write(*writes)


class Killed(BaseException):
    """The process died."""


class Flows:
    """State machines that remember what was started; with `dies`, the process is killed at a start."""

    def __init__(self, dies: bool = False) -> None:
        self.started: dict[str, dict[str, Any]] = {}
        self.dies = dies

    def is_running(self, execution: str) -> bool:
        return execution.rpartition(":")[2] in self.started

    def start(self, flow: str, name: str, message: dict[str, Any]) -> bool:
        if self.dies:
            raise Killed
        return self.started.setdefault(name, message) is message


class Cycle:
    """A model with versions to stage, roll out and decide about."""

    def __init__(self) -> None:
        self.table = ContendedTable()
        self.registry = Registry(self.table)
        self.store = MemoryStore()
        self.flows = Flows()
        self.policies = deployed_shelf()

    def staged(self, state: str = "staged", **fields: Any) -> int:
        pipeline = self.store.put("pipeline", CANARY.encode())
        names = ("onnx", "skops", "signature", "plan", "profile", "lineage", "card", "validation", "pipeline")
        draft = Version(
            model="m", version=0, run_id="r", created_at=datetime(2026, 1, 1, tzinfo=UTC), task="binary", opset=21,
            metric="accuracy", metrics={}, interval=(0, 1), data="d", code="c",
            **dict.fromkeys(names, pipeline) | fields,
        )  # fmt: skip
        number = self.registry.versions.register(draft, str(len(self.table.records)))[0].version
        path = {"registered": [], "refused": ["refused"], "rejected": ["staged", "awaiting_approval", "rejected"]}
        for state_on_the_way in path.get(state, ["staged"] if state == "staged" else ["staged", state]):
            self.registry.standings.move("m", number, state_on_the_way, "run r", "too slow")
        return number

    def live(self, versions: int = 1) -> None:
        for _ in range(versions):
            self.registry.routes.promote("m", self.staged(), 100, "run r")

    def step(self, version: int, step: int, moves: int | None, rollout: str = "x") -> Deployed:
        request = DeployRequest(model="m", version=version, step=step, moves=moves, rollout=rollout, actor="run r")
        return deploy(request, registry=self.registry, artifacts=self.store, policies=self.policies)

    def decide(self, name: str, version: int | None = None, by: str = "ann", **fields: Any) -> Any:
        decision = Decision.model_validate({"model": "m", "decision": name, "version": version, "by": by} | fields)
        ports = Ports(self.registry, self.flows, "arn:stateMachine:rollout", self.store, self.policies)
        return decide(decision, ports)

    @property
    def weights(self) -> dict[int, int]:
        return self.registry.routes.get("m").weights

    def state(self, version: int) -> str:
        return self.registry.standings.get("m", version).state

    def audited(self, *decisions: str) -> list[Entry]:
        return [entry for entry in self.registry.audit.all("m") if entry.decision in decisions]
