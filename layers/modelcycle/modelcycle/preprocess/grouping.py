"""Which rows belong together: the recipe of their cases, and the units that the split never divides.

A case says which rows a version has learned from; a unit is what stands in one part as a whole. They are the same, but
for equal rows of different observations: each of them is a case of its own, while the split may keep them together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from modelcycle.cells.column import Column
from modelcycle.engine import create_ordered
from modelcycle.faults import BadData
from modelcycle.messages import CaseRecipe
from modelcycle.model.cases import create_cases, present_sql
from modelcycle.preprocess.duplicates import case_column, identity_column
from modelcycle.preprocess.target import MIN_CLASS_CASES
from modelcycle.spec import Pipeline, Task

MIN_GROUPS = 10  # of `group_by`: three of them are then test rows
MIN_ID_GROUPS = 20  # of an id column that was not named in `group_by`
MIN_REPEATED_SHARE = 0.02  # of the rows, beyond the first of each id
MIN_CHANCE_SHARE = 0.1  # of the disagreement by chance; copies of a row never disagree
MIN_UNITS = 100  # distinct rows of features, below which the split divides equal rows
MIN_UNIT_SHARE = 0.25  # of the rows; the same for tables with fewer than 400 rows
MAX_UNIT_SHARE = 0.05  # of the rows, that have the same features and stay together
MAX_NAME_CHARACTERS = 60  # of a column in a note


@dataclass(frozen=True)
class Grouping:
    """How the rows belong together.

    Parameters
    ----------
    recipe : of the cases
    cases : distinct ones among the valid rows
    unit_name : what a unit is, in the plural, for people
    notes : what was decided, as sentences
    """

    recipe: CaseRecipe
    cases: int
    unit_name: str
    notes: list[str]


def create_units(
    engine: Any, pipeline: Pipeline, task: Task, names: list[str], columns: dict[int, Column], target: int
) -> Grouping:
    """Create `unit_rows` (row_id, target, time, unit UBIGINT): the valid rows with their unit, in order.

    Parameters
    ----------
    names : of all columns
    columns : by number, with the target, without dropped ones
    target : number of the target

    Raises
    ------
    BadData : `group_by` has too few groups
    """
    numbers = {name: number for number, name in enumerate(names)}
    rows = engine.execute("SELECT count(*) FROM valid_rows").fetchone()[0]
    grouping, is_group = _choose_recipe(engine, pipeline, columns, numbers, target, rows)
    create_cases(engine, grouping.recipe, numbers, "clean_rows", stripped=True)
    with_unit = "SELECT valid_rows.*, hash AS unit FROM valid_rows"
    if engine.execute("SELECT count(*) FROM cases").fetchone()[0] == rows:  # side by side: a join takes longer
        engine.execute(f"CREATE OR REPLACE TABLE unit_rows AS {with_unit} POSITIONAL JOIN cases")
    else:
        create_ordered(engine, "unit_rows", f"{with_unit} JOIN cases USING (row_id)")
    cases = engine.execute("SELECT count(*) FROM (SELECT DISTINCT unit FROM unit_rows)").fetchone()[0]
    grouping = replace(grouping, cases=cases)
    _create_ungrouped(engine, grouping.recipe, numbers)
    if is_group:
        ungrouped, without = engine.execute(
            """SELECT count(*), count(DISTINCT unit) FROM unit_rows SEMI JOIN ungrouped_units USING (unit)"""
        ).fetchone()
        groups = cases - without
        if ungrouped:
            grouping = replace(grouping, notes=[*grouping.notes, _ungrouped_note(grouping, pipeline, ungrouped, rows)])
        if pipeline.group_by and groups < MIN_GROUPS:
            raise BadData(
                f"the rows form {groups} {'group' if groups == 1 else 'groups'} by {_list(pipeline.group_by)};"
                f" at least {MIN_GROUPS} are needed, because a group is either learned from or judged on",
                f"pipelines/{pipeline.name}.yaml: group_by", "name a finer column, or remove group_by",
            )  # fmt: skip
        return grouping
    separated = _separate_observations(engine, grouping, task, columns[target], numbers, rows)
    # the notes are about the split by units
    return separated if pipeline.time_column is None else replace(separated, notes=grouping.notes)


def _create_ungrouped(engine: Any, recipe: CaseRecipe, numbers: dict[str, int]) -> None:
    """Create `ungrouped_units` (unit): those of rows without a group, where rows have groups."""
    columns = [(column, numbers[column.name]) for column in recipe.columns]
    has_group = present_sql(columns, None) if recipe.kind == "group" else "true"
    engine.execute(
        f"""CREATE OR REPLACE TABLE ungrouped_units AS SELECT DISTINCT unit FROM unit_rows SEMI JOIN
              (SELECT row_id FROM clean_rows WHERE NOT ({has_group})) USING (row_id)"""
    )


def _ungrouped_note(grouping: Grouping, pipeline: Pipeline, ungrouped: int, rows: int) -> str:
    """Return the note on rows without a group: nobody can tell whether they belong to a group that judges."""
    names = _list([column.name for column in grouping.recipe.columns])
    told = f"{ungrouped:,} of {rows:,} rows have no {names}: "
    if pipeline.time_column is not None:
        return f"{told}each counts as a group of its own; if they belong to others, the measured quality is too good"
    told += "they only train, and judge no model; if they belong to groups that do, the measured quality is too good"
    if 2 * ungrouped <= rows:
        return f"{told}: then fill in {names}, or upload without these rows"
    key = "group_by" if pipeline.group_by else "id_columns"
    return f"{told}. They are most rows: fill in {names}, or take it out of `{key}` if rows do not belong together"


def _choose_recipe(
    engine: Any, pipeline: Pipeline, columns: dict[int, Column], numbers: dict[str, int], target: int, rows: int
) -> tuple[Grouping, bool]:
    """Return the recipe of groups, if there are any (true), or else of features."""
    kept_out = {*pipeline.id_columns, *pipeline.group_by}
    if not pipeline.features.use_sensitive:
        kept_out |= {*pipeline.sensitive_columns}
    features = [case_column(c) for number, c in columns.items() if number != target and c.name not in kept_out]
    # without any feature, equal rows are still told apart by what there is
    features = features or [case_column(column) for number, column in columns.items() if number != target]
    missing = pipeline.missing_everywhere
    group, notes = list(pipeline.group_by), []
    if not group:
        repeating = _repeating_id(engine, pipeline, numbers, rows)
        if repeating is not None:
            name, values = repeating
            group, notes = [name], [f"rows of one `{name[:MAX_NAME_CHARACTERS]}` belong together: {values:,} values"]
    if group:
        group_columns = [
            identity_column(columns.get(numbers[name], Column(name=name, type="text"))) for name in group
        ]  # fmt: skip
        recipe = CaseRecipe(kind="group", columns=group_columns, rest=features, missing_values=missing)
        return Grouping(recipe, 0, f"groups of {_list(group)}", notes), True
    recipe = CaseRecipe(kind="features", columns=features, missing_values=missing)
    return Grouping(recipe, 0, "different rows of features", notes), False


def _repeating_id(engine: Any, pipeline: Pipeline, numbers: dict[str, int], rows: int) -> tuple[str, int] | None:
    """Return the finest id column whose values repeat, and how many it has."""
    found: list[tuple[int, str]] = []
    for name in pipeline.id_columns:
        number = numbers[name]
        distinct, present = engine.execute(
            f"SELECT count(DISTINCT c{number}), count(c{number}) FROM clean_rows SEMI JOIN valid_rows USING (row_id)"
        ).fetchone()
        if distinct >= MIN_ID_GROUPS and present - distinct >= MIN_REPEATED_SHARE * rows:
            found.append((distinct, name))
    if not found:
        return None
    distinct, name = max(found, key=lambda pair: pair[0])
    return name, distinct


def _separate_observations(
    engine: Any, grouping: Grouping, task: Task, target: Column, numbers: dict[str, int], rows: int
) -> Grouping:
    """Decide whether rows with equal features are copies or different observations, and where the split divides them.

    Among pairs of rows with equal features, copies agree on the target; different observations disagree about as often
    as any two rows, less what the features explain.
    """
    pairs, equal_pairs, largest = engine.execute(
        """SELECT sum(rows * (rows - 1) / 2), sum(equal_pairs), max(rows) FROM
             (SELECT unit, sum(rows) AS rows, sum(rows * (rows - 1) / 2) AS equal_pairs FROM
               (SELECT unit, target, count(*) AS rows FROM unit_rows GROUP BY unit, target) GROUP BY unit)"""
    ).fetchone()
    squares = engine.execute(
        "SELECT sum((rows / $1) ** 2) FROM (SELECT count(*) AS rows FROM unit_rows GROUP BY target)", [float(rows)]
    ).fetchone()[0]
    recipe = features = grouping.recipe
    cells = grouping.cases
    observations = pairs > 0 and (1 - equal_pairs / pairs) >= MIN_CHANCE_SHARE * (1 - squares) and squares < 1
    divides_all = cells < min(MIN_UNITS, rows * MIN_UNIT_SHARE) or (
        observations and task != "regression" and _rarest_class_units(engine) < MIN_CLASS_CASES
    )
    notes = list(grouping.notes)
    if cells == rows:
        grouping = replace(grouping, unit_name="rows")
    if observations or divides_all:
        recipe = recipe.model_copy(update={"kind": "row", "columns": [*recipe.columns, case_column(target)]})
        grouping = replace(grouping, recipe=recipe, cases=rows)
    if divides_all:
        notes.append(f"only {cells:,} different rows of features: equal rows are split")
        _divide(engine, features, numbers, "true")
        return replace(grouping, unit_name="rows", notes=notes)
    if largest > max(MAX_UNIT_SHARE * rows, 3):
        large = f"unit IN (SELECT unit FROM unit_rows GROUP BY unit HAVING count(*) > {MAX_UNIT_SHARE * rows})"
        divided, units = engine.execute(
            f"SELECT count(*), count(DISTINCT unit) FROM unit_rows WHERE {large}"
        ).fetchone()
        notes.append(
            f"{divided:,} rows have only {units:,} different rows of features,"
            f" each in more than {MAX_UNIT_SHARE:.0%} of the rows: they are split"
        )
        _divide(engine, features, numbers, large)
    elif not observations and rows - cells > MAX_UNIT_SHARE * rows:
        notes.append(f"{rows - cells:,} rows repeat the features of another row: equal rows stay together")
    return replace(grouping, notes=notes)


def _rarest_class_units(engine: Any) -> int:
    """Return in how many units the class with the fewest units is, of those that have enough rows."""
    fewest: int | None = engine.execute(
        f"""SELECT min(units) FROM (SELECT count(DISTINCT unit) AS units FROM unit_rows
            GROUP BY target HAVING count(*) >= {MIN_CLASS_CASES})"""
    ).fetchone()[0]
    return MIN_CLASS_CASES if fewest is None else fewest


def _divide(engine: Any, features: CaseRecipe, numbers: dict[str, int], where: str) -> None:
    """Make each row of `unit_rows`, where a condition holds, a unit of its own.

    The unit is the n-th row with these features, whatever its target: a corrected target moves no row to another part.
    """
    create_cases(engine, features.model_copy(update={"kind": "row"}), numbers, "clean_rows", stripped=True)
    create_ordered(
        engine, "unit_rows",
        f"""SELECT unit_rows.* REPLACE (CASE WHEN {where} THEN cases.hash ELSE unit END AS unit)
            FROM unit_rows JOIN cases USING (row_id)""",
    )  # fmt: skip


def _list(names: list[str]) -> str:
    return ", ".join(name[:MAX_NAME_CHARACTERS] for name in names[:5]) + (" ..." if len(names) > 5 else "")
