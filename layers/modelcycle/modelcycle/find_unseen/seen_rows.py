"""Which rows of a snapshot a version has learned from."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from modelcycle.find_unseen.learned_cases import LearnedCases, Memory
from modelcycle.find_unseen.snapshot import Mask, Snapshot
from modelcycle.messages import CaseColumn, CaseRecipe
from modelcycle.model.columns import TableSchema

MIN_DISTINCT_SHARE = 0.95  # of the cases: then rows that are equal for the model are, but for chance, the same row
MAX_LOST_SHARE = 0.5  # of the learned cases: with more of them gone, but not from what the model reads ...
MIN_KEPT_SHARE = 0.95  # ... the same rows may have been written anew


class SeenRows(NamedTuple):
    """The rows (n,) of a snapshot that a version has learned from.

    Parameters
    ----------
    learned, unseen : whether it has learned from a row, and whether it certainly has not
    needed : columns without whose values a row that it knows is not found
    rewritten : columns that the model does not read, and that seem to have been written anew: then nobody can tell
    """

    learned: Mask
    unseen: Mask
    needed: list[CaseColumn]
    rewritten: list[str]


def find_seen_rows(snapshot: Snapshot, memory: Memory, table: TableSchema) -> SeenRows | list[str]:
    """Return the rows that a version has learned from.

    A row counts as learned by any of these: its case as the version made cases; the same with the missing values of the
    pipeline file of today, since `?` may be written where a cell was empty; and, if the fields of the model tell its
    rows apart, its values in these fields, since a column that it does not read may have been written anew.

    Parameters
    ----------
    memory : of the version
    table : how the columns are read today

    Returns
    -------
    the rows; or, if nobody can tell, the columns that the snapshot lacks for that
    """
    sets = _usable_sets(snapshot, memory)
    if not sets:
        return _lacking(snapshot, memory.by_fields or memory.whole)
    learned = unknown = np.zeros(0, dtype=np.bool_)
    for cases in sets:
        today = _with_missing_values(cases.recipe, table)
        for recipe in [cases.recipe] if today == cases.recipe else [cases.recipe, today]:
            hashes = snapshot.cases(recipe)
            if not len(learned):
                learned, unknown = np.zeros((2, len(hashes)), dtype=np.bool_)
            learned |= cases.has(hashes)
            unknown |= ~cases.knows(hashes)
    # of two sets, that of the model's fields finds a row whose other columns were written anew
    last = sets[-1].recipe
    return SeenRows(
        learned, ~learned & ~unknown, [*last.columns, *last.rest], _rewritten(snapshot, memory, len(sets))
    )  # fmt: skip


def _with_missing_values(recipe: CaseRecipe, table: TableSchema) -> CaseRecipe:
    """Return a recipe for which the texts that mean a missing value today are missing, besides its own."""
    today = {column.name: column.missing_values for column in [*table.columns, table.target]}

    def widened(columns: list[CaseColumn]) -> list[CaseColumn]:
        return [
            column.model_copy(
                update={"missing_values": _union(column.missing_values, today.get(column.name, []))}
            )
            for column in columns
        ]  # fmt: skip

    missing = _union(recipe.missing_values, table.missing_values)
    return recipe.model_copy(
        update={"missing_values": missing, "columns": widened(recipe.columns), "rest": widened(recipe.rest)}
    )


def _union(own: list[str], more: list[str]) -> list[str]:
    return own if set(more) <= set(own) else sorted({*own, *more})


def _rewritten(snapshot: Snapshot, memory: Memory, sets: int) -> list[str]:
    """Return the columns that seem to have been written anew, if only they tell the learned rows apart.

    Most of the learned cases are gone then, but nearly all are there by the fields of the model. A new file whose rows
    are equal to the old ones in all that the model reads looks the same.
    """
    whole, by_fields = memory.whole, memory.by_fields
    if sets > 1 or by_fields is None or _lacking(snapshot, whole) or _lacking(snapshot, by_fields):
        return []
    if _found_share(snapshot, whole) >= MAX_LOST_SHARE or _found_share(snapshot, by_fields) < MIN_KEPT_SHARE:
        return []
    read = {column.name for column in by_fields.recipe.columns}
    return [column.name for column in whole.recipe.columns if column.name not in read]


def _found_share(snapshot: Snapshot, cases: LearnedCases) -> float:
    return float(np.isin(cases.hashes, snapshot.cases(cases.recipe)).mean()) if len(cases.hashes) else 1.0


def _usable_sets(snapshot: Snapshot, memory: Memory) -> list[LearnedCases]:
    """Return the sets by which rows are looked up."""
    whole, by_fields = memory.whole, memory.by_fields
    if by_fields is not None and _lacking(snapshot, by_fields):
        by_fields = None
    if _lacking(snapshot, whole):
        return [] if by_fields is None else [by_fields]
    if by_fields is None or whole.recipe.kind != "features" or by_fields.count < MIN_DISTINCT_SHARE * whole.count:
        return [whole]
    return [whole, by_fields]


def _lacking(snapshot: Snapshot, cases: LearnedCases) -> list[str]:
    return snapshot.lacks(column.name for column in [*cases.recipe.columns, *cases.recipe.rest])
