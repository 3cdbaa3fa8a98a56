"""From DuckDB to numpy: the tables that training and serving read, one part at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle import data_need
from modelcycle.cells.column import Column
from modelcycle.engine import batches
from modelcycle.faults import BadData
from modelcycle.model import npz
from modelcycle.model.columns import Columns, Values, table_arrays
from modelcycle.model.ordered_values import OrderedValues, ordered_values
from modelcycle.model.typed_sql import CASTS, MAX_BATCH_CELLS, fetch_batch, fetch_levels, fetch_values
from modelcycle.store import MAX_OBJECT_BYTES

MAX_HELD_CELLS = 4_000_000  # of a part; one with more is read column by column
MAX_TEXT_COLUMN_BYTES = 2**30  # of all text columns together; one part of one column is in memory at a time


def check_size(engine: Any, columns: dict[int, Column], rows: int, scale: int = 1) -> None:
    """Check that the kept rows fit into the memory of the place where they are read.

    Parameters
    ----------
    columns : by number, without the target
    rows : kept rows
    scale : by which the limits of a function are multiplied here, see `Workplace.scale`

    Raises
    ------
    BadData : names the limit, and the largest column
    """
    max_cells, max_text_bytes = data_need.MAX_CELLS * scale, MAX_TEXT_COLUMN_BYTES * scale
    if rows * len(columns) > max_cells:
        raise BadData(
            f"{rows:,} rows of {len(columns)} columns exceed the limit of {max_cells:,} values", "preprocess",
            f"keep {max_cells // len(columns):,} rows, or list columns in drop_columns", outgrows=True,
        )  # fmt: skip
    text_bytes: dict[str, int] = {}
    text_columns = [number for number, column in columns.items() if column.type == "text"]
    for batch in batches(text_columns, rows, MAX_BATCH_CELLS):
        sizes = engine.execute(
            f"SELECT {', '.join(f'coalesce(sum(strlen(c{number})), 0)' for number in batch)} FROM kept_rows"
        ).fetchone()
        text_bytes |= {columns[number].name: int(size) for number, size in zip(batch, sizes, strict=True)}
    total = sum(text_bytes.values())
    if total > max_text_bytes:
        largest = max(text_bytes, key=lambda name: text_bytes[name])
        raise BadData(
            f"the text columns have {total >> 20} MiB; the limit is {max_text_bytes >> 20}",
            f"column {largest}: {text_bytes[largest] >> 20} MiB",
            "list it in drop_columns, or keep fewer rows", outgrows=True,
        )  # fmt: skip


class PartValues(Mapping[str, Values]):
    """The columns of a part, read when they are asked for; those read last are kept, up to MAX_HELD_CELLS.

    The levels of a text column are those of the part: the training table has no text that occurs only in test rows.

    Parameters
    ----------
    part : number of `split.PARTS`
    rows : of the part
    columns : by number, without the target
    """

    def __init__(self, engine: Any, part: int, rows: int, columns: dict[int, Column]) -> None:
        self.engine, self.source, self.rows = engine, f"kept_rows WHERE part = {part}", rows
        self.typed = {column.name: (f"c{number}", column.type) for number, column in columns.items()}
        self.batches = [list(batch) for batch in batches(list(self.typed), rows, MAX_BATCH_CELLS)]
        self.batch_of = {name: number for number, batch in enumerate(self.batches) for name in batch}
        self.max_held = max(1, MAX_HELD_CELLS // max(1, rows * max(map(len, self.batches), default=1)))  # batches
        self.held: dict[int, dict[str, Values]] = {}

    def __getitem__(self, name: str) -> Values:
        number = self.batch_of[name]
        if number not in self.held:
            while len(self.held) >= self.max_held:
                del self.held[next(iter(self.held))]
            typed = {name: self.typed[name] for name in self.batches[number]}
            self.held[number] = fetch_batch(self.engine, typed, self.source)
        return self.held[number][name]

    def pieces(self, name: str) -> Iterator[Values]:
        """Yield the column in pieces, see `npz.spans`; of texts, all have the levels of the part."""
        if self.rows <= npz.MAX_FETCHED_ROWS:
            yield self[name]
            return
        sql, kind = self.typed[name]
        levels = fetch_levels(self.engine, {name: sql}, self.source) if kind == "text" else {}
        for span in npz.spans(self.rows):
            yield fetch_batch(self.engine, {name: (sql, kind)}, self.within(span), levels)[name]

    def within(self, span: range) -> str:
        """Return what follows FROM, for some rows of the part."""
        return f"(SELECT * FROM {self.source} LIMIT {len(span)} OFFSET {span.start})"

    def __iter__(self) -> Iterator[str]:
        return iter(self.typed)

    def __len__(self) -> int:
        return len(self.typed)


class Part:
    """The typed columns of a part, see `PartValues`, and its target: class codes, int32; or numbers, float64.

    Parameters
    ----------
    part, rows, columns : as of `PartValues`
    classes : texts of the classes, in the order of their codes; None if the target is numbers
    """

    def __init__(
        self, engine: Any, part: int, rows: int, columns: dict[int, Column], classes: list[Any] | None
    ) -> None:
        self.engine, self.rows, self.classes = engine, rows, classes
        self.values = PartValues(engine, part, rows, columns)

    @cached_property
    def target(self) -> npt.NDArray[Any]:
        """The target of all rows (n,)."""
        return np.concatenate(list(self.target_pieces()))

    def target_pieces(self) -> Iterator[npt.NDArray[Any]]:
        """Yield the target in pieces, see `npz.spans`."""
        for span in npz.spans(self.rows):
            yield self._target_of(span)

    def _target_of(self, span: range) -> npt.NDArray[Any]:
        code, parameters = "target", []
        if self.classes is not None:
            # by position in a list, because a join may change the order of the rows
            code, parameters = "(list_position($1, target) - 1)::INTEGER", [self.classes]
        query = f"SELECT {code} AS target FROM {self.values.within(span)}"
        return np.ma.getdata(self.engine.execute(query, parameters).fetchnumpy()["target"])

    def ordered(self, name: str | None) -> AbstractContextManager[OrderedValues]:
        """Sort the numbers of a column, or (None) of the target, in DuckDB; see `ordered_values`."""
        sql, kind = self.values.typed[name] if name is not None else ("target", "datetime")
        return ordered_values(self.engine, f"{sql}{CASTS[kind]}", self.values.source)

    def head(self, rows: int) -> Columns:
        """Return the first rows, in memory."""
        if self.rows <= npz.MAX_FETCHED_ROWS:
            return Columns(self.values, self.target)
        span = range(min(rows, self.rows))
        values = fetch_values(self.engine, self.values.typed, self.values.within(span), len(span))
        return Columns(values, self._target_of(span))

    def write(self, path: Path, *, with_target: bool = True) -> Path:
        """Write the file of `Columns.write`, with one column in memory at a time, or a piece of one."""
        columns = ((name, self.values.pieces(name)) for name in self.values)
        return npz.write_npz(path, table_arrays(columns, self.rows, self.target_pieces() if with_target else None))


def read_part(engine: Any, part: int, rows: int, columns: dict[int, Column], has_classes: bool) -> Part:
    """Return a part, whose rows are read when they are asked for.

    Parameters
    ----------
    has_classes : whether the target is classes, see `target.create_classes`; otherwise it is numbers
    """
    classes = None
    if has_classes:
        classes = engine.execute("SELECT list(value ORDER BY code) FROM classes").fetchone()[0]
    return Part(engine, part, rows, columns, classes)


def count_values(engine: Any, columns: dict[int, Column], rows: int) -> list[Column]:
    """Return the columns with their number of distinct values and share of missing ones over the kept rows."""
    counted: list[Column] = []
    for batch in batches(list(columns), rows, MAX_BATCH_CELLS):
        query = ", ".join(f"count(DISTINCT c{number}), count(c{number})" for number in batch)
        query = f"SELECT {query} FROM kept_rows"
        if len(batch) == 1:  # of many rows: unlike count(DISTINCT), groups spill
            name = f"c{batch[0]}"
            groups = f"SELECT {name}, count({name}) AS rows FROM kept_rows GROUP BY {name}"
            query = f"SELECT count({name}), sum(rows)::BIGINT FROM ({groups})"
        counts = engine.execute(query).fetchone()
        counted += [
            columns[number].model_copy(update={"distinct": distinct, "missing": 1 - present / rows})
            for number, distinct, present in zip(batch, counts[::2], counts[1::2], strict=True)
        ]
    return counted


def write_npz(
    table: Part | Columns, part: str, path: Path, *, with_target: bool = True, max_bytes: int = MAX_OBJECT_BYTES
) -> Path:
    """Write a table as an npz file, and return its path.

    Parameters
    ----------
    max_bytes : of the file

    Raises
    ------
    BadData : it is larger than an object may be
    """
    if isinstance(table, Part):
        table.write(path, with_target=with_target)
    else:
        table.write(path)
    if path.stat().st_size > max_bytes:
        raise BadData(
            f"the {part} rows have {path.stat().st_size >> 20} MiB compressed; the limit is {max_bytes >> 20}",
            "preprocess", "keep fewer rows, or list columns in drop_columns",
        )  # fmt: skip
    return path
