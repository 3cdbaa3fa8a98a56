"""Whether a reason names the person whom a request is about: what keeps the reason keeps it for good."""

from __future__ import annotations

import re
from collections.abc import Iterable


def names_a_value(why: str, values: Iterable[str]) -> bool:
    """Return whether a text has one of the values as words of its own, in capitals or not.

    Examples
    --------
    >>> names_a_value("about 53464097e", ["53464097E"]), names_a_value("case 1234", ["123"])
    (True, False)
    """
    wanted = [re.escape(value.strip().casefold()) for value in values if value.strip()]
    return bool(wanted) and re.search(rf"(?<!\w)(?:{'|'.join(wanted)})(?!\w)", why.casefold()) is not None
