"""From texts in DuckDB to typed columns in numpy: how `preprocess` reads the rows of a model, and how a later run reads
other rows as that model does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.cells.reading import ColumnType
from modelcycle.engine import batches
from modelcycle.model.columns import Texts, Values
from modelcycle.sql_literal import literal

MAX_BATCH_CELLS = 2_000_000
MAX_ENUM_LEVELS = 10_000  # distinct texts that are written into a query
MAX_CHUNK_ROWS = 50_000  # whose texts are Python objects at once
CASTS: dict[ColumnType, str] = {"number": "::FLOAT", "boolean": "::FLOAT", "datetime": "::DOUBLE", "text": ""}


def fetch_values(engine: Any, typed: Mapping[str, tuple[str, ColumnType]], source: str, rows: int) -> dict[str, Values]:
    """Return typed columns, by name; a batch of them is in memory twice.

    Parameters
    ----------
    typed : SQL of the typed value, as of `cells.reading.parsed_sql`, and its type, by name
    source : what follows FROM; it gives the rows in the same order each time
    rows : how many it gives
    """
    values: dict[str, Values] = {}
    for batch in batches(list(typed), rows, MAX_BATCH_CELLS):
        values |= fetch_batch(engine, {name: typed[name] for name in batch}, source)
    return values


def fetch_batch(
    engine: Any, typed: Mapping[str, tuple[str, ColumnType]], source: str, levels: Mapping[str, list[str]] | None = None
) -> dict[str, Values]:
    """Return typed columns as `fetch_values` does, all in one query, or in two more if there are texts.

    Parameters
    ----------
    levels : of the texts; by default those of the source
    """
    numbers = {name: f"({sql}){CASTS[kind]}" for name, (sql, kind) in typed.items() if kind != "text"}
    values: dict[str, Values] = {}
    if numbers:
        arrays = engine.execute(f"SELECT {_listed(numbers.values())} FROM {source}").fetchnumpy()
        values = {name: _filled(arrays.pop(f"v{number}"), np.nan) for number, name in enumerate(numbers)}
    texts = {name: sql for name, (sql, kind) in typed.items() if kind == "text"}
    if texts:
        values |= _fetch_texts(engine, texts, source, fetch_levels(engine, texts, source) if levels is None else levels)
    return {name: values[name] for name in typed}


def fetch_levels(engine: Any, texts: Mapping[str, str], source: str) -> dict[str, list[str]]:
    """Return the different texts of some columns, sorted.

    Parameters
    ----------
    texts : SQL of the text, by name
    source : what follows FROM
    """
    query = f"SELECT {_listed(texts.values())} FROM {source}"
    distinct = ", ".join(f"list(DISTINCT v{number}) FILTER (v{number} IS NOT NULL)" for number in range(len(texts)))
    found = engine.execute(f"SELECT {distinct} FROM ({query})").fetchone()
    return {name: sorted(levels or ()) for name, levels in zip(texts, found, strict=True)}


def _fetch_texts(
    engine: Any, texts: Mapping[str, str], source: str, levels: Mapping[str, list[str]]
) -> dict[str, Values]:
    """Return text columns without a Python object for each row: ten million would take half a gigabyte."""
    few = [name for name in texts if len(levels[name]) <= MAX_ENUM_LEVELS]
    many = [name for name in texts if name not in few]  # of these, DuckDB finds the code more slowly than Python
    values: dict[str, Values] = {}
    if few:
        codes = _listed(_code_sql(texts[name], levels[name]) for name in few)
        arrays = engine.execute(f"SELECT {codes} FROM {source}").fetchnumpy()
        for number, name in enumerate(few):
            values[name] = Texts(_filled(arrays.pop(f"v{number}").astype(np.int32), -1), levels[name])
    if many:
        codes_of = [{level: code for code, level in enumerate(levels[name])} | {None: -1} for name in many]
        engine.execute(f"SELECT {_listed(texts[name] for name in many)} FROM {source}")
        chunks: list[npt.NDArray[np.int32]] = [np.zeros((0, len(many)), dtype=np.int32)]
        while rows := engine.fetchmany(MAX_CHUNK_ROWS):
            chunks.append(np.array([[codes_of[n][text] for n, text in enumerate(row)] for row in rows], dtype=np.int32))
        found = np.concatenate(chunks)
        for number, name in enumerate(many):
            values[name] = Texts(np.ascontiguousarray(found[:, number]), levels[name])
    return values


def _filled(array: npt.NDArray[Any], missing: float) -> npt.NDArray[Any]:
    """Return a column of DuckDB with a value for a missing one; in its own memory, unlike `np.ma.filled`."""
    values = np.ma.getdata(array)
    if np.ma.is_masked(array):
        values[np.ma.getmaskarray(array)] = missing
    return values


def _code_sql(text: str, levels: list[str]) -> str:
    return f"enum_code(({text})::ENUM({', '.join(map(literal, levels))}))" if levels else "NULL::INTEGER"


def _listed(expressions: Iterable[str]) -> str:
    return ", ".join(f"{expression} AS v{number}" for number, expression in enumerate(expressions))
