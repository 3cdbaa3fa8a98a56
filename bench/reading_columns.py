"""Generated columns for bench/reading.py: what a person means, and how it is written.

A column is its texts, some of them noise (tokens for a missing value, and words that fit nothing), and what each text
means: a number, seconds since 1970, true or false, a text; None for noise.
"""

from __future__ import annotations

import random
from typing import Any, NamedTuple

from bench.reading_kinds import KINDS, NOISY

COLUMNS_OF_KIND = 15
ROWS = (50, 80, 200, 500, 1000, 2000, 5000)
NOISE = (0.0, 0.01, 0.05, 0.1, 0.2)
TOKENS = ("n/a", "N/A", "#N/A", "NA", "NaN", "nan", "null", "NULL", "-", "--", ".", "?", "<NA>", "(null)", r"\N", "",
          "None", "unknown", "missing", "#VALUE!", "#DIV/0!", "not available")  # fmt: skip
UNKNOWN = ("abc", "error", "see note", "oops", "pending", "x", "too high", "ask Bob", "***", "to do", "Fehler", "sic")


class Made(NamedTuple):
    """A generated column.

    Parameters
    ----------
    kind : of KINDS
    name : of the column
    type : number, boolean, datetime or text
    texts, meant : of each row; None where the text is noise
    """

    kind: str
    name: str
    type: str
    texts: list[str]
    meant: list[Any]


def make_column(kind: str, number: int, seed: int = 0) -> Made:
    """Return column `number` of a kind; equal arguments give equal columns."""
    dice = random.Random(f"{seed} {kind} {number}")
    type_, name, draw = KINDS[kind](dice, number)
    rows, noise = dice.choice(ROWS), dice.choice(NOISE)
    tokens = dice.sample(TOKENS, dice.randint(1, 3))
    words = dice.sample(UNKNOWN, dice.randint(1, 4)) if kind in NOISY else []
    texts, meant = [], []
    noisy = set(dice.sample(range(rows), int(noise * rows)))
    for row in range(rows):
        text, value = draw()
        if row in noisy:
            text, value = dice.choice(words if words and dice.random() < 0.5 else tokens), None
        texts.append(text)
        meant.append(value)
    return Made(kind, name, type_, texts, meant)


def all_columns(seed: int = 0) -> list[Made]:
    """Return COLUMNS_OF_KIND columns of each kind."""
    return [make_column(kind, number, seed) for kind in KINDS for number in range(COLUMNS_OF_KIND)]
