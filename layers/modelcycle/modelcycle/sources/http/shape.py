"""Whether all pages of an API have the same columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from modelcycle.faults import BadData

MIN_ROWS = 5  # in a page and before it: with fewer, a missing key may be chance
MAX_DEPTH = 3
MAX_NAMED = 5


class Shape:
    """The keys of the rows so far. A row may lack keys, but a page without a key that all had is another table."""

    def __init__(self) -> None:
        self.rows = 0
        self.counts: Counter[str] = Counter()
        self.page: Counter[str] = Counter()
        self.page_rows = 0

    def add(self, row: dict[str, Any]) -> None:
        """Count the keys of a row of the current page."""
        self.page.update(set(_keys(row)))
        self.page_rows += 1

    def end_page(self, number: int, where: str) -> None:
        """Compare the page with those before it.

        Raises
        ------
        BadData : it lacks keys that every row before had
        """
        lost = sorted(key for key, rows in self.counts.items() if rows == self.rows and key not in self.page)
        added = sorted(key for key, rows in self.page.items() if rows == self.page_rows and key not in self.counts)
        enough = min(self.rows, self.page_rows) >= MIN_ROWS
        if self.rows and self.page_rows and lost and (added or enough):
            instead = f" and has {_named(added)} instead" if added else ""
            raise BadData(
                f"the rows change at page {number}: it lacks {_named(lost)}, which every row before had{instead}",
                f"{where}, page {number}", "ask the owner of the API; pull again when all pages have the same columns",
            )  # fmt: skip
        self.rows += self.page_rows
        self.counts += self.page
        self.page, self.page_rows = Counter(), 0

    @property
    def names(self) -> list[str]:
        """The keys so far, sorted."""
        return sorted({*self.counts, *self.page})


def _keys(value: dict[str, Any], begin: str = "", depth: int = 1) -> Iterator[str]:
    for key, inner in value.items():
        if isinstance(inner, dict) and inner and depth < MAX_DEPTH:
            yield from _keys(inner, f"{begin}{key}.", depth + 1)
        else:
            yield f"{begin}{key}"


def _named(names: list[str]) -> str:
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(repr(name[:60]) for name in names[:MAX_NAMED]) + more
