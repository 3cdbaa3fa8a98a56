"""A glance at the first rows of a data file: what each column seems to hold."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

from cli import rows
from modelcycle.faults import NoData
from modelcycle.spec import Pipeline

MOST_ROWS = 10_000
MOST_DISTINCT = 1_000  # counted exactly up to here
MISSING = set(Pipeline(name="x", target="x").missing_values)
Kind = Literal["number", "date", "true or false", "text", "nothing"]


@dataclass
class Glance:
    """One column over the rows that were looked at."""

    name: str
    rows: int = 0
    missing: int = 0
    whole: bool = True
    kinds: set[Kind] = field(default_factory=lambda: {"number", "date", "true or false", "text"})
    levels: dict[str, int] = field(default_factory=dict)
    more_levels: bool = False

    def take(self, text: str | None) -> None:
        self.rows += 1
        value = (text or "").strip()
        if value in MISSING:
            self.missing += 1
            return
        if value in self.levels:
            self.levels[value] += 1
            return
        self.kinds = {kind for kind in self.kinds if FITS[kind](value)}
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
        return next(kind for kind in ORDER if kind in self.kinds)

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
    found = {name: Glance(name) for name in rows.columns(path)}
    reader = rows.read(path, skip_broken=True)
    seen = 0
    for row in itertools.islice(reader, MOST_ROWS):
        seen += 1
        for name in row.keys() - found.keys():
            found[name] = Glance(name, rows=seen - 1, missing=seen - 1)
        for name, column in found.items():
            column.take(row.get(name))
    if not seen:
        raise NoData("the file has no rows", str(path), "give a header and rows, or in JSON lines one object a line")
    return Table(list(found.values()), seen, next(reader, None) is None)


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _date(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


BOOLEAN = {"true", "false", "yes", "no", "t", "f"}
FITS: dict[Kind, Callable[[str], bool]] = {
    "number": _number, "date": _date, "true or false": lambda text: text.lower() in BOOLEAN,
    "text": lambda text: True,
}  # fmt: skip
ORDER: tuple[Kind, ...] = ("true or false", "number", "date", "text")
