"""Thresholds by group: from which probability the positive class is predicted for whom."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class GroupThreshold(BaseModel):
    """The threshold of one group.

    Parameters
    ----------
    values : of the columns, in their order; None: any value that has no threshold of its own
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    values: list[str | None]
    threshold: float


class GroupThresholds(BaseModel):
    """Thresholds by the values of sensitive columns; a row of no listed group has the common one.

    Parameters
    ----------
    columns : that a request has to hold
    groups : none twice
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    columns: list[str]
    groups: list[GroupThreshold]
