"""What was decided about a column, and the words for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from modelcycle.cells.column import Column

MAX_NAMED_TEXTS = 5
MAX_TEXT_CHARACTERS = 30  # quoted of a text
MIN_TOLD_SHARE = 0.01  # of the cells with a text, from which missing ones are told on the screen of a run

Counted = tuple[str, int]
"""A text and its number of cells."""


class Decided(NamedTuple):
    """A column with its type.

    Parameters
    ----------
    loud : its note belongs on the screen of a run, not only into the plan
    """

    column: Column
    loud: bool = False

    def add(self, sentence: str, *, loud: bool = False, **update: object) -> Decided:
        """Return the decision with one more sentence, and other values of the column's fields."""
        note = "; ".join(part for part in (self.column.note, sentence) if part)
        return Decided(self.column.model_copy(update={**update, "note": note}), self.loud or loud)


def quoted(text: str) -> str:
    """Return a text for a note, cut to MAX_TEXT_CHARACTERS.

    >>> quoted("n/a")
    "'n/a'"
    """
    cut = text if len(text) <= MAX_TEXT_CHARACTERS else f"{text[: MAX_TEXT_CHARACTERS - 3]}..."
    return repr(cut)


def listed(texts: Sequence[Counted], distinct: int = 0) -> str:
    """Return texts with their counts, the most frequent first.

    Parameters
    ----------
    distinct : number of all different texts, of which these are the first

    Examples
    --------
    >>> listed([("n/a", 50), ("abc", 1200)], distinct=4)
    "'n/a' (50), 'abc' (1,200) and 2 other texts"
    """
    named = ", ".join(f"{quoted(text)} ({count:,})" for text, count in texts[:MAX_NAMED_TEXTS])
    more = max(distinct, len(texts)) - min(len(texts), MAX_NAMED_TEXTS)
    return named + (f" and {more:,} other text{'s' if more > 1 else ''}" if more else "")
