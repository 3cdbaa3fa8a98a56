"""Which equal rows are dropped, and whether dropping them changes the target's distribution.

Equal rows are observations: two customers may answer a survey alike. They are kept, unless the pipeline file names
`id_columns` (rows of one id that are equal in every column were written twice) or says `duplicates: drop`.
"""

from __future__ import annotations

import math
from typing import Any

from modelcycle.cells.column import Column
from modelcycle.cells.reading import parsed_sql
from modelcycle.messages import CaseColumn, CaseRecipe
from modelcycle.model.cases import create_cases
from modelcycle.model.proportions import proportions_z
from modelcycle.preprocess.target import MAX_LABEL_CHARACTERS
from modelcycle.spec import Pipeline, Task

MAX_CHANCE = 0.001  # probability of a difference by chance, below which a note tells it


def create_unique_rows(engine: Any, pipeline: Pipeline, names: list[str], columns: dict[int, Column]) -> None:
    """Create `unique_rows` (row_id): the rows of `clean_rows` that are not dropped as duplicates.

    Parameters
    ----------
    names : of all columns
    columns : those that are typed, by number
    """
    ids = [number for number, name in enumerate(names) if name in pipeline.id_columns]
    if pipeline.duplicates == "keep" or (pipeline.duplicates == "auto" and not ids):
        engine.execute("CREATE VIEW unique_rows AS SELECT row_id FROM clean_rows")
        return
    recipe = CaseRecipe(
        kind="features",
        columns=[
            CaseColumn(name=name, type="text")
            if number not in columns
            else identity_column(columns[number])
            if number in ids
            else case_column(columns[number])
            for number, name in enumerate(names)
        ],
        missing_values=pipeline.missing_everywhere,
    )
    create_cases(engine, recipe, {name: number for number, name in enumerate(names)}, "clean_rows", stripped=True)
    engine.execute("CREATE TABLE unique_rows AS SELECT min(row_id) AS row_id FROM cases GROUP BY hash")
    if pipeline.duplicates == "auto":
        has_no_id = " AND ".join(f"c{number} IS NULL" for number in ids)
        engine.execute(
            f"""INSERT INTO unique_rows SELECT row_id FROM clean_rows ANTI JOIN unique_rows USING (row_id)
                WHERE {has_no_id}"""
        )


def case_column(column: Column) -> CaseColumn:
    """Return how a column's text enters a case."""
    return CaseColumn(name=column.name, **column.reading())


def identity_column(column: Column) -> CaseColumn:
    """Return how the text of an identifier enters a case: of two numbers with 18 digits, a double makes one."""
    case = case_column(column)
    return case.model_copy(update={"type": "text"}) if column.type == "number" else case


def moved_target(engine: Any, task: Task, number: int, column: Column) -> str | None:
    """Return a sentence if dropping duplicates moves the target beyond chance; None if it does not.

    Classes are compared by the two-proportion z test with Bonferroni's correction, numbers by Welch's test with the
    normal distribution: dropped rows against kept ones.

    Parameters
    ----------
    number, column : of the target
    """
    engine.execute(
        f"""CREATE OR REPLACE TEMP VIEW dropped_targets AS SELECT {parsed_sql(column, f"c{number}")} AS target
            FROM clean_rows ANTI JOIN unique_rows USING (row_id)"""
    )
    if task == "regression":
        statistics = "SELECT count(target), avg(target), coalesce(var_samp(target), 0) FROM"
        kept, kept_mean, kept_variance = engine.execute(f"{statistics} valid_rows").fetchone()
        dropped, mean, variance = engine.execute(f"{statistics} dropped_targets").fetchone()
        if dropped < 2 or not (kept_variance or variance):
            return None
        z = (mean - kept_mean) / math.sqrt(kept_variance / kept + variance / dropped)
        if two_sided(z) >= MAX_CHANCE:
            return None
        before = (mean * dropped + kept_mean * kept) / (dropped + kept)
        moved = f"the target's mean from {before:.4g} to {kept_mean:.4g}"
    else:
        counts = "SELECT target, count(*) FROM {} WHERE target IS NOT NULL GROUP BY target"
        kept_rows: dict[Any, int] = dict(engine.execute(counts.format("valid_rows")).fetchall())
        dropped_rows: dict[Any, int] = dict(engine.execute(counts.format("dropped_targets")).fetchall())
        kept, dropped = sum(kept_rows.values()), sum(dropped_rows.values())
        if not dropped:
            return None
        largest, value = max(
            (abs(proportions_z(dropped_rows.get(value, 0), dropped, rows, kept)), value)
            for value, rows in kept_rows.items()
        )
        if two_sided(largest) * len(kept_rows) >= MAX_CHANCE:
            return None
        before = (dropped_rows.get(value, 0) + kept_rows[value]) / (dropped + kept)
        label = engine.execute("SELECT label FROM classes WHERE value = $1", [value]).fetchone()[0]
        moved = f"the share of {label[:MAX_LABEL_CHARACTERS]!r} from {before:.1%} to {kept_rows[value] / kept:.1%}"
    return (
        f"dropping {dropped:,} equal rows moved {moved}, beyond chance; if they are different observations,"
        " write `duplicates: keep`"
    )


def two_sided(z: float) -> float:
    """Return the probability of a standard normal value at least as far from zero.

    >>> round(two_sided(1.96), 3)
    0.05
    """
    return math.erfc(abs(z) / math.sqrt(2))
