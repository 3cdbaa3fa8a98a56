"""From texts in DuckDB to typed columns in numpy: how `preprocess` reads the rows of a model, and how a later run reads
other rows as that model does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from modelcycle.cells.reading import ColumnType
from modelcycle.engine import batches
from modelcycle.model.columns import Texts, Values

MAX_BATCH_CELLS = 2_000_000
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
        selected = ", ".join(
            f"({typed[name][0]}){CASTS[typed[name][1]]} AS v{number}" for number, name in enumerate(batch)
        )
        arrays = engine.execute(f"SELECT {selected} FROM {source}").fetchnumpy()
        for number, name in enumerate(batch):
            array = arrays.pop(f"v{number}")
            values[name] = Texts.of(array.tolist()) if typed[name][1] == "text" else np.ma.filled(array, np.nan)
    return values
