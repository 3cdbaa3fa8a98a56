"""The cases that a model has learned from, as a version keeps them for the runs after it.

They are stored twice: by the recipe of the split, and by the fields of the model only, for a later file that lacks a
column which the model does not read. A set is an npz array of sorted hashes, 8 bytes a case, with its recipe as JSON.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from modelcycle.messages import CaseColumn, CaseRecipe
from modelcycle.model.npz import from_npz, to_npz_uncompressed
from modelcycle.model.signature import Signature

MAX_CASES = 5_000_000  # of a set: 40 MB of an object of at most 100
ALL = np.uint64(2**64 - 1)

Hashes = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class LearnedCases:
    """A set of cases.

    Parameters
    ----------
    recipe : how they are made
    hashes : (n,), sorted, each once
    limit : only hashes up to it are kept; above it, nothing is known about a case
    """

    recipe: CaseRecipe
    hashes: Hashes
    limit: np.uint64 = ALL

    @property
    def count(self) -> float:
        """How many cases were learned; estimated if only some are kept."""
        return len(self.hashes) * (float(ALL) / max(float(self.limit), 1.0))

    @staticmethod
    def of(recipe: CaseRecipe, hashes: Hashes, most: int = MAX_CASES) -> LearnedCases:
        """Return the set of these hashes (n,); of more than `most` cases, those with the lowest hashes."""
        learned = np.unique(hashes)
        return LearnedCases(recipe, learned[:most], ALL if len(learned) <= most else learned[most - 1])

    def has(self, hashes: Hashes) -> npt.NDArray[np.bool_]:
        """Return for each hash (n,) whether its case was learned.

        >>> recipe = CaseRecipe(kind="features", columns=[], missing_values=[])
        >>> LearnedCases.of(recipe, np.array([9, 4], dtype=np.uint64)).has(np.array([1, 4, 10], dtype=np.uint64))
        array([False,  True, False])
        """
        places = np.searchsorted(self.hashes, hashes)
        known = places < len(self.hashes)
        found = np.zeros(len(hashes), dtype=np.bool_)
        found[known] = self.hashes[places[known]] == hashes[known]
        return found

    def knows(self, hashes: Hashes) -> npt.NDArray[np.bool_]:
        """Return for each hash (n,) whether the set can tell if its case was learned."""
        return hashes <= self.limit


@dataclass(frozen=True)
class Memory:
    """What a version keeps: its cases by the recipe of its split, and by its fields; None if that is the same."""

    whole: LearnedCases
    by_fields: LearnedCases | None

    def to_bytes(self) -> bytes:
        """Return an npz file, not compressed, since hashes are not compressible; equal sets give equal bytes."""
        arrays = _arrays("", self.whole)
        if self.by_fields is not None:
            arrays |= _arrays("_by_fields", self.by_fields)
        return to_npz_uncompressed(**arrays)

    @staticmethod
    def from_bytes(body: bytes) -> Memory:
        """Return what is in a file of `to_bytes`."""
        arrays = from_npz(body)
        whole = _cases("", arrays)
        assert whole is not None
        return Memory(whole, _cases("_by_fields", arrays))


def fields_recipe(recipe: CaseRecipe, signature: Signature) -> CaseRecipe:
    """Return a recipe like `recipe`, over the columns that the model reads.

    A group stays a group: without its columns, nobody can tell which rows belong to a customer that the model knows.
    """
    fields = [CaseColumn(name=field.name, **field.reading()) for field in signature.fields]
    if recipe.kind == "group":
        return recipe.model_copy(update={"rest": fields})
    target = [column for column in recipe.columns if column.name == signature.target]
    return recipe.model_copy(update={"columns": [*fields, *target]})


def is_same(recipe: CaseRecipe, other: CaseRecipe) -> bool:
    """Return whether two recipes make the same cases; the order of their columns does not matter."""
    return sorted_columns(recipe) == sorted_columns(other)


def sorted_columns(recipe: CaseRecipe) -> CaseRecipe:
    """Return a recipe that makes the same cases, with its columns in order of their names."""
    return recipe.model_copy(
        update={
            "columns": sorted(recipe.columns, key=lambda column: column.name),
            "rest": sorted(recipe.rest, key=lambda column: column.name),
        }
    )


def _arrays(suffix: str, cases: LearnedCases) -> dict[str, npt.NDArray[np.generic]]:
    return {
        f"learned{suffix}": cases.hashes,
        f"recipe{suffix}": np.frombuffer(cases.recipe.model_dump_json().encode(), dtype=np.uint8),
        f"limit{suffix}": np.array(cases.limit, dtype=np.uint64),
    }


def _cases(suffix: str, arrays: dict[str, npt.NDArray[np.uint64]]) -> LearnedCases | None:
    if f"learned{suffix}" not in arrays:
        return None
    recipe = CaseRecipe.model_validate_json(arrays[f"recipe{suffix}"].tobytes())
    return LearnedCases(recipe, arrays[f"learned{suffix}"], np.uint64(arrays[f"limit{suffix}"]))
