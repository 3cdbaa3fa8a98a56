"""What a mitigation has changed, beside the same model without it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class BeforeAfter(BaseModel):
    """A figure without and with a mitigation."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    before: float
    after: float


class Mitigated(BaseModel):
    """The figures of one mitigation.

    Parameters
    ----------
    rows : held-out rows on which both were measured
    figures : by a name for people
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    kind: Literal["reweighing", "thresholds"]
    rows: int
    figures: dict[str, BeforeAfter]
