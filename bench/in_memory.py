"""The lifecycle of a model in one process and in memory, for benches that need hundreds of runs.

It calls the functions of the domain one after the other, from `collect` to `register`, as the state machine does. A
version goes live at once if its verdict passes and nobody has to be asked. There is no refit, no rehearsal, no rollout.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from modelcycle import messages
from modelcycle.collect import collect
from modelcycle.engineer_features import engineer_features
from modelcycle.faults import Fault
from modelcycle.find_unseen import find_unseen
from modelcycle.govern import govern
from modelcycle.key_service import KeyService
from modelcycle.policy import deployed_shelf
from modelcycle.preprocess import preprocess
from modelcycle.register import register
from modelcycle.registry import Registry
from modelcycle.score_candidate import score_candidate
from modelcycle.spec import Pipeline
from modelcycle.train.plan_trials import plan_trials
from modelcycle.train.run_trial import run_trial
from modelcycle.train.select_model import select_model
from modelcycle.validate import validate
from tests.fakes import UNSIGNED, MemoryStore, MemoryTable

CODE = "bench"


@dataclass(frozen=True)
class RunEnd:
    """How a run ended.

    Parameters
    ----------
    outcome : deployed, awaiting_approval, refused, unchanged, or failed
    reasons : of the verdict, or the fault
    """

    outcome: messages.Outcome
    reasons: list[str]
    validated: messages.Validated | None = None


@dataclass
class Lifecycle:
    """A model with its uploads and versions.

    Examples
    --------
    >>> lifecycle = Lifecycle("loans")
    >>> lifecycle.upload("a.csv", "x,y")
    >>> lifecycle.run(target="y").outcome
    'failed'
    """

    model: str
    data: MemoryStore = field(default_factory=lambda: MemoryStore("data"))
    artifacts: MemoryStore = field(default_factory=MemoryStore)
    registry: Registry = field(default_factory=lambda: Registry(MemoryTable()))
    keys: KeyService = UNSIGNED
    runs: int = 0

    def upload(self, name: str, text: str) -> None:
        """Write a file; one of the same name is replaced."""
        self.data.upload(f"raw/{self.model}/{name}", text.encode())

    @property
    def champion(self) -> int | None:
        """The live version."""
        return self.registry.routes.get(self.model).champion

    def copy(self) -> Lifecycle:
        """Return a lifecycle with the same uploads, artifacts and versions, to go on with in another way."""
        copied = Lifecycle(self.model, runs=self.runs)
        copied.data.objects = dict(self.data.objects)
        copied.artifacts.objects = dict(self.artifacts.objects)
        table = MemoryTable()
        table.records = dict(self.registry.versions.table.records)  # type: ignore[attr-defined]
        copied.registry = Registry(table)
        return copied

    def run(self, **pipeline: Any) -> RunEnd:
        """Train on all uploads with the keys of a pipeline file; a fault ends the run."""
        self.runs += 1
        file = Pipeline.model_validate({"name": self.model} | pipeline)
        run_id = f"r{self.runs}"
        stored = self.artifacts.put(f"{self.model}/runs/{run_id}/claim/pipeline.json", file.model_dump_json().encode())
        run = messages.Run(
            model=self.model, run_id=run_id, execution=f"arn:{run_id}", started_at=datetime(2026, 1, 1, tzinfo=UTC),
            trigger=messages.Trigger(kind="request"), pipeline=stored,
        )  # fmt: skip
        try:
            return self._run(run)
        except Fault as fault:
            return RunEnd("failed", [str(fault)])

    def _run(self, run: messages.Run) -> RunEnd:
        buckets: dict[str, Any] = {"artifacts": self.artifacts, "code": CODE}
        with_results = buckets | {"results": self.registry.results}
        with_registry = buckets | {"registry": self.registry}
        done: dict[str, Any] = {"run": run}
        done["collect"] = collect(
            messages.CollectRequest(run=run),
            data=self.data,
            leases=self.registry.leases,
            registry=self.registry,
            **with_results,
        )
        done["preprocess"] = preprocess(_request(messages.PreprocessRequest, done), **with_results)
        done["engineer_features"] = engineer_features(_request(messages.EngineerFeaturesRequest, done), **with_results)
        plan = plan_trials(_request(messages.PlanTrialsRequest, done), artifacts=self.artifacts)
        trials = [
            run_trial(
                _request(
                    messages.RunTrialRequest, done | {"trial": trial, "folds": plan.folds, "ends_at": plan.ends_at}
                ),
                **with_results,
            )
            for trial in plan.trials
        ]
        done["select_model"] = select_model(
            _request(messages.SelectModelRequest, done | {"trials": trials}), **with_results
        )
        done["find_unseen"] = find_unseen(_request(messages.FindUnseenRequest, done), **with_registry)
        done["score_candidate"] = score_candidate(_request(messages.ScoreCandidateRequest, done), **with_registry)
        validated = validate(_request(messages.ValidateRequest, done), **with_registry)
        if validated.verdict != "passed":
            outcome: messages.Outcome = "refused" if validated.verdict == "refused" else "unchanged"
            return RunEnd(outcome, validated.reasons, validated)
        done |= {"validate": validated, "refit": messages.CheckedRefit(done=False)}
        governed = govern(_request(messages.GovernRequest, done), **with_registry, policies=deployed_shelf())
        if governed.decision == "refused":
            return RunEnd("refused", governed.broken, validated)
        done["govern"] = governed
        registered = register(
            _request(messages.RegisterRequest, done), artifacts=self.artifacts, versions=self.registry.versions,
            keys=self.keys, code=CODE,
        )  # fmt: skip
        if validated.ask:
            return RunEnd("awaiting_approval", validated.ask, validated)
        self.registry.standings.move(self.model, registered.version, "staged", f"run {run.run_id}")
        self.registry.routes.promote(self.model, registered.version, 100, f"run {run.run_id}")
        return RunEnd("deployed", validated.reasons, validated)


def _request(request_type: Any, done: dict[str, Any]) -> Any:
    """Return the request of a step from what earlier steps have returned."""
    names = {field.alias or name for name, field in request_type.model_fields.items()}
    return request_type.model_validate({name: value for name, value in done.items() if name in names})
