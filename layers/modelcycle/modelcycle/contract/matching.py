"""The likeliest new name of a column, class or category that is gone."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from modelcycle.contract import measured
from modelcycle.contract.batch import Batch
from modelcycle.contract.terms import ColumnTerms

MIN_MATCH = 0.55  # of name and values together, from 0 to 1
NAME_WEIGHT = 0.4
MIN_NAME_LIKENESS = 0.75  # of names alone, where the values say nothing


class Match(NamedTuple):
    """A new column that is likely a known one: by its name and by its values, each from 0 to 1."""

    name: str
    by_name: float
    by_values: float | None

    @property
    def score(self) -> float:
        """Return how likely it is."""
        if self.by_values is None:
            return self.by_name
        return max(NAME_WEIGHT * self.by_name + (1 - NAME_WEIGHT) * self.by_values, self.by_name * 0.75)


def likeness(one: str, other: str) -> float:
    """Return how alike two names are, without case, punctuation and the order of words.

    >>> likeness("Total_Income", "total income"), likeness("income", "incom") > 0.8, likeness("age", "town") < 0.3
    (1.0, True, True)
    """
    words, others = ([word for word in re.split(r"[\W_]+", text.casefold()) if word] for text in (one, other))
    first, second = "".join(words), "".join(others)
    if not first or not second:
        return float(one == other)
    whole = difflib.SequenceMatcher(None, first, second).ratio()
    ordered = difflib.SequenceMatcher(None, "".join(sorted(words)), "".join(sorted(others))).ratio()
    contained = 0.8 if min(len(first), len(second)) >= 3 and (first in second or second in first) else 0.0
    return max(whole, ordered, contained)


def same_letters(text: str, known: Iterable[str]) -> str | None:
    """Return the known text that differs only in case and punctuation, None if there is none.

    >>> same_letters("MARRIED ", ["single", "married"]), same_letters("<50", [">50"])
    ('married', None)
    """
    letters = _letters(text)
    return next((other for other in known if letters and _letters(other) == letters), None)


def _letters(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum() or character in "<>=+-%")


def match_columns(lost: Sequence[ColumnTerms], new: Sequence[str], batch: Batch) -> dict[str, Match]:
    """Return the likeliest new name of each lost column, the best pairs first; a new name is given once."""
    pairs = []
    for terms in lost:
        for name in new:
            match = Match(name, likeness(terms.name, name), _values_likeness(terms, name, batch))
            alone = match.by_values is None
            if match.score >= (MIN_NAME_LIKENESS if alone else MIN_MATCH):
                pairs.append((match.score, terms.name, match))
    found: dict[str, Match] = {}
    for _, name, match in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2].name)):
        if name not in found and match.name not in {other.name for other in found.values()}:
            found[name] = match
    return found


def match_texts(lost: Mapping[str, float], new: Mapping[str, float]) -> dict[str, str]:
    """Return the likeliest new spelling of each lost text: by its letters, or else by its share of the rows.

    Parameters
    ----------
    lost, new : shares of the rows, 0 to 1

    Examples
    --------
    >>> match_texts({"default": 0.3, "ok": 0.7}, {"OK": 0.72, "Default": 0.28})
    {'default': 'Default', 'ok': 'OK'}
    >>> match_texts({"yes": 0.2, "no": 0.8}, {"1": 0.21, "0": 0.79})
    {'no': '0', 'yes': '1'}
    """
    scored = sorted(
        (
            (likeness(old, text) if likeness(old, text) >= MIN_NAME_LIKENESS else 0.0, -abs(share - now), old, text)
            for old, share in lost.items()
            for text, now in new.items()
        ),
        key=lambda pair: (-pair[0], -pair[1], pair[2], pair[3]),
    )
    found: dict[str, str] = {}
    for alike, distance, old, text in scored:
        if old in found or text in found.values():
            continue
        if alike or -distance <= 0.25 * max(lost[old], new[text]):
            found[old] = text
    return dict(sorted(found.items()))


def _values_likeness(terms: ColumnTerms, name: str, batch: Batch) -> float | None:
    """Return how alike the values of a new column are to those of a known one, None if that says nothing."""
    present, parsed = batch.present(name, terms), batch.parsed(name, terms)
    values, read = batch.engine.execute(f"SELECT count({present}), count({parsed}) FROM {batch.source}").fetchone()
    if not values:
        return None
    if terms.type == "text":
        if terms.open and terms.is_identifier:
            return None
        levels = {level.text: level.rows for level in measured.levels(batch.engine, batch.source, present, 1000)}
        known = sum(rows for text, rows in levels.items() if text in set(terms.levels))
        return float(known / values)
    spread = measured.spreads(batch.engine, batch.source, {name: parsed}, batch.rows).get(name)
    if spread is None or not terms.quantiles:
        return 0.0
    return float(read / values) * (1 - measured.distance(terms.quantiles, spread.quantiles))
