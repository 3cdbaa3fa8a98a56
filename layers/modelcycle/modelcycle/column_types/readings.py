"""The ways in which a column of texts may be read, and which one its values prefer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from modelcycle.cells import dates
from modelcycle.cells.booleans import FALSE, TRUE, has_pair, is_boolean
from modelcycle.cells.numbers import NUMBER_FORMATS, number, separators
from modelcycle.cells.reading import Reading
from modelcycle.cells.times import TIME_FORMATS, seconds

MIN_LIKELY_SHARE = 0.5  # of the sampled texts, for a reading to be counted over the whole column
MIN_FIRST_SHARE = 0.3  # of the first texts, to be tried on the whole sample
FIRST_TEXTS = 24
BOOLEAN = Reading(type="boolean", true=list(TRUE), false=list(FALSE))


def likely_readings(texts: Counter[str]) -> list[Reading]:
    """Return the readings that fit most of the sampled texts, in order of preference.

    >>> [reading.format for reading in likely_readings(Counter(["1,234", "2,345"]))]
    ['1,234.56', '1234,56']
    """
    if not texts:
        return []
    readings = [BOOLEAN] if _fits(texts, is_boolean) and has_pair(text.lower() for text in texts) else []
    if not _fits(texts, lambda text: any(letter.isdigit() for letter in text)):
        return readings
    for format_ in ("", *NUMBER_FORMATS):
        if _fits(texts, lambda text: number(text, format_) is not None):  # noqa: B023 (called at once)
            readings.append(Reading(type="number", format=format_))
    if not readings:
        for time_format in TIME_FORMATS:
            if _fits(texts, lambda text: seconds(text, time_format) is not None):  # noqa: B023
                readings.append(Reading(type="number", format=time_format))
        readings += [
            Reading(type="datetime", format=format_)
            for format_ in dates.FORMATS
            if _fits(texts, lambda text: dates.is_date(text, format_))  # noqa: B023
        ]
    return readings


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
    return format_ in NUMBER_FORMATS and separators(format_)[1] == ","


def _fits(texts: Counter[str], reads: Callable[[str], bool]) -> bool:
    """Return whether a reading fits most of the texts; the first ones are tried first, since most readings do not."""
    first = list(texts)[:FIRST_TEXTS]
    if _share(first, texts, reads) < MIN_FIRST_SHARE:
        return False
    return len(first) == len(texts) or _share(texts, texts, reads) >= MIN_LIKELY_SHARE


def _share(tried: Iterable[str], texts: Counter[str], reads: Callable[[str], bool]) -> float:
    chosen = list(tried)
    return sum(texts[text] for text in chosen if reads(text)) / sum(texts[text] for text in chosen)
