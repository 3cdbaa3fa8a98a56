"""The screen of `predict`: the first rows with their predictions."""

from __future__ import annotations

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
    summary = f"{count(total, 'prediction')} by {answer['model']}:{answer['version']}"
    rest = f"; the first {len(rows)} are shown, --json prints all" if total > len(rows) else ""
    return f"{table(head, body)}\n\n{summary}{rest}"


def _text(value: Any) -> str:
    return figure(value) if isinstance(value, float) else str(value)


def _probability(probabilities: Any, prediction: Any) -> str:
    """Return the probability of the predicted class."""
    if isinstance(probabilities, dict):
        probabilities = probabilities.get(str(prediction), max(probabilities.values(), default=0.0))
    elif isinstance(probabilities, list):
        probabilities = max(probabilities, default=0.0)
    return figure(float(probabilities)) if probabilities is not None else ""
