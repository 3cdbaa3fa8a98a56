"""From rows to a model: engineer_features, and train (plan_trials, run_trial, select_model)."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from modelcycle.messages.data import Preprocessed
from modelcycle.messages.group_thresholds import GroupThresholds
from modelcycle.messages.message import Artifact, Message
from modelcycle.messages.mitigation import Mitigated
from modelcycle.messages.run import RunRequest


def _is_empty(value: object) -> bool:
    """Return whether a field is left out: while functions are replaced, those of release 0.1 refuse it."""
    return not value


class EngineerFeaturesRequest(RunRequest):
    preprocess: Preprocessed


class LeftOut(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    column: str
    why: str


class EngineeredFeatures(Message):
    plan: Artifact = Field(description="JSON: how each column enters the model, and why")
    signature: Artifact = Field(description="JSON: the fields of a prediction request")
    used: int
    columns: int
    left_out: list[LeftOut] = Field(description="at most 20 of them; all are in the plan")
    warnings: list[LeftOut] = Field([], description="columns that are used but suspicious, at most 20 of them")
    derived: list[LeftOut] = Field([], description="features of two columns that were added, and what each gained")
    proxies: list[LeftOut] = Field(
        [], description="features that tell a sensitive column, and how surely", exclude_if=_is_empty
    )
    cached: bool = False


class PlanTrialsRequest(RunRequest):
    preprocess: Preprocessed
    engineer_features: EngineeredFeatures


class Trial(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    number: int
    algorithm: str
    parameters: dict[str, float | int | str | bool | None]
    seed: int


class Member(BaseModel):
    """A trial of a recipe, with its weight in the mean of the scores."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    trial: Trial
    weight: float = 1.0


class Calibration(BaseModel):
    """Corrects probabilities: sigmoid(slope * logit(p) + intercept) of two classes (Platt 1999), or
    softmax(slope * log(p)) of more (temperature scaling, Guo et al. 2017); `intercept` is 0 then."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    slope: float
    intercept: float = 0.0


class Recipe(BaseModel):
    """All that is needed to fit the same model on other rows: the trials, calibration, and threshold."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    members: list[Member]
    calibration: Calibration | None = None
    threshold: float | None = Field(None, description="probability from which the positive class is predicted")
    reweigh: list[str] = Field(
        [], description="sensitive columns that weights make independent of the target", exclude_if=_is_empty
    )
    groups: GroupThresholds | None = Field(None, description="thresholds by group", exclude_if=_is_empty)


class PlannedTrials(Message):
    metric: str = Field(description="the metric by which trials are compared")
    trials: list[Trial]
    folds: int = Field(0, description="folds of the cross-validation by which trials are compared; 0: validation rows")
    refit: bool = Field(False, description="whether the model that goes live learns from all rows after the verdict")
    ends_at: datetime | None = Field(None, description="trials that would start later are skipped")


class RunTrialRequest(RunRequest):
    preprocess: Preprocessed
    engineer_features: EngineeredFeatures
    trial: Trial
    folds: int = 0
    ends_at: datetime | None = None


class TrialResult(Message):
    trial: Trial
    loss: float = Field(description="log loss, or root mean squared error; lower is better")
    scores: Artifact | None = Field(
        None,
        description="npz: `scores` (m, k) of held-out rows, and `rows` (m,), their positions among training and then"
        " validation rows",
    )
    seconds: float
    failed: str = Field("", description="why the trial has no model: skipped, out of memory or time, or not fitted")
    cached: bool = False


class SelectModelRequest(RunRequest):
    preprocess: Preprocessed
    engineer_features: EngineeredFeatures
    trials: list[TrialResult]


class LearningPoint(BaseModel):
    """The held-out loss of a fit on so many rows."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    rows: int
    loss: float


class LearningCurve(BaseModel):
    """The held-out loss of the best trial with fewer rows."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    points: list[LearningPoint] = Field(description="with a quarter, half and all of the rows")
    helps: bool = Field(description="whether all rows are better than half of them beyond chance, by 1 % or more")


class SelectedModel(Message):
    onnx: Artifact
    skops: Artifact
    baseline: Artifact = Field(description="JSON: the predictions of a model without features")
    signature: Artifact = Field(description="JSON: the signature of `engineer_features`, with the model's threshold")
    recipe: Recipe
    reference: Artifact = Field(description="npz: scikit-learn's scores of the validation rows and of the parity rows")
    probes: Artifact = Field(description="npz: the parity rows: nulls, unseen categories, extreme numbers")
    best: Trial
    loss: float
    trials: int
    opset: int
    packages: dict[str, str] = Field({}, description="versions of the packages that trained and exported it")
    notes: list[str] = Field([], description="what the step decided by itself, as sentences for people")
    learning_curve: LearningCurve | None = Field(None, description="None: it would take too long, or too few rows")
    mitigated: Mitigated | None = Field(None, description="what `fairness.mitigate` changed", exclude_if=_is_empty)
    cached: bool = False
