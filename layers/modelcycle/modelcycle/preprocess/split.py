"""Which rows train, which choose between trials, which judge: 75, 12.5 and 12.5 per cent.

By a stable hash of the row, so that a row stays in its part when others come or go, and rows that look alike are never
on both sides. Where a `time_column` is set, by time: the oldest rows train, the newest judge.
"""

from __future__ import annotations

from typing import Any

from modelcycle.faults import BadData
from modelcycle.spec import Pipeline, Task

BUCKETS = 8
PARTS = ("train", "validation", "test")


def part(time: str | None) -> str:
    """SQL that gives a row its part, the number of PARTS: by its bucket, or by the column `time`."""
    # rows of one moment have one rank and stay together
    share = f"bucket / {BUCKETS}" if time is None else f"(rank() OVER (ORDER BY {time}) - 1) / count(*) OVER ()"
    return f"(CASE WHEN {share} < 0.75 THEN 0 WHEN {share} < 0.875 THEN 1 ELSE 2 END)::UTINYINT"


def counted(engine: Any, pipeline: Pipeline, task: Task) -> tuple[int, int, int]:
    """Rows of each part.

    Raises
    ------
    BadData : a part would lack rows, or a class that it needs
    """
    # classes: in training every one, in the others of a binary task both
    rows = dict.fromkeys(PARTS, 0)
    held = dict.fromkeys(PARTS, 0)
    for number, count, classes in engine.execute(
        "SELECT part, count(*), count(DISTINCT target) FROM kept GROUP BY part"
    ).fetchall():
        rows[PARTS[number]], held[PARTS[number]] = count, classes
    all_classes = engine.execute("SELECT count(DISTINCT target) FROM kept").fetchone()[0]
    for name in PARTS:
        needed = 1 if task == "regression" else all_classes if task == "binary" or name == "train" else 1
        if held[name] < needed:
            lacking = "row" if not rows[name] else "row of one of the classes"
            raise BadData(
                f"of {sum(rows.values()):,} rows, the {name} part would get no {lacking}", f"raw/{pipeline.name}/",
                "upload more rows" + (", over a longer time" if pipeline.time_column is not None else ""),
            )  # fmt: skip
    return rows["train"], rows["validation"], rows["test"]
