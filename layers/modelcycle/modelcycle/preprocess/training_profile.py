"""The profile of the training rows, with which `monitor` compares live traffic."""

from __future__ import annotations

from typing import Any

from modelcycle.cells.reading import ColumnType
from modelcycle.model import npz
from modelcycle.model.columns import TableSchema, Texts
from modelcycle.model.profile import ColumnProfile, Profile, profile_column, profile_numbers, profile_texts
from modelcycle.preprocess.tables import Part


def training_profile(train: Part, schema: TableSchema) -> Profile:
    """Profile every column of the training rows, and the target.

    Parameters
    ----------
    train : training rows
    schema : of all columns
    """
    target = schema.target.name
    missing = sorted({*schema.target.missing_values, *schema.missing_values} - {""})
    return Profile(
        rows=train.rows,
        columns=[
            _profile(
                train, column.name, column.type, format=column.format, true=column.true, false=column.false,
                missing_values=column.missing_values,
            )
            for column in schema.columns
        ],
        target=profile_texts(target, (Texts(codes, schema.classes) for codes in train.target_pieces()))
        if schema.classes
        else _profile_target(train, target, format=schema.target.format, missing_values=missing),
        missing_values=schema.missing_values,
    )  # fmt: skip


def _profile(train: Part, name: str, kind: ColumnType, **reading: Any) -> ColumnProfile:
    if kind == "text":
        return profile_texts(name, train.values.pieces(name), **reading)
    if train.rows <= npz.MAX_FETCHED_ROWS:
        return profile_column(name, kind, train.values[name], **reading)
    with train.ordered(name) as ordered:
        return profile_numbers(name, kind, lambda: train.values.pieces(name), ordered, **reading)


def _profile_target(train: Part, name: str, **reading: Any) -> ColumnProfile:
    """Profile a target of numbers; `reading` is how the data write them, as people write outcomes later."""
    if train.rows <= npz.MAX_FETCHED_ROWS:
        return profile_column(name, "number", train.target, **reading)
    with train.ordered(None) as ordered:
        return profile_numbers(name, "number", train.target_pieces, ordered, **reading)
