"""What the columns of a data file contain, over all its rows, as a run would read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from cli.data_file import DataFile, open_data_file
from modelcycle.cells import dates
from modelcycle.cells.column import Column
from modelcycle.cells.missing import USUAL
from modelcycle.cells.reading import missing_texts_of, parsed_sql
from modelcycle.engine import batches
from modelcycle.faults import NoData
from modelcycle.reading.column_names import check_second_column
from modelcycle.spec.sources import Csv
from modelcycle.sql_literal import literal

MAX_COUNTED_VALUES = 1_000  # distinct values of a column that are counted
APPROXIMATION = 1.2  # approx_count_distinct may be so much too low
MAX_EXACT_ROWS = 200_000  # of a file whose distinct values are all counted exactly: more would take too much memory
EXAMPLE_ROWS = 300  # from which the examples of a column with more distinct values are taken

Kind = Literal["number", "date", "true or false", "text", "empty"]
KINDS: dict[str, Kind] = {"number": "number", "boolean": "true or false", "datetime": "date", "text": "text"}


@dataclass
class ColumnSummary:
    """One column.

    Parameters
    ----------
    name : of the column
    kind : what its values are
    rows, missing : number of rows, and of those without a value that can be read
    is_integer : whether all values are whole numbers
    levels : rows by distinct text, the most frequent first; if there are more than MAX_COUNTED_VALUES, some of them
    distinct_count : number of distinct texts; if `estimated`, about
    estimated : there are more than MAX_COUNTED_VALUES, in more than MAX_EXACT_ROWS rows
    words : rows by text that means a missing value
    format : how dates or numbers are written, "" if as usual
    other_format : how the dates could be read as well, with day and month swapped; "" if they cannot
    note : what was decided about the texts, for people
    """

    name: str
    kind: Kind = "empty"
    rows: int = 0
    missing: int = 0
    is_integer: bool = False
    levels: dict[str, int] = field(default_factory=dict)
    distinct_count: int = 0
    estimated: bool = False
    words: dict[str, int] = field(default_factory=dict)
    format: str = ""
    other_format: str = ""
    note: str = ""

    @property
    def has_more_levels(self) -> bool:
        """Whether `levels` are not all distinct texts."""
        return self.distinct_count > len(self.levels)

    @property
    def distinct(self) -> str:
        """The number of distinct values, for people."""
        if not self.has_more_levels:
            return f"{len(self.levels):,}"
        number = min(self.distinct_count, self.rows - self.missing)
        return f"about {number:,}" if self.estimated else f"{number:,}"

    @property
    def missing_share(self) -> float:
        """Share of the rows without a value, 0 to 1."""
        return self.missing / self.rows if self.rows else 0.0


@dataclass
class DataSummary:
    """The columns in the file's order.

    Parameters
    ----------
    columns, rows : of the file
    notes : what was found in the file that is not usual; its broken lines too
    csv : the dialect that was given for the file
    """

    columns: list[ColumnSummary]
    rows: int
    notes: list[str] = field(default_factory=list)
    csv: Csv = field(default_factory=Csv)

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return [column.name for column in self.columns]


def summarize(path: Path, csv: Csv | None = None) -> DataSummary:
    """Summarize a file.

    Raises
    ------
    NoData : the file has no rows
    UnreadableFile, BadData : see `open_data_file`
    """
    from modelcycle.column_types import create_clean_rows, infer_columns

    with open_data_file(path, csv) as file:
        if not file.table.rows:
            raise NoData("the file has no rows", str(path), "add rows below the header, or one JSON object per line")
        if not file.table.sparse:
            check_second_column(file.names, str(path))
        engine = file.engine
        rows = create_clean_rows(engine, [file.table.path], len(file.names), [""], file.table.path.parent)
        names = dict(enumerate(file.names))
        columns = [ColumnSummary(name, rows=rows) for name in file.names]
        for batch in batches(list(names)):
            _count_texts(engine, batch, columns)
        last = next((n for n in reversed(names) if columns[n].distinct_count > 1), len(columns) - 1)
        inferred = infer_columns(engine, names, {}, target=last, decide_missing=True)
        for batch in batches(list(names)):
            _count_values(engine, batch, columns, inferred)
        return DataSummary(columns, rows, _notes(file), csv or Csv())


def _notes(file: DataFile) -> list[str]:
    return [*file.table.notes, *([file.skipped_lines()] if file.table.broken else [])]


def _count_texts(engine: Any, batch: Sequence[int], columns: list[ColumnSummary]) -> None:
    """Count the distinct texts of columns; find the most frequent ones, or some."""
    exact = columns[batch[0]].rows <= MAX_EXACT_ROWS
    counted = "count(DISTINCT c{})" if exact else "approx_count_distinct(c{})"
    estimates = engine.execute(f"SELECT {', '.join(map(counted.format, batch))} FROM clean_rows").fetchone()
    few = [number for number, estimate in zip(batch, estimates, strict=True) if estimate <= MAX_COUNTED_VALUES]
    many = [number for number in batch if number not in few]
    if few:
        counts = engine.execute(f"SELECT {', '.join(f'histogram(c{n})' for n in few)} FROM clean_rows").fetchone()
        for number, levels in zip(few, counts, strict=True):
            columns[number].levels = dict(sorted((levels or {}).items(), key=lambda level: (-level[1], level[0])))
            columns[number].distinct_count = len(columns[number].levels)
    if many:
        sample = engine.execute(
            f"SELECT {', '.join(f'c{n}' for n in many)} FROM clean_rows WHERE row_id <= {EXAMPLE_ROWS}"
        ).fetchall()
        for position, number in enumerate(many):
            texts = [row[position] for row in sample if row[position] is not None]
            columns[number].levels = dict.fromkeys(texts, 1)
            found = estimates[batch.index(number)]
            columns[number].estimated = not exact
            columns[number].distinct_count = found if exact else max(found, len(columns[number].levels) + 1)


def _count_values(
    engine: Any, batch: Sequence[int], columns: list[ColumnSummary], inferred: dict[int, Column]
) -> None:  # fmt: skip
    """Count what is missing, with its words; find out which dates could be read in another way."""
    queries: list[str] = []
    for number in batch:
        column, text = inferred[number], f"c{number}"
        value = parsed_sql(column, text)
        words = ", ".join(literal(word) for word in sorted(missing_texts_of(column) | USUAL))
        other = _swapped(column)
        queries += [
            f"count({value})",
            f"bool_and({value} = trunc({value}))" if column.type == "number" else "false",
            f"histogram({text}) FILTER (WHERE {text} IN ({words}))",
            f"count({dates.sql(text, other)})" if other else "0",
        ]
    counts = engine.execute(f"SELECT {', '.join(queries)} FROM clean_rows").fetchone()
    for position, number in enumerate(batch):
        read, is_integer, words_found, read_swapped = counts[4 * position : 4 * position + 4]
        column, summary = inferred[number], columns[number]
        missing = missing_texts_of(column)
        summary.kind = KINDS[column.type] if read else "empty"
        summary.missing = summary.rows - read
        summary.is_integer = bool(is_integer)
        summary.words = {word: rows for word, rows in (words_found or {}).items() if word in missing}
        summary.levels = {text: rows for text, rows in summary.levels.items() if text not in missing}
        if not summary.distinct_count > MAX_COUNTED_VALUES:
            summary.distinct_count = len(summary.levels)
        summary.format, summary.note = column.format, column.note
        summary.other_format = _swapped(column) if read and read_swapped == read else ""


def _swapped(column: Column) -> str:
    """Return a date format with day and month swapped, "" if there is none.

    >>> _swapped(Column(name="sold", type="datetime", format="%d/%m/%Y %H:%M"))
    '%m/%d/%Y %H:%M'
    """
    swapped = column.format.translate(str.maketrans("dm", "md")) if column.type == "datetime" else ""
    return swapped if swapped != column.format and swapped in dates.FORMATS else ""
