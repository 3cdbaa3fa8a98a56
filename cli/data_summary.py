"""What the columns of a data file seem to contain, by its first rows."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cli.data_file import open_data_file
from modelcycle.cells import dates
from modelcycle.cells.booleans import is_boolean
from modelcycle.cells.missing import USUAL, is_missing, missing_texts
from modelcycle.cells.numbers import number
from modelcycle.faults import NoData
from modelcycle.reading.column_names import check_second_column

MAX_SUMMARY_ROWS = 10_000
MAX_COUNTED_VALUES = 1_000  # distinct values of a column that are counted
MISSING_TEXTS = missing_texts(USUAL)

Kind = Literal["number", "date", "true or false", "text", "empty"]
TEXT_TESTS: dict[Kind, Callable[[str], bool]] = {
    "true or false": is_boolean, "number": lambda text: number(text) is not None, "text": lambda text: True,
}  # fmt: skip
KINDS: tuple[Kind, ...] = ("true or false", "number", "date", "text")
"""The narrowest first."""


@dataclass
class ColumnSummary:
    """One column.

    Parameters
    ----------
    name : of the column
    rows, missing : number of rows, and of those without a value
    is_integer : whether all values are whole numbers
    kinds : those that all values fit
    formats : date formats (`dates.FORMATS`) that all values fit
    levels : rows by distinct value, at most MAX_COUNTED_VALUES values
    has_more_levels : whether there are more
    """

    name: str
    rows: int = 0
    missing: int = 0
    is_integer: bool = True
    kinds: set[Kind] = field(default_factory=lambda: set(TEXT_TESTS))
    formats: list[str] = field(default_factory=lambda: list(dates.FORMATS))
    levels: dict[str, int] = field(default_factory=dict)
    has_more_levels: bool = False

    def add(self, text: str | None) -> None:
        """Add the text of one more row, None for a missing value."""
        self.rows += 1
        value = (text or "").strip()
        if is_missing(value, MISSING_TEXTS):
            self.missing += 1
            return
        if value in self.levels:
            self.levels[value] += 1
            return
        self.kinds = {kind for kind in self.kinds if TEXT_TESTS[kind](value)}
        self.formats = [format_ for format_ in self.formats if dates.is_date(value, format_)]
        self.is_integer = self.is_integer and value.lstrip("+-").isdigit()
        if len(self.levels) < MAX_COUNTED_VALUES:
            self.levels[value] = 1
        else:
            self.has_more_levels = True

    @property
    def kind(self) -> Kind:
        """The narrowest kind that all values fit."""
        if not self.levels:
            return "empty"
        kinds = self.kinds | ({"date"} if self.formats else set())
        return next(kind for kind in KINDS if kind in kinds)

    @property
    def distinct(self) -> str:
        """The number of distinct values, for people."""
        return f"more than {len(self.levels):,}" if self.has_more_levels else f"{len(self.levels):,}"

    @property
    def missing_share(self) -> float:
        """Share of the rows without a value, 0 to 1."""
        return self.missing / self.rows if self.rows else 0.0


@dataclass
class DataSummary:
    """The columns in the file's order; `is_complete` if `rows` are all rows of the file.

    `skipped_lines` describes the broken lines of the file, "" if there are none.
    """

    columns: list[ColumnSummary]
    rows: int
    is_complete: bool
    skipped_lines: str = ""

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return [column.name for column in self.columns]


def summarize(path: Path) -> DataSummary:
    """Summarize the first MAX_SUMMARY_ROWS rows of a file.

    Raises
    ------
    NoData : the file has no rows
    UnreadableFile, BadData, ColumnsDiffer : see `open_data_file`
    """
    with open_data_file(path) as file:
        if not file.table.rows:
            raise NoData("the file has no rows", str(path), "add rows below the header, or one JSON object per line")
        if not file.table.sparse:
            check_second_column(file.names, str(path))
        columns = [ColumnSummary(name) for name in file.names]
        rows = 0
        for row in itertools.islice(file, MAX_SUMMARY_ROWS):
            rows += 1
            for column in columns:
                column.add(row[column.name])
        return DataSummary(columns, rows, rows == file.table.rows, file.skipped_lines())
