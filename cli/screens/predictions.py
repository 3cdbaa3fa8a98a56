"""The screen of `predict`: the first rows with their predictions."""

from __future__ import annotations

from collections import Counter
from typing import Any

from cli.screens.lines import clip, count, figure, table

MAX_SHOWN_ROWS = 10
MAX_SHOWN_COLUMNS = 4  # of the rows themselves, to recognize them
MAX_CELL_CHARACTERS = 24


def predictions_text(answer: dict[str, Any], rows: list[dict[str, str | None]], columns: list[str]) -> str:
    """Return a table of the first rows with their predictions.

    Parameters
    ----------
    answer : the API's answer for all rows
    rows : the first rows of the file
    columns : names that the model reads
    """
    shown = columns[:MAX_SHOWN_COLUMNS]
    predictions, probabilities = answer["predictions"], answer.get("probabilities")
    head = ["row", *(clip(name, MAX_CELL_CHARACTERS) for name in shown), "prediction"]
    body = [
        [str(position + 1), *(clip(row.get(name) or "", MAX_CELL_CHARACTERS) for name in shown), _text(prediction)]
        for position, (row, prediction) in enumerate(zip(rows, predictions, strict=False))
    ]
    if probabilities:
        head.append("probability")
        for position, cells in enumerate(body):
            cells.append(_probability(probabilities[position], predictions[position]))
    summary = f"{count(len(predictions), 'prediction')} by {_versions(answer)}"
    rest = f"; the first {len(rows)} are shown, --json prints all" if len(predictions) > len(rows) else ""
    return f"{table(head, body)}\n\n{summary}{rest}"


def _versions(answer: dict[str, Any]) -> str:
    """Return the version that answered, or each with its number of rows: in a rollout, or if one replaced another."""
    versions = Counter(answer.get("versions") or [])
    if len(versions) < 2:
        return f"{answer['model']}:{next(iter(versions), answer['version'])}"
    return ", ".join(f"{answer['model']}:{version} ({rows:,})" for version, rows in versions.most_common())


def _text(prediction: Any) -> str:
    return figure(prediction) if isinstance(prediction, float) else str(prediction)


def _probability(probabilities: Any, prediction: Any) -> str:
    """Return the probability of the predicted class."""
    if isinstance(probabilities, dict):
        probabilities = probabilities.get(str(prediction), max(probabilities.values(), default=0.0))
    elif isinstance(probabilities, list):
        probabilities = max(probabilities, default=0.0)
    return figure(float(probabilities)) if probabilities is not None else ""
