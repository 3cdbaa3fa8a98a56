"""From DuckDB to numpy: the tables that training and serving read, one part at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from modelcycle.engine import batches
from modelcycle.faults import BadData
from modelcycle.model.columns import Column, Columns
from modelcycle.model.typed_sql import MAX_BATCH_CELLS, fetch_values
from modelcycle.store import MAX_OBJECT_BYTES

MAX_CELLS = 60_000_000  # rows x columns of all parts; 4 bytes each, three quarters of them in memory at once
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


def read_part(engine: Any, part: int, rows: int, columns: dict[int, Column], has_classes: bool) -> Columns:
    """Return the typed columns of a part, with the target.

    The levels of a text column are those of the part: the training table has no text that occurs only in test rows.

    Parameters
    ----------
    part : number of `split.PARTS`
    rows : of the part
    columns : by number, without the target
    has_classes : whether the target is classes, see `target.create_classes`; otherwise it is numbers
    """
    typed = {column.name: (f"c{number}", column.type) for number, column in columns.items()}
    values = fetch_values(engine, typed, f"kept_rows WHERE part = {part}", rows)
    code, parameters = "target", []
    if has_classes:
        # by position in a list, because a join may change the order of the rows
        code = "(list_position($1, target) - 1)::INTEGER"
        parameters = [engine.execute("SELECT list(value ORDER BY code) FROM classes").fetchone()[0]]
    query = f"SELECT {code} AS target FROM kept_rows WHERE part = {part}"
    return Columns(values, np.ma.getdata(engine.execute(query, parameters).fetchnumpy()["target"]))


def count_values(engine: Any, columns: dict[int, Column], rows: int) -> list[Column]:
    """Return the columns with their number of distinct values and share of missing ones over the kept rows."""
    counted: list[Column] = []
    for batch in batches(list(columns), rows, MAX_BATCH_CELLS):
        counts = engine.execute(
            f"SELECT {', '.join(f'count(DISTINCT c{number}), count(c{number})' for number in batch)} FROM kept_rows"
        ).fetchone()
        counted += [
            columns[number].model_copy(update={"distinct": distinct, "missing": 1 - present / rows})
            for number, distinct, present in zip(batch, counts[::2], counts[1::2], strict=True)
        ]
    return counted


def to_npz(columns: Columns, part: str) -> bytes:
    """Return a table as an npz file.

    Raises
    ------
    BadData : it is larger than an object may be
    """
    body = columns.to_bytes()
    if len(body) > MAX_OBJECT_BYTES:
        raise BadData(
            f"the {part} rows have {len(body) >> 20} MiB compressed; the limit is {MAX_OBJECT_BYTES >> 20}",
            "preprocess", "keep fewer rows, or list columns in drop_columns",
        )  # fmt: skip
    return body
