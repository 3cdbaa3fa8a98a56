"""Erasure of somebody's rows: plan_erasure, erase_objects and finish_erasure.

What identifies the person stands in one object, which the last step deletes: no message, event or log holds it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from modelcycle.messages.message import Artifact, Message

ERASURE_ID = r"[a-z0-9][a-z0-9-]{0,59}"
MAX_SUBJECTS = 100  # of one erasure
MAX_CONDITIONS = 10  # columns that identify one subject
MAX_UNASKED_ROWS = 1_000  # that match; more are erased only if the request says how many
CLASSES = (
    "uploads", "landed rows", "captured answers", "compacted answers", "outcomes", "files to score", "results",
    "snapshots and tables of runs", "test rows of a version", "staging", "monitoring", "scoring jobs", "other objects",
    "records of the registry",
)  # fmt: skip
"""Of data, as people read them; see `erase.places`."""

Mode = Literal["find", "erase", "forget"]
"""Of an execution: look, erase, or delete what a look has found that nobody confirmed."""


def request_key(model: str, erasure: str) -> str:
    """Return where the request of an erasure lies in the artifact bucket.

    >>> request_key("churn", "20261129-7f3a")
    '_erasing/model=churn/20261129-7f3a/request.json'
    """
    return f"{work_prefix(model, erasure)}request.json"


def work_prefix(model: str, erasure: str) -> str:
    """Return the folder of what names the person; nobody may read it, and an erasure deletes it at its end."""
    return f"_erasing/model={model}/{erasure}/"


def erasure_prefix(model: str, erasure: str) -> str:
    """Return the folder of what stays: the receipt and the tombstones."""
    return f"{erasures_prefix(model)}{erasure}/"


def erasures_prefix(model: str) -> str:
    """Return the folder of what stays of all erasures, and of what `sweep` has deleted."""
    return f"{model}/erasures/"


class Wanted(BaseModel):
    """The request of an erasure, as the command line writes it. It alone says who the subjects are.

    Parameters
    ----------
    subjects : of each, its columns and their values; all have to match
    rows : how many matching rows a person has confirmed; None: at most MAX_UNASKED_ROWS are erased
    retrain : ask for a run when the rows are gone
    by, why : who asks, and the reason
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    schema_number: Literal[1] = Field(1, alias="schema")
    model: str
    subjects: list[dict[str, str]] = Field(min_length=1, max_length=MAX_SUBJECTS)
    rows: int | None = None
    retrain: bool = False
    by: str = ""
    why: str = ""
    asked_at: datetime


class ErasureRequest(Message):
    """What every step of an erasure gets."""

    model: str
    erasure: str = Field(pattern=ERASURE_ID)

    @property
    def correlation_id(self) -> str:
        return self.erasure


class PlanErasureRequest(ErasureRequest):
    mode: Mode
    execution: str
    round: int = Field(0, ge=0, description="rounds that are over")
    phase: Literal["begin", "find", "erase"] = Field("begin", description="of the round that is over")


class PlannedErasure(ErasureRequest):
    """What comes next."""

    mode: Mode
    phase: Literal["wait", "find", "erase", "finish", "refuse"]
    round: int
    batches: list[int] = Field([], description="numbers of the parts of the work, which lie in an object")
    why: str = Field("", description="why it waits or is refused")
    objects: int = 0
    rows: int = Field(0, description="that match, as far as they were found")


class EraseObjectsRequest(ErasureRequest):
    phase: Literal["find", "erase"]
    round: int
    batch: int


class ErasedObjects(ErasureRequest):
    batch: int
    objects: int = Field(description="that were looked at")
    changed: int = Field(description="rewritten or deleted; in the phase find, those that would be")


class FinishErasureRequest(ErasureRequest):
    mode: Mode
    execution: str
    error: Any = Field(None, description="{Error, Cause} of a Catch")
    why: str = Field("", description="why it is refused")


class FinishedErasure(ErasureRequest):
    mode: Mode
    state: Literal["found", "done", "failed", "refused", "forgotten"]
    reason: str = ""
    rows: int = 0
    objects: int = 0
    receipt: Artifact | None = None
    retrain: bool = Field(False, description="whether a run is to be asked for")
    folded: int = Field(0, description="uploads that arrived meanwhile; they start a run")
