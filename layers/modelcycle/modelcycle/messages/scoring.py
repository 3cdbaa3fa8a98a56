"""Batch scoring: an object under score/{model}/ is split into shards, each shard is scored, the results are joined."""

from __future__ import annotations

import json
import re
from typing import Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from modelcycle.faults import BadMessage
from modelcycle.messages.message import Artifact, Message
from modelcycle.spec import MODEL_NAME
from modelcycle.spec.privacy import Treatment

INPUTS, OUTPUTS = "score/", "scored/"  # prefixes of the data bucket


class _OfObject(Message):
    """A message about an object under `score/{model}/` of the data bucket; the model is that of the key."""

    model: str
    key: str

    @property
    def correlation_id(self) -> str:
        return self.key

    @model_validator(mode="after")
    def _has_the_model_of_its_key(self) -> Self:
        if _model_of(self.key) != self.model:
            raise ValueError("the object lies in the folder of another model")
        return self

    @classmethod
    def from_event(cls, event: Any) -> Self:
        """Read the message from a state's input, which may have the key alone.

        >>> PlanScoringRequest.from_event({"key": "score/churn/may.csv"}).model
        'churn'
        """
        if isinstance(event, dict) and isinstance(event.get("key"), str) and "model" not in event:
            event = event | {"model": _model_of(event["key"])}
        return super().from_event(event)


class PlanScoringRequest(_OfObject):
    """The object, as S3's event names it; `model` is empty if it is in the folder of none."""

    etag: str = ""

    @property
    def name(self) -> str:
        """The object's name below `score/{model}/`, subfolders included."""
        return self.key.removeprefix(f"{INPUTS}{self.model}/")


class ScoringShard(BaseModel):
    """Rows `first` to `first + rows - 1` of the file.

    Parameters
    ----------
    columns : the typed values, as one object
    index : a Parquet file with number and id columns of each row, and its cells that do not parse
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    number: int
    first: int
    rows: int
    columns: Artifact
    index: Artifact


class PlannedScoring(_OfObject):
    """One item of `shards` is one call of `score_shard`."""

    job: str = Field(description="hash of the object, the version and the code: the same job has the same results")
    version: int = Field(description="the champion when the job was planned; it scores all shards")
    rows: int
    unread: int = Field(description="lines of the file that are no rows; the results name each with its reason")
    shards: list[ScoringShard]
    etag: str = ""
    ids: list[str] = Field([], description="the columns that identify a row, as the results have them")
    treated: dict[str, Treatment] = Field({}, description="how personal ones of these are treated, by column")
    broken: Artifact | None = Field(
        None, description="Parquet file with number, line and reason of each line that is no row"
    )
    unread_cells: int = Field(0, description="values that do not parse; they count as missing, as in training")
    notes: list[str] = Field([], description="what is not as usual in the file, as sentences for people")
    planned_at: AwareDatetime | None = None
    skipped: str = Field("", description="why there is nothing to score; then the other fields are empty")


class ScoreShardRequest(Message):
    model: str
    job: str
    version: int
    shard: ScoringShard

    @property
    def correlation_id(self) -> str:
        return self.job


class ScoredShard(Message):
    model: str
    job: str
    number: int
    rows: int
    scores: Artifact


class FailedShard(Message):
    """A shard that could not be scored, as its Catch reports it. The other shards are scored and kept."""

    number: int
    error: dict[str, Any]


class FinishScoringRequest(Message):
    plan: PlannedScoring
    shards: list[ScoredShard | FailedShard]

    @property
    def model(self) -> str:
        return self.plan.model

    @property
    def correlation_id(self) -> str:
        return self.plan.key


class ScoringFailure(_OfObject):
    """A job that ends without results: a Catch of the state machine, or EventBridge, reports it."""

    execution: str
    error: dict[str, Any]

    @classmethod
    def from_event(cls, event: Any) -> Self:
        """Read a state's input, or EventBridge's "Step Functions Execution Status Change".

        Raises
        ------
        BadMessage : it is neither, or the execution was not started by an object
        """
        if isinstance(event, dict) and "detail-type" in event:
            event = _of_status_change(event)
        return super().from_event(event)


class FailedScoring(Message):
    """`record` is the key of the object that says why a job has no results."""

    model: str
    key: str
    reason: str
    record: str


class FinishedScoring(Message):
    model: str
    key: str
    job: str
    version: int
    rows: int
    unread: int = Field(description="rows and lines without a prediction")
    results: str = Field(description="key of the first file of the results; the manifest is written last")
    manifest: str
    files: list[Artifact] = Field([], description="all files of the results in order, and the manifest")
    unread_cells: int = 0
    notes: list[str] = Field([])


def _model_of(key: str) -> str:
    """Return the model in the key of an object, "" if it has none that can exist.

    >>> _model_of("score/churn/may.csv"), _model_of("score/may.csv"), _model_of("score/My Model/may.csv")
    ('churn', '', '')
    """
    model, slash, _ = key.removeprefix(INPUTS).partition("/")
    return model if slash and key.startswith(INPUTS) and re.fullmatch(MODEL_NAME, model) else ""


def _of_status_change(event: dict[str, Any]) -> dict[str, Any]:
    try:
        detail = event["detail"]
        key = json.loads(detail["input"])["detail"]["object"]["key"]
        execution, status = detail["executionArn"], detail["status"]
    except (KeyError, TypeError, ValueError):
        raise BadMessage(
            "the event does not report the end of a scoring job", "FinishScoring", "see events/finish_scoring.json"
        ) from None
    errors = {"ABORTED": "States.Aborted", "TIMED_OUT": "States.Timeout"}  # EventBridge often has no error
    error = {"Error": detail.get("error") or errors.get(status, status), "Cause": detail.get("cause") or status}
    return {"key": key, "execution": execution, "error": error}
