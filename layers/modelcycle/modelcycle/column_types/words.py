"""Which words of a column of texts mean a missing value: None may be a class, `#N/A` never is."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from modelcycle.cells.missing import MARKS, WORDS
from modelcycle.column_types.decided import Counted
from modelcycle.sql_literal import literal

MAX_MISSING_SHARE = 0.5  # of the cells with a text: a mark that most cells hold says something
MIN_LEVEL_CELLS = 8  # a word in fewer cells is no class that could be learned
MAX_FEW_SHARE = 0.05  # of the cells with a text, that such a word may be


class Words(NamedTuple):
    """What a column's usual words for a missing value mean.

    Parameters
    ----------
    missing : texts that are missing values, also marks that the column does not hold
    found : those that it holds, with their cells
    kept : words that stay values, with their cells
    """

    missing: list[str]
    found: list[Counted]
    kept: list[Counted]


def decide_words(engine: Any, number: int, *, elsewhere: Collection[str], is_target: bool) -> Words:
    """Decide about the words of a column of texts.

    Marks that only programs write are missing unless most cells hold them. A word is missing if it is in too few
    cells for a class, or, but not in the target, if it stands beside numbers or dates in another column of the file.

    Parameters
    ----------
    number : of the column in `clean_rows`
    elsewhere : words that stand beside numbers or dates in other columns
    is_target : a class that is named None is not to be lost
    """
    tokens = ", ".join(literal(token) for token in sorted(MARKS | WORDS))
    found: list[Counted] = engine.execute(
        f"SELECT c{number}, count(*) FROM clean_rows WHERE c{number} IN ({tokens})"
        f" GROUP BY ALL ORDER BY count(*) DESC, c{number}"
    ).fetchall()
    if not found:
        return Words(sorted(MARKS), [], [])
    filled = engine.execute(f"SELECT count(c{number}) FROM clean_rows").fetchone()[0]
    few = min(MIN_LEVEL_CELLS - 1, MAX_FEW_SHARE * filled)
    kept = [
        (text, count)
        for text, count in found
        if count > MAX_MISSING_SHARE * filled
        or (text in WORDS and count > few and (is_target or text not in elsewhere))
    ]
    values = {text for text, _ in kept}
    missing = (MARKS | {text for text, _ in found}) - values
    return Words(sorted(missing), [entry for entry in found if entry[0] not in values], kept)
