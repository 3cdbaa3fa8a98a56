"""The screen of `predict`: the first rows with their predictions."""

from __future__ import annotations

from collections import Counter
from typing import Any

from cli.screens.lines import clip, count, figure, table

MAX_ROWS = 10
MAX_COLUMNS = 4  # of the rows themselves, to recognize them


def predictions_text(answer: dict[str, Any], rows: list[dict[str, str | None]], columns: list[str]) -> str:
    """Return a table of the first rows with their predictions.

    Parameters
    ----------
    answer : the API's answer for all rows
    rows : the first rows of the file
    columns : names that the model reads
    """
    shown = columns[:MAX_COLUMNS]
    probabilities = answer.get("probabilities")
    head = ["row", *(clip(name, 24) for name in shown), "prediction", *(["probability"] if probabilities else [])]
    body = [
        [
            str(position + 1), *(clip(row.get(name) or "", 24) for name in shown),
            _text(answer["predictions"][position]),
            *([_probability(probabilities[position], answer["predictions"][position])] if probabilities else []),
        ]
        for position, row in enumerate(rows)
    ]  # fmt: skip
    total = len(answer["predictions"])
    summary = f"{count(total, 'prediction')} by {_answered_by(answer)}"
    rest = f"; the first {len(rows)} are shown, --json prints all" if total > len(rows) else ""
    return f"{table(head, body)}\n\n{summary}{rest}"


def _answered_by(answer: dict[str, Any]) -> str:
    """The version of all rows, or each with its number of rows: in a canary, or where one stands in for another."""
    versions = Counter(answer.get("versions") or [])
    if len(versions) < 2:
        return f"{answer['model']}:{next(iter(versions), answer['version'])}"
    return ", ".join(f"{answer['model']}:{version} ({rows:,})" for version, rows in versions.most_common())


def _text(value: Any) -> str:
    return figure(value) if isinstance(value, float) else str(value)


def _probability(probabilities: Any, prediction: Any) -> str:
    """Return the probability of the predicted class."""
    if isinstance(probabilities, dict):
        probabilities = probabilities.get(str(prediction), max(probabilities.values(), default=0.0))
    elif isinstance(probabilities, list):
        probabilities = max(probabilities, default=0.0)
    return figure(float(probabilities)) if probabilities is not None else ""
