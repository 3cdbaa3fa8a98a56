"""What a run costs on Lambda, in one line or by step."""

from __future__ import annotations

from cli.run_costs import RunCost
from cli.screens.lines import count, seconds, table, words


def cost_text(cost: RunCost) -> str:
    """Return the cost of a run in one line."""
    return f"about {cost.gb_seconds:,.0f} GB-seconds of Lambda, {dollars(cost.dollars)} at the price of us-east-1"


def costs_table(cost: RunCost) -> str:
    """Return the cost of each step, the dearest first."""
    rows = [
        [words(step.step), count(step.calls, "call"), seconds(step.seconds), f"{step.gb_seconds:,.1f}"]
        for step in sorted(cost.steps, key=lambda step: -step.gb_seconds)
    ]
    return table(["cost", "", "time", "GB-seconds"], rows)


def dollars(amount: float) -> str:
    """Return a small amount with two digits that count.

    >>> dollars(0.001234), dollars(0.4), dollars(12.3)
    ('0.0012 $', '0.40 $', '12.30 $')
    """
    return f"{amount:.2f} $" if amount >= 0.1 else f"{amount:.2g} $"
