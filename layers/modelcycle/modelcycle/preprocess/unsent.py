"""Columns of the files that live requests do not hold: a model that reads them could not answer these requests.

They would also tell rows of live requests from those of the files, by being missing there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelcycle.spec import Pipeline

MAX_NAMED = 8
MAX_NAME_CHARACTERS = 60


def unsent_columns(manifest: Mapping[str, Any], pipeline: Pipeline) -> list[str]:
    """Return the columns to leave out: those that no live request among the rows holds.

    Columns with a purpose of their own in the pipeline file stay: requests need not have them.

    Parameters
    ----------
    manifest : of the snapshot
    """
    features = pipeline.features
    named = {
        pipeline.target, pipeline.time_column, *pipeline.id_columns, *pipeline.group_by, *pipeline.sensitive_columns,
        *features.numeric, *features.categorical, *features.allow, *pipeline.rules.columns, *pipeline.rules.keys,
    }  # fmt: skip
    return [name for name in manifest.get("unsent", []) if name not in named and name not in pipeline.drop_columns]


def unsent_note(unsent: list[str]) -> list[str]:
    """Return the note on these columns, as a list of one or none.

    >>> unsent_note(["x"])
    ['no live request holds x: left out; list it in features.allow to use it all the same']
    """
    if not unsent:
        return []
    more = len(unsent) - MAX_NAMED
    names = ", ".join(name[:MAX_NAME_CHARACTERS] for name in unsent[:MAX_NAMED]) + (f" and {more} more" * (more > 0))
    it = "it" if len(unsent) == 1 else "them"
    return [f"no live request holds {names}: left out; list {it} in features.allow to use {it} all the same"]
