"""The text of a new pipeline file: three lines that work, and comments that say what was seen."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import yaml

from cli import guess
from cli.glance import Glance, Table
from modelcycle.reading import SUFFIXES

WIDEST_NAME = 32
MOST_EXAMPLES = 3
MOST_COLUMNS = 200  # described one by one


def model_name(data: Path) -> str:
    """A model's name from a file's: a-z, 0-9 and -, at most 48."""
    stem = data.name.lower()
    for suffix in SUFFIXES:
        stem = stem.removesuffix(suffix)
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:48].strip("-") or "model"


def draft(name: str, target: str, why: str, table: Table, data: Path) -> str:
    """The file's text. What is only a guess, and would change what the model sees, stands in a comment."""
    suggestions = [
        ("time_column", guess.time_columns(table, target)[:1], "orders the rows: the test rows are then the latest"),
        ("id_columns", guess.identifiers(table, target), "kept for joins and erasure, never a feature"),
        ("sensitive_columns", guess.sensitive(table, target), "measured for fairness, no feature"),
    ]
    seen = f"{table.rows:,} rows" if table.whole else f"the first {table.rows:,} rows"
    return "\n".join([
        f"# Written by `modelcycle init` after a look at {seen} of {comment(data.name)}.",
        "# The two lines below are enough; `modelcycle schema` lists every other key.",
        f"name: {scalar(name)}",
        f"target: {scalar(target)}  # {comment(why)}",
        "",
        *[line for key, names, what in suggestions if names for line in _suggested(key, names, what)],
        "# The columns as they look (decided for good in each run, from all rows):",
        *_described(table, target),
        "",
    ])  # fmt: skip


def scalar(text: str) -> str:
    """Text as YAML reads it back, on one line."""
    if text.isprintable():
        written: str = yaml.safe_dump(text, width=10**9, allow_unicode=True)
        return written.removesuffix("\n").removesuffix("\n...")
    return _escaped(text)


def flow(text: str) -> str:
    """Text as YAML reads it back inside [ ]."""
    if text.isprintable():
        written: str = yaml.safe_dump([text], width=10**9, allow_unicode=True, default_flow_style=True)
        return written.strip()[1:-1]
    return _escaped(text)


def _escaped(text: str) -> str:
    """In double quotes: line breaks and other letters that nobody sees stand as escapes."""
    written: str = yaml.safe_dump(text, width=10**9, allow_unicode=False, default_style='"')
    return written.removesuffix("\n")


def comment(text: str, width: int = 120) -> str:
    """Text that cannot end its comment: one line, printable."""
    plain = "".join(letter if letter.isprintable() else " " for letter in " ".join(text.split()))
    return plain if len(plain) <= width else plain[: width - 3] + "..."


def _suggested(key: str, names: list[str], what: str) -> list[str]:
    """A line that does nothing until a person takes the # away."""
    value = scalar(names[0]) if key == "time_column" else "[" + ", ".join(flow(name) for name in names) + "]"
    return [f"# {what}:", f"# {key}: {value}", ""]


def _described(table: Table, target: str) -> list[str]:
    shown = table.columns[:MOST_COLUMNS]
    width = min(WIDEST_NAME, max(len(comment(column.name, WIDEST_NAME)) for column in shown))
    lines = [f"#   {comment(column.name, WIDEST_NAME):<{width}}  {_look(column, target)}" for column in shown]
    more = len(table.columns) - len(shown)
    return [*lines, *([f"#   and {more:,} more"] if more else [])]


def _look(column: Glance, target: str) -> str:
    if column.kind == "nothing":
        return "no value"
    kind = "whole number" if column.kind == "number" and column.whole else column.kind
    often = sorted(column.levels, key=lambda level: -column.levels[level])[:MOST_EXAMPLES]
    missing = f"{column.missing_share:.1%} missing, " if column.missing else ""
    if guess.identifies(column):  # what names a person need not stand in one more file
        return f"{kind}: {missing}{column.distinct} distinct"
    role = ", the target" if column.name == target else ""
    return (
        f"{kind}{role}: {missing}{column.distinct} distinct, such as {', '.join(comment(level, 24) for level in often)}"
    )
