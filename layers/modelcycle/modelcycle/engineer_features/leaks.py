"""Columns that leak the target: known only once the target is, and worthless where the model is used.

A leak cannot be distinguished from a perfect feature by the data alone. So the thresholds are high, people see what is
left out with its evidence, and a column that the pipeline file lists or allows stays. A column that nearly gives the
target away stays too, with a warning: it may be a leak with a few errors, or an excellent feature.

Three kinds are found on the training rows: a single column that predicts the target (`association`), a column whose
missing values tell it (`missingness`), and several number columns that give it by a formula (`formulas`). A single
column is scored by the lowest AUC over the classes, each against the rest, or by R2. Real features stay below
`MIN_LEAK_SCORE`: the best ones have 0.78 in Adult, 0.94 in Iris, 0.98 in Wisconsin breast cancer; `registered`, a part
of bikeshare's target, has 0.976.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.engineer_features.association import Coded, best_r2, separations, standardised
from modelcycle.engineer_features.formulas import exact_formulas
from modelcycle.engineer_features.missingness import missingness_leak
from modelcycle.model.columns import Columns, TableSchema, missing_mask
from modelcycle.model.plan import Planned, Treatment
from modelcycle.spec import Task

MIN_LEAK_SCORE = 0.999  # AUC or R2 of a single column
MIN_SUSPECTED_AUC = 0.975  # lower bound of the AUC: people are warned
MIN_SUSPECTED_YOUDEN = 0.87  # likewise of Youden's index, which is 0.96 where 98 % of the rows agree with the target
MIN_SUSPECTED_R2 = 0.97
MIN_LEAK_ROWS = 100  # with fewer rows, a real feature may separate the classes by chance
UNITS: dict[Treatment, float] = {"number": 1.0, "date_parts": 86400.0}
ADVICE = "list it in drop_columns if it is known only with the outcome, otherwise in features.allow"


def leaking_columns(plan: dict[str, Planned], rows: Columns, schema: TableSchema) -> Iterator[Planned]:
    """Yield the columns to leave out or to warn of, replanned with the evidence.

    Parameters
    ----------
    plan : by column, as planned so far
    rows : training rows, with the target; numbers are finite, or NaN where missing
    schema : of the table, for the target's name, task and classes

    Examples
    --------
    >>> amount = np.arange(200.0)
    >>> rows = Columns({"amount": amount, "paid": 2 * amount + 1}, target=amount**2)
    >>> plan = {name: Planned(column=name, treatment="number", why="") for name in rows.values}
    >>> target = {"name": "squared", "type": "number"}
    >>> schema = TableSchema(columns=[], target=target, task="regression", missing_values=[])
    >>> [planned.why for planned in leaking_columns(plan, rows, schema)][:1]
    ['gives the target away: by itself it predicts every value (R2 1.0000 on 200 rows)']
    """
    assert rows.target is not None
    if rows.rows < MIN_LEAK_ROWS or float(np.min(rows.target)) == float(np.max(rows.target)):
        return
    names = [name for name, planned in plan.items() if planned.treatment != "left_out"]
    is_number = schema.task == "regression"
    target = standardised(np.asarray(rows.target, dtype=np.float64)) if is_number else rows.target
    left_out = set()
    for name in names:
        values = rows.values[name]
        leak, suspicion = _evidence(Coded(values), target, schema.task)
        told = missingness_leak(missing_mask(values), rows.target, schema.task, schema.target.name, schema.classes)
        if told is not None and told.certain:
            leak = leak or f"gives the target away {told.evidence}"
        elif told is not None:
            suspicion = suspicion or f"nearly gives the target away {told.evidence}"
        if leak:
            left_out.add(name)
            yield Planned(column=name, treatment="left_out", loud=True, why=leak)
        elif suspicion:
            why = f"{suspicion}; {ADVICE}; {plan[name].why}"
            yield plan[name].model_copy(update={"loud": True, "suspected": True, "why": why})
    if is_number:
        numbers = {
            # dates in days: a duration is the difference of two of them
            name: np.asarray(rows.values[name], dtype=np.float64) / UNITS[plan[name].treatment]
            for name in names
            if plan[name].treatment in UNITS and name not in left_out
        }
        yield from exact_formulas(numbers, np.asarray(rows.target, dtype=np.float64))


def _evidence(column: Coded, target: npt.NDArray[Any], task: Task) -> tuple[str, str]:
    """Return why a column is a leak, and why it is suspected to be one; "" if it is not."""
    rows = f"on {len(target):,} rows"
    if task == "regression":
        score = best_r2(column, target)
        measure, predicted, suspected = "R2", "value", score >= MIN_SUSPECTED_R2
    else:
        measure, predicted = "AUC", "class"
        scored: list[float] = []
        suspected = True
        for separation in separations(column, target):
            scored.append(separation.auc)
            suspected &= separation.auc_bound >= MIN_SUSPECTED_AUC or separation.youden >= MIN_SUSPECTED_YOUDEN
            if not suspected and separation.auc < MIN_LEAK_SCORE:
                break  # a class that it cannot tell is enough; there may be thousands
        if not scored:
            return "", ""
        score = min(scored)
    if score >= MIN_LEAK_SCORE:
        return f"gives the target away: by itself it predicts every {predicted} ({measure} {score:.4f} {rows})", ""
    return "", f"nearly gives the target away: {measure} {score:.3f} by itself {rows}" if suspected else ""
