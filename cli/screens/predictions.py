"""The screen of `predict`: the first rows with what the model says of each."""

from __future__ import annotations

from collections import Counter
from typing import Any

from cli.screens.lines import clip, count, figure, table

MOST_ROWS = 10
MOST_COLUMNS = 4  # of the row itself, so that a person knows which is which


def predictions(answer: dict[str, Any], rows: list[dict[str, str | None]], columns: list[str]) -> str:
    shown = columns[:MOST_COLUMNS]
    probabilities = answer.get("probabilities")
    head = ["row", *(clip(name, 24) for name in shown), "prediction", *(["probability"] if probabilities else [])]
    body = [
        [
            str(number + 1), *(clip(row.get(name) or "", 24) for name in shown), _text(answer["predictions"][number]),
            *([_probability(probabilities[number], answer["predictions"][number])] if probabilities else []),
        ]
        for number, row in enumerate(rows)
    ]  # fmt: skip
    total = len(answer["predictions"])
    end = f"{count(total, 'prediction')} by {_answered_by(answer)}"
    more = f", the first {len(rows)} shown; --json prints all" if total > len(rows) else ""
    return f"{table(head, body)}\n\n{end}{more}"


def _answered_by(answer: dict[str, Any]) -> str:
    """The version of all rows, or each with its number of rows: in a canary, or where one stands in for another."""
    versions = Counter(answer.get("versions") or [])
    if len(versions) < 2:
        return f"{answer['model']}:{next(iter(versions), answer['version'])}"
    return ", ".join(f"{answer['model']}:{version} ({rows:,})" for version, rows in versions.most_common())


def _text(value: Any) -> str:
    return figure(value) if isinstance(value, float) else str(value)


def _probability(value: Any, predicted: Any) -> str:
    """The probability of the class that is predicted."""
    if isinstance(value, dict):
        value = value.get(str(predicted), max(value.values(), default=0.0))
    elif isinstance(value, list):
        value = max(value, default=0.0)
    return figure(float(value)) if value is not None else ""
