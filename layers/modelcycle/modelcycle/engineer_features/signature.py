"""The signature of the model: what a prediction request must contain, with an example of each field."""

from __future__ import annotations

import numpy as np

from modelcycle.cells import dates
from modelcycle.cells.column import Column
from modelcycle.model.columns import Columns, TableSchema, Texts, Values, shortest_decimal
from modelcycle.model.fields import Field
from modelcycle.model.plan import FeaturePlan
from modelcycle.model.signature import Signature
from modelcycle.spec import Pipeline

MAX_SIGNATURE_LEVELS = 20  # of a text field, the most frequent first
MIN_PUBLIC_LEVEL_ROWS = 10  # a rarer text may identify a person


def build_signature(plan: FeaturePlan, schema: TableSchema, train: Columns, pipeline: Pipeline) -> Signature:
    """Return the signature of every model that is built from the plan.

    Parameters
    ----------
    plan : of all columns
    schema : of all columns
    train : training rows, for the examples and levels
    pipeline : the pipeline file
    """
    asked = pipeline.sensitive_columns if pipeline.fairness.mitigate == "thresholds" else []
    used = [planned for planned in plan.columns if planned.inputs or planned.column in asked]
    fields = [_field(schema.column(planned.column), train.values[planned.column]) for planned in used]
    field_names = {field.name for field in fields}
    column_names = {column.name for column in schema.columns}
    return Signature(
        model=pipeline.name,
        task=schema.task,
        target=schema.target.name,
        classes=schema.classes,
        fields=fields,
        # dropped columns are not in the table, but a row of the data has them
        ignored=[column.name for column in schema.columns if column.name not in field_names]
        + [
            name
            for name in dict.fromkeys([*pipeline.drop_columns, *schema.personal])
            if name not in column_names and name != schema.target.name
        ],
        inputs=plan.all_inputs(),
        missing_values=schema.missing_values,
        id_columns=pipeline.id_columns,
        personal=schema.personal,
    )


def _field(column: Column, values: Values) -> Field:
    example: float | str | bool | None = None
    levels: list[str] = []
    if isinstance(values, Texts):
        counts = np.bincount(values.codes[values.codes >= 0], minlength=len(values.levels))
        by_count = np.argsort(-counts, kind="stable")
        levels = [values.levels[code] for code in by_count if counts[code] >= MIN_PUBLIC_LEVEL_ROWS]
        levels = levels[:MAX_SIGNATURE_LEVELS]
        example = levels[0] if levels else "text"
    else:
        present = values[~np.isnan(values)]
        present.sort()
        if len(present):
            example = _as_json(column, present[len(present) // 2])
    return Field(name=column.name, example=example, levels=levels, **column.reading())


def _as_json(column: Column, value: np.float32) -> float | str | bool:
    """Return a value as a request would contain it."""
    if column.type == "boolean":
        return bool(value)
    if column.type == "datetime":
        return dates.to_text(float(value), column.format)
    return shortest_decimal(value)
