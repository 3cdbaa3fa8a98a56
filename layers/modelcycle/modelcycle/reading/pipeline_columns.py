"""The columns that a pipeline file names, and the check that the data have them."""

from __future__ import annotations

from modelcycle.faults import BadPipeline, TargetMissing
from modelcycle.reading.column_names import list_names, suggest_name
from modelcycle.spec import Pipeline

MAX_TOLD_COLUMNS = 5


def pipeline_columns(pipeline: Pipeline) -> dict[str, list[str]]:
    """Return the columns that a pipeline file names, by its key."""
    return {
        "target": [pipeline.target],
        "time_column": [pipeline.time_column] if pipeline.time_column is not None else [],
        "id_columns": pipeline.id_columns,
        "group_by": pipeline.group_by,
        "drop_columns": pipeline.drop_columns,
        "sensitive_columns": pipeline.sensitive_columns,
        "features.numeric": pipeline.features.numeric,
        "features.categorical": pipeline.features.categorical,
        "features.allow": pipeline.features.allow,
        "schema.columns": list(pipeline.rules.columns),
        "schema.keys": pipeline.rules.keys,
        "capture.mask": pipeline.capture.mask,
        "privacy.columns": list(pipeline.privacy.columns),
    }


def check_pipeline_columns(pipeline: Pipeline, names: list[str], file: str = "") -> None:
    """Check that the data have all columns that the pipeline file names.

    Parameters
    ----------
    names : of the data
    file : the pipeline file, for people; by default as it is in the data bucket

    Raises
    ------
    TargetMissing, BadPipeline : names the absent columns, and suggests the most similar ones
    """
    named = pipeline_columns(pipeline)
    absent = [(key, column) for key, columns in named.items() for column in columns if column not in names]
    if not absent:
        return
    told = absent[:MAX_TOLD_COLUMNS]
    where = f"{file or f'pipelines/{pipeline.name}.yaml'}: {', '.join(f'{key}: {column}' for key, column in told)}"
    questions = [(column, suggest_name(column, names)) for _, column in told]
    suggested = "".join(
        question if len(absent) == 1 else f"for {column!r}, {question}" for column, question in questions if question
    )
    more = f"; and {len(absent) - len(told):,} more" if len(absent) > len(told) else ""
    raise (TargetMissing if absent[0][0] == "target" else BadPipeline)(
        "; ".join(_sentence(key, column) for key, column in told) + more, where,
        f"{suggested}columns: {list_names(names)} ({len(names)})",
    )  # fmt: skip


def _sentence(key: str, column: str) -> str:
    if key == "target":
        return f"the target {column!r} is not a column"
    return f"{key} names {column!r}, which is not a column"
