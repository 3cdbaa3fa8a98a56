"""The text of a new pipeline file: the lines that are needed, and comments with what the data file contains."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import yaml

from cli import guess
from cli.data_summary import ColumnSummary, DataSummary
from modelcycle.personal.decide import KEPT_KINDS
from modelcycle.personal.detect import detect
from modelcycle.reading import SUFFIXES
from modelcycle.spec.sources import Csv

MAX_MODEL_NAME_CHARACTERS = 48
MAX_COLUMN_NAME_CHARACTERS = 32  # of a column, in a comment
MAX_EXAMPLE_CHARACTERS = 24
MAX_COMMENT_CHARACTERS = 120
MAX_EXAMPLES = 3  # of a column
MAX_DESCRIBED_COLUMNS = 200
YAML_WIDTH = 10**9  # keeps a text on one line


def model_name(data: Path) -> str:
    """Return a valid model name made from a file's name.

    >>> model_name(Path("Adult Income.csv.gz"))
    'adult-income'
    """
    stem = data.name.lower()
    for suffix in SUFFIXES:
        stem = stem.removesuffix(suffix)
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:MAX_MODEL_NAME_CHARACTERS].strip("-")
    return name or "model"


def draft(name: str, target: str, why: str, summary: DataSummary, data: Path) -> str:
    """Return the text of a pipeline file. Guesses that would change what the model learns are comments.

    Parameters
    ----------
    name : of the model
    target : column to predict
    why : the reason for this target
    summary : of the data file
    data : its path
    """
    return "\n".join([
        f"# Written by `modelcycle init` from the {summary.rows:,} rows of {comment(data.name)}.",
        *(f"# The file: {comment(note)}" for note in summary.notes),
        "# The two lines below are enough; `modelcycle schema` lists every other key.",
        f"name: {scalar(name)}",
        f"target: {scalar(target)}  # {comment(why)}",
        *_source(summary.csv),
        "",
        *_date_suggestion(summary, target),
        *[line for one in suggestions(summary, target) for line in _suggestion(*one)],
        *_personal_suggestion(summary, target),
        "# The columns (each run decides again what they hold, from all its rows):",
        *_descriptions(summary, target),
        "",
    ])  # fmt: skip


def suggestions(summary: DataSummary, target: str) -> list[tuple[str, list[str], str]]:
    """Return keys that a person may want, with the columns that seem to fit, and what each key does."""
    found = [
        (
            "time_column",
            guess.time_columns(summary, target)[:1],
            "splits by time, so the newest rows are the test rows",
        ),
        ("id_columns", guess.identifier_columns(summary, target), "identify rows or people; never features"),
        ("group_by", guess.group_columns(summary, target)[:1], "rows of one value belong together; never a feature"),
        ("sensitive_columns", guess.sensitive_columns(summary, target), "for fairness metrics; never features"),
    ]
    return [(key, names, purpose) for key, names, purpose in found if names]


def personal_columns(summary: DataSummary, target: str) -> dict[str, str]:
    """Return the columns that look like personal data, and of which kind."""
    return {
        column.name: seen.kind
        for column in summary.columns
        if column.name != target and (seen := detect(column.name, list(column.levels))) is not None
    }


def scalar(text: str) -> str:
    """Return a text as YAML on one line.

    >>> scalar("income"), scalar("yes"), scalar("a: b")
    ('income', "'yes'", "'a: b'")
    """
    if text.isprintable():
        dumped: str = yaml.safe_dump(text, width=YAML_WIDTH, allow_unicode=True)
        return dumped.removesuffix("\n").removesuffix("\n...")
    return _escaped(text)


def flow_scalar(text: str) -> str:
    """Return a text as YAML between the brackets of a list.

    >>> flow_scalar("a,b")
    "'a,b'"
    """
    if text.isprintable():
        dumped: str = yaml.safe_dump([text], width=YAML_WIDTH, allow_unicode=True, default_flow_style=True)
        return dumped.strip()[1:-1]
    return _escaped(text)


def comment(text: str, width: int = MAX_COMMENT_CHARACTERS) -> str:
    """Return a text that cannot end its comment: printable, on one line, at most `width` characters."""
    plain = "".join(character if character.isprintable() else " " for character in " ".join(text.split()))
    return plain if len(plain) <= width else plain[: width - 3] + "..."


def _escaped(text: str) -> str:
    """Return a text as YAML in double quotes, with escapes for line breaks and other invisible characters."""
    dumped: str = yaml.safe_dump(text, width=YAML_WIDTH, allow_unicode=False, default_style='"')
    return dumped.removesuffix("\n")


def _suggestion(key: str, names: list[str], purpose: str) -> list[str]:
    """Return a key as a comment; it takes effect when a person removes the #."""
    value = scalar(names[0]) if key == "time_column" else "[" + ", ".join(map(flow_scalar, names)) + "]"
    return [f"# {purpose}:", f"# {key}: {value}", ""]


