"""The ways in which a column of texts may be read, and which one its values prefer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from modelcycle.cells import dates
from modelcycle.cells.booleans import FALSE, TRUE, has_pair, is_boolean
from modelcycle.cells.numbers import NUMBER_FORMATS, number, separators, split_unit
from modelcycle.cells.reading import Reading
from modelcycle.cells.times import TIME_FORMATS, seconds
from modelcycle.cells.units import common_unit

MIN_LIKELY_SHARE = 0.5  # of the sampled texts, for a reading to be counted over the whole column
MIN_FIRST_SHARE = 0.3  # of the first texts, to be tried on the whole sample
MAX_BEHIND_SHARE = 0.02  # of the sampled texts, by which a reading may fit fewer than the best one
FIRST_TEXTS = 24
BOOLEAN = Reading(type="boolean", true=list(TRUE), false=list(FALSE))


def likely_readings(texts: Counter[str]) -> list[Reading]:
    """Return the readings that fit most of the sampled texts, in order of preference.

    >>> from collections import Counter
    >>> [reading.format for reading in likely_readings(Counter(["1,234", "2,345"]))][:2]
    ['1,234.56', '1234,56']
    """
    if not texts:
        return []
    readings = [BOOLEAN] if _fits(texts, is_boolean) and has_pair(text.lower() for text in texts) else []
    if not _fits(texts, lambda text: any(letter.isdigit() for letter in text)):
        return readings
    if all(number(text) is not None for text in texts):
        return [*readings, Reading(type="number")]
    numbers = _best(texts, ("", *NUMBER_FORMATS), lambda text, format_: number(text, format_) is not None)
    if numbers:
        # digits with a point are read as such; another spelling has to read more
        plain = [format_ for format_ in numbers if not format_] or numbers
        return [*readings, *(Reading(type="number", format=format_) for format_ in plain)]
    times = _best(texts, TIME_FORMATS, lambda text, format_: seconds(text, format_) is not None)
    may_be_dates = _share(_first(texts), dates.may_be_date) >= MIN_FIRST_SHARE
    moments = _best(texts, dates.FORMATS, dates.is_date) if may_be_dates else []
    unit = common_unit(texts) if not times and not moments else ""
    with_unit = [f"{format_} {unit}" for format_ in NUMBER_FORMATS] if unit else []
    measures = _best(texts, with_unit, lambda text, format_: number(text, format_) is not None)
    return [
        *readings,
        *(Reading(type="number", format=format_) for format_ in (*times, *measures)),
        *(Reading(type="datetime", format=format_) for format_ in moments),
    ]


def preferred(counts: dict[str, int], *, comma: bool, order: str) -> str:
    """Return the format that reads most texts; of equally good ones, the one that other columns of the file suggest.

    Parameters
    ----------
    counts : cells that each format reads, in order of preference; not empty
    comma : other columns of the file have a decimal comma
    order : other columns of the file write the day (%d) or the month (%m) first, "" if that is not known

    Examples
    --------
    >>> preferred({"1,234.56": 9, "1234,56": 9}, comma=False, order="")
    '1,234.56'
    >>> preferred({"1,234.56": 9, "1234,56": 9}, comma=True, order="")
    '1234,56'
    """
    most = max(counts.values())
    best = [format_ for format_, count in counts.items() if count == most]
    if comma:
        best.sort(key=lambda format_: not has_decimal_comma(format_))
    if order:
        best.sort(key=lambda format_: bool(dates.swapped(format_)) and not format_.startswith(order))
    return best[0]


def has_decimal_comma(format_: str) -> bool:
    """Return whether a number format has a decimal comma.

    >>> has_decimal_comma("1.234,56"), has_decimal_comma(""), has_decimal_comma("iso")
    (True, False, False)
    """
    return split_unit(format_)[0] in NUMBER_FORMATS and separators(format_)[1] == ","


def _best(texts: Counter[str], formats: Sequence[str], reads: Callable[[str, str], bool]) -> list[str]:
    """Return the formats that read nearly as many sampled texts as the best one, if that are most of them."""
    shares = {}
    first = _first(texts)
    for format_ in formats:
        if _share(first, lambda text: reads(text, format_)) >= MIN_FIRST_SHARE:  # noqa: B023 (called at once)
            shares[format_] = _share(texts, lambda text: reads(text, format_))  # noqa: B023
    best = max(shares.values(), default=0.0)
    if best < MIN_LIKELY_SHARE:
        return []
    return [format_ for format_, share in shares.items() if share >= best - MAX_BEHIND_SHARE]


def _first(texts: Counter[str]) -> Counter[str]:
    """Return the first texts, each once: one word may be a tenth of all cells."""
    return Counter(list(texts)[:FIRST_TEXTS])


def _fits(texts: Counter[str], reads: Callable[[str], bool]) -> bool:
    """Return whether a reading fits most of the texts."""
    return _share(texts, reads) >= MIN_LIKELY_SHARE


def _share(texts: Counter[str], reads: Callable[[str], bool]) -> float:
    return sum(count for text, count in texts.items() if reads(text)) / texts.total()
