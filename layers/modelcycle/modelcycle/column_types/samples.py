"""Rows evenly spread over the table: they show how a column may be read, before all its rows decide."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from modelcycle.cells.missing import USUAL

MAX_SAMPLE_ROWS = 4000
MAX_SAMPLE_CHARACTERS = 80  # a longer text is neither a number nor a date
MIN_SAMPLE_TEXTS = 50  # below, the first rows with a text are read


def sample_texts(engine: Any, numbers: Sequence[int], rows: int) -> dict[int, Counter[str]]:
    """Return the texts of columns in some rows, with their counts, without usual words for a missing value.

    Parameters
    ----------
    numbers : of the columns in `clean_rows`
    rows : of `clean_rows`
    """
    step = max(1, -(-rows // MAX_SAMPLE_ROWS))
    selected = ", ".join(f"left(c{number}, {MAX_SAMPLE_CHARACTERS})" for number in numbers)
    fetched = engine.execute(f"SELECT {selected} FROM clean_rows WHERE row_id % {step} = 0").fetchall()
    samples = {}
    for position, number in enumerate(numbers):
        texts = _present(row[position] for row in fetched)
        if texts.total() < MIN_SAMPLE_TEXTS and step > 1:
            first = engine.execute(
                f"SELECT left(c{number}, {MAX_SAMPLE_CHARACTERS}) FROM clean_rows WHERE c{number} IS NOT NULL"
                f" ORDER BY row_id LIMIT {MAX_SAMPLE_ROWS}"
            ).fetchall()
            texts = _present(text for (text,) in first)
        samples[number] = texts
    return samples


def _present(texts: Any) -> Counter[str]:
    counted: Counter[str] = Counter(text for text in texts if text is not None)
    for token in USUAL & counted.keys():
        del counted[token]
    return counted
