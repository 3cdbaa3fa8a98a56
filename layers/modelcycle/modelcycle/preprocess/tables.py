"""From DuckDB to numpy, a column and a part at a time: what learning and serving read."""

from __future__ import annotations

from typing import Any

import numpy as np

from modelcycle.faults import BadData
from modelcycle.model.columns import Column, Columns, Texts, Values
from modelcycle.store import LARGEST_OBJECT

MOST_CELLS = 60_000_000  # rows x columns of all parts; 4 bytes each, three quarters of them in memory at once
MOST_TEXT = 256 * 2**20  # bytes of all different texts


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
    texts = {
        column.name: engine.execute(
            f"SELECT coalesce(sum(strlen(t)), 0) FROM (SELECT DISTINCT c{number} AS t FROM kept)"
        ).fetchone()[0]
        for number, column in columns.items()
        if column.type == "text"
    }
    if sum(texts.values()) > MOST_TEXT:
        longest = max(texts, key=lambda name: texts[name])
        raise BadData(
            f"the texts take {sum(texts.values()) >> 20} MiB, more than the {MOST_TEXT >> 20} that one model may hold",
            f"column {longest}: {texts[longest] >> 20} MiB", "take it out by drop_columns, or keep fewer rows",
        )  # fmt: skip


def part_of(engine: Any, part: int, columns: dict[int, Column], classes: bool) -> Columns:
    """The typed columns of a part's rows, with the target."""
    values: dict[str, Values] = {
        column.name: _texts(engine, part, number) if column.type == "text" else _numbers(engine, part, number, column)
        for number, column in columns.items()
    }
    if classes:
        codes = engine.execute("SELECT list(value ORDER BY code) FROM classes").fetchone()
        return Columns(values, _array(engine, part, "(list_position($1, target) - 1)::INTEGER", codes))
    return Columns(values, _array(engine, part, "target"))


def _numbers(engine: Any, part: int, number: int, column: Column) -> Any:
    return _array(engine, part, f"c{number}::{'DOUBLE' if column.type == 'datetime' else 'FLOAT'}")


def _texts(engine: Any, part: int, number: int) -> Texts:
    """Levels are those of the part alone: training sees no text that only test rows hold."""
    told = f"SELECT DISTINCT c{number} AS text FROM kept WHERE part = {part} AND c{number} IS NOT NULL ORDER BY text"
    levels = [text for (text,) in engine.execute(told).fetchall()]
    if not levels:
        return Texts(np.full(len(_array(engine, part, "1")), -1, np.int32), [])
    engine.execute(f"DROP TYPE IF EXISTS level; CREATE TYPE level AS ENUM ({told})")
    return Texts(_array(engine, part, f"enum_code(c{number}::level)::INTEGER"), levels)


def _array(engine: Any, part: int, value: str, parameters: Any = ()) -> Any:
    column = engine.execute(f"SELECT {value} AS v FROM kept WHERE part = {part}", parameters).fetchnumpy()["v"]
    if isinstance(column, np.ma.MaskedArray):
        return column.filled(np.nan if column.dtype.kind == "f" else -1)
    return np.ascontiguousarray(column)


def packed(columns: Columns, name: str) -> bytes:
    """As npz.

    Raises
    ------
    BadData : it would be larger than an object may be
    """
    body = columns.to_bytes()
    if len(body) > LARGEST_OBJECT:
        raise BadData(
            f"the {name} rows take {len(body) >> 20} MiB packed, more than the {LARGEST_OBJECT >> 20} of an object",
            "preprocess", "keep fewer rows, or take columns out by drop_columns",
        )  # fmt: skip
    return body
