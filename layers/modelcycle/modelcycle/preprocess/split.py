"""Which rows train, which choose between trials, which judge: 75, 12.5 and 12.5 per cent.

By a stable hash of the row, so that a row stays in its part when others come or go, and rows that look alike are never
on both sides. Where a `time_column` is set, by time: the oldest rows train, the newest judge.
"""

from __future__ import annotations

from typing import Any

from modelcycle.faults import BadData
from modelcycle.preprocess.rows import BUCKETS
from modelcycle.spec import Pipeline, Task

PARTS = ("train", "validation", "test")


def split(engine: Any, pipeline: Pipeline, task: Task, time: str | None) -> tuple[int, int, int]:
    """Make `placed`: the kept rows with their `part`, in order of it; and count the parts.

    Raises
    ------
    BadData : a part would lack rows, or a class that it needs
    """
    kept: int = engine.execute("SELECT count(*) FROM kept").fetchone()[0]
    # rows of one moment have one rank and stay together
    share = f"bucket / {BUCKETS}" if time is None else f"(rank() OVER (ORDER BY {time}) - 1) / {kept}"
    engine.execute(
        f"""CREATE TABLE placed AS
            SELECT *, (CASE WHEN share < 0.75 THEN 0 WHEN share < 0.875 THEN 1 ELSE 2 END)::UTINYINT AS part
            FROM (SELECT *, {share} AS share FROM kept) ORDER BY part, place"""
    )
    # classes: in training every one, in the others of a binary task both
    counted = dict.fromkeys(PARTS, 0)
    held = dict.fromkeys(PARTS, 0)
    for part, rows, classes in engine.execute(
        "SELECT part, count(*), count(DISTINCT target) FROM placed GROUP BY part"
    ).fetchall():
        counted[PARTS[part]], held[PARTS[part]] = rows, classes
    all_classes = engine.execute("SELECT count(DISTINCT target) FROM kept").fetchone()[0]
    for name in PARTS:
        needed = 1 if task == "regression" else all_classes if task == "binary" or name == "train" else 1
        if held[name] < needed:
            lacking = "row" if not counted[name] else "row of one of the classes"
            raise BadData(
                f"of {kept:,} rows, the {name} part would get no {lacking}", f"raw/{pipeline.name}/",
                "upload more rows" + ("" if time is None else f", over a longer time ({pipeline.time_column})"),
            )  # fmt: skip
    return counted["train"], counted["validation"], counted["test"]
