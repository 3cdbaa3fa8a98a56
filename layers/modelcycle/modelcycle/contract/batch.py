"""The rows that a run brings beside those that the live version has learned from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from modelcycle.cells.reading import Reading, missing_texts_of, parsed_sql, present_text_sql
from modelcycle.contract.measured import Spread, spreads
from modelcycle.contract.terms import ContractFile
from modelcycle.contract.violations import MAX_EXAMPLE_CHARACTERS, MAX_EXAMPLES, Example
from modelcycle.engine import batches

MAX_TEXTS = 10_000  # distinct ones of a column that are compared
MAX_SAMPLE_TEXTS = 50  # distinct texts that do not parse, from which the reason is guessed


class Cells(NamedTuple):
    """Of one column: its rows, those with a value, and those whose value parses."""

    rows: int
    present: int
    read: int


@dataclass(frozen=True)
class Batch:
    """New rows as texts.

    Parameters
    ----------
    engine : DuckDB connection
    source : a view with row_id, file, row and the columns as texts
    rows : how many it has
    files : by number
    texts : SQL of a column's text without white space around it, NULL for a missing value, by name
    readings : how the texts are read, by name; columns that are not read are absent
    missing_values : texts that mean a missing value in every column
    personal : columns of which no sentence quotes a value
    known : what has been measured already
    """

    engine: Any
    source: str
    rows: int
    files: Mapping[int, ContractFile]
    texts: Mapping[str, str]
    readings: Mapping[str, Reading]
    missing_values: tuple[str, ...] = ()
    personal: frozenset[str] = frozenset()
    known: dict[str, Any] = field(default_factory=dict)

    def spreads(self) -> dict[str, Spread]:
        """Return the spread of all numbers and dates, measured once."""
        if "spreads" not in self.known:
            typed = {
                name: self.parsed(name)
                for name, reading in self.readings.items()
                if reading.type != "text" and name in self.texts
            }
            self.known["spreads"] = spreads(self.engine, self.source, typed, self.rows)
        found: dict[str, Spread] = self.known["spreads"]
        return found

    def counts(self, name: str) -> dict[str, int]:
        """Return the rows of the most frequent texts of a column, at most MAX_TEXTS, counted once."""
        key = f"texts {name}"
        if key not in self.known:
            self.known[key] = dict(
                self.engine.execute(
                    f"SELECT text, count(*) AS rows FROM (SELECT {self.present(name)} AS text FROM {self.source})"
                    f" WHERE text IS NOT NULL GROUP BY text ORDER BY rows DESC, text LIMIT {MAX_TEXTS}"
                ).fetchall()
            )
        found: dict[str, int] = self.known[key]
        return found

    def present(self, name: str, reading: Reading | None = None) -> str:
        """Return SQL of a column's text, NULL where it means a missing value."""
        reading = reading or self.readings[name]
        return present_text_sql(missing_texts_of(reading, self.missing_values), self.texts[name])

    def parsed(self, name: str, reading: Reading | None = None) -> str:
        """Return SQL of a column's typed value, NULL where it does not parse."""
        reading = reading or self.readings[name]
        return f"({parsed_sql(reading, self.present(name, reading) if reading.type == 'text' else self.texts[name])})"

    def unread(self, name: str) -> str:
        """Return SQL for whether a cell has a value that does not parse."""
        return f"({self.present(name)}) IS NOT NULL AND {self.parsed(name)} IS NULL"

    def cells(self, names: Iterable[str]) -> dict[str, Cells]:
        """Count the cells of some columns."""
        counted: dict[str, Cells] = {}
        for batch in batches(list(names)):
            counts = ", ".join(f"count({self.present(name)}), count({self.parsed(name)})" for name in batch)
            rows, *found = self.engine.execute(f"SELECT count(*), {counts} FROM {self.source}").fetchone()
            for number, name in enumerate(batch):
                counted[name] = Cells(rows, *found[2 * number : 2 * number + 2])
        return counted

    def count(self, condition: str) -> int:
        """Count the rows that meet a condition."""
        rows: int = self.engine.execute(f"SELECT count(*) FROM {self.source} WHERE {condition}").fetchone()[0]
        return rows

    def order(self) -> str:
        """Return SQL that sorts rows that were there before those of the batch, each in their order."""
        return f"file IN ({', '.join(str(number) for number in self.files) or '-1'}), row_id"

    def examples(self, condition: str, text: str = "NULL") -> list[Example]:
        """Return the first rows that meet a condition, with a text of each."""
        rows = self.engine.execute(
            f"SELECT file, row, left(({text})::VARCHAR, {MAX_EXAMPLE_CHARACTERS}) FROM {self.source}"
            f" WHERE {condition} ORDER BY row_id LIMIT {MAX_EXAMPLES}"
        ).fetchall()
        return [Example(file=self.name_of(file), row=row, text=text) for file, row, text in rows]

    def name_of(self, file: int) -> str:
        """Return a file's name for people."""
        return self.files[file].key.split("/", 2)[-1] if file in self.files else str(file)

    def sample_unread(self, name: str) -> dict[str, int]:
        """Return the most frequent texts of a column that do not parse, with their numbers."""
        return dict(
            self.engine.execute(
                f"SELECT {self.texts[name]} AS text, count(*) AS cells FROM {self.source} WHERE {self.unread(name)}"
                f" GROUP BY text ORDER BY cells DESC, text LIMIT {MAX_SAMPLE_TEXTS}"
            ).fetchall()
        )
