"""What was decided about the texts of columns, for the screen of a run."""

from __future__ import annotations

from collections.abc import Mapping

from modelcycle.column_types import Decided
from modelcycle.spec import Pipeline

MAX_NOTES = 12  # of columns; the plan has all
MAX_NAME_CHARACTERS = 60  # of a column


def reading_notes(decided: Mapping[int, Decided], pipeline: Pipeline) -> list[str]:
    """Return a sentence for each column about whose texts people should know: the target and the time first.

    Parameters
    ----------
    decided : columns by number; the plan tells the notes that are not loud
    """
    first = {pipeline.target: 0, pipeline.time_column: 1}
    unused = {*pipeline.id_columns, *pipeline.group_by}
    columns = [
        decision.column
        for decision in decided.values()
        if decision.column.note
        and (decision.loud or decision.column.name in first)
        and decision.column.name not in unused
    ]
    columns.sort(key=lambda column: first.get(column.name, len(first)))
    notes = [
        f"{'the target ' if column.name == pipeline.target else ''}{_shown(column.name)}: {column.note}"
        for column in columns
    ]
    more = len(notes) - MAX_NOTES
    return notes[:MAX_NOTES] + ([f"{more:,} more columns have such notes: see the plan of the features"] * (more > 0))


def _shown(name: str) -> str:
    return name if len(name) <= MAX_NAME_CHARACTERS else f"{name[: MAX_NAME_CHARACTERS - 3]}..."
