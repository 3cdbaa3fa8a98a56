"""The one table of prices, with its date, region and sources, and the figures that stand in for measurements."""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

FILE = Path(__file__).with_name("prices.yaml")


class Price(BaseModel):
    """A price: dollars for `per` units, the AWS page that states it, and where it was confirmed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dollars: float = Field(gt=0)
    per: float = Field(gt=0)
    unit: str
    page: str = Field(pattern=r"^https://aws\.amazon\.com/")
    seen: Literal["aws", "other", "nowhere"]

    def of(self, quantity: float) -> float:
        """Return the dollars for a quantity of units."""
        return quantity * self.dollars / self.per


class Documented(BaseModel):
    """A figure for what has not been measured, and what it rests on."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    amount: float = Field(gt=0)
    unit: str
    source: str = Field(alias="from")


class PriceTable(BaseModel):
    """All prices of one region, as read on one day."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    read: date
    region: str
    prices: dict[str, Price]
    documented: dict[str, Documented]


@cache
def price_table() -> PriceTable:
    """Return the table of `prices.yaml`.

    >>> price_table().prices["lambda_call"].of(5_000_000)
    1.0
    """
    return PriceTable.model_validate(yaml.safe_load(FILE.read_text(encoding="utf-8")))
