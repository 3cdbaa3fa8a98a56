"""The names of classes: those of the target in training, and in the batches that are held to a contract."""

from __future__ import annotations

from modelcycle.cells.reading import ColumnType


def label_sql(value: str, kind: ColumnType) -> str:
    """Return SQL for the name of a class, by its typed value; a whole number has no point.

    Parameters
    ----------
    value : SQL of the typed value
    kind : its type
    """
    if kind == "text":
        return value
    if kind == "boolean":
        return f"CASE WHEN {value} = 1 THEN 'true' WHEN {value} = 0 THEN 'false' END"
    return (
        f"CASE WHEN {value} = floor({value}) AND abs({value}) < 1e15 THEN {value}::BIGINT::VARCHAR"
        f" ELSE {value}::VARCHAR END"
    )
