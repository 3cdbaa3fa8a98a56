"""A trained model that becomes a version: score_candidate, validate, govern, register, stage."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from modelcycle.messages.data import Collected, Preprocessed
from modelcycle.messages.message import Artifact, Message
from modelcycle.messages.run import RunRequest
from modelcycle.messages.training import EngineeredFeatures, SelectedModel


class ScoreCandidateRequest(RunRequest):
    preprocess: Preprocessed
    engineer_features: EngineeredFeatures
    select_model: SelectedModel


class ScoredCandidate(Message):
    scores: Artifact = Field(
        description="npz: the candidate's scores of the test rows, and each row's sensitive groups"
    )
    champion_scores: Artifact | None = Field(description="npz: the champion's scores of the same rows")
    champion: int | None = Field(description="version of the champion that was scored")
    champion_lost: bool = Field(False, description="its artifacts are gone, so the candidate is not compared with it")
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
    created: bool = Field(description="false if the same content was registered before")
    replaces: int | None = Field(None, description="the version of the same content whose artifacts are gone")


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
    approval: bool = Field(description="true if the version waits for approval")
    moves: int | None = Field(None, description="number of the route's last move when this run first read it")
    report: Artifact
