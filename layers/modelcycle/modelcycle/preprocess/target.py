"""What is to be learned: the task, the classes, and each row's code."""

from __future__ import annotations

import difflib
from typing import Any

from modelcycle.faults import BadPipeline, TargetUnusable
from modelcycle.model import numerals
from modelcycle.model.columns import Column
from modelcycle.spec import Pipeline, Task

MOST_CLASSES = 100
LEAST_CLASS_ROWS = 8  # by the split, one of them is expected in validation and one in test
MOST_NUMBERED = 10  # classes that are written as numbers
SHOWN = 10


def task_of(engine: Any, column: Column, pipeline: Pipeline) -> Task:
    """The task, from the kept rows' target.

    `auto`: a text or boolean is a class. So is a number with two values, or whole ones that count from 0 or 1 without a
    gap, ten at most (0, 1, 2); every other number is a regression. `task` in the pipeline file says it otherwise.
    """
    if pipeline.task != "auto":
        return pipeline.task
    distinct, least, most, whole = engine.execute(
        "SELECT count(DISTINCT target), min(target), max(target), "
        + ("bool_and(target = floor(target))" if column.type == "number" else "false")
        + " FROM kept"
    ).fetchone()
    if column.type == "datetime":
        raise _unusable(pipeline, "is a date", "choose a column of classes or numbers, or write task: multiclass")
    if column.type == "number" and distinct > 2:
        numbered = whole and distinct <= MOST_NUMBERED and least in (0, 1) and most - least + 1 == distinct
        return "multiclass" if numbered else "regression"
    return "binary" if distinct <= 2 else "multiclass"


def distinct(engine: Any) -> int:
    """Different values of the kept rows' target."""
    found: int = engine.execute("SELECT count(DISTINCT target) FROM kept").fetchone()[0]
    return found


def numbers_checked(engine: Any, column: Column, pipeline: Pipeline) -> None:
    """Raises TargetUnusable where a regression has no numbers, or one number only."""
    if column.type != "number":
        raise _unusable(
            pipeline,
            "holds no numbers, which a regression needs",
            f"choose another target, or leave `task` out; {numerals.HINT}",
        )
    least, most = engine.execute("SELECT min(target), max(target) FROM kept").fetchone()
    if least == most:
        raise _unusable(pipeline, "has one value only", "there is nothing to learn; choose another target")


def classes_of(engine: Any, column: Column, pipeline: Pipeline, task: Task) -> list[str]:
    """Make the table `classes` (label, value, code), and give the labels in order of their codes.

    Binary: [negative, positive], the positive one being the rarer (of two as frequent, the later in order).

    Raises
    ------
    TargetUnusable : one class, too many, or one that is too rare
    BadPipeline : positive_class is none of them
    """
    engine.execute(
        f"""CREATE TABLE classes AS SELECT {_label(column)} AS label, target AS value, count(*) AS rows, 0 AS code
            FROM kept GROUP BY target ORDER BY value LIMIT {MOST_CLASSES + 1}"""
    )
    found: list[tuple[str, int]] = engine.execute("SELECT label, rows FROM classes ORDER BY value").fetchall()
    labels = [label for label, _ in found]
    if len(found) < 2:
        raise _unusable(pipeline, "has one class only", "add rows of another class, or choose another target")
    if len(found) > MOST_CLASSES:
        raise _unusable(
            pipeline,
            f"has more than {MOST_CLASSES} classes",
            numerals.HINT
            if numerals.written_otherwise(labels)
            else "is it an identifier? group the classes, or write task: regression",
        )
    if (task == "binary") != (len(found) == 2):
        raise _unusable(
            pipeline, f"has {len(found)} classes, which does not fit task: {task}", "leave `task` out, and it is found"
        )
    rare = [label for label, rows in found if rows < LEAST_CLASS_ROWS]
    if rare:
        raise _unusable(
            pipeline, f"has classes with fewer than {LEAST_CLASS_ROWS} rows: {_listed(rare)}",
            "collect more rows of them, or merge or leave out these classes",
        )  # fmt: skip
    if task == "binary":
        positive = _positive(found, pipeline)
        labels.sort(key=lambda label: label == positive)
    engine.execute("UPDATE classes SET code = list_position($1::VARCHAR[], label) - 1", [labels])
    return labels


def _label(column: Column) -> str:
    """A class's name: the text; a whole number without its point."""
    if column.type == "text":
        return "target"
    if column.type == "boolean":
        return "CASE WHEN target = 1 THEN 'true' ELSE 'false' END"
    return (
        "CASE WHEN target = floor(target) AND abs(target) < 1e15 THEN target::BIGINT::VARCHAR ELSE target::VARCHAR END"
    )


def _positive(found: list[tuple[str, int]], pipeline: Pipeline) -> str:
    labels = [label for label, _ in found]
    wanted = pipeline.positive_class
    if wanted is None:
        return min(reversed(found), key=lambda pair: pair[1])[0]
    wanted = wanted.strip()
    if wanted not in labels:
        near = [label for label in labels if label.lower() == wanted.lower()]
        near = near or difflib.get_close_matches(wanted, labels, n=1, cutoff=0.4)
        raise BadPipeline(
            f"positive_class {wanted!r} is no class of {pipeline.target!r}",
            f"pipelines/{pipeline.name}.yaml: positive_class: {wanted}",
            (f"did you mean {near[0]!r}? " if near else "") + f"classes: {_listed(labels)}",
        )
    return wanted


def _unusable(pipeline: Pipeline, what: str, remedy: str) -> TargetUnusable:
    where = f"pipelines/{pipeline.name}.yaml: target: {pipeline.target}"
    return TargetUnusable(f"the target {pipeline.target!r} {what}", where, remedy)


def _listed(labels: list[str]) -> str:
    return ", ".join(labels[:SHOWN]) + (f" and {len(labels) - SHOWN} more" if len(labels) > SHOWN else "")
