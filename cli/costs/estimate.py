"""An estimate of a month: line items of quantities and prices, for each environment of the stack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cli.costs.assumptions import Assumptions
from cli.costs.items import LINES, Item
from cli.costs.measured import Figure, Figures
from cli.costs.prices import PriceTable, price_table
from cli.costs.stack_facts import ENVIRONMENTS, StackFacts, stack_facts
from cli.costs.use import Use
from modelcycle.spec import Pipeline

LEFT_OUT = (
    "free tiers, taxes and support",
    "data transfer out of AWS",
    "the 4 GB of disk of some functions (below 1 % of Lambda)",
    "cold starts of predict",
    "other models of the same stack, and what was deployed with other tools",
)


@dataclass(frozen=True)
class Month:
    """The estimate of one environment."""

    environment: str
    facts: StackFacts
    items: list[Item]

    @property
    def dollars(self) -> float:
        return sum(item.dollars for item in self.items)


@dataclass(frozen=True)
class Estimate:
    """The estimate of a model in all environments."""

    pipeline: Pipeline
    assumptions: Assumptions
    figures: Figures
    months: list[Month]

    @property
    def prices(self) -> PriceTable:
        return price_table()

    def used(self) -> dict[str, Figure]:
        """Return the figures that a line which costs something rests on."""
        names = {name for month in self.months for item in month.items if item.dollars for name in item.figures}
        return {name: figure for name, figure in self.figures.all().items() if name in names}

    def unconfirmed(self) -> list[str]:
        """Return the prices that were used and could not be confirmed."""
        used = {charge.price for month in self.months for item in month.items for charge in item.charges}
        return [name for name, price in self.prices.prices.items() if name in used and price.seen == "nowhere"]

    def not_estimated(self) -> list[str]:
        """Return the types of resources of the template that no line counts."""
        return sorted({kind for month in self.months for kind in month.facts.other})


def estimate(pipeline: Pipeline, assumptions: Assumptions, figures: Figures) -> Estimate:
    """Estimate a month of a model in each environment.

    Parameters
    ----------
    figures : what past runs measured

    Raises
    ------
    TemplateInvalid, BadInput : see `stack_facts`
    """
    settings = tuple(sorted(assumptions.settings.items()))
    months = []
    for environment in ENVIRONMENTS:
        facts = stack_facts(environment, settings)
        use = Use(pipeline, assumptions, figures, facts, 1 if environment == "prod" else assumptions.share)
        items = [line(use) for line in LINES]
        months.append(Month(environment, facts, [item for item in items if item.charges]))
    return Estimate(pipeline, assumptions, figures, months)


def wire(made: Estimate) -> dict[str, Any]:
    """Return an estimate as JSON types."""
    assumed = made.assumptions
    return {
        "model": made.pipeline.name,
        "prices": {"read": made.prices.read.isoformat(), "region": made.prices.region},
        "environments": {
            month.environment: {
                "dollars": round(month.dollars, 4),
                "items": [
                    {
                        "name": item.name, "basis": item.basis, "dollars": round(item.dollars, 6),
                        "charges": [
                            {"price": charge.price, "quantity": charge.quantity, "dollars": charge.dollars}
                            for charge in item.charges
                        ],
                    }
                    for item in month.items
                ],
            }
            for month in made.months
        },
        "assumptions": {
            "runs": assumed.runs, "runs_from": assumed.runs_from, "predictions_a_second": assumed.predictions,
            "rows_a_request": assumed.rows, "batch_rows": assumed.batch_rows, "records_a_second": assumed.records,
            "share_of_dev_and_staging": assumed.share, "months": assumed.months, "capture_days": assumed.capture_days,
            "parameters": assumed.settings,
        },
        "figures": {
            name: {"amount": figure.amount, "unit": figure.unit, "kind": figure.kind, "source": figure.source}
            for name, figure in made.used().items()
        },
        "not_measured": made.figures.notes,
        "unconfirmed_prices": made.unconfirmed(),
        "not_estimated": made.not_estimated(),
        "left_out": list(LEFT_OUT),
    }  # fmt: skip
