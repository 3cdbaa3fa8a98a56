"""A trained model that becomes a version: score_candidate, validate, govern, register, stage."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from modelcycle.messages.contract_change import ContractChange
from modelcycle.messages.data import Collected, Preprocessed
from modelcycle.messages.message import Artifact, Message
from modelcycle.messages.run import RunRequest
from modelcycle.messages.training import EngineeredFeatures, SelectedModel


def _is_empty(value: object) -> bool:
    """Return whether a field is left out: while functions are replaced, older ones refuse it."""
    return value is None or value in ("", [], {})


class FindUnseenRequest(RunRequest):
    collect: Collected
    preprocess: Preprocessed
    engineer_features: EngineeredFeatures


class OlderRows(BaseModel):
    """Rows before the window that the run learns from, of which neither model has learned.

    Parameters
    ----------
    positions : npz: their positions among the older rows, and the entity of each
    features : npz: the rows, as the candidate reads them
    champion_features : npz: the same, as the champion reads them
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    rows: int
    positions: Artifact
    features: Artifact
    champion_features: Artifact


class FoundUnseen(Message):
    """The test rows that the champion has not learned from, as the champion reads them."""

    champion: int | None = Field(description="the champion when this run first looked; None if no version is live")
    champion_lost: bool = Field(False, description="its artifacts are gone, so the candidate is not compared with it")
    rows: int = Field(0, description="test rows that the champion has not learned from")
    seen: int = Field(0, description="test rows that cannot be told from rows that it has learned from")
    by_group: bool = Field(False, description="`seen` counts rows of groups of which it has learned from rows")
    recent: int = Field(0, description="those of `rows` in files of which the champion knows few rows")
    older: OlderRows | None = Field(
        None, description="what the candidate may have forgotten; None if it learns from all"
    )
    older_left_out: str = Field("", description="why `older` is None although there are older rows, as a clause")
    positions: Artifact | None = Field(
        None, description="npz: their positions among the test rows, and which of them are recent"
    )
    features: Artifact | None = Field(None, description="npz: those rows, as the champion reads them")
    uncompared: list[str] = Field([], description="why the two models cannot be compared, as sentences")
    cases: Artifact = Field(description="npz: the cases that the candidate learns from, sorted, and their recipes")
    cached: bool = False


class ScoreCandidateRequest(RunRequest):
    preprocess: Preprocessed
    engineer_features: EngineeredFeatures
    select_model: SelectedModel
    find_unseen: FoundUnseen


class ScoredCandidate(Message):
    scores: Artifact = Field(
        description="npz: the candidate's scores of the test rows, and each row's sensitive groups"
    )
    champion_scores: Artifact | None = Field(
        description="npz: the champion's scores of the test rows at `find_unseen.positions`"
    )
    slices: Artifact | None = Field(None, description="npz: each test row's group by column")
    older: Artifact | None = Field(
        None, description="npz: scores of `find_unseen.older` by both, and the slices of test rows and of these"
    )
    evidence: Artifact | None = Field(None, description="npz: scores of a sample of test rows with changed columns")
    champion: int | None = Field(description="version of the champion that was scored")
    uncompared: list[str] = Field([], description="why the two models cannot be compared, as sentences")
    rows: int = Field(description="rows that ONNX and scikit-learn both scored")
    max_difference: float
    flips: int = Field(description="rows whose predicted class differs")
    cached: bool = False


