"""The first records of a CSV file, and what their cells look like."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from modelcycle.cells.missing import USUAL

MAX_RECORD_LINES = 50  # of a record at the beginning; a quote that is open for longer is a stray one
FIGURE_SHARE = 0.9  # of a column's cells, for it to be one of figures
YEARS = range(1800, 2201)
MIN_CODE = 1000  # numbers from here on, each one more than the last, are names of months or the like
MAX_FIGURE_CHARACTERS = 60
FIGURE = re.compile(
    r"(?!.*[.,]{2})[-+(]?\s?[$€£¥]?\s?[-+]?(?:[0-9][0-9.,:/'’ \u00a0T-]*|[.,][0-9]+)(?:[eE][-+]?[0-9]+)?\s?"
    r"(?:[%)$€£¥Z]|[AaPp][Mm])?"
)
"""Numbers in any spelling, dates and times."""


class Record(NamedTuple):
    """A record: its first line and its number of lines, and the cells without blanks around them."""

    line: int
    lines: int
    cells: list[str]


def first_records(lines: Sequence[str], start: int, delimiter: str, quote: str, most: int) -> list[Record]:
    """Return the first records.

    Parameters
    ----------
    lines : of the file, without line ends
    start : position of the first line to read
    most : number of records

    Examples
    --------
    >>> [record.cells for record in first_records(["", "a;'b", "c'", "d;e"], 0, ";", "'", 9)]
    [['a', 'b\\nc'], ['d', 'e']]
    """
    records: list[Record] = []
    position = start
    while position < len(lines) and len(records) < most:
        if not lines[position]:
            position += 1
            continue
        end = position + 1
        quotes = lines[position].count(quote)
        while quotes % 2 and end < len(lines) and end - position < MAX_RECORD_LINES:
            quotes += lines[end].count(quote)
            end += 1
        if quotes % 2:
            end = position + 1
        text = [f"{line}\n" for line in lines[position:end]]
        records.append(Record(position + 1, end - position, _cells(text, delimiter, quote)))
        position = end
    return records


def _cells(text: list[str], delimiter: str, quote: str) -> list[str]:
    # as in the rows, blanks before a quote do not belong to the value
    cells: Iterator[list[str]] = csv.reader(text, delimiter=delimiter, quotechar=quote, skipinitialspace=True)
    try:
        return [cell.strip() for cell in next(cells, [])]
    except csv.Error:
        return []


def is_figure(cell: str) -> bool:
    """Return whether a cell is a number, a date or a time in any spelling.

    >>> is_figure("1.234,5 €"), is_figure("2024-01-31T14:05Z"), is_figure("v2")
    (True, True, False)
    """
    return len(cell) <= MAX_FIGURE_CHARACTERS and FIGURE.fullmatch(cell) is not None


def figure_columns(rows: Sequence[Sequence[str]], width: int) -> list[int]:
    """Return the columns whose cells are figures, but for some missing or odd ones."""
    columns = []
    for column in range(width):
        cells = [row[column] for row in rows if len(row) > column and row[column]]
        if cells and sum(map(is_figure, cells)) >= FIGURE_SHARE * len(cells):
            columns.append(column)
    return columns


def are_names(cells: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Return whether cells are certainly column names: texts, where the rows have figures.

    >>> are_names(["id", "city"], [["1", "Rome"]]), are_names(["2", "Bonn"], [["1", "Rome"]])
    (True, False)
    """
    figures = figure_columns(rows, len(cells))
    return bool(figures) and not any(is_figure(cells[column]) for column in figures)


def are_alike(cells: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> bool:
    """Return whether a line has as many values as the rows, and figures where they have them.

    >>> are_alike(["3", "Oslo"], [["1", "Rome"]], 2), are_alike(["in 2024", "Oslo"], [["1", "Rome"]], 2)
    (True, False)
    """
    figures = figure_columns(rows, width)
    return bool(figures) and len(cells) >= width and all(is_figure(cells[column]) for column in figures)


def are_data(cells: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Return whether the first line of a table is certainly data: it holds the same kinds, or texts, as the rows.

    Columns that are named after years or counted are names.

    >>> are_data(["5.1", "setosa"], [["4.9", "setosa"]]), are_data(["city", "2019", "2020"], [["Rome", "1", "2"]])
    (True, False)
    """
    rows = [row for row in rows if list(row) != list(cells)]  # a header that is repeated below
    figures = figure_columns(rows, len(cells))
    if figures:
        named = {column: cells[column] for column in figures if cells[column] and cells[column] not in USUAL}
        alike = all(
            is_figure(cell) and _is_date(cell) == _is_date(_first_cell(rows, column)) for column, cell in named.items()
        )
        is_filled = len(named) * 2 > len(figures) or any(cell in USUAL for cell in cells if cell)
        return bool(named) and is_filled and alike and not _counts(list(named.values()))
    repeated = [cells[column] in {row[column] for row in rows if len(row) > column} for column in range(len(cells))]
    return len(rows) >= len(cells) and all(repeated) and len(cells) > 1


def _first_cell(rows: Sequence[Sequence[str]], column: int) -> str:
    return next((row[column] for row in rows if len(row) > column and row[column]), "")


def _is_date(cell: str) -> bool:
    return re.search(r"[0-9][-/.:][0-9]+[-/.:][0-9]", cell) is not None


def _counts(cells: Sequence[str]) -> bool:
    """Return whether figures are names: 0, 1, 2 ... as pandas numbers columns, or ascending years."""
    if not all(re.fullmatch("[0-9]{1,6}", cell) for cell in cells):
        return False
    numbers = [int(cell) for cell in cells]
    ascends = sorted(set(numbers)) == numbers
    counted = numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    # 1,2,3 above 4,5,6 may be data; pandas counts from 0, and 202301,202302,202303 are months
    enough = 2 if numbers[0] == 0 else 3 if numbers[0] >= MIN_CODE else 4
    return (counted and len(numbers) >= enough) or (ascends and all(number in YEARS for number in numbers))
