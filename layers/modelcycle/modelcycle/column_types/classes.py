"""Spellings of one class: Churned, churned, CHURNED."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Sequence

from modelcycle.column_types.decided import Counted, quoted

MAX_SPELLED_LEVELS = 100  # a column with more is no list of classes
MAX_TOLD_CLASSES = 3
MIN_QUOTED_CELLS = 5  # of the usual spelling: a rarer text may be about one person, and notes are kept in the registry


def spellings(levels: Sequence[Counted]) -> list[list[Counted]]:
    """Return the groups of levels that differ in case, accents, blanks, hyphens or closing points only.

    Parameters
    ----------
    levels : texts with their cells

    Examples
    --------
    >>> spellings([("Churned", 20), ("CHURNED.", 3), ("stayed", 9)])
    [[('Churned', 20), ('CHURNED.', 3)]]
    """
    groups: dict[str, list[Counted]] = defaultdict(list)
    for text, count in levels:
        groups[folded(text)].append((text, count))
    several = [sorted(group, key=lambda entry: (-entry[1], entry[0])) for group in groups.values() if len(group) > 1]
    return sorted(several, key=lambda group: (-sum(count for _, count in group), group[0][0]))


def folded(text: str) -> str:
    """Return what the spellings of a class have in common; a sign such as + is part of it.

    >>> folded(" Côte-d'Or. ") == folded("cote d'or"), folded("A+") == folded("A-")
    (True, False)
    """
    letters = unicodedata.normalize("NFKD", text).casefold()
    letters = "".join(letter for letter in letters if not unicodedata.combining(letter))
    for mark in "_-":
        letters = " ".join(letters.split(mark)) if not letters.strip().endswith(mark) else letters
    return " ".join(letters.split()).rstrip(" .,;:!")


def merge_note(levels: Sequence[Counted]) -> str:
    """Return the likeliest merges as a sentence, or "".

    >>> merge_note([("Churned", 20), ("CHURNED", 3), ("stayed", 9)])
    "spellings of one class? 'Churned' (20) and 'CHURNED' (3): write them alike to merge them"
    >>> merge_note([("stayed", 90), ("Ann Wirth", 2), ("ann wirth", 1)])
    'spellings of one class? 1 with few rows: write them alike to merge them'
    """
    groups = spellings(levels)
    if not groups:
        return ""
    rare = sum(group[0][1] < MIN_QUOTED_CELLS for group in groups)
    groups = [group for group in groups if group[0][1] >= MIN_QUOTED_CELLS]
    told = [" and ".join(f"{quoted(text)} ({count:,})" for text, count in group) for group in groups[:MAX_TOLD_CLASSES]]
    more = f", and {len(groups) - MAX_TOLD_CLASSES} more" if len(groups) > MAX_TOLD_CLASSES else ""
    told += [f"{rare} with few rows"] if rare else []
    return f"spellings of one class? {'; '.join(told)}{more}: write them alike to merge them"
