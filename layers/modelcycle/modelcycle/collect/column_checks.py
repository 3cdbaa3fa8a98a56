"""Checks of column names: across the files of a model, and against the pipeline file."""

from __future__ import annotations

from modelcycle.faults import BadPipeline, ColumnsDiffer, TargetMissing
from modelcycle.reading import TextTable
from modelcycle.reading.column_names import list_names, suggest_name
from modelcycle.spec import Pipeline


def all_names(tables: list[TextTable]) -> list[str]:
    """Return the columns of all tables, in the order in which they come first."""
    return list(dict.fromkeys(name for table in tables for name in table.names))


def check_same_columns(table: TextTable, first: TextTable, where: str, first_where: str) -> None:
    """Check that a file has the columns of the first one, in any order.

    A sparse format leaves out missing values: such a file may lack columns, and one after it may have more.

    Parameters
    ----------
    where, first_where : the files, for faults

    Raises
    ------
    ColumnsDiffer : names the differences
    """
    added = [] if first.sparse else [name for name in table.names if name not in set(first.names)]
    absent = [] if table.sparse else [name for name in first.names if name not in set(table.names)]
    if added or absent:
        differences = [f"is missing {list_names(absent)}"] * bool(absent) + [f"adds {list_names(added)}"] * bool(added)
        raise ColumnsDiffer(
            f"the files have different columns: compared with {first_where}, {where} {' and '.join(differences)}",
            where, "give all files of a model the same columns, or remove the file that differs",
        )  # fmt: skip


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


def check_pipeline_columns(pipeline: Pipeline, names: list[str]) -> None:
    """Check that the data have all columns that the pipeline file names.

    Raises
    ------
    TargetMissing, BadPipeline : suggests the most similar column
    """
    for key, columns in pipeline_columns(pipeline).items():
        for column in columns:
            if column in names:
                continue
            where = f"pipelines/{pipeline.name}.yaml: {key}: {column}"
            remedy = f"{suggest_name(column, names)}columns: {list_names(names)} ({len(names)})"
            if key == "target":
                raise TargetMissing(f"the target {column!r} is not a column", where, remedy)
            raise BadPipeline(f"{key} names {column!r}, which is not a column", where, remedy)
