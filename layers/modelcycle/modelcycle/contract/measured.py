"""What the values of a column are, by SQL: for the contract of accepted rows, and for the batch that is held to it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

from modelcycle.contract.shifts import QUANTILES, Level, Numbers
from modelcycle.engine import batches
from modelcycle.model.ordered_values import ordered_values

LEVELS = (0.01, *(step / 20 for step in range(1, 20)), 0.99)
"""Shares of the values at which quantiles are kept."""
MAX_DOUBLE = sys.float_info.max
MAX_BATCH_CELLS = 2_000_000  # quantiles keep the values in memory; of a column with more, its values are sorted


class Spread(NamedTuple):
    """The numbers of a column: how many, their bounds, moments and quantiles at LEVELS."""

    values: int
    minimum: float
    maximum: float
    mean: float
    deviation: float
    quantiles: list[float]
    whole: bool


def spreads(engine: Any, source: str, typed: Mapping[str, str], rows: int) -> dict[str, Spread]:
    """Return the spread of each column that has a value.

    Parameters
    ----------
    source : what follows FROM
    typed : SQL of a DOUBLE by column
    rows : of the source
    """
    found: dict[str, Spread] = {}
    is_large = rows > MAX_BATCH_CELLS
    for batch in batches(list(typed), rows, MAX_BATCH_CELLS):
        inner = ", ".join(f"({typed[name]})::DOUBLE AS v{number}" for number, name in enumerate(batch))
        outer = ", ".join(
            f"[count({v}), min({v}), max({v}), avg({v}), stddev_pop({v})],"
            f" {'NULL' if is_large else f'quantile_disc({v}, {list(LEVELS)})'}, count(*) FILTER ({v} % 1 <> 0)"
            for v in (f"v{number}" for number in range(len(batch)))
        )
        measured = engine.execute(f"SELECT {outer} FROM (SELECT {inner} FROM {source})").fetchone()
        for number, name in enumerate(batch):
            (values, *moments), quantiles, broken = measured[3 * number : 3 * number + 3]
            if values:
                least, most, mean, deviation = moments
                if is_large:
                    with ordered_values(engine, f"({typed[name]})::DOUBLE", source) as ordered:
                        quantiles = ordered.at(positions(int(values)))
                found[name] = Spread(int(values), least, most, mean, deviation, quantiles, not broken)
    return found


def positions(count: int) -> list[int]:
    """Return which of `count` sorted values are the quantiles at LEVELS, as DuckDB's `quantile_disc` takes them."""
    return [max(1, count - count * (100 - round(100 * level)) // 100) - 1 for level in LEVELS]


def bin_counts(
    engine: Any, source: str, typed: Mapping[str, str], edges: Mapping[str, list[float]], rows: int
) -> dict[str, list[int]]:
    """Count the values of each column by bin; an edge belongs to the bin on its left, as in `ColumnProfile`."""
    found: dict[str, list[int]] = {}
    for batch in batches(list(typed), rows, MAX_BATCH_CELLS):
        inner = ", ".join(f"({typed[name]})::DOUBLE AS v{number}" for number, name in enumerate(batch))
        outer = ", ".join(
            "[" + ", ".join(f"count(*) FILTER (v{number} <= {edge!r})" for edge in [*edges[name], MAX_DOUBLE]) + "]"
            for number, name in enumerate(batch)
        )
        below = engine.execute(f"SELECT {outer} FROM (SELECT {inner} FROM {source})").fetchone()
        for name, counts in zip(batch, below, strict=True):
            found[name] = [high - low for low, high in zip([0, *counts], counts, strict=False)]
    return found


def numbers(
    engine: Any, source: str, typed: Mapping[str, str], far: Mapping[str, tuple[float, float]]
) -> dict[str, Numbers]:
    """Return what the numbers of each column are; columns without any are absent.

    Parameters
    ----------
    source : what follows FROM; it has `row_id`
    typed : SQL of the number by column
    far : bounds outside of which a number counts as far, by column
    """
    found: dict[str, Numbers] = {}
    for batch in batches(list(typed)):
        inner, measured = [], []
        for number, name in enumerate(batch):
            inner.append(f"({typed[name]})::DOUBLE AS v{number}")
            v, (low, high) = f"v{number}", far[name]
            measured.append(
                f"[count({v}), min({v}), max({v})], quantile_disc({v}, {list(QUANTILES)}),"
                f" CASE WHEN min({v}) < max({v}) THEN corr({v}, row_id) END,"
                f" count(*) FILTER ({v} % 1 <> 0), count({v}) FILTER ({v} NOT BETWEEN {low!r} AND {high!r})"
            )
        (row,) = engine.execute(
            f"SELECT {', '.join(measured)} FROM (SELECT row_id, {', '.join(inner)} FROM {source})"
        ).fetchall()
        for number, name in enumerate(batch):
            (values, least, most), quantiles, order, broken, outside = row[5 * number : 5 * number + 5]
            if values:
                found[name] = Numbers(int(values), least, most, quantiles, order or 0.0, not broken, outside)
    return found


def levels(engine: Any, source: str, text: str, limit: int | None = None) -> list[Level]:
    """Return the texts of a column, the most frequent first.

    Parameters
    ----------
    source : what follows FROM; it has `row_id`
    text : SQL of the text
    limit : how many at most
    """
    counts = engine.execute(
        f"""SELECT v, count(*) AS rows, count(*) FILTER (v IS DISTINCT FROM before) FROM
              (SELECT v, lag(v) OVER (ORDER BY row_id) AS before FROM
                (SELECT row_id, {text} AS v FROM {source}) WHERE v IS NOT NULL)
            GROUP BY v ORDER BY rows DESC, v {f"LIMIT {limit}" if limit else ""}"""
    ).fetchall()
    return [Level(*level) for level in counts]


def share_below(quantiles: list[float], value: float) -> float:
    """Return the share of values at or below a value, by quantiles at LEVELS; between two, by a straight line.

    >>> round(share_below([float(level) for level in LEVELS], 0.625), 3)
    0.625
    """
    below, share = None, 0.0
    for level, quantile in zip(LEVELS, quantiles, strict=True):
        if quantile > value:
            if below is None:
                return 0.0
            return share + (level - share) * (value - below) / (quantile - below)
        below, share = quantile, level
    return share if below == value else 1.0


def distance(one: list[float], other: list[float]) -> float:
    """Return the largest difference of two distributions (Kolmogorov and Smirnov), by their quantiles at LEVELS.

    >>> quantiles = [float(level) for level in LEVELS]
    >>> distance(quantiles, quantiles) < 0.02, distance(quantiles, [value + 5 for value in quantiles])
    (True, 0.99)
    """
    differences = [abs(share_below(one, value) - share_below(other, value)) for value in {*one, *other}]
    return max(differences)
