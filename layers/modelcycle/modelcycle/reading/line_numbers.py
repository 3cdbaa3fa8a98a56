"""The line of a file on which each of its rows begins."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

MAX_JUMPS = 200_000
UNKNOWN = 0


@dataclass(frozen=True)
class LineNumbers:
    """Where the numbering of lines jumps: at a blank or broken line, or after a row with several lines.

    Row `rows[i]` begins on line `lines[i]`; the rows after it, up to `rows[i + 1]`, have a line each. An empty list
    means that the format has no lines; the line UNKNOWN, that there were more than MAX_JUMPS jumps.

    Parameters
    ----------
    rows, lines : from 1, both ascending

    Examples
    --------
    >>> numbers = LineNumbers([1, 3], [2, 5])
    >>> [numbers.line_of(row) for row in (1, 2, 3, 4)], LineNumbers().line_of(1)
    ([2, 3, 5, 6], None)
    """

    rows: list[int] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)

    def line_of(self, row: int) -> int | None:
        """Return the line of a row, None if it has none, or if that is not known."""
        position = bisect_right(self.rows, row) - 1
        if position < 0 or self.lines[position] == UNKNOWN:
            return None
        return self.lines[position] + row - self.rows[position]
