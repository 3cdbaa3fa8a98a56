"""Guesses from column names and values; `init` writes them into the pipeline file for a person to check."""

from __future__ import annotations

import re

from cli.data_summary import ColumnSummary, DataSummary

TARGET_NAMES = ("target", "label", "y", "class", "outcome", "response")
SENSITIVE_WORDS = {
    "sex", "gender", "race", "ethnicity", "ethnic", "age", "religion", "nationality", "disability", "citizenship",
    "orientation", "pregnancy", "pregnant", "caste",
}  # fmt: skip
IDENTIFIER_WORDS = {"id", "uuid", "guid", "key", "ssn", "email"}
ENTITY_WORDS = {
    "account", "client", "customer", "device", "household", "member", "patient", "person", "session", "subject", "user",
}  # fmt: skip
MIN_GROUPS = 20
MIN_DISTINCT_SHARE = 0.9  # of the values of an identifier
HINT = "choose another with --target"


def guess_target(summary: DataSummary) -> tuple[str, str]:
    """Return the column to predict and the reason: a usual name, otherwise the last column that varies."""
    for name in TARGET_NAMES:
        for column in summary.columns:
            if column.name.strip().lower() == name:
                return column.name, f"guessed by its name; {HINT}"
    last = summary.columns[-1]
    for column in reversed(summary.columns):
        if column.distinct_count > 1:
            which = "the last column" if column is last else "the last column with at least two values"
            return column.name, f"guessed: {which}; {HINT}"
    return last.name, f"guessed: the last column; {HINT}"


def sensitive_columns(summary: DataSummary, target: str) -> list[str]:
    """Return the columns with a name that suggests a protected attribute of people."""
    return [
        column.name for column in summary.columns if column.name != target and _words(column.name) & SENSITIVE_WORDS
    ]


def identifier_columns(summary: DataSummary, target: str) -> list[str]:
    """Return the columns that seem to identify rows."""
    return [column.name for column in summary.columns if column.name != target and is_identifier(column)]


def group_columns(summary: DataSummary, target: str) -> list[str]:
    """Return the columns that seem to say to whom a row belongs: by the last word of the name, and values repeat."""
    return [
        column.name
        for column in summary.columns
        if column.name != target
        and set(_word_list(column.name)[-1:]) & (IDENTIFIER_WORDS | ENTITY_WORDS)
        and MIN_GROUPS <= column.distinct_count <= MIN_DISTINCT_SHARE * (column.rows - column.missing)
    ]


def time_columns(summary: DataSummary, target: str) -> list[str]:
    """Return the columns of dates."""
    return [column.name for column in summary.columns if column.name != target and column.kind == "date"]


def is_identifier(column: ColumnSummary) -> bool:
    """Return whether a column seems to identify rows: by its name, and nearly every value is distinct."""
    present = column.rows - column.missing
    distinct = present > 1 and column.distinct_count > MIN_DISTINCT_SHARE * present
    return distinct and bool(_words(column.name) & IDENTIFIER_WORDS)


def _words(name: str) -> set[str]:
    """Return the words of a name: `nativeCountry`, `native_country` and `native country` have the same two."""
    return set(_word_list(name))


def _word_list(name: str) -> list[str]:
    split = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    return re.findall(r"[^\W_]+", split.lower())
