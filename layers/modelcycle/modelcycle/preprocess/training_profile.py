"""The profile of the training rows, with which `monitor` compares live traffic."""

from __future__ import annotations

from modelcycle.model.columns import Columns, TableSchema, Texts
from modelcycle.model.profile import Profile, profile_column


def training_profile(train: Columns, schema: TableSchema) -> Profile:
    """Profile every column of the training rows, and the target.

    Parameters
    ----------
    train : training rows, with the target
    schema : of all columns
    """
    assert train.target is not None
    target = schema.target.name
    return Profile(
        rows=train.rows,
        columns=[
            profile_column(
                column.name, column.type, train.values[column.name], format=column.format, true=column.true,
                false=column.false, missing_values=column.missing_values,
            )
            for column in schema.columns
        ],
        target=profile_column(target, "text", Texts(train.target, schema.classes))
        if schema.classes
        else profile_column(target, "number", train.target),
        missing_values=schema.missing_values,
    )  # fmt: skip
