"""The estimate of a month, on the terminal."""

from __future__ import annotations

from cli.costs.estimate import LEFT_OUT, Estimate
from cli.costs.measured import Figure
from cli.screens.lines import INDENT, clip, table

MAX_BASIS = 62  # characters


def money(dollars: float) -> str:
    """Return dollars of a bill; less than a cent is said as that.

    >>> money(0), money(0.004), money(1.9), money(1234.5)
    ('0', '< 0.01', '1.90', '1,234.50')
    """
    if dollars == 0:
        return "0"
    return "< 0.01" if dollars < 0.01 else f"{dollars:,.2f}"


def amount(figure: Figure) -> str:
    """Return a figure with its unit.

    >>> amount(Figure(4_000_000, "bytes a run", "documented", "")), amount(Figure(0.4512, "ms", "documented", ""))
    ('4,000,000 bytes a run', '0.451 ms')
    """
    value = figure.amount
    text = f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"
    return f"{text} {figure.unit}"


def estimate_text(made: Estimate) -> str:
    """Return the estimate: one table, then what it rests on."""
    head = ["dollars a month", *(month.environment for month in made.months), "in prod"]
    rows = [[*row[:-1], clip(row[-1], MAX_BASIS)] for row in rows_of(made)]
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(1, len(head) - 1)]
    aligned = [
        [row[0], *(f"{cell:>{width}}" for cell, width in zip(row[1:-1], widths, strict=True)), row[-1]]
        for row in [head, *rows]
    ]
    measured, documented = by_kind(made)
    basis = "what its runs measured and documented figures" if measured else "documented figures alone"
    unconfirmed = made.unconfirmed()
    lines = [
        f"{made.pipeline.name}   an estimate from {basis}",
        f"prices of {made.prices.region}, read on {made.prices.read}", "",
        table(aligned[0], aligned[1:]), "", "Assumed (each is an option):",
        *(f"{INDENT}{line}" for line in assumptions_of(made)), "", "Measured:",
        *(f"{INDENT}{amount(figure)}: {figure.source}" for figure in measured),
        *([] if measured else [f"{INDENT}nothing of this model"]),
        *(f"{INDENT}not measured: {note}" for note in made.figures.notes),
        "", "Documented figures, since these were not measured (cli/costs/prices.yaml):",
        *(f"{INDENT}{amount(figure)}: {figure.source}" for figure in documented),
        *(["", f"Prices that could not be confirmed: {', '.join(map(_words, unconfirmed))}"] if unconfirmed else []),
        *_not_estimated(made),
        "", f"Not in it: {'; '.join(LEFT_OUT)}.",
    ]  # fmt: skip
    return "\n".join(lines)


def rows_of(made: Estimate) -> list[list[str]]:
    """Return a row for each line item that costs something somewhere, and the total."""
    by_name = [{item.name: item for item in month.items} for month in made.months]
    names = list(dict.fromkeys(name for items in by_name for name in items))
    rows = []
    for name in names:
        costs = [items[name].dollars if name in items else 0.0 for items in by_name]
        if any(costs):
            rows.append([name, *map(money, costs), by_name[-1][name].basis if name in by_name[-1] else ""])
    return [*rows, ["total", *(money(month.dollars) for month in made.months), ""]]


def assumptions_of(made: Estimate) -> list[str]:
    """Return a line for each assumption, with its option."""
    assumed = made.assumptions
    days = made.months[-1].facts.capture_days
    kept = (
        f"{assumed.capture_days} days" if assumed.capture_days
        else f"{days} days, as the template says" if days else f"{assumed.months:g} months: the template deletes none"
    )  # fmt: skip
    lines = [
        f"{assumed.runs:,.1f} runs a month in each environment (--runs; {assumed.runs_from})",
        f"{assumed.predictions:g} requests a second in prod (--predictions) of {assumed.rows:,} row"
        f"{'s' if assumed.rows != 1 else ''} (--rows)",
        f"{assumed.batch_rows:,.0f} rows of batch scoring in prod (--batch-rows)",
        f"{assumed.share:g} of these requests and rows in dev and in staging (--share)",
        f"artifacts of {assumed.months:g} months of runs (--months); captures are kept {kept} (--capture-days)",
    ]
    if made.months[-1].facts.shards or made.months[-1].facts.queues:
        lines.append(f"{assumed.records:g} records a second on the stream or queue in prod (--records)")
    if made.months[-1].facts.looks is None:
        lines.append("the monitor looks once an hour: its schedule is no plain rate")
    if assumed.settings:
        lines.append(
            "with " + ", ".join(f"{name}={value}" for name, value in assumed.settings.items()) + " (--parameter)"
        )
    return lines


def by_kind(made: Estimate) -> tuple[list[Figure], list[Figure]]:
    """Return the figures that were measured, and the documented ones."""
    used = list(made.used().values())
    return [one for one in used if one.kind == "measured"], [one for one in used if one.kind == "documented"]


def _not_estimated(made: Estimate) -> list[str]:
    kinds = made.not_estimated()
    return ["", f"In the template, and not estimated: {', '.join(kinds)}"] if kinds else []


def _words(name: str) -> str:
    return name.replace("_", " ")
