"""Lines below the header that are no rows: units, questions, rules."""

from __future__ import annotations

import re
from collections.abc import Sequence

from modelcycle.cells.missing import USUAL
from modelcycle.reading.csv_records import figure_columns, is_figure

MAX_LINES = 3
MIN_ROWS = 5  # below them
MIN_TEXTS = 2  # where the rows have figures; one may be a value that is wrong
RULE = re.compile(r"[:+|]*[-=]{2,}[-=:+|]*")
UNIT = re.compile(r"\(.+\)|\[.+\]|%|°.?|[µa-zA-Z°]{1,4}(?:/[a-zA-Z]{1,3})[²³23]?")
BOUND = re.compile(r"[<>≤≥~≈].*")


def count_second_headers(rows: Sequence[Sequence[str]], width: int) -> int:
    """Return how many lines below the header are no rows.

    Such a line has texts that no row repeats, in columns that otherwise hold figures.

    Parameters
    ----------
    rows : the cells of the lines below the header
    width : of the header

    Examples
    --------
    >>> count_second_headers([["°C", "hPa", ""], *([["21.5", "1013", "a"]] * 9)], 3)
    1
    >>> count_second_headers([["n/k", "1020", "b"], *([["21.5", "1013", "a"]] * 9)], 3)
    0
    """
    count = 0
    while count < MAX_LINES and len(rows) > count + MIN_ROWS and _is_header(rows[count], rows[count + 1 :], width):
        count += 1
    return count


def _is_header(cells: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> bool:
    cells = cells[:width]
    filled = [cell for cell in cells if cell]
    if filled and all(RULE.fullmatch(cell) for cell in filled):
        return True
    if len(filled) == width and set(filled) == {"-"}:
        return True
    figures = [column for column in figure_columns(rows, width) if len(cells) > column]
    texts = [cells[column] for column in figures if cells[column] and cells[column] not in USUAL]
    if any(is_figure(text) or BOUND.fullmatch(text) for text in texts):
        return False
    if len(texts) < MIN_TEXTS and not (texts and UNIT.fullmatch(texts[0])):
        return False
    told = [(column, cell) for column, cell in enumerate(cells) if cell and cell not in USUAL]
    return not any(len(row) > column and row[column] == cell for row in rows for column, cell in told)
