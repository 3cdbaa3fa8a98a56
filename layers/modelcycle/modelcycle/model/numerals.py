"""Texts that are numbers to a person, but are not read as such: 1,234.50, 3,14, 12 %, € 5."""

from __future__ import annotations

import re
from collections.abc import Sequence

HINT = "write numbers as 1234.5: no thousands separator, decimal comma, currency or per cent sign"
MOST = 0.9  # share of the texts
_SIGN = r"[€$£¥%]?"
_WRITTEN = re.compile(
    rf"{_SIGN}\s?[+-]?\s?{_SIGN}\s?([0-9]{{1,3}}([.,'’ \u00a0][0-9]{{3}})+([.,][0-9]+)?|[0-9]+([.,][0-9]+)?)\s?{_SIGN}"
)


def written_otherwise(texts: Sequence[str]) -> bool:
    """Whether nearly all of the texts are numbers in another spelling than the one that is read."""
    return bool(texts) and sum(_WRITTEN.fullmatch(text) is not None for text in texts) >= MOST * len(texts)
