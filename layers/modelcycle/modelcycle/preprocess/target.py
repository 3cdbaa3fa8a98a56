"""The target: its task, its classes, and the code of each class."""

from __future__ import annotations

import difflib
from typing import Any

from modelcycle.cells import number_texts
from modelcycle.cells.column import Column
from modelcycle.cells.numbers import MAX_NUMBER, number_sql
from modelcycle.faults import BadPipeline, TargetUnusable
from modelcycle.model.class_labels import label_sql
from modelcycle.spec import Pipeline, Task

MAX_CLASSES = 100
MIN_CLASS_CASES = 8  # five for the folds of training, one for validation, two for test where rows are few
MAX_NUMBERED_CLASSES = 10  # classes that are whole numbers; with more, the task is a regression
MAX_LISTED_CLASSES = 10  # in a message
MAX_LABEL_CHARACTERS = 80  # of a class in a message
MIN_NUMBER_SHARE = 0.5  # of a text target's values, from which it is meant to be a number


def infer_task(engine: Any, column: Column, pipeline: Pipeline) -> Task:
    """Return the task of the pipeline file, or infer it from the target of the valid rows.

    Texts and booleans are classes. So are numbers with at most two values, and at most MAX_NUMBERED_CLASSES whole
    numbers that count from 0 or 1 without a gap (0, 1, 2). All other numbers are a regression.

    Raises
    ------
    TargetUnusable : the target is a date, or is a number with infinite values
    """
    _check_finite(engine, column, pipeline)
    if pipeline.task != "auto":
        return pipeline.task
    if column.type == "datetime":
        raise _unusable(pipeline, "is a date", "choose a column of classes or numbers, or write task: multiclass")
    values, minimum, maximum, are_whole = engine.execute(
        "SELECT count(DISTINCT target), min(target), max(target), "
        + ("bool_and(target = floor(target))" if column.type == "number" else "false")
        + " FROM valid_rows"
    ).fetchone()
    if column.type == "number" and values > 2:
        numbered = (
            are_whole and values <= MAX_NUMBERED_CLASSES and minimum in (0, 1) and maximum - minimum + 1 == values
        )  # fmt: skip
        return "multiclass" if numbered else "regression"
    return "binary" if values <= 2 else "multiclass"


def _check_finite(engine: Any, column: Column, pipeline: Pipeline) -> None:
    """Raise TargetUnusable if a target of texts is meant to be a number, but has infinite values."""
    if column.type != "text" or pipeline.task in ("binary", "multiclass"):
        return
    rows, numbers, infinite, large = engine.execute(
        f"""SELECT count(*), count({number_sql("target")}), count(*) FILTER (beyond),
              count(*) FILTER (beyond AND regexp_matches(target, '[0-9]'))
            FROM (SELECT target, abs(number) > {MAX_NUMBER} AND NOT isnan(number) AS beyond
                  FROM (SELECT target, try_cast(target AS DOUBLE) AS number FROM valid_rows))"""
    ).fetchone()
    if infinite and numbers + large >= rows * MIN_NUMBER_SHARE:
        if large == infinite and large > numbers:  # not some typing errors: the unit itself is too small
            raise _unusable(
                pipeline, f"is beyond 3.4e38, the largest number of a model, in {large:,} of {rows:,} rows",
                "write it in a larger unit, or as its logarithm",
            )  # fmt: skip
        raise _unusable(
            pipeline, f"is infinite, or beyond 3.4e38, in {infinite:,} of {rows:,} rows",
            "correct these values, or list their texts in missing_values: rows without a target are left out",
        )  # fmt: skip


def count_distinct(engine: Any) -> int:
    """Return the number of distinct target values of the valid rows."""
    distinct: int = engine.execute("SELECT count(DISTINCT target) FROM valid_rows").fetchone()[0]
    return distinct


def check_numeric(engine: Any, column: Column, pipeline: Pipeline) -> None:
    """Check the target of a regression.

    Raises
    ------
    TargetUnusable : it has no numbers, or only one
    """
    if column.type != "number":
        raise _unusable(
            pipeline, "has no numbers, which a regression needs",
            f"choose another target, or remove `task`; {number_texts.NUMBER_FORMAT_HINT}",
        )  # fmt: skip
    minimum, maximum = engine.execute("SELECT min(target), max(target) FROM valid_rows").fetchone()
    if minimum == maximum:
        raise _one_value(pipeline, f"{minimum:g}")


