"""A glance at the first rows of a data file: what each column seems to hold."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cli import rows
from modelcycle.faults import NoData
from modelcycle.model import dates
from modelcycle.model.values import is_boolean, is_missing, missing_texts, number
from modelcycle.reading import column_names
from modelcycle.spec import Pipeline

MOST_ROWS = 10_000
MOST_DISTINCT = 1_000  # counted exactly up to here
MISSING = missing_texts(Pipeline(name="x", target="x").missing_values)
Kind = Literal["number", "date", "true or false", "text", "nothing"]


@dataclass
class Glance:
    """One column over the rows that were looked at."""

    name: str
    rows: int = 0
    missing: int = 0
    whole: bool = True
    kinds: set[Kind] = field(default_factory=lambda: {"number", "true or false", "text"})
    formats: list[str] = field(default_factory=lambda: list(dates.FORMATS))  # those in which all values are dates
    levels: dict[str, int] = field(default_factory=dict)
    more_levels: bool = False

    def take(self, text: str | None) -> None:
        self.rows += 1
        value = (text or "").strip()
        if is_missing(value, MISSING):
            self.missing += 1
            return
        if value in self.levels:
            self.levels[value] += 1
            return
        self.kinds = {kind for kind in self.kinds if FITS[kind](value)}
        self.formats = [format_ for format_ in self.formats if _is_date(value, format_)]
        self.whole = self.whole and value.lstrip("+-").isdigit()
        if len(self.levels) < MOST_DISTINCT:
            self.levels[value] = 1
        else:
            self.more_levels = True

    @property
    def kind(self) -> Kind:
        """The narrowest kind that all values fit."""
        if not self.levels:
            return "nothing"
        found = self.kinds | ({"date"} if self.formats else set())
        return next(kind for kind in ORDER if kind in found)

    @property
    def distinct(self) -> str:
        return f"more than {len(self.levels):,}" if self.more_levels else f"{len(self.levels):,}"

    @property
    def missing_share(self) -> float:
        return self.missing / self.rows if self.rows else 0.0


@dataclass
class Table:
    """All columns in the file's order; `whole` when the glance saw every row."""

    columns: list[Glance]
    rows: int
    whole: bool

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]


def glance(path: Path) -> Table:
    """Look at the first rows.

    Raises
    ------
    NoData : there is no row under the header
    UnreadableFile, BadData, ColumnsDiffer : as `cli.rows` names them
    """
    with rows.opened(path) as file:
        if not file.piece.rows:
            raise NoData(
                "the file has no rows", str(path), "give a header and rows, or in JSON lines one object a line"
            )
        if not file.piece.sparse:
            column_names.enough(file.names, str(path))
        found = [Glance(name) for name in file.names]
        seen = 0
        for row in itertools.islice(file, MOST_ROWS):
            seen += 1
            for column in found:
                column.take(row[column.name])
        return Table(found, seen, seen == file.piece.rows)


def _is_date(text: str, format_: str) -> bool:
    try:
        dates.parse(text, format_)
    except ValueError:
        return False
    return True


FITS: dict[Kind, Callable[[str], bool]] = {
    "number": lambda text: number(text) is not None, "true or false": is_boolean, "text": lambda text: True,
}  # fmt: skip
ORDER: tuple[Kind, ...] = ("true or false", "number", "date", "text")
