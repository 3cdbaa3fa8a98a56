"""The page docs/costs.md: an estimate, its figures and all prices."""

from __future__ import annotations

from collections.abc import Sequence

from cli.costs.estimate import LEFT_OUT, Estimate
from cli.costs.prices import Price
from cli.screens.estimate import amount, assumptions_of, by_kind, money, rows_of

CONFIRMED = {"aws": "AWS", "other": "others", "nowhere": "nowhere"}

PAGE = """\
# Costs on AWS

<!-- `make costs` writes this page from cli/costs/prices.yaml, template.yaml and infra/. Do not edit it. -->

An idle stack has no servers, no provisioned throughput, and no keys or streams billed by the hour, unless a parameter
asks for them. All prices are in US dollars, for {region}, read on {read}; check them against the pages that they name.
Estimate a month of your own model, from what its past runs have measured:

    modelcycle cost yours.yaml
    modelcycle cost yours.yaml --predictions 5 --runs 30 --parameter Stream=kinesis

This is `{command}`, which takes the documented figures below:

{items}

It assumes (each is an option):

{assumptions}

## Other uses

{scenarios}

## Figures that stand in for measurements
`modelcycle cost` uses what the newest runs of your model measured, in the place that you name, and says which figure is
measured and which is one of these. In a local cloud, the seconds are those of your machine.

{figures}

## Prices
*Confirmed* says where a price was seen when the table was read: on AWS's own page (a stored copy, which may be older),
on pages of others only, or nowhere. First tier each.

{prices}

Not in an estimate: {left_out}.

## What one run costs
The last line of a run says it; `modelcycle show MODEL --run ID` says it by step. The figure is the time of each
function call in the history of the execution (retries and trials included), times the function's `MemorySize`, at the
prices above. The calls of a load test are not in it. The time of a call includes its cold start and the moment between
Step Functions and Lambda, so the figure is a little too high. In the local cloud, these are seconds of your machine.
"""


def cost_page(made: Estimate, command: str, scenarios: Sequence[tuple[str, Estimate]]) -> str:
    """Return the page.

    Parameters
    ----------
    command : the one that prints this estimate
    scenarios : other uses of the same model, with a sentence for each
    """
    environments = [month.environment for month in made.months]
    others = [[text, *(money(month.dollars) for month in other.months)] for text, other in scenarios]
    prices = made.prices
    return PAGE.format(
        region=prices.region,
        read=prices.read,
        command=command,
        items=_table(["dollars a month", *environments, "in prod"], rows_of(made)),
        assumptions="\n".join(f"- {line}" for line in assumptions_of(made)),
        scenarios=_table(["dollars a month, with", *environments], others),
        figures=_table(["figure", "from"], [[amount(figure), figure.source] for figure in by_kind(made)[1]]),
        prices=_table(["price", "for", "confirmed", "page"], list(map(_price, prices.prices.values()))),
        left_out="; ".join(LEFT_OUT),
    )


def _price(price: Price) -> list[str]:
    unit = price.unit if price.per == 1 else f"{price.per:,.0f} × {price.unit}"
    return [f"{price.dollars:.10f}".rstrip("0").rstrip(".") + " $", unit, CONFIRMED[price.seen], price.page]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rule = "|".join("--:" if name in ("dev", "staging", "prod") else "---" for name in head)
    return "\n".join([f"| {' | '.join(head)} |", f"|{rule}|", *(f"| {' | '.join(row)} |" for row in rows)])