def create_classes(engine: Any, column: Column, pipeline: Pipeline, task: Task, unit_name: str) -> list[str]:
    """Create the table `classes` (label, value, rows, code), and return the labels in the order of their codes.

    Of two classes the positive one has code 1: `positive_class`, otherwise the rarer one; of equally frequent ones, the
    last in sorted order.

    Parameters
    ----------
    unit_name : what the units of `unit_rows` are, in the plural

    Raises
    ------
    TargetUnusable : there is one class, there are too many, or one is too rare
    BadPipeline : `positive_class` is not one of them
    """
    engine.execute(
        f"""CREATE TABLE classes AS SELECT {label_sql("target", column.type)} AS label, target AS value,
              count(*) AS rows, count(DISTINCT unit) AS units, 0 AS code
            FROM unit_rows GROUP BY target ORDER BY value LIMIT {MAX_CLASSES + 1}"""
    )
    label_rows: dict[str, int] = dict(engine.execute("SELECT label, rows FROM classes ORDER BY value").fetchall())
    label_units: dict[str, int] = dict(engine.execute("SELECT label, units FROM classes ORDER BY value").fetchall())
    labels = list(label_rows)
    if len(labels) > MAX_CLASSES:
        raise _too_many_classes(engine, column, pipeline, labels)
    if len(labels) < 2 and column.type == "number":
        raise _one_value(pipeline, labels[0])
    if len(labels) < 2 and column.note:  # a class that is named - was taken for a missing value
        raise _unusable(
            pipeline, f"has only one class, {_list_labels(labels)}; {column.note}",
            "if a text is a class, write missing_values: [''], or rename it; otherwise add rows of another class",
        )  # fmt: skip
    _check_classes(label_units, pipeline, task, unit_name)
    if task == "binary":
        positive = _positive_class(label_rows, pipeline)
        labels.sort(key=lambda label: label == positive)
    engine.execute("UPDATE classes SET code = list_position($1::VARCHAR[], label) - 1", [labels])
    return labels


def _too_many_classes(engine: Any, column: Column, pipeline: Pipeline, labels: list[str]) -> TargetUnusable:
    """Return the fault; it tells a number column with some other texts from an identifier."""
    classes, rows = count_distinct(engine), engine.execute("SELECT count(*) FROM valid_rows").fetchone()[0]
    numbers = 0
    if column.type == "text":
        numbers = engine.execute(f"SELECT count({number_sql('target')}) FROM valid_rows").fetchone()[0]
    if rows * MIN_NUMBER_SHARE <= numbers < rows:
        return _unusable(
            pipeline,
            f"has {classes:,} classes, because {rows - numbers:,} of {rows:,} values are not numbers, infinite, or"
            " beyond 3.4e38", "correct them, or list such texts in missing_values",
        )  # fmt: skip
    return _unusable(
        pipeline, f"has {classes:,} classes; a model has at most {MAX_CLASSES}",
        number_texts.NUMBER_FORMAT_HINT
        if number_texts.look_like_numbers(labels)
        else "is it an identifier? group the classes, or write task: regression",
    )  # fmt: skip


def _check_classes(label_units: dict[str, int], pipeline: Pipeline, task: Task, unit_name: str) -> None:
    """Raise TargetUnusable if the classes, with their numbers of units, cannot be learned as the task."""
    if len(label_units) < 2:
        only = _list_labels(list(label_units))
        raise _unusable(
            pipeline, f"has only one class, {only}", "add rows of another class, or choose another target"
        )  # fmt: skip
    if (task == "binary") != (len(label_units) == 2):
        raise _unusable(
            pipeline, f"has {len(label_units)} classes, which does not fit task: {task}",
            "remove `task`: it is then inferred",
        )  # fmt: skip
    rare = [f"{label} ({units})" for label, units in label_units.items() if units < MIN_CLASS_CASES]
    if rare:
        raise _unusable(
            pipeline, f"has classes with fewer than {MIN_CLASS_CASES} {unit_name}: {_list_labels(rare)}",
            "collect more rows of them, or merge or remove these classes",
        )  # fmt: skip


def _positive_class(label_rows: dict[str, int], pipeline: Pipeline) -> str:
    labels = list(label_rows)
    if pipeline.positive_class is None:
        return min(reversed(labels), key=lambda label: label_rows[label])
    positive = pipeline.positive_class.strip()
    if positive not in labels:
        similar = [label for label in labels if label.lower() == positive.lower()]
        similar = similar or difflib.get_close_matches(positive, labels, n=1, cutoff=0.4)
        raise BadPipeline(
            f"positive_class {positive!r} is not a class of {pipeline.target!r}",
            f"pipelines/{pipeline.name}.yaml: positive_class: {positive}",
            (f"did you mean {similar[0]!r}? " if similar else "") + f"classes: {_list_labels(labels)}",
        )
    return positive


def _one_value(pipeline: Pipeline, value: str) -> TargetUnusable:
    return _unusable(
        pipeline, f"has only one value, {value}: there is nothing to predict",
        "add rows with other values, or choose another target",
    )  # fmt: skip


def _unusable(pipeline: Pipeline, what: str, remedy: str) -> TargetUnusable:
    where = f"pipelines/{pipeline.name}.yaml: target: {pipeline.target}"
    return TargetUnusable(f"the target {pipeline.target!r} {what}", where, remedy)


def _list_labels(labels: list[str]) -> str:
    more = len(labels) - MAX_LISTED_CLASSES
    return ", ".join(label[:MAX_LABEL_CHARACTERS] for label in labels[:MAX_LISTED_CLASSES]) + (
        f" and {more} more" if more > 0 else ""
    )
