"""Column names: those of all files of a model, and those that the pipeline file names."""

from __future__ import annotations

import difflib

from modelcycle.faults import BadPipeline, ColumnsDiffer, TargetMissing
from modelcycle.reading.column_names import listed
from modelcycle.spec import Pipeline


def same(names: list[str], first: list[str], where: str, first_where: str, sparse: bool) -> None:
    """Hold the columns of a file against those of the first one; their order may differ.

    Parameters
    ----------
    sparse : the format leaves out what has no value, so that a column may lack

    Raises
    ------
    ColumnsDiffer
    """
    more = [name for name in names if name not in set(first)]
    fewer = [] if sparse else [name for name in first if name not in set(names)]
    if more or fewer:
        parts = [f"lacks {listed(fewer)}"] * bool(fewer) + [f"has {listed(more)} more"] * bool(more)
        raise ColumnsDiffer(
            f"the files have different columns: beside {first_where}, {where} {' and '.join(parts)}", where,
            "give all files of a model the same columns, or remove the odd one",
        )  # fmt: skip


def spoken_of(pipeline: Pipeline) -> dict[str, list[str]]:
    """The columns that the pipeline file names, by its key."""
    return {
        "target": [pipeline.target],
        "time_column": [pipeline.time_column] if pipeline.time_column is not None else [],
        "id_columns": pipeline.id_columns,
        "drop_columns": pipeline.drop_columns,
        "sensitive_columns": pipeline.sensitive_columns,
        "features.numeric": pipeline.features.numeric,
        "features.categorical": pipeline.features.categorical,
    }


def held_against(pipeline: Pipeline, names: list[str]) -> None:
    """Whether all columns that the pipeline file names are there.

    Raises
    ------
    TargetMissing, BadPipeline : each with the nearest name
    """
    for key, wanted in spoken_of(pipeline).items():
        for name in wanted:
            if name in names:
                continue
            where = f"pipelines/{pipeline.name}.yaml: {key}: {name}"
            remedy = f"{_nearest(name, names)}columns: {listed(names)} ({len(names)})"
            if key == "target":
                raise TargetMissing(f"the target {name!r} is not a column", where, remedy)
            raise BadPipeline(f"{key} names {name!r}, which is not a column", where, remedy)


def _nearest(name: str, names: list[str]) -> str:
    lower = {other.lower(): other for other in reversed(names)}
    near = difflib.get_close_matches(name.lower(), lower, n=1)
    return f"did you mean {lower[near[0]]!r}? " if near else ""
