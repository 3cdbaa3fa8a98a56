"""From DuckDB to numpy, a column and a part at a time: what learning and serving read."""

from __future__ import annotations

from typing import Any

import numpy as np

from modelcycle.engine import batches
from modelcycle.faults import BadData
from modelcycle.model.columns import Column, Columns, Texts, Values
from modelcycle.store import MAX_OBJECT_BYTES

MOST_CELLS = 60_000_000  # rows x columns of all parts; 4 bytes each, three quarters of them in memory at once
MOST_TEXT = 1 * 2**30  # bytes of all texts; each part and column is read by itself
CELLS_AT_ONCE = 2_000_000
CASTS = {"number": "::FLOAT", "boolean": "::FLOAT", "datetime": "::DOUBLE", "text": ""}


def bounded(engine: Any, columns: dict[int, Column], rows: int) -> None:
    """Whether the typed rows can be held in a function's memory.

    Raises
    ------
    BadData : names the limit, and the longest column
    """
    if rows * len(columns) > MOST_CELLS:
        raise BadData(
            f"{rows:,} rows of {len(columns)} columns are more than the {MOST_CELLS:,} values that one model may hold",
            "preprocess", f"keep {MOST_CELLS // len(columns):,} rows, or take columns out by drop_columns",
        )  # fmt: skip
    texts: dict[str, int] = {}
    for batch in batches([number for number, column in columns.items() if column.type == "text"], rows, CELLS_AT_ONCE):
        sizes = engine.execute(
            f"SELECT {', '.join(f'coalesce(sum(strlen(c{n})), 0)' for n in batch)} FROM kept"
        ).fetchone()
        texts |= {columns[n].name: int(size) for n, size in zip(batch, sizes, strict=True)}
    if sum(texts.values()) > MOST_TEXT:
        longest = max(texts, key=lambda name: texts[name])
        raise BadData(
            f"the texts take {sum(texts.values()) >> 20} MiB, more than the {MOST_TEXT >> 20} that one model may hold",
            f"column {longest}: {texts[longest] >> 20} MiB", "take it out by drop_columns, or keep fewer rows",
        )  # fmt: skip


def part_of(engine: Any, part: int, rows: int, columns: dict[int, Column], classes: bool) -> Columns:
    """The typed columns of a part's rows, with the target.

    Levels are those of the part alone: training sees no text that only test rows hold.
    """
    values: dict[str, Values] = {}
    for batch in batches(list(columns), rows, CELLS_AT_ONCE):
        read = ", ".join(f"c{n}{CASTS[columns[n].type]} AS c{n}" for n in batch)
        arrays = engine.execute(f"SELECT {read} FROM kept WHERE part = {part}").fetchnumpy()
        for number in batch:
            array = arrays.pop(f"c{number}")
            values[columns[number].name] = (
                Texts.of(array.tolist()) if columns[number].type == "text" else np.ma.filled(array, np.nan)
            )
    # codes by their place in the list, so that no join changes the order of rows
    code, parameters = "target", []
    if classes:
        code = "(list_position($1, target) - 1)::INTEGER"
        parameters = [engine.execute("SELECT list(value ORDER BY code) FROM classes").fetchone()[0]]
    target = engine.execute(f"SELECT {code} AS v FROM kept WHERE part = {part}", parameters).fetchnumpy()["v"]
    return Columns(values, np.ma.getdata(target))


def counted(engine: Any, columns: dict[int, Column], rows: int) -> list[Column]:
    """The columns with their different values and missing ones, over all kept rows."""
    found: list[Column] = []
    for batch in batches(list(columns), rows, CELLS_AT_ONCE):
        counts = engine.execute(
            f"SELECT {', '.join(f'count(DISTINCT c{n}), count(c{n})' for n in batch)} FROM kept"
        ).fetchone()
        found += [
            columns[n].model_copy(update={"distinct": distinct, "missing": 1 - values / rows})
            for n, distinct, values in zip(batch, counts[::2], counts[1::2], strict=True)
        ]
    return found


def packed(columns: Columns, name: str) -> bytes:
    """As npz.

    Raises
    ------
    BadData : it would be larger than an object may be
    """
    body = columns.to_bytes()
    if len(body) > MAX_OBJECT_BYTES:
        raise BadData(
            f"the {name} rows take {len(body) >> 20} MiB packed, more than the {MAX_OBJECT_BYTES >> 20} of an object",
            "preprocess", "keep fewer rows, or take columns out by drop_columns",
        )  # fmt: skip
    return body
