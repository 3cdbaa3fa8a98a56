"""From DuckDB to numpy: the tables that training and serving read, one part at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from modelcycle.cells.column import Column
from modelcycle.engine import batches
from modelcycle.faults import BadData
from modelcycle.model.columns import Columns, Values
from modelcycle.model.typed_sql import MAX_BATCH_CELLS, fetch_batch
from modelcycle.store import MAX_OBJECT_BYTES

MAX_CELLS = 60_000_000  # rows x columns of all parts; training holds three quarters of them in memory
MAX_HELD_CELLS = 4_000_000  # of a part; one with more is read column by column
MAX_TEXT_COLUMN_BYTES = 2**30  # of all text columns together; one part of one column is in memory at a time


def check_size(engine: Any, columns: dict[int, Column], rows: int) -> None:
    """Check that the kept rows fit into a function's memory.

    Parameters
    ----------
    columns : by number, without the target
    rows : kept rows

    Raises
    ------
    BadData : names the limit, and the largest column
    """
    if rows * len(columns) > MAX_CELLS:
        raise BadData(
            f"{rows:,} rows of {len(columns)} columns exceed the limit of {MAX_CELLS:,} values", "preprocess",
            f"keep {MAX_CELLS // len(columns):,} rows, or list columns in drop_columns",
        )  # fmt: skip
    text_bytes: dict[str, int] = {}
    text_columns = [number for number, column in columns.items() if column.type == "text"]
    for batch in batches(text_columns, rows, MAX_BATCH_CELLS):
        sizes = engine.execute(
            f"SELECT {', '.join(f'coalesce(sum(strlen(c{number})), 0)' for number in batch)} FROM kept_rows"
        ).fetchone()
        text_bytes |= {columns[number].name: int(size) for number, size in zip(batch, sizes, strict=True)}
    total = sum(text_bytes.values())
    if total > MAX_TEXT_COLUMN_BYTES:
        largest = max(text_bytes, key=lambda name: text_bytes[name])
        raise BadData(
            f"the text columns have {total >> 20} MiB; the limit is {MAX_TEXT_COLUMN_BYTES >> 20}",
            f"column {largest}: {text_bytes[largest] >> 20} MiB", "list it in drop_columns, or keep fewer rows",
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
        self.engine, self.source = engine, f"kept_rows WHERE part = {part}"
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

    def __iter__(self) -> Iterator[str]:
        return iter(self.typed)

    def __len__(self) -> int:
        return len(self.typed)


def read_part(engine: Any, part: int, rows: int, columns: dict[int, Column], has_classes: bool) -> Columns:
    """Return the typed columns of a part, see `PartValues`, with the target.

    Parameters
    ----------
    has_classes : whether the target is classes, see `target.create_classes`; otherwise it is numbers
    """
    code, parameters = "target", []
    if has_classes:
        # by position in a list, because a join may change the order of the rows
        code = "(list_position($1, target) - 1)::INTEGER"
        parameters = [engine.execute("SELECT list(value ORDER BY code) FROM classes").fetchone()[0]]
    query = f"SELECT {code} AS target FROM kept_rows WHERE part = {part}"
    target = np.ma.getdata(engine.execute(query, parameters).fetchnumpy()["target"])
    return Columns(PartValues(engine, part, rows, columns), target)


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


def write_npz(columns: Columns, part: str, path: Path) -> Path:
    """Write a table as an npz file, and return its path.

    Raises
    ------
    BadData : it is larger than an object may be
    """
    columns.write(path)
    if path.stat().st_size > MAX_OBJECT_BYTES:
        raise BadData(
            f"the {part} rows have {path.stat().st_size >> 20} MiB compressed; the limit is {MAX_OBJECT_BYTES >> 20}",
            "preprocess", "keep fewer rows, or list columns in drop_columns",
        )  # fmt: skip
    return path
