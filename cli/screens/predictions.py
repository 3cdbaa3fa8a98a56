"""The screen of `predict`: the first rows with their predictions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from cli.screens.lines import clip, count, figure, table

MAX_SHOWN_ROWS = 10
MAX_SHOWN_COLUMNS = 4  # of the rows themselves, to recognize them
MAX_CELL_CHARACTERS = 24
MAX_TOLD = 5  # cells that do not parse, or lines that are no rows


def predictions_text(
    answer: dict[str, Any], rows: list[dict[str, str | None]], columns: list[str], numbers: Sequence[int]
) -> str:
    """Return a table of the first rows with their predictions.

    Parameters
    ----------
    answer : the API's answer for all rows
    rows : the first rows of the file
    columns : names that the model reads
    numbers : of the rows in the file
    """
    shown = columns[:MAX_SHOWN_COLUMNS]
    predictions, probabilities = answer["predictions"], answer.get("probabilities")
    head = ["row", *(clip(name, MAX_CELL_CHARACTERS) for name in shown), "prediction"]
    body = [
        [str(numbers[position]), *(clip(row.get(name) or "", MAX_CELL_CHARACTERS) for name in shown), _text(prediction)]
        for position, (row, prediction) in enumerate(zip(rows, predictions, strict=False))
    ]
    if probabilities:
        head.append("probability")
        for position, cells in enumerate(body):
            cells.append(_probability(probabilities[position], predictions[position]))
    summary = f"{count(len(predictions), 'prediction')} by {_versions(answer)}"
    rest = (
        f"; the first {len(rows)} are shown; --json prints all, `modelcycle score` writes a file"
        if len(predictions) > len(rows)
        else ""
    )
    return f"{table(head, body)}\n\n{summary}{rest}"


def left_out_lines(left_out: Sequence[dict[str, Any]]) -> list[str]:
    """Return sentences about the rows that were not predicted: how many, and the first of them."""
    if not left_out:
        return []
    told = [f"{_place(left)}: {left['reason']}" for left in left_out[:MAX_TOLD]]
    return [f"{count(len(left_out), 'row')} not predicted; the first: {told[0]}", *told[1:]]


def unread_lines(
    unread: Sequence[dict[str, Any]], total: int, words: Mapping[tuple[str, str], int] | None = None
) -> list[str]:
    """Return sentences about cells that were sent as missing: because they say so in words, or do not parse.

    Parameters
    ----------
    unread : the first of them, usual words for a missing value included
    total : how many there are
    words : how many cells of a column are a usual word for a missing value
    """
    words = words or {}
    total -= sum(words.values())
    missing = [
        f"{count(number, 'value')} missing: {clip(text, MAX_CELL_CHARACTERS)!r} in the column"
        f" {clip(name, MAX_CELL_CHARACTERS)!r}"
        for (name, text), number in sorted(words.items(), key=lambda one: -one[1])[:MAX_TOLD]
    ]
    unread = [cell for cell in unread if (cell["column"], cell["text"]) not in words]
    if not unread:
        return missing
    told = [
        f"{_place(cell)}, column {clip(cell['column'], MAX_CELL_CHARACTERS)!r}:"
        f" {clip(cell['text'], MAX_CELL_CHARACTERS)!r} where {cell['expected']} is expected"
        for cell in unread[:MAX_TOLD]
    ]
    head = f"{count(total, 'value')} could not be read, and counted as missing; the first: {told[0]}"
    return [*missing, head, *told[1:]]


def _place(told: dict[str, Any]) -> str:
    """Return where a row is: row 3 (line 5), or the line alone."""
    row, line = told.get("row"), told.get("line")
    if row is None:
        return f"line {line}"
    return f"row {row:,}" + (f" (line {line})" if line else "")


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
