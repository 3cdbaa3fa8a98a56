"""What one step hands to the next: small messages of names and S3 addresses with their hashes (claim check).

Each step has a request (what the state machine gives it) and a result (what it answers). A request names the run and
the results of earlier steps that the step reads; the rows themselves lie in S3. All are far below the 256 KiB that a
Step Functions state may hold (AWS page "Step Functions service quotas").
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from modelcycle.faults import BadMessage
from modelcycle.spec import Task

Outcome = Literal["deployed", "awaiting_approval", "refused", "unchanged", "failed"]


class Message(BaseModel):
    """Base of all messages. `schema` is the number of the message's shape; a reader accepts what it knows."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    schema_number: Literal[1] = Field(1, alias="schema")

    @classmethod
    def read(cls, event: Any) -> Self:
        """The message in a Lambda event.

        Raises
        ------
        BadMessage : the event is not this message; names the fields, never their values
        """
        try:
            return cls.model_validate(event)
        except ValidationError as problems:
            fields = sorted(
                {".".join(str(part) for part in problem["loc"]) or "the event" for problem in problems.errors()}
            )
            raise BadMessage(
                f"the event is no {cls.__name__}: {', '.join(fields[:5])}", cls.__name__, "see events/ for one of each"
            ) from None

    def wire(self) -> dict[str, Any]:
        """The message as JSON types, the way Lambda answers."""
        return self.model_dump(mode="json", by_alias=True)


class Artifact(BaseModel):
    """An object in S3 that is never rewritten."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    uri: str
    sha256: str
    bytes: int


class Trigger(BaseModel):
    """What started a run: an upload, a person, or the monitor."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["upload", "request", "degraded", "arrivals"]
    detail: str = ""


