"""The model's signature: what a prediction request must hold, with an example of each field."""

from __future__ import annotations

import numpy as np

from modelcycle.model import dates
from modelcycle.model.columns import Column, Columns, TableSchema, Texts, Values
from modelcycle.model.plan import FeaturePlan
from modelcycle.model.signature import Field, Signature
from modelcycle.spec import Pipeline

MOST_LEVELS = 20  # named in the signature, the most frequent first
ROWS_OF_A_LEVEL = 10  # a rarer text may point to a person


def describe(plan: FeaturePlan, schema: TableSchema, train: Columns, pipeline: Pipeline) -> Signature:
    """The signature of any model that is built by the plan."""
    used = [planned for planned in plan.columns if planned.inputs]
    fields = [_field(schema.column(planned.column), train.values[planned.column]) for planned in used]
    names = {field.name for field in fields}
    known = {column.name for column in schema.columns}
    return Signature(
        model=pipeline.name,
        task=schema.task,
        target=schema.target.name,
        classes=schema.classes,
        fields=fields,
        # what preprocess dropped is no column of the table, but still one of the data
        ignored=[column.name for column in schema.columns if column.name not in names]
        + [name for name in pipeline.drop_columns if name not in known],
        inputs=[graph_input for planned in used for graph_input in planned.inputs],
        missing_values=schema.missing_values,
        id_columns=pipeline.id_columns,
    )


def _field(column: Column, values: Values) -> Field:
    example: float | str | bool | None = None
    levels: list[str] = []
    if isinstance(values, Texts):
        counts = np.bincount(values.codes[values.codes >= 0], minlength=len(values.levels))
        frequent = [int(code) for code in np.argsort(-counts, kind="stable") if counts[code] >= ROWS_OF_A_LEVEL]
        levels = [values.levels[code] for code in frequent[:MOST_LEVELS]]
        example = levels[0] if levels else "text"
    else:
        held = np.sort(values[~np.isnan(values)])
        middle = held[len(held) // 2] if len(held) else None
        if middle is not None:
            example = _shown(column, middle)
    return Field(
        name=column.name, type=column.type, format=column.format, true=column.true, false=column.false,
        example=example, levels=levels,
    )  # fmt: skip


def _shown(column: Column, value: np.floating) -> float | str | bool:
    if column.type == "boolean":
        return bool(value)
    if column.type == "datetime":
        return dates.written(float(value), column.format)
    return float(str(value))
