"""How each column enters the model. Four rules, in this order:

1. What the pipeline file says by name: identifiers, sensitive columns, dropped columns.
2. What the column contains: only missing values, one value, an identifier, numbers, dates, categories, words.
3. Whether it is redundant: the same as another column.
4. Whether it leaks the target.

A column listed in `features.numeric` or `features.categorical` is kept whatever rules 2 to 4 say, one in
`features.allow` whatever rule 4 says; its reason in the plan still reports what they found.
"""

from __future__ import annotations

import numpy as np

from modelcycle.engineer_features.cyclic_parts import cyclic_parts
from modelcycle.engineer_features.leaks import leaking_columns
from modelcycle.engineer_features.redundant import count_distinct, redundant_columns
from modelcycle.engineer_features.treatment import MAX_CATEGORY_LEVELS, choose_treatment, varying_parts
from modelcycle.faults import BadData
from modelcycle.model.columns import Columns, TableSchema, Texts
from modelcycle.model.plan import FeaturePlan, Input, Part, Planned
from modelcycle.spec import Pipeline

MAX_INSPECTED_ROWS = 50_000  # evenly spread over the training rows
MIN_INSPECTED_ROWS = 5_000  # of a wide table
MAX_INSPECTED_CELLS = 20_000_000  # every column is sorted a few times: some 20 s
MAX_REASONS = 5  # named when no usable column is left


def plan_features(schema: TableSchema, train: Columns, pipeline: Pipeline) -> FeaturePlan:
    """Plan every column of the table.

    Parameters
    ----------
    schema : of all columns
    train : training rows, with the target
    pipeline : the pipeline file

    Raises
    ------
    BadData : a column listed in `features` is not in the data or is not numeric; or no usable column is left
    """
    listed = {*pipeline.features.numeric, *pipeline.features.categorical}
    _check_listed({*listed, *pipeline.features.allow}, schema, pipeline)
    rows_that_fit = MAX_INSPECTED_CELLS // max(1, len(schema.columns))
    rows = _sample(train, min(MAX_INSPECTED_ROWS, max(MIN_INSPECTED_ROWS, rows_that_fit)))
    plan = {
        column.name: _plan_by_name(column.name, pipeline) or choose_treatment(column, rows, pipeline)
        for column in schema.columns
    }
    sensitive = [] if pipeline.features.use_sensitive else pipeline.sensitive_columns
    for planned in redundant_columns(plan, rows, sensitive):
        plan[planned.column] = planned
    for planned in leaking_columns(plan, rows, schema):
        allowed = planned.column in pipeline.features.allow
        plan[planned.column] = _vouched_for(plan[planned.column], planned) if allowed else planned
    for name in listed:
        plan[name] = _plan_listed(plan[name], rows, pipeline)
    for column in schema.columns:
        if column.note:
            plan[column.name] = plan[column.name].model_copy(update={"why": f"{plan[column.name].why}; {column.note}"})
    columns = _with_inputs(plan, rows, pipeline)
    if not any(planned.inputs for planned in columns):
        reasons = "; ".join(f"{planned.column}: {planned.why}" for planned in columns[:MAX_REASONS])
        raise BadData(
            f"no usable column is left ({reasons})", "engineer_features",
            "add other columns, or list those to use under features.numeric or features.categorical",
        )  # fmt: skip
    return FeaturePlan(columns=columns)


def _check_listed(listed: set[str], schema: TableSchema, pipeline: Pipeline) -> None:
    types = {column.name: column.type for column in schema.columns}
    for name in sorted(listed):
        if name not in types:
            raise BadData(
                f"features lists {name!r}, which is not a column of the data",
                pipeline.name,
                f"columns: {', '.join(types)}",
            )
        if name in pipeline.features.numeric and types[name] == "text":
            raise BadData(
                f"features.numeric lists {name!r}, whose values are not numbers", pipeline.name,
                "list it under features.categorical",
            )  # fmt: skip


def _sample(train: Columns, max_rows: int) -> Columns:
    """Return at most `max_rows` rows, evenly spread, in memory."""
    return train.take(np.linspace(0, train.rows - 1, min(max_rows, train.rows)).astype(int))


def _vouched_for(planned: Planned, leak: Planned) -> Planned:
    """Return a column as it was planned, with the evidence against it and that a person vouches for it."""
    why = f"listed in features.allow, although it {leak.why}; {planned.why}"
    return planned.model_copy(update={"why": why, "loud": True})


def _plan_by_name(name: str, pipeline: Pipeline) -> Planned | None:
    """Plan a column that the pipeline file keeps out of the model."""
    if name in pipeline.drop_columns:
        return Planned(column=name, treatment="left_out", why="listed in drop_columns")
    if name in pipeline.id_columns:
        return Planned(column=name, treatment="left_out", why="listed in id_columns")
    if name in pipeline.group_by:
        return Planned(column=name, treatment="left_out", why="listed in group_by")
    if name in pipeline.sensitive_columns and not pipeline.features.use_sensitive:
        by_group = pipeline.fairness.mitigate == "thresholds"
        why = "no feature, but its groups have thresholds" if by_group else "used for fairness metrics only"
        return Planned(column=name, treatment="left_out", why=f"sensitive: {why}")
    return None


def _plan_listed(planned: Planned, rows: Columns, pipeline: Pipeline) -> Planned:
    """Plan a column that the pipeline file lists under `features`."""
    name = planned.column
    excluded = _plan_by_name(name, pipeline)
    if excluded:
        return excluded
    key = "numeric" if name in pipeline.features.numeric else "categorical"
    warning = f"; otherwise left out: {planned.why}" if planned.treatment == "left_out" else ""
    warning = f"; {planned.why}" if planned.suspected else warning
    why = f"listed in features.{key}{warning}"
    if key == "numeric" or not isinstance(rows.values[name], Texts):
        return planned.model_copy(update={"treatment": "number", "why": why})
    few_levels = count_distinct(rows.values[name]) <= MAX_CATEGORY_LEVELS
    return planned.model_copy(update={"treatment": "category" if few_levels else "high_cardinality", "why": why})


def _with_inputs(plan: dict[str, Planned], rows: Columns, pipeline: Pipeline) -> list[Planned]:
    """Return the planned columns with their graph inputs, x0, x1 ... in the order of the columns."""
    columns = []
    n_inputs = 0
    for name, planned in plan.items():
        parts: list[Part] = []
        if planned.treatment == "date_parts":
            parts = varying_parts(rows.values[name], is_time=name == pipeline.time_column)
            parts += cyclic_parts(rows.values[name], parts)
        elif planned.treatment != "left_out":
            parts = [""]
        is_text = isinstance(rows.values[name], Texts)
        inputs = [
            Input(name=f"x{number}", column=name, kind="text" if is_text else "number", part=part)
            for number, part in enumerate(parts, start=n_inputs)
        ]
        n_inputs += len(inputs)
        columns.append(planned.model_copy(update={"inputs": inputs}))
    return columns
