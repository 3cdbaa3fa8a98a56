"""Decides what each column holds, over all its rows; see `deciding` for the decisions."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from modelcycle.cells.booleans import boolean_sql
from modelcycle.cells.column import Column
from modelcycle.cells.missing import MARKS
from modelcycle.cells.reading import Reading
from modelcycle.column_types.candidates import Candidates, count_candidates, file_wide
from modelcycle.column_types.decided import Decided
from modelcycle.column_types.deciding import Deciding
from modelcycle.engine import batches


def infer_columns(
    engine: Any, names: dict[int, str], declared: dict[int, Reading], *, target: int, decide_missing: bool
) -> dict[int, Column]:
    """Return the columns of `clean_rows` with their types; `Column.note` says what was decided about their texts.

    Parameters
    ----------
    names, declared, target, decide_missing : see `decide_columns`
    """
    decided = decide_columns(engine, names, declared, target=target, decide_missing=decide_missing)
    return {number: decision.column for number, decision in decided.items()}


def decide_columns(
    engine: Any, names: dict[int, str], declared: dict[int, Reading], *, target: int, decide_missing: bool,
    time: int | None = None, numeric: Collection[int] = (),
) -> dict[int, Decided]:  # fmt: skip
    """Return what was decided about each column of `clean_rows`.

    Parameters
    ----------
    names : by number
    declared : how columns are read for which that is not inferred, by number
    target : number of the target, whose rare classes are no missing values
    decide_missing : whether usual words such as n/a may be missing values in texts; else only those of `clean_rows` are
    time : number of the column that orders the rows, which may count seconds since 1970
    numeric : numbers of columns that are numbers, whatever their texts suggest
    """
    rows = engine.execute("SELECT count(*) FROM clean_rows").fetchone()[0]
    candidates: dict[int, Candidates] = {}
    for batch in batches([number for number in names if number not in declared]):
        candidates |= count_candidates(engine, batch, rows)
    comma, order = file_wide(candidates)
    found = Deciding(engine, target, time, frozenset(numeric), decide_missing, comma, order)
    decided = {
        number: found.read(number, names[number], candidate)
        for number, candidate in candidates.items()
    }  # fmt: skip
    decided |= {
        number: Decided(Column(name=names[number], **reading.reading())) for number, reading in declared.items()
    }
    return {
        number: found.with_words(number, decided[number]) if decided[number].column.type == "text" else decided[number]
        for number in names
    }


def target_column(engine: Any, number: int, column: Column) -> Column:
    """Return the target with the type by which it is learned.

    A boolean target with two words, such as yes and no, keeps them as its classes; one with several spellings (Yes,
    yes, no) becomes true and false.
    """
    if column.type == "boolean":
        words = engine.execute(
            f"SELECT count(DISTINCT c{number}) FROM clean_rows WHERE ({boolean_sql(f'c{number}')}) IS NOT NULL"
        ).fetchone()[0]
        other = engine.execute(
            f"SELECT list(DISTINCT c{number} ORDER BY c{number}) FROM clean_rows WHERE c{number} IS NOT NULL"
            f" AND ({boolean_sql(f'c{number}')}) IS NULL"
        ).fetchone()[0]
        if words <= 2:
            missing = sorted({*MARKS, *(other or ())}) if other else column.missing_values
            return column.model_copy(update={"type": "text", "true": [], "false": [], "missing_values": missing})
    return column