class Run(BaseModel):
    """One pass through the lifecycle."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    run_id: str
    execution: str
    started_at: datetime
    trigger: Trigger
    pipeline: Artifact

    def key(self, step: str, name: str) -> str:
        """Where a step of this run puts an artifact in the artifact bucket."""
        return f"{self.model}/runs/{self.run_id}/{step}/{name}"

    def holdout_key(self, part: Literal["features", "labels"]) -> str:
        """Where the test rows lie: apart, so that IAM can say who may see them."""
        return f"holdout/{part}/{self.model}/{self.run_id}.npz"


class Claimed(Message):
    outcome: Literal["claimed", "duplicate", "folded"]
    run: Run | None = None
    detail: str = ""


class RunRequest(Message):
    run: Run


CollectRequest = RunRequest


class Collected(Message):
    manifest: Artifact = Field(
        description="JSON: each source object with key, version, etag, sha256, rows, quarantined"
    )
    shards: list[Artifact] = Field(description="Parquet, all columns text, at most 100 MB each")
    quarantine: Artifact | None = Field(description="Parquet of broken lines: file, line, text, reason")
    columns: int
    objects: int
    bytes: int
    rows: int
    quarantined: int
    cached: bool = False


class PreprocessRequest(RunRequest):
    collect: Collected


class Preprocessed(Message):
    table: Artifact = Field(description="JSON: each column's type and how its text is parsed; the target; the task")
    profile: Artifact = Field(description="JSON: distribution of each column over the training rows")
    train: Artifact = Field(description="npz of typed columns, target included")
    validation: Artifact
    test_features: Artifact
    test_labels: Artifact
    quarantine: Artifact | None
    task: Task
    rows: int
    kept: int
    quarantined: int
    duplicates: int
    split: tuple[int, int, int] = Field(description="rows of train, validation and test")
    cached: bool = False


class EngineerFeaturesRequest(RunRequest):
    preprocess: Preprocessed


class LeftOut(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    column: str
    why: str


class EngineeredFeatures(Message):
    plan: Artifact = Field(description="JSON: how each column enters the model, and why")
    signature: Artifact = Field(description="JSON: what a prediction request must hold")
    used: int
    columns: int
    left_out: list[LeftOut] = Field(description="at most 20 of them; all are in the plan")
    cached: bool = False


class PlanTrialsRequest(RunRequest):
    preprocess: Preprocessed
    engineer_features: EngineeredFeatures


class Trial(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    number: int
    algorithm: str
    parameters: dict[str, float | int | str | bool | None]
    seed: int


class PlannedTrials(Message):
    metric: str = Field(description="what the trials are compared by, on validation rows")
    trials: list[Trial]


class RunTrialRequest(RunRequest):
    preprocess: Preprocessed
    engineer_features: EngineeredFeatures
    trial: Trial


class TrialResult(Message):
    trial: Trial
    loss: float = Field(description="log loss, or root mean squared error; lower is better")
    seconds: float
    cached: bool = False


class SelectModelRequest(RunRequest):
    preprocess: Preprocessed
    engineer_features: EngineeredFeatures
    trials: list[TrialResult]


class SelectedModel(Message):
    onnx: Artifact
    skops: Artifact
    baseline: Artifact = Field(description="JSON: what a model that sees no feature would answer")
    reference: Artifact = Field(description="npz: scikit-learn's scores of the validation rows and of the probes")
    probes: Artifact = Field(description="npz: rows with nulls, unseen categories and odd numbers")
    best: Trial
    loss: float
    trials: int
    opset: int
    packages: dict[str, str] = Field({}, description="versions of the packages that made and exported it")
    cached: bool = False


class ScoreCandidateRequest(RunRequest):
    preprocess: Preprocessed
    engineer_features: EngineeredFeatures
    select_model: SelectedModel


class ScoredCandidate(Message):
    scores: Artifact = Field(description="npz: the candidate's scores of the test rows, and the groups they belong to")
    champion_scores: Artifact | None = Field(description="npz: the champion's scores of the same rows")
    champion: int | None = Field(description="version of the champion that was scored")
    rows: int = Field(description="rows that ONNX and scikit-learn both scored")
    max_difference: float
    flips: int = Field(description="rows whose predicted class differs")
    cached: bool = False


class ValidateRequest(RunRequest):
    preprocess: Preprocessed
    engineer_features: EngineeredFeatures
    select_model: SelectedModel
    score_candidate: ScoredCandidate


class Validated(Message):
    verdict: Literal["passed", "refused", "unchanged"]
    reasons: list[str]
    metric: str = Field(description="the metric that decides")
    metrics: dict[str, float]
    baseline: dict[str, float]
    champion: dict[str, float] | None
    interval: tuple[float, float] = Field(description="95 % interval of the deciding metric")
    report: Artifact
    cached: bool = False


class GovernRequest(RunRequest):
    collect: Collected
    preprocess: Preprocessed
    engineer_features: EngineeredFeatures
    select_model: SelectedModel
    score_candidate: ScoredCandidate
    validate_: Validated = Field(alias="validate")


class Rule(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    holds: bool
    detail: str = ""


class Governed(Message):
    decision: Literal["passed", "refused"]
    rules: list[Rule]
    broken: list[str] = Field(description="the rules that do not hold, as sentences")
    card: Artifact = Field(description="Markdown: the model card")
    lineage: Artifact = Field(description="JSON: data, code, packages, parameters that made the model")
    cached: bool = False


class RegisterRequest(GovernRequest):
    govern: Governed


class Registered(Message):
    version: int
    created: bool = Field(description="false when this very content was registered before")


class StageRequest(RunRequest):
    preprocess: Preprocessed
    score_candidate: ScoredCandidate
    register_: Registered = Field(alias="register")


class Staged(Message):
    verdict: Literal["passed", "refused"]
    reasons: list[str]
    rows: int
    p50_ms: float
    p99_ms: float
    differences: int
    approval: bool = Field(description="true when the pipeline file asks for a person's word")
    report: Artifact


class RolloutEnded(Message):
    """A rollout that did not come to its end."""

    model: str
    version: int


class Decision(Message):
    """What a person decided about a version."""

    model: str
    decision: Literal["approve", "reject", "rollback", "promote"]
    version: int | None = None
    why: str = Field("", max_length=1000)
    by: str


class Decided(Message):
    model: str
    decision: str
    version: int | None
    route: dict[int, int] = Field(description="per cent of traffic by version, after the decision")


class DeployRequest(Message):
    """One step of a rollout: the route gives `version` the weight of step `step`."""

    model: str
    version: int
    step: int = 0
    actor: str = "lifecycle"


class Deployed(Message):
    model: str
    version: int
    step: int = Field(description="the step that comes next")
    actor: str
    weight: int = Field(description="per cent of traffic that the version has now")
    done: bool
    wait_seconds: int


class ConcludeRequest(Message):
    """The end of a run: what became of it, and why."""

    run: Run
    outcome: Outcome
    version: int | None = None
    reason: Any = Field(None, description="text, a list of texts, or what a Catch gives: {Error, Cause}")


class Concluded(Message):
    outcome: Outcome
    reason: str
    folded: int = Field(description="uploads that arrived meanwhile and were not seen; they start a new run")


class MonitorRequest(Message):
    model: str
    at: datetime | None = None


class Drift(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    column: str
    psi: float | None = Field(description="population stability index; none where the column could not be judged")
    missing_before: float
    missing_now: float
    drifted: bool
    detail: str = ""


class Monitored(Message):
    model: str
    version: int | None
    window: tuple[datetime, datetime]
    rows: int
    state: Literal["ok", "drifted", "degraded", "no data", "not live"]
    drifted: list[str]
    degraded: bool
    estimated: float | None = None
    realized: float | None = None
    report: Artifact | None = None


class Event(BaseModel):
    """A change of the registry, told on the bus."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    kind: str
    model: str
    at: datetime
    detail: dict[str, Any] = {}


def fingerprint(step: str, code: str, *parts: Any) -> str:
    """The hash of everything that a step's result depends on: its code, its inputs' hashes, its parameters.

    An artifact counts by its SHA-256 alone, a run not at all: the same inputs in another run give the same hash.
    """
    return hashlib.sha256(
        json.dumps([step, code, [_essence(part) for part in parts]], sort_keys=True).encode()
    ).hexdigest()


def _essence(part: Any) -> Any:
    if isinstance(part, Artifact):
        return part.sha256
    if isinstance(part, Run):
        return None
    if isinstance(part, BaseModel):
        return {
            name: _essence(getattr(part, name)) for name in type(part).model_fields if name not in ("cached", "seconds")
        }
    if isinstance(part, dict):
        return {str(key): _essence(value) for key, value in part.items()}
    if isinstance(part, list | tuple):
        return [_essence(value) for value in part]
    return part
