"""How the columns of the table may be read, counted over all rows, and what they say about the whole file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from modelcycle.cells import dates
from modelcycle.cells.missing import USUAL
from modelcycle.cells.numbers import number_sql
from modelcycle.cells.reading import Reading, parsed_sql, present_text_sql
from modelcycle.column_types.readings import has_decimal_comma, likely_readings
from modelcycle.column_types.samples import sample_texts

MIN_READ_SHARE = 0.75  # of a column's values, beside usual words for a missing one, to be numbers or dates


@dataclass
class Candidates:
    """How a column may be read.

    Parameters
    ----------
    filled : cells with a text
    present : of these, the ones that hold no usual word for a missing value
    readings : that fit, in order of preference, with the cells that each reads
    sample : texts of some rows
    ends : first and last moment of each format of dates, in seconds
    """

    filled: int
    present: int
    readings: list[tuple[Reading, int]]
    sample: Counter[str] = field(default_factory=Counter)
    ends: dict[str, tuple[float | None, float | None]] = field(default_factory=dict)


def count_candidates(engine: Any, batch: Sequence[int], rows: int) -> dict[int, Candidates]:
    """Count how the columns of a batch may be read; columns of digits with a point need no sample."""
    counts = engine.execute(
        "SELECT "
        + ", ".join(
            f"count(c{number}), count({number_sql(f'c{number}')})" for number in batch
        )
        + " FROM clean_rows"
    ).fetchone()  # fmt: skip
    candidates, others = {}, []
    for position, number in enumerate(batch):
        filled, plain = counts[2 * position : 2 * position + 2]
        if filled == plain:
            readings = [(Reading(type="number"), plain)] if filled else []
            candidates[number] = Candidates(filled, filled, readings)
        else:
            others.append(number)
    if not others:
        return candidates
    samples = sample_texts(engine, others, rows)
    likely = {number: likely_readings(samples[number]) for number in others}
    tokens = sorted(USUAL)
    selected = []
    for number in others:
        present = present_text_sql(tokens, f"c{number}") if likely[number] else "NULL"
        selected += [f"count(c{number})", f"count({present})"]
        for reading in likely[number]:
            typed = parsed_sql(reading, f"c{number}")
            selected += [f"count({typed})", *([f"min({typed})", f"max({typed})"] * (reading.type == "datetime"))]
    counted = iter(engine.execute(f"SELECT {', '.join(selected)} FROM clean_rows").fetchone())
    for number in others:
        candidate = Candidates(next(counted), next(counted), [], samples[number])
        for reading in likely[number]:
            candidate.readings.append((reading, next(counted)))
            if reading.type == "datetime":
                candidate.ends[reading.format] = (next(counted), next(counted))
        candidates[number] = candidate
    return candidates


def file_wide(candidates: dict[int, Candidates]) -> tuple[bool, str]:
    """Return whether the file has decimal commas, and whether day (%d) or month (%m) comes first, "" if unknown."""
    comma, orders = False, set()
    for candidate in candidates.values():
        by_format = {reading.format: count for reading, count in candidate.readings if reading.type == "number"}
        marks = {True: 0, False: 0}
        for format_, count in by_format.items():
            marks[has_decimal_comma(format_)] = max(marks[has_decimal_comma(format_)], count)
        comma = comma or (marks[True] > marks[False] and marks[True] >= MIN_READ_SHARE * candidate.present)
        by_format = {reading.format: count for reading, count in candidate.readings if reading.type == "datetime"}
        best = max(by_format, key=lambda format_: by_format[format_], default="")
        if best and by_format[best] > by_format.get(dates.swapped(best), 0) and dates.swapped(best):
            orders.add(best[:2])
    return comma, orders.pop() if len(orders) == 1 else ""
