"""From rows to a model: engineer_features, and train in its three parts."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from modelcycle.messages.message import Artifact, Message
from modelcycle.messages.rows import Preprocessed
from modelcycle.messages.run import RunRequest


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
