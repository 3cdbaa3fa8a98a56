"""Some values of each column of a snapshot, by which personal data are found: the same ones each time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from modelcycle.engine import batches
from modelcycle.sql_literal import literal

SAMPLED_ROWS = 2_000  # spread over all rows
MAX_SAMPLED_CELLS = 1_000_000  # of a wide table
MIN_SAMPLED_ROWS = 200
MIN_PRESENT = 20  # values of a column in the sample; of a column with fewer, its first values are taken
FIRST_VALUES = 200


def sampled_columns(
    engine: Any, shards: Sequence[Path], names: Sequence[str], rows: int
) -> Iterator[tuple[str, list[str]]]:
    """Yield each column and some of its texts, without missing values.

    Parameters
    ----------
    shards : Parquet files with the columns `file`, `row`, `c0`, `c1` ..., all text
    rows : how many they have
    """
    wanted = max(MIN_SAMPLED_ROWS, min(SAMPLED_ROWS, MAX_SAMPLED_CELLS // max(len(names), 1)))
    step = max(1, rows // wanted)
    source = f"read_parquet([{', '.join(map(literal, shards))}])"
    for batch in batches(range(len(names))):
        columns = ", ".join(f"c{number}" for number in batch)
        fetched = engine.execute(
            f"SELECT {columns} FROM {source} WHERE (row + file) % {step} = 0 LIMIT {2 * wanted}"
        ).fetchall()
        for number, values in zip(batch, zip(*fetched, strict=True) if fetched else [()] * len(batch), strict=True):
            texts = [value for value in values if value is not None and value.strip()]
            if len(texts) < MIN_PRESENT and rows > len(fetched):
                texts += [
                    text
                    for (text,) in engine.execute(
                        f"SELECT c{number} FROM {source} WHERE trim(c{number}) <> '' LIMIT {FIRST_VALUES}"
                    ).fetchall()
                ]
            yield names[number], texts