class Chain(BaseModel):
    """What successive versions have lost or won together since the best of them, in the loss of a row.

    Parameters
    ----------
    advantage : sum of the measured differences; 0 for the best version, below 0 for versions that are worse than it
    variance : of that sum
    since : the best version; None for the candidate itself
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    advantage: float = 0.0
    variance: float = 0.0
    since: int | None = None


class ValidateRequest(RunRequest):
    preprocess: Preprocessed
    engineer_features: EngineeredFeatures
    select_model: SelectedModel
    find_unseen: FoundUnseen
    score_candidate: ScoredCandidate


class Validated(Message):
    verdict: Literal["passed", "refused", "unchanged"]
    reasons: list[str]
    ask: list[str] = Field([], description="why a person has to approve the candidate; empty if nobody has to")
    compared: int = Field(0, description="test rows on which candidate and champion were compared")
    chain: Chain | None = Field(None, description="what the versions have lost since the best of them")
    metric: str = Field(description="the metric that decides")
    metrics: dict[str, float]
    baseline: dict[str, float]
    champion: dict[str, float] | None
    interval: tuple[float, float] = Field(description="95 % interval of the deciding metric")
    figures: dict[str, float] = Field({}, description="of fairness, by dotted name", exclude_if=_is_empty)
    notes: list[str] = Field([], description="what was not judged, as sentences for people", exclude_if=_is_empty)
    report: Artifact
    cached: bool = False


class RefitRequest(RunRequest):
    preprocess: Preprocessed
    engineer_features: EngineeredFeatures
    select_model: SelectedModel
    validate_: Validated = Field(alias="validate")


class Refitted(Message):
    """The recipe of the judged model, fitted on all rows."""

    onnx: Artifact
    skops: Artifact
    reference: Artifact = Field(
        description="npz: scikit-learn's scores of the validation, parity and test rows: validation, probes, test"
    )
    rows: int = Field(description="rows that it has learned from")
    worse: str = Field("", description="why the judged model goes live instead, as a sentence; empty if it does not")
    cached: bool = False


class CheckRefitRequest(RunRequest):
    preprocess: Preprocessed
    select_model: SelectedModel
    refit: Refitted


class CheckedRefit(Message):
    """The model that goes live in place of the judged one."""

    done: bool = Field(description="false: the judged model itself goes live")
    reason: str = Field("", description="why it goes live itself, although a refit was planned")
    onnx: Artifact | None = None
    skops: Artifact | None = None
    scores: Artifact | None = Field(None, description="npz: its scores of the test rows, for `stage`")
    rows: int = Field(0, description="rows that it has learned from")
    max_difference: float = 0.0
    cached: bool = False


class GovernRequest(RunRequest):
    collect: Collected
    preprocess: Preprocessed
    engineer_features: EngineeredFeatures
    select_model: SelectedModel
    find_unseen: FoundUnseen
    score_candidate: ScoredCandidate
    validate_: Validated = Field(alias="validate")
    refit: CheckedRefit


class Rule(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    name: str
    holds: bool
    detail: str = ""
    figure: str = Field("", description="the figure that it is about", exclude_if=_is_empty)
    value: float | None = Field(None, description="None if it was not measured", exclude_if=_is_empty)
    limit: str = Field("", description="in words", exclude_if=_is_empty)
    remedy: str = Field("", description="what a person can do if it does not hold", exclude_if=_is_empty)


class AppliedPolicy(BaseModel):
    """The policy that a decision followed; `sha` is that of its content."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    name: str
    version: int
    sha: str
    tier: str


class Governed(Message):
    decision: Literal["passed", "refused"]
    rules: list[Rule]
    policy: AppliedPolicy | None = Field(None, description="None in results of older code", exclude_if=_is_empty)
    figures: Artifact | None = Field(None, description="JSON: every figure of the run by name", exclude_if=_is_empty)
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
    contract_change: ContractChange | None = Field(None, description="its columns against those of the champion")


class StageRequest(RunRequest):
    preprocess: Preprocessed
    score_candidate: ScoredCandidate
    validate_: Validated = Field(alias="validate")
    refit: CheckedRefit
    register_: Registered = Field(alias="register")


class Staged(Message):
    verdict: Literal["passed", "refused"]
    reasons: list[str]
    rows: int
    p50_ms: float
    p99_ms: float
    differences: int
    approval: bool = Field(description="true if the version waits for approval")
    ask: list[str] = Field([], description="why it waits for approval, as sentences")
    moves: int | None = Field(None, description="number of the route's last move when this run first read it")
    report: Artifact
    rows_per_second: float | None = Field(None, description="of the load test; None if there was none")
    at_once: int | None = Field(None, description="how many requests at once had that throughput")
    own_p99_ms: float | None = Field(None, description="p99 of the time in the serving function, one at a time")
    memory_mb: float | None = Field(None, description="highest memory of the serving function")
    cold_start_ms: float | None = Field(None, description="None if all environments were warm")
    replayed: int = Field(0, description="captured rows that candidate and champion both answered")
    disagreements: int = Field(0, description="of these, answered differently")
    disagreement: tuple[float, float] | None = Field(None, description="95 % interval of their share")
    champion: int | None = Field(None, description="the version that they were compared with")
    notes: list[str] = Field([], description="what was left out or not measured, as sentences")
