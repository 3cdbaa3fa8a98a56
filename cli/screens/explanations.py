"""The part of the screen of `predict` that says which columns moved each answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cli.screens.lines import clip, figure
from cli.screens.predictions import MAX_SHOWN_ROWS

MAX_SHOWN_COLUMNS = 3  # of each row
MAX_NAME_CHARACTERS = 30


def explanations_text(answer: dict[str, Any], numbers: Sequence[int]) -> str:
    """Return a line for each of the first rows: its score, the reference's, and the columns that moved it most.

    Parameters
    ----------
    answer : the API's answer for all rows
    numbers : of the rows in the file
    """
    explanations = answer.get("explanations") or []
    lines = [_line(number, told) for number, told in zip(numbers, explanations[:MAX_SHOWN_ROWS], strict=False)]
    sampled = any(told and told["method"] != "shapley" for told in explanations)
    how = "average over sampled orders of the columns" if sampled else "average over all orders of the columns"
    head = "why (against the row of medians and most frequent texts; " + how + "; --json has all columns)"
    return "\n".join(["", head, *lines])


def _line(number: int, told: dict[str, Any] | None) -> str:
    if told is None:
        return f"row {number:,}: the model gives no finite score between this row and the reference"
    what = f"probability of {clip(str(told['of']), MAX_NAME_CHARACTERS)}" if told["of"] is not None else "value"
    moved = [(name, size) for name, size in told["columns"].items() if size][:MAX_SHOWN_COLUMNS]
    columns = ", ".join(
        f"{clip(name, MAX_NAME_CHARACTERS)} {'+' if size > 0 else ''}{figure(size)}" for name, size in moved
    )
    rest = f": {columns}" if columns else ": no column moved it"
    return f"row {number:,}: {what} {figure(told['score'])}, reference {figure(told['reference'])}{rest}"
