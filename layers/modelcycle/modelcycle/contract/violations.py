"""Broken rules, and the report that lists all of them.

Anomalies have the names of TensorFlow Data Validation (`AnomalyInfo.Type` of anomalies.proto), so that people and tools
who know these know ours.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from modelcycle.faults import BadData
from modelcycle.spec import Check, Level

MAX_EXAMPLES = 5  # rows that a violation names
MAX_EXAMPLE_CHARACTERS = 80
MAX_SENTENCES = 20  # in a message; the report has all
MAX_SENTENCE_CHARACTERS = 300

Anomaly = Literal[
    "SCHEMA_MISSING_COLUMN", "SCHEMA_NEW_COLUMN", "FLOAT_TYPE_STRING_NOT_FLOAT", "INT_TYPE_NOT_INT_STRING",
    "BOOL_TYPE_UNEXPECTED_STRING", "UNEXPECTED_DATA_TYPE", "STRING_TYPE_NOW_FLOAT", "STRING_TYPE_NOW_INT",
    "FLOAT_TYPE_SMALL_FLOAT", "FLOAT_TYPE_BIG_FLOAT", "INT_TYPE_SMALL_INT", "INT_TYPE_BIG_INT",
    "ENUM_TYPE_UNEXPECTED_STRING_VALUES", "FEATURE_TYPE_LOW_FRACTION_PRESENT", "FEATURE_TYPE_NOT_PRESENT",
    "FEATURE_TYPE_LOW_UNIQUE", "DATASET_LOW_NUM_EXAMPLES", "DATASET_HIGH_NUM_EXAMPLES",
    "COMPARATOR_LOW_NUM_EXAMPLES", "COMPARATOR_L_INFTY_HIGH", "COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH",
    "NO_DATA_IN_SPAN", "CUSTOM_VALIDATION",
]  # fmt: skip


class Example(BaseModel):
    """A row that breaks a rule; `text` is in the report only, never in a message or log."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str
    row: int
    text: str | None = None


class Violation(BaseModel):
    """A broken rule.

    Parameters
    ----------
    column : empty for a rule of the whole table
    what : a sentence for people, without its examples
    count, of : how many cells, rows or files break it, of how many
    match : the likeliest other name of a column or class
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    anomaly: Anomaly
    check: Check
    level: Level
    column: str = ""
    what: str
    count: int = 0
    of: int = 0
    match: str | None = None
    examples: list[Example] = []

    def sentence(self) -> str:
        """Return it for the screen, with the rows where it is.

        >>> violation = Violation(anomaly="INT_TYPE_BIG_INT", check="range", level="warn", column="age",
        ...     what="age: 1 of 9 values is above 120", examples=[Example(file="feb.csv", row=7, text="999")])
        >>> violation.sentence()
        'age: 1 of 9 values is above 120 (feb.csv row 7)'
        """
        rows: dict[str, list[int]] = {}
        for example in self.examples[:3]:
            rows.setdefault(example.file, []).append(example.row)
        where = "; ".join(
            f"{file} row{'s' if len(numbers) > 1 else ''} {', '.join(f'{number}' for number in numbers)}"
            for file, numbers in rows.items()
        )
        return f"{self.what} ({where})" if where else self.what


class Report(BaseModel):
    """Everything that was checked of a batch, as an artifact.

    Parameters
    ----------
    version : whose contract the batch was held to; None if only the rules of the pipeline file were checked
    files : of the batch
    rows : of the batch
    violations : all of them, the gravest first
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    version: int | None
    files: list[str]
    rows: int
    violations: list[Violation]
    columns: int

    def of_level(self, *levels: Level) -> list[Violation]:
        """Return the violations of some levels."""
        return [violation for violation in self.violations if violation.level in levels]

    def sentences(self, *levels: Level) -> list[str]:
        """Return the violations of some levels as sentences, at most MAX_SENTENCES."""
        found = [violation.sentence() for violation in self.of_level(*levels)]
        more = len(found) - MAX_SENTENCES
        return [
            *(text if len(text) <= MAX_SENTENCE_CHARACTERS else f"{text[: MAX_SENTENCE_CHARACTERS - 3]}..."
              for text in found[:MAX_SENTENCES]),
            *([f"{more:,} more broken rules"] if more > 0 else []),
        ]  # fmt: skip

    def fault(self) -> BadData:
        """Return the fault of a run that may not go on; it names all violations."""
        others = self.sentences("ask", "quarantine", "warn")
        also = f"; also: {'; '.join(others)}" if others else ""
        checks = ", ".join(dict.fromkeys(f"{one.check}: warn" for one in self.of_level("fail")))
        against = f"the contract of version {self.version}" if self.version is not None else "the pipeline file"
        return BadData(
            f"the new rows break {against}: {'; '.join(self.sentences('fail'))}{also}",
            ", ".join(self.files[:3]) + (f" and {len(self.files) - 3} more" if len(self.files) > 3 else ""),
            "correct the file and upload it again, or allow it in the pipeline file with"
            f" schema: {{levels: {{{checks}}}}};"
            f" modelcycle contract {self.model} shows what is expected",
        )  # fmt: skip


def with_share(count: int, of: int) -> str:
    """Return a count with its share, for a sentence.

    >>> with_share(1, 2000), with_share(300, 3000)
    ('1 of 2,000 values', '300 of 3,000 values (10.0 %)')
    """
    share = f" ({100 * count / of:.1f} %)" if count >= 0.001 * of else ""
    return f"{count:,} of {of:,} values{share}"
