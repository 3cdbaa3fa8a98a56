"""Recognizes texts that are numbers to a person, in whatever spellings: codes, and mixed ways to write numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence

NUMBER_FORMAT_HINT = "write all its numbers in one way, or name that way under features.numbers"
MIN_NUMBER_SHARE = 0.9  # of the texts
_SIGN = r"[€$£¥%]?"
_NUMBER = re.compile(
    rf"{_SIGN}\s?[+-]?\s?{_SIGN}\s?([0-9]{{1,3}}([.,'’ \u00a0][0-9]{{3}})+([.,][0-9]+)?|[0-9]+([.,][0-9]+)?)\s?{_SIGN}"
)


def look_like_numbers(texts: Sequence[str]) -> bool:
    """Return whether nearly all texts are numbers to a person.

    >>> look_like_numbers(["1,234.50", "12 %"]), look_like_numbers(["12 Main Street"])
    (True, False)
    """
    numbers = sum(_NUMBER.fullmatch(text) is not None for text in texts)
    return bool(texts) and numbers >= MIN_NUMBER_SHARE * len(texts)
