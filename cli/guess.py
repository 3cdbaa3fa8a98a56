"""Guesses from column names and values, each with its reason: `init` writes them down for a person to judge."""

from __future__ import annotations

import re

from cli.glance import Glance, Table

TARGETS = ("target", "label", "y", "class", "outcome", "response")
SENSITIVE = {
    "sex", "gender", "race", "ethnicity", "ethnic", "age", "religion", "nationality", "disability", "citizenship",
    "orientation", "pregnancy", "pregnant", "caste",
}  # fmt: skip
ID = {"id", "uuid", "guid", "key", "ssn", "email"}


def guess_target(table: Table) -> tuple[str, str]:
    """The column to predict, and why: by its name, else the last column that holds more than one value."""
    for wanted in TARGETS:
        for column in table.columns:
            if column.name.strip().lower() == wanted:
                return column.name, "guessed: its name says so; --target names another"
    for column in reversed(table.columns):
        if len(column.levels) > 1:
            last = column is table.columns[-1]
            return (
                column.name,
                f"guessed: the last column{'' if last else ' with two values or more'}; --target names another",
            )
    return table.columns[-1].name, "guessed: the last column; --target names another"


def sensitive(table: Table, target: str) -> list[str]:
    """Columns that seem to hold what a person is born with or believes, by a word of their names."""
    return [column.name for column in table.columns if column.name != target and _words(column.name) & SENSITIVE]


def identifiers(table: Table, target: str) -> list[str]:
    """Columns that seem to name a row: by their names, with a value of its own in nearly every row."""
    return [column.name for column in table.columns if column.name != target and identifies(column)]


def time_columns(table: Table, target: str) -> list[str]:
    """Columns that hold dates."""
    return [column.name for column in table.columns if column.name != target and column.kind == "date"]


def identifies(column: Glance) -> bool:
    """Whether a column seems to name its rows."""
    filled = column.rows - column.missing
    own = filled > 1 and (column.more_levels or len(column.levels) > 0.9 * filled)
    return own and bool(_words(column.name) & ID)


def _words(name: str) -> set[str]:
    """`nativeCountry`, `native_country` and `native country` are the same two words."""
    split = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    return set(re.findall(r"[^\W_]+", split.lower()))
