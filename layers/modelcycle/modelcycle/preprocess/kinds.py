"""The type of a column, from its values alone.

Read as a number: digits with an optional sign, point and exponent, within float32 (also with leading zeros). Not read:
thousands separators, decimal commas, per cent and currency signs. Read as a boolean: the words of `model.values`; 0 and
1 stay numbers. Dates: see `model.dates`. All else is text.
"""

from __future__ import annotations

from typing import Any

from modelcycle.engine import batches
from modelcycle.model import dates
from modelcycle.model.columns import Column, ColumnType
from modelcycle.model.values import FALSE, TRUE, boolean_sql, number_sql

PARSED = 0.99  # share of a column's values that make it a number or a date; rows with the rest are quarantined
LOOKED_AT = 300  # rows by which the formats of dates are narrowed down


def of_target(engine: Any, place: str, found: Column) -> Column:
    """A target of two words (yes, no) keeps them as its classes; only mixed spellings become true and false."""
    if found.type == "boolean":
        words = engine.execute(f"SELECT count(DISTINCT {place}) FROM clean").fetchone()[0]
        return found if words > 2 else Column(name=found.name, type="text")
    return found


def inferred(engine: Any, names: dict[int, str], forced: dict[int, ColumnType]) -> dict[int, Column]:
    """The types of columns of `clean`, by their number.

    Parameters
    ----------
    forced : types that the pipeline file asks for
    """
    found = {number: Column(name=names[number], type=kind) for number, kind in forced.items()}
    for batch in batches([number for number in names if number not in forced]):
        counts = engine.execute(
            "SELECT " + ", ".join(f"count({read(f'c{n}')})" for n in batch for read in (str, number_sql, boolean_sql))
            + " FROM clean"
        ).fetchone()  # fmt: skip
        first = engine.execute(
            f"SELECT {', '.join(f'c{n}' for n in batch)} FROM clean WHERE place <= {LOOKED_AT}"
        ).fetchall()
        for place, number in enumerate(batch):
            values, numbers, booleans = counts[3 * place : 3 * place + 3]
            name = names[number]
            if values and numbers >= values * PARSED:
                found[number] = Column(name=name, type="number")
            elif values and booleans == values:  # a single other word makes them categories
                found[number] = Column(name=name, type="boolean", true=list(TRUE), false=list(FALSE))
            else:
                texts = {row[place] for row in first if row[place] is not None}
                format_ = _format(engine, f"c{number}", values, texts) if values else None
                found[number] = Column(name=name, type="datetime" if format_ else "text", format=format_ or "")
    return {number: found[number] for number in names}


def parsed(column: Column, place: str) -> str:
    """SQL that reads a column's text: the text or a DOUBLE (seconds for dates, 0 or 1), NULL where it doesn't parse."""
    if column.type == "number":
        return number_sql(place)
    if column.type == "boolean":
        return boolean_sql(place)
    return dates.sql(place, column.format) if column.type == "datetime" else place


def _format(engine: Any, place: str, values: int, first: set[str]) -> str | None:
    """The format that reads most of the column; of two that read as much, the one that `dates.FORMATS` names first.

    Parameters
    ----------
    first : some of the values; the formats are narrowed down by them
    """
    if not first:
        first = {
            text
            for (text,) in engine.execute(
                f"SELECT {place} FROM clean WHERE {place} IS NOT NULL ORDER BY place LIMIT {LOOKED_AT}"
            ).fetchall()
        }
    likely = [format_ for format_ in dates.FORMATS if sum(_reads(text, format_) for text in first) * 2 >= len(first)]
    if not likely:
        return None
    counts = engine.execute(
        f"SELECT {', '.join(f'count({dates.sql(place, format_)})' for format_ in likely)} FROM clean"
    ).fetchone()
    count, best = max(zip(counts, likely, strict=True), key=lambda pair: pair[0])
    return best if count >= values * PARSED else None


def _reads(text: str, format_: str) -> bool:
    try:
        dates.parse(text, format_)
    except ValueError:
        return False
    return True
