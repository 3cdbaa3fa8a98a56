"""A table with unusual column names, missing values, a category, a date, and a yes/no column."""

from __future__ import annotations

import csv
import io
import math
import random

PIPELINE = """
name: sour-plums
target: "is it, sour?"
training: {trials: 3}
staging: {p99_ms: 5000}  # two processes of tests may keep the machine busy
"""
SECRET = "Quetschenmus"  # a value of a text column, which must not appear in a log


def rows(count: int = 900, seed: int = 3) -> str:
    """CSV text with a header; the same seed gives the same rows."""
    draw = random.Random(seed)
    text = io.StringIO()
    write = csv.writer(text)
    write.writerow(["=weight (g)", "größe", 'the "kind"', "picked.on", "washed/peeled", "is it, sour?"])
    for _ in range(count):
        weight, size = draw.gauss(40, 9), draw.random() * 10
        kind = draw.choice([SECRET, "Mirabelle", "Reine Claude", "Zwetschge"])
        day = f"2025-{draw.randint(1, 12):02}-{draw.randint(1, 28):02}"
        washed = draw.choice(["yes", "no"])
        odds = (
            -0.12 * (weight - 40) + 0.4 * (size - 5) + (1.5 if kind == SECRET else 0) - (0.5 if washed == "yes" else 0)
        )
        sour = "sour" if draw.random() < 1 / (1 + math.exp(-2 * odds)) else "sweet"
        row = [f"{weight:.2f}", f"{size:.3f}", kind, day, washed]
        write.writerow([value if draw.random() > 0.04 else "" for value in row] + [sour])
    return text.getvalue()


CSV = rows()
