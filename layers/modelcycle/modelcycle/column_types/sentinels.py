"""Dates that stand for a missing one: 0000-00-00, 9999-12-31, 1900-01-01."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, NamedTuple

from modelcycle.cells.reading import Reading, parsed_sql
from modelcycle.column_types.decided import Counted

NO_DATE = re.compile("[0.:/ TZ-]*")  # 0000-00-00 00:00:00
PLACEHOLDERS = (
    (1, 1, 1), (1582, 10, 15), (1753, 1, 1), (1800, 1, 1), (1899, 12, 30), (1899, 12, 31), (1900, 1, 1), (1901, 1, 1),
    (1970, 1, 1), (2049, 12, 31), (2099, 12, 31), (2100, 1, 1), (2199, 12, 31), (2222, 2, 2), (2999, 12, 31),
    (3000, 1, 1), (9999, 1, 1), (9999, 12, 30), (9999, 12, 31),
)  # fmt: skip
"""Year, month and day of dates that databases and people write for no date."""

_DAYS = frozenset(datetime(*day, tzinfo=UTC).timestamp() for day in PLACEHOLDERS)
MIN_GAP_SECONDS = 5 * 365.25 * 86400.0  # between a placeholder and all other dates
MIN_GAP_SHARE = 0.25  # of the span of all other dates, likewise


class Sentinels(NamedTuple):
    """Texts of a column that stand for no date, with their cells, and how many cells they are."""

    texts: list[Counted]
    cells: int


def may_be_sentinel(seconds: float) -> bool:
    """Return whether a moment is on the day of a placeholder.

    >>> may_be_sentinel(0.0), may_be_sentinel(86400.0)
    (True, False)
    """
    return seconds // 86400 * 86400 in _DAYS


def find_sentinels(engine: Any, number: int, reading: Reading) -> Sentinels:
    """Return the texts of placeholders that lie far from all other dates of the column.

    Parameters
    ----------
    number : of the column in `clean_rows`
    reading : of the dates
    """
    dated = f"(SELECT c{number} AS text, {parsed_sql(reading, f'c{number}')} AS seconds FROM clean_rows)"
    on_day = f"floor(seconds / 86400) * 86400 IN ({', '.join(map(str, sorted(_DAYS)))})"
    low, high = engine.execute(
        f"SELECT min(seconds), max(seconds) FROM {dated} WHERE seconds IS NOT NULL AND NOT {on_day}"
    ).fetchone()
    if low is None:
        return Sentinels([], 0)
    gap = max(MIN_GAP_SECONDS, MIN_GAP_SHARE * (high - low))
    found = engine.execute(
        f"""SELECT text, count(*) FROM {dated} WHERE {on_day} AND (seconds < $1 OR seconds > $2)
            GROUP BY ALL ORDER BY count(*) DESC, text LIMIT 100""",
        [low - gap, high + gap],
    ).fetchall()
    return Sentinels(found, sum(count for _, count in found))
