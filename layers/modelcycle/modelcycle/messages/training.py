"""From rows to a model: engineer_features, and train (plan_trials, run_trial, select_model)."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from modelcycle.messages.data import Preprocessed
from modelcycle.messages.message import Artifact, Message
from modelcycle.messages.run import RunRequest


class EngineerFeaturesRequest(RunRequest):
    preprocess: Preprocessed


class LeftOut(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    column: str
    why: str


class EngineeredFeatures(Message):
    plan: Artifact = Field(description="JSON: how each column enters the model, and why")
    signature: Artifact = Field(description="JSON: the fields of a prediction request")
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
    metric: str = Field(description="the metric by which trials are compared, on validation rows")
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
    baseline: Artifact = Field(description="JSON: the predictions of a model without features")
    reference: Artifact = Field(description="npz: scikit-learn's scores of the validation rows and of the parity rows")
    probes: Artifact = Field(description="npz: the parity rows: nulls, unseen categories, extreme numbers")
    best: Trial
    loss: float
    trials: int
    opset: int
    packages: dict[str, str] = Field({}, description="versions of the packages that trained and exported it")
    cached: bool = False
