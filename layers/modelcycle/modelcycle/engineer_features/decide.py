"""How each column enters the model, in the order in which the questions are asked.

1. What the pipeline file says by name: identifiers, sensitive columns, dropped ones.
2. What the column holds: nothing, one value, an identifier, numbers, dates, categories, words.
3. Whether it says the same as another column.
4. Whether it gives the target away.

A column that `features.numeric` or `features.categorical` names is kept whatever 2 to 4 say; the plan tells it all
the same.
"""

from __future__ import annotations

from modelcycle.engineer_features import leaks, twins
from modelcycle.engineer_features.look import FEW_LEVELS, look, parts_that_vary
from modelcycle.faults import BadData
from modelcycle.model.columns import Columns, TableSchema, Texts
from modelcycle.model.plan import FeaturePlan, Input, Part, Planned
from modelcycle.spec import Pipeline

MOST_ROWS = 50_000  # looked at, evenly spread over the training rows


def decide(schema: TableSchema, train: Columns, pipeline: Pipeline) -> FeaturePlan:
    """The plan for every column of the table.

    Raises
    ------
    BadData : a column named in `features` is not in the data or holds no numbers; or no column is left
    """
    asked = set(pipeline.features.numeric) | set(pipeline.features.categorical)
    _known(asked, schema, pipeline)
    rows = _spread(train, MOST_ROWS)
    decided = {
        column.name: _by_name(column.name, pipeline) or look(column, rows, pipeline) for column in schema.columns
    }
    sensitive = [] if pipeline.features.use_sensitive else pipeline.sensitive_columns
    for planned in twins.find(decided, rows, sensitive):
        decided[planned.column] = planned
    for planned in leaks.find(decided, rows, schema.task):
        decided[planned.column] = planned
    for name in asked:
        decided[name] = _kept(decided[name], rows, pipeline)
    plan = _numbered(decided, rows, pipeline)
    if not plan.inputs("number", "category", "high_cardinality", "date_parts", "words"):
        reasons = "; ".join(f"{planned.column}: {planned.why}" for planned in plan.columns[:5])
        raise BadData(
            f"no column is left to learn from ({reasons})", "engineer_features",
            "bring other columns, or name those you trust under features.numeric or features.categorical",
        )  # fmt: skip
    return plan


def _known(asked: set[str], schema: TableSchema, pipeline: Pipeline) -> None:
    types = {column.name: column.type for column in schema.columns}
    for name in sorted(asked):
        if name not in types:
            raise BadData(
                f"features names {name!r}, which is not a column of the data",
                pipeline.name,
                f"columns: {', '.join(types)}",
            )
        if name in pipeline.features.numeric and types[name] == "text":
            raise BadData(
                f"features.numeric names {name!r}, whose values are no numbers", pipeline.name,
                "name it under features.categorical",
            )  # fmt: skip


def _spread(train: Columns, most: int) -> Columns:
    import numpy as np

    if train.rows <= most:
        return train
    return train.take(np.linspace(0, train.rows - 1, most).astype(int))


def _by_name(name: str, pipeline: Pipeline) -> Planned | None:
    if name in pipeline.drop_columns:
        return Planned(column=name, treatment="left_out", why="named in drop_columns")
    if name in pipeline.id_columns:
        return Planned(column=name, treatment="left_out", why="named in id_columns")
    if name in pipeline.sensitive_columns and not pipeline.features.use_sensitive:
        return Planned(column=name, treatment="left_out", why="sensitive: measured for fairness, no feature")
    return None


def _kept(planned: Planned, rows: Columns, pipeline: Pipeline) -> Planned:
    """A column that the pipeline file lists under `features`."""
    name = planned.column
    by_name = _by_name(name, pipeline)
    if by_name:  # what must not be learned from outweighs how to learn from it
        return by_name
    numeric = name in pipeline.features.numeric or not isinstance(rows.values[name], Texts)
    warning = f"; else it would be left out: {planned.why}" if planned.treatment == "left_out" else ""
    why = f"features.{'numeric' if name in pipeline.features.numeric else 'categorical'} names it{warning}"
    if numeric:
        return planned.model_copy(update={"treatment": "number", "why": why})
    levels = twins.levels(rows.values[name])
    treatment = "category" if levels <= FEW_LEVELS else "high_cardinality"
    return planned.model_copy(update={"treatment": treatment, "why": why})


def _numbered(decided: dict[str, Planned], rows: Columns, pipeline: Pipeline) -> FeaturePlan:
    """The plan with graph inputs x0, x1 ... in the order of the columns."""
    place = 0
    columns = []
    for name, planned in decided.items():
        parts: list[Part] = []
        if planned.treatment == "date_parts":
            parts = parts_that_vary(rows.values[name], is_time=name == pipeline.time_column)
        elif planned.treatment != "left_out":
            parts = [""]
        text = isinstance(rows.values[name], Texts)
        inputs = [
            Input(name=f"x{place + n}", column=name, kind="text" if text else "number", part=part)
            for n, part in enumerate(parts)
        ]
        place += len(inputs)
        columns.append(planned.model_copy(update={"inputs": inputs}))
    return FeaturePlan(columns=columns)
