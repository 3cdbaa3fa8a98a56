"""Columns of numbers: their counts by bin, moments and quantiles."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from modelcycle.captured import Cell
from modelcycle.captured.answer_rows import BOOLEAN, NESTED, NUMBER, TEXT
from modelcycle.captured.answer_rows import MASKED as MASKED_KIND
from modelcycle.cells.numbers import MAX_NUMBER
from modelcycle.engine import batches
from modelcycle.model.bins import NumberBins, number_bins
from modelcycle.model.profile import ColumnProfile
from modelcycle.model.window import QUANTILES, Side
from modelcycle.summarize.held import Held
from modelcycle.summarize.rows import Rows
from modelcycle.summarize.traffic import ABSENT, MASKED, MISSING, UNPARSED, VALUE, typed_rows

MAX_CELLS = 7_000_000  # that are fetched at once

Numbers = npt.NDArray[Any]
Codes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class NumberReference:
    """The numbers of a column's reference.

    Parameters
    ----------
    range : the smallest and the largest; None without any
    side : as it is counted
    """

    bins: NumberBins
    range: tuple[float, float] | None
    side: Side


class NumberColumn(NamedTuple):
    """A column that is fetched."""

    name: str
    cell: Cell
    profile: ColumnProfile


def reference_of_numbers(values: Numbers) -> NumberReference:
    """Return the reference of a column of numbers (n,), NaN for a missing value."""
    present = sorted_present(values)
    bins = number_bins(present)
    ends = (float(present[0]), float(present[-1])) if len(present) else None
    missing = len(values) - len(present)
    return NumberReference(bins, ends, number_side(present, bins, ends, rows=len(values), missing=missing))


def reference_of_profile(profile: ColumnProfile) -> NumberReference:
    """Return what the profile of the training rows knows of a column of numbers."""
    side = Side(
        rows=profile.rows, counts=profile.counts, missing=profile.missing, distinct=profile.distinct,
        mean=profile.mean, deviation=profile.deviation,
    )  # fmt: skip
    ends = None if profile.minimum is None or profile.maximum is None else (profile.minimum, profile.maximum)
    return NumberReference(NumberBins(np.array(profile.edges, dtype=np.float32)), ends, side)


def number_side(values: Numbers, bins: NumberBins, ends: tuple[float, float] | None, **others: int) -> Side:
    """Return what is counted of numbers.

    Parameters
    ----------
    values : (n,), sorted, not missing
    bins, ends : of the reference
    others : `rows`, `missing` and other fields of the side
    """
    if not len(values):
        return Side(counts=bins.counts(values), **others)
    wide = values.astype(np.float64)
    mean = float(wide.mean())
    wide -= mean
    deviation = math.sqrt(float(np.square(wide, out=wide).mean()))
    below = above = 0
    if ends is not None:
        low, high = (values.dtype.type(end) for end in ends)
        below = int(np.searchsorted(values, low, side="left"))
        above = len(values) - int(np.searchsorted(values, high, side="right"))
    return Side(
        counts=bins.counts(values), below=below, above=above, mean=mean, deviation=deviation,
        distinct=int(np.count_nonzero(values[1:] != values[:-1])) + 1, quantiles=quantiles(values), **others,
    )  # fmt: skip


def fetch_numbers(
    rows: Rows, columns: Sequence[NumberColumn], missing_values: Sequence[str]
) -> Iterator[tuple[str, Numbers, Codes]]:
    """Yield each column's name, its numbers (n,), NaN without one, and what requests held: VALUE ... MASKED (n,)."""
    for batch in batches(columns, rows.counts[0], MAX_CELLS):
        found = rows.fetch(
            {f"value{n}": _number_sql(column.cell) for n, column in enumerate(batch)}
            | {f"kind{n}": f"coalesce({column.cell.kind}, 0)::UTINYINT" for n, column in enumerate(batch)}
        )
        for n, column in enumerate(batch):
            values, kinds = found.pop(f"value{n}"), found.pop(f"kind{n}")
            if any((kinds == kind).any() for kind in (TEXT, BOOLEAN, NESTED)):
                yield column.name, *_typed(rows, column, missing_values)
            else:
                yield column.name, values, _held_by(kinds, values)


def _number_sql(cell: Cell) -> str:
    """Return SQL of a JSON number as FLOAT, NaN without one."""
    return f"CASE WHEN abs({cell.number}) <= {MAX_NUMBER} THEN {cell.number}::FLOAT ELSE 'NaN'::FLOAT END"


def _typed(rows: Rows, column: NumberColumn, missing_values: Sequence[str]) -> tuple[Numbers, Codes]:
    """Return what `fetch_numbers` does, of a column of texts: reading them takes long."""
    typed = typed_rows(rows.source, [(column.cell, column.profile)], missing_values, {"row_id": "row_id"})
    found = rows.fetch({"value": "coalesce(value0, 'NaN'::FLOAT)", "held": "held0"}, typed)
    return found["value"], found["held"]


def _held_by(kinds: Codes, values: Numbers) -> Codes:
    """Return VALUE ... MASKED (n,) of requests without texts, by the kinds of `captured.answer_rows`."""
    no_number = np.isnan(values)
    if not no_number.any():
        return np.full(len(kinds), VALUE, dtype=np.uint8)
    of_kind = np.full(MASKED_KIND + 1, MISSING, dtype=np.uint8)
    of_kind[[0, NUMBER, MASKED_KIND]] = ABSENT, UNPARSED, MASKED
    return np.where(no_number, of_kind[kinds], np.uint8(VALUE))


def held_of(held: Codes) -> Held:
    """Return how many requests (n,) held what."""
    if not np.count_nonzero(held != VALUE):  # counting by kind takes much longer
        return Held({VALUE: len(held)})
    return Held(dict(enumerate(np.bincount(held).tolist())))


def quantiles(values: Numbers, weights: npt.NDArray[np.float64] | None = None) -> list[float]:
    """Return the values (n,), which are sorted, at QUANTILES, each one that is there (`inverted_cdf` of numpy).

    Parameters
    ----------
    weights : (n,); by default all have the same

    Examples
    --------
    >>> quantiles(np.arange(1.0, 101.0))[4], quantiles(np.array([1.0, 9.0]), np.array([9.0, 1.0]))[-3:]
    (50.0, [1.0, 9.0, 9.0])
    """
    if not len(values):
        return []
    if weights is None:
        positions = [max(math.ceil(len(values) * share - 1), 0) for share in QUANTILES]
    else:
        up_to = np.cumsum(weights)
        positions = np.minimum(np.searchsorted(up_to, up_to[-1] * np.array(QUANTILES)), len(values) - 1).tolist()
    return [float(values[position]) + 0.0 for position in positions]


def sorted_present(values: Numbers) -> Numbers:
    """Return the numbers that are not missing, sorted."""
    ordered = np.sort(values)  # NaN last
    found: Numbers = ordered[: np.searchsorted(ordered, np.nan, side="left")] if len(ordered) else ordered
    found += found.dtype.type(0)  # -0.0 and 0.0 are one value
    return found
