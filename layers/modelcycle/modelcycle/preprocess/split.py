"""Splits the rows: 75 % train, 12.5 % choose between trials (validation), 12.5 % measure the model (test).

A row's part follows from a stable hash of its features: it stays in its part when rows are added or removed, and rows
with equal features are always in the same part. With a `time_column`, the oldest rows train and the newest are the test
rows.
"""

from __future__ import annotations

from typing import Any

from modelcycle.faults import BadData
from modelcycle.spec import Pipeline, Task

BUCKETS = 8  # six of them train
PARTS = ("train", "validation", "test")


def part_sql(time: str | None) -> str:
    """Return SQL for a row's part, a number of PARTS.

    Parameters
    ----------
    time : column to split by; by default the rows are split by the column `bucket`
    """
    # rows of the same time have the same rank, and so the same part
    share = f"bucket / {BUCKETS}" if time is None else f"(rank() OVER (ORDER BY {time}) - 1) / count(*) OVER ()"
    return f"(CASE WHEN {share} < 0.75 THEN 0 WHEN {share} < 0.875 THEN 1 ELSE 2 END)::UTINYINT"


def count_parts(engine: Any, pipeline: Pipeline, task: Task) -> tuple[int, int, int]:
    """Return the numbers of training, validation and test rows of `kept_rows`.

    Raises
    ------
    BadData : a part has no row, or not every class that it needs: training needs all, of two classes every part both
    """
    rows = dict.fromkeys(PARTS, 0)
    classes = dict.fromkeys(PARTS, 0)
    for part, n_rows, n_classes in engine.execute(
        "SELECT part, count(*), count(DISTINCT target) FROM kept_rows GROUP BY part"
    ).fetchall():
        rows[PARTS[part]], classes[PARTS[part]] = n_rows, n_classes
    all_classes = engine.execute("SELECT count(DISTINCT target) FROM kept_rows").fetchone()[0]
    for part in PARTS:
        needs_all = task == "binary" or (task == "multiclass" and part == "train")
        if classes[part] < (all_classes if needs_all else 1):
            absent = "no row of one of the classes" if rows[part] else "no row"
            raise BadData(
                f"of {sum(rows.values()):,} rows, the {part} part would get {absent}", f"raw/{pipeline.name}/",
                "upload more rows" + (", over a longer period" if pipeline.time_column is not None else ""),
            )  # fmt: skip
    return rows["train"], rows["validation"], rows["test"]
