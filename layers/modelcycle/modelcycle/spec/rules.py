"""The section `schema`: what every batch of rows must hold, and what happens if it does not."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from modelcycle.cells.reading import ColumnType
from modelcycle.spec.section import ColumnName, Section

Level = Literal["fail", "quarantine", "ask", "warn"]
"""What a broken rule leads to: the run fails; the cell or row is kept back; a person approves the new version; a word
on the screen."""

Check = Literal[
    "columns", "extra", "type", "range", "unit", "categories", "classes", "missing", "unique", "keys", "rows",
    "freshness",
]  # fmt: skip
CELL_CHECKS = ("type", "range", "categories", "missing", "unique", "keys")  # that can keep back cells or rows

Share = Annotated[float, Field(ge=0, le=1)]

SECONDS = {"minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}
_AGE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(minute|hour|day|week)s?\s*")


def seconds_of(age: str) -> float:
    """Return an age in seconds.

    Raises
    ------
    ValueError : it is not a number with a unit

    Examples
    --------
    >>> seconds_of("2 days"), seconds_of("1 hour")
    (172800.0, 3600.0)
    """
    match = _AGE.fullmatch(age)
    if match is None:
        raise ValueError("an age is expected, such as 36 hours, 2 days or 1 week")
    return float(match[1]) * SECONDS[match[2]]


def _checked_age(age: str) -> str:
    seconds_of(age)
    return age


Age = Annotated[str, AfterValidator(_checked_age)]


class ColumnRule(Section):
    """What one column must hold. What is not given here is taken from the contract of the live version."""

    type: ColumnType | None = Field(None, description="how its texts are read, whatever a batch suggests")
    min: float | date | None = Field(None, description="lowest value; of dates, a date")
    max: float | date | None = Field(None, description="highest value; of dates, a date")
    categories: list[str] | Literal["open"] | None = Field(
        None, min_length=1, description="the only texts that it may hold; open: any text"
    )
    missing: Share | None = Field(None, description="highest share of missing values, 0 to 1")
    unique: bool | None = Field(None, description="whether no value may be there twice")
    level: Level | None = Field(None, description="what a broken rule of this column leads to")
    levels: dict[Check, Level] = Field({}, description="the same by check, such as unit: warn")

    @model_validator(mode="after")
    def _ordered(self) -> ColumnRule:
        low, high = bound(self.min), bound(self.max)
        if low is not None and high is not None and low > high:
            raise ValueError("min is above max")
        if isinstance(self.categories, list) and (low is not None or high is not None):
            raise ValueError("give either categories, or min and max")
        return self


class RowRule(Section):
    """How many rows a batch must have."""

    min: int | None = Field(None, ge=0)
    max: int | None = Field(None, ge=1)


class Rules(Section):
    """What every batch of rows must hold: the new files of a run, compared with the contract of the live version."""

    columns: dict[ColumnName, ColumnRule] = Field({}, description="by column")
    rows: RowRule = RowRule()
    freshness: Age | None = Field(
        None, description="highest age of the newest row by time_column, such as 2 days, when the run starts"
    )
    keys: list[ColumnName] = Field([], description="columns that together are there only once")
    extra: Level | None = Field(None, description="what a column leads to that the contract does not have")
    levels: dict[Check, Level] = Field({}, description="what each check leads to, such as rows: warn")

    def column(self, name: str) -> ColumnRule:
        """Return the rule of a column; an empty one if there is none."""
        return self.columns.get(name) or ColumnRule()

    def level(self, check: Check, column: str, default: Level) -> Level:
        """Return what a check leads to: by column and check, by column, by check, or else the default.

        >>> rules = Rules(columns={"age": ColumnRule(level="warn")}, levels={"unit": "fail"})
        >>> rules.level("unit", "age", "ask"), rules.level("unit", "income", "ask"), rules.level("rows", "", "ask")
        ('warn', 'fail', 'ask')
        """
        rule = self.column(column)
        if check in rule.levels:
            return rule.levels[check]
        if rule.level is not None:
            return rule.level
        if check == "extra" and self.extra is not None:
            return self.extra
        return self.levels.get(check, default)


def bound(limit: float | date | None) -> float | None:
    """Return a limit as a number; of a date, seconds since 1970 UTC.

    >>> bound(date(1970, 1, 2)), bound(3), bound(None)
    (86400.0, 3.0, None)
    """
    if limit is None or isinstance(limit, int | float):
        return None if limit is None else float(limit)
    return datetime(limit.year, limit.month, limit.day, tzinfo=UTC).timestamp()
