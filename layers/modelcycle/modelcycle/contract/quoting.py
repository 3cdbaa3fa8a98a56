"""Which cells a sentence may quote: sentences go into the registry and the history of executions, which no erasure
reaches.
"""

from __future__ import annotations

MIN_QUOTED_ROWS = (
    5  # a text of fewer rows may be about one person; contract-report.json has it, and erasure cleans that
)
IN_REPORT = "contract-report.json has examples"


def may_quote(rows: int, *, personal: bool = False) -> bool:
    """Return whether a text that so many rows have may be in a sentence; no text of a personal column may.

    >>> may_quote(5), may_quote(4), may_quote(900, personal=True)
    (True, False, False)
    """
    return rows >= MIN_QUOTED_ROWS and not personal
