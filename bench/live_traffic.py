"""A model with live requests in memory, for rollouts that would otherwise take days.

The clock is simulated, everything else is the product: `deploy` and `judge` move a real registry's route, and the
captured lines are those of `Answer.records`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from modelcycle.deploy import deploy
from modelcycle.deploy.judge import judge
from modelcycle.messages import Artifact, DeployRequest, Judged, JudgeRequest
from modelcycle.model.profile import ColumnProfile, Profile
from modelcycle.model.routing import entity_key, version_for
from modelcycle.model.signature import Signature
from modelcycle.policy import Shelf, deployed_shelf
from modelcycle.registry import Registry, Version, keys
from modelcycle.spec import Capture, Task
from modelcycle.store import put_json
from tests.fakes import MemoryStore, MemoryTable

MODEL, ROLLOUT = "m", "x"
START = datetime(2026, 3, 2, 9, tzinfo=UTC)
CLASSES = ["no", "yes"]


@dataclass(frozen=True)
class Behaviour:
    """How a version answers.

    Parameters
    ----------
    milliseconds : median of the time of a request; its logarithm has the deviation 0.3, and 1 % take ten times as long
    errors : share of rows that it does not answer
    bias : added to the logit of each score, or to each number
    noise : deviation of an error that is added to each logit or number
    """

    milliseconds: float = 1.0
    errors: float = 0.0
    bias: float = 0.0
    noise: float = 0.3


@dataclass
class LiveModel:
    """A model with a champion, version 1, and a challenger, version 2.

    Parameters
    ----------
    behaviours : by version
    rollout : the section `rollout` of the pipeline file
    requests_per_minute : of `rows` rows each
    entities : that ask; 0 if each row is about another one
    label_share, label_delay : of the requests whose outcome becomes known, and when
    number_format : how the training files write the numbers of the target, see `cells.reading.Reading`
    """

    behaviours: dict[int, Behaviour]
    rollout: dict[str, Any]
    seed: int = 0
    task: Task = "binary"
    requests_per_minute: float = 100.0
    rows: int = 1
    entities: int = 0
    label_share: float = 0.0
    label_delay: timedelta = timedelta(minutes=10)
    prediction_distance: float | None = None
    capture: dict[str, Any] = field(default_factory=dict)
    number_format: str = ""

    registry: Registry = field(default_factory=lambda: Registry(MemoryTable()))
    data: MemoryStore = field(default_factory=lambda: MemoryStore("data"))
    artifacts: MemoryStore = field(default_factory=MemoryStore)
    policies: Shelf = field(default_factory=deployed_shelf)
    now: datetime = START
    requests: int = 0
    answers: dict[int, int] = field(default_factory=lambda: {1: 0, 2: 0})
    judged: list[Judged] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)
        self._outcomes: list[tuple[datetime, str, str]] = []
        self.objects = 0
        for version in self.behaviours:
            self._register(version)
        self.registry.routes.promote(MODEL, 1, 100, "run r", rollout="first")
        self._date_last_move(START - timedelta(days=1))

    def _register(self, number: int) -> None:
        pipeline = {"name": MODEL, "target": "t", "rollout": self.rollout}
        ids = ["customer"] if self.entities else []
        signature = Signature(
            model=MODEL, task=self.task, target="t", classes=[] if self.task == "regression" else CLASSES, fields=[],
            ignored=[], inputs=[], id_columns=ids,
        )  # fmt: skip
        folder = f"{MODEL}/runs/r{number}/claim"
        target = ColumnProfile(
            name="t", type="text" if signature.classes else "number", format=self.number_format, rows=0, missing=0,
            distinct=0, counts=[],
        )  # fmt: skip
        profile = Profile(rows=0, columns=[], target=target, missing_values=[])
        artifacts: dict[str, Artifact] = {
            "profile": self.artifacts.put(f"{folder}/profile", profile.model_dump_json().encode()),
            "pipeline": self.artifacts.put(f"{folder}/pipeline", json.dumps(pipeline).encode()),
            "signature": self.artifacts.put(f"{folder}/signature", signature.model_dump_json().encode()),
            "validation": put_json(
                self.artifacts, f"{folder}/report", {"champion": 1, "prediction_distance": self.prediction_distance}
            ),
        }
        names = ("onnx", "skops", "plan", "lineage", "card")
        draft = Version(
            model=MODEL, version=0, run_id="r", created_at=START, task=self.task, opset=21, metric="accuracy",
            metrics={}, interval=(0, 1), data="d", code="c", **dict.fromkeys(names, artifacts["signature"]),
            capture=Capture.model_validate(self.capture), **artifacts,
        )  # fmt: skip
        self.registry.versions.register(draft, str(number))
        self.registry.standings.move(MODEL, number, "staged", "run r")

    # the clock

    def _date_last_move(self, at: datetime) -> None:
        table = self.registry.table
        assert isinstance(table, MemoryTable)
        key = keys.move(MODEL, self.registry.routes.get(MODEL).moves)
        record = table.records[key]
        table.records[key] = record._replace(body=record.body | {"at": at.isoformat()})

    def serve(self, length: timedelta) -> None:
        """Answer the requests of a length of time, and capture them as one object."""
        count = int(self.random.poisson(self.requests_per_minute * length.total_seconds() / 60))
        times = np.sort(self.random.uniform(0, length.total_seconds(), count))
        lines = [line for seconds in times for line in self._answer(self.now + timedelta(seconds=float(seconds)))]
        self.now += length
        if lines:
            self._write(f"captures/model={MODEL}/{self.now:%Y/%m/%d/%H}", lines)
        known = [outcome for outcome in self._outcomes if outcome[0] <= self.now]
        if known:
            self._outcomes = [outcome for outcome in self._outcomes if outcome[0] > self.now]
            self._write(f"feedback/{MODEL}", [{"prediction_id": one, "outcome": text} for _, one, text in known])

    def _write(self, folder: str, lines: list[dict[str, Any]]) -> None:
        self.objects += 1
        self.data.upload(f"{folder}/{self.objects:06d}", b"".join(json.dumps(line).encode() + b"\n" for line in lines))

    def _answer(self, at: datetime) -> Iterator[dict[str, Any]]:
        """Answer one request by the route, as `model.answer` and the captures do."""
        self.requests += 1
        route = self.registry.routes.get(MODEL)
        instances = [self._instance() for _ in range(self.rows)]
        ids = ["customer"] if self.entities else []
        named = [version_for(MODEL, route.weights, entity_key(one, ids)) for one in instances]
        failing = {version: self.random.random() < self.behaviours[version].errors for version in set(named)}
        answering = [version if not failing[version] else self._other(version) for version in named]
        for position, version in enumerate(answering):
            truth = self._truth(instances[position])
            row = f"{self.requests:06d}-{position}"
            yield self._line(at, row, version, answering.count(version), named[position], instances[position])
            self.answers[version] += 1
            if route.shadow is not None:
                beside = self._line(at, row, route.shadow, self.rows, route.shadow, instances[position])
                yield beside | {"shadow": True, "beside": f"{row}-{version}"}
                self.answers[route.shadow] += 1
            if self.random.random() < self.label_share:
                self._outcomes.append((at + self.label_delay, f"{row}-{version}", truth))

    def _other(self, version: int) -> int:
        return 1 if version == 2 else 2

    def _instance(self) -> dict[str, Any]:
        instance: dict[str, Any] = {"x": round(float(self.random.normal()), 6)}
        if self.entities:
            customer = int(self.random.integers(self.entities))
            instance = {"customer": customer, "x": round(float(np.random.default_rng(customer).normal()), 6)}
        return instance

    def _truth(self, instance: dict[str, Any]) -> str:
        if self.task == "regression":
            return str(10 * instance["x"] + float(self.random.normal()))
        return CLASSES[int(self.random.random() < 1 / (1 + np.exp(-1.5 * instance["x"])))]

    def _line(
        self, at: datetime, row: str, version: int, rows: int, named: int, instance: dict[str, Any]
    ) -> dict[str, Any]:
        how = self.behaviours[version]
        seen = self.random.normal(0, how.noise) + how.bias
        slow = 10.0 if self.random.random() < 0.01 else 1.0
        failed = {"assigned": named, "failure": "BadRequest"} if named != version else {}
        if self.task == "regression":
            prediction, probabilities = 10 * instance["x"] + seen, None
        else:
            yes = float(1 / (1 + np.exp(-1.5 * instance["x"] - seen)))
            prediction, probabilities = CLASSES[int(yes >= 0.5)], {"no": 1 - yes, "yes": yes}
        return failed | {
            "prediction_id": f"{row}-{version}", "at": at.isoformat(), "model": MODEL, "version": version,
            "ms": how.milliseconds * float(np.exp(self.random.normal(0, 0.3))) * slow, "of": rows,
            "instance": instance, "prediction": prediction, "probabilities": probabilities,
        }  # fmt: skip

    # the rollout

    def roll_out(self, most_requests: int = 100_000) -> str:
        """Roll the challenger out as the state machine does; return its last state.

        `Unfinished` after so many requests.
        """
        message = {"model": MODEL, "version": 2, "step": 0, "actor": "run r", "why": ""}
        message |= {"moves": self.registry.routes.get(MODEL).moves}
        start = self.requests
        while True:
            deployed = deploy(
                DeployRequest.from_event(message | {"rollout": ROLLOUT}),
                registry=self.registry,
                artifacts=self.artifacts,
                policies=self.policies,
                now=self.now,
            )
            if deployed.overruled:
                return "Overruled"
            self._date_last_move(self.now)
            if not deployed.judged:
                if deployed.done:
                    return "Finished"
                self.serve(timedelta(seconds=deployed.wait_seconds))
            state = deployed.wire()
            wait = deployed.look_seconds
            while deployed.judged:
                self.serve(timedelta(seconds=wait))
                result = self.look(state)
                self.judged.append(result)
                wait = result.wait_seconds
                if result.verdict in ("roll_back", "overruled"):
                    return {"roll_back": "RolledBack", "overruled": "Overruled"}[result.verdict]
                if result.verdict == "proceed":
                    break
                if self.requests - start > most_requests:
                    return "Unfinished"
            if deployed.judged and deployed.done:
                return "Finished"
            message = {name: state[name] for name in ("model", "version", "step", "actor", "why", "moves")}

    def look(self, state: dict[str, Any]) -> Judged:
        """Judge the phase that a step began."""
        names = ("model", "version", "step", "actor", "why", "moves", "weight", "done")
        request = JudgeRequest.from_event({name: state[name] for name in names} | {"rollout": ROLLOUT})
        return judge(
            request, data=self.data, artifacts=self.artifacts, registry=self.registry, policies=self.policies,
            now=self.now,
        )  # fmt: skip