def _personal_suggestion(summary: DataSummary, target: str) -> list[str]:
    """Return what a run will do by itself with columns that look personal, as keys in a comment."""
    found = personal_columns(summary, target)
    if not found:
        return []
    used = {name: key for key, names, _ in suggestions(summary, target) for name in names}
    columns = ", ".join(f"{flow_scalar(name)}: {_treatment(kind, used.get(name))}" for name, kind in found.items())
    kinds = "; ".join(f"{comment(name, MAX_COLUMN_NAME_CHARACTERS)}: {kind}" for name, kind in found.items())
    return [
        f"# personal data; what a run does with them unless you say otherwise ({comment(kinds)}):",
        f"# privacy: {{columns: {{{columns}}}}}  # drop, mask, pseudonymise, encrypt or keep",
        "",
    ]


def _treatment(kind: str, key: str | None) -> str:
    """Return what to propose for a personal column: what the key that is proposed for it too can work with."""
    if key in ("id_columns", "group_by"):
        return "pseudonymise"
    return "keep" if kind.startswith(KEPT_KINDS) or key is not None else "drop"


def _source(csv: Csv) -> list[str]:
    """Return the dialect that was given, as keys: a run needs it too."""
    given = csv.model_dump(exclude_none=True)
    if not given:
        return []
    values = ", ".join(
        f"{key}: {flow_scalar(value) if isinstance(value, str) else value}" for key, value in given.items()
    )
    return [f"source: {{csv: {{{values}}}}}"]


def ambiguous_dates(summary: DataSummary, target: str) -> list[ColumnSummary]:
    """Return the columns of dates whose day and month could be swapped."""
    return [column for column in summary.columns if column.other_format and column.name != target]


def date_order(format: str) -> str:  # noqa: A002
    """Return the order of day and month in a date format, for people.

    >>> date_order("%d/%m/%Y")
    'day first'
    """
    return "day first" if format.index("%d") < format.index("%m") else "month first"


def _date_suggestion(summary: DataSummary, target: str) -> list[str]:
    """Return the other way to read ambiguous dates, as a comment."""
    columns = ambiguous_dates(summary, target)
    if not columns:
        return []
    read = ", ".join(
        f"{comment(column.name, MAX_COLUMN_NAME_CHARACTERS)} {date_order(column.format)}" for column in columns
    )
    formats = ", ".join(f"{flow_scalar(column.name)}: {flow_scalar(column.other_format)}" for column in columns)
    return [
        f"# no day is above 12, so these dates could be read in two ways; they are read as: {read}. The other way:",
        f"# features: {{dates: {{{formats}}}}}",
        "",
    ]


def _descriptions(summary: DataSummary, target: str) -> list[str]:
    columns = summary.columns[:MAX_DESCRIBED_COLUMNS]
    names = [comment(column.name, MAX_COLUMN_NAME_CHARACTERS) for column in columns]
    width = max(len(name) for name in names)
    lines = [
        f"#   {name:<{width}}  {_description(column, target)}" for name, column in zip(names, columns, strict=True)
    ]
    more = len(summary.columns) - len(columns)
    return [*lines, *([f"#   and {more:,} more"] if more else [])]


def _description(column: ColumnSummary, target: str) -> str:
    if column.kind == "empty":
        return "empty"
    kind: str = "whole number" if column.kind == "number" and column.is_integer else column.kind
    if column.format not in ("", "iso"):
        kind = f"{kind} written {comment(column.format, MAX_EXAMPLE_CHARACTERS)}"
    words = ", ".join(comment(word, MAX_EXAMPLE_CHARACTERS) for word in list(column.words)[:MAX_EXAMPLES])
    missing = f"{column.missing_share:.1%} missing{f' ({words})' if words else ''}, " if column.missing else ""
    note = f"; {comment(column.note)}" if column.note else ""
    # without examples: the file should not name people
    if guess.is_identifier(column) or detect(column.name, list(column.levels)) is not None:
        return f"{kind}: {missing}{column.distinct} distinct{note}"
    role = ", the target" if column.name == target else ""
    frequent = sorted(column.levels, key=lambda level: -column.levels[level])[:MAX_EXAMPLES]
    # texts that begin alike look alike once they are cut
    examples = ", ".join(dict.fromkeys(comment(level, MAX_EXAMPLE_CHARACTERS) for level in frequent))
    return f"{kind}{role}: {missing}{column.distinct} distinct, such as {examples}{note}"
