"""The columns of a version's requests, counted in several windows by the bins of their reference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from modelcycle.captured import Cell
from modelcycle.engine import batches
from modelcycle.model.columns import Texts, Values
from modelcycle.model.profile import ColumnProfile
from modelcycle.model.reference import Reference
from modelcycle.model.window import ColumnCounts, Side
from modelcycle.summarize import levels, numbers
from modelcycle.summarize.held import Held
from modelcycle.summarize.numbers import NumberColumn
from modelcycle.summarize.rows import Rows
from modelcycle.summarize.traffic import ABSENT, VALUE

BOOLEAN_LABELS = ["false", "true"]
NEARLY_UNIQUE = 0.5  # share of different values in the training rows, from which a column is grouped alone
FAULTS = (ValueError, ArithmeticError, LookupError, TypeError)  # beside DuckDB's, of a column that cannot be counted


@dataclass(frozen=True)
class Watched:
    """A column that is counted.

    Parameters
    ----------
    profile : of the training rows; its fields say how texts are read
    reads : whether the model reads it
    cell : None if no request of the window held it
    """

    profile: ColumnProfile
    reads: bool
    cell: Cell | None

    @property
    def name(self) -> str:
        return self.profile.name


@dataclass(frozen=True)
class Counted:
    """What was counted.

    Parameters
    ----------
    columns : for each window, the columns in their order
    chosen : of the columns of numbers, those of the chosen rows (n,)
    notes : what could not be counted, as sentences
    """

    columns: list[list[ColumnCounts]]
    chosen: dict[str, numbers.Numbers]
    notes: list[str]


def count_columns(
    rows: Rows, watched: Sequence[Watched], reference: Reference | None, missing_values: Sequence[str],
    chosen: npt.NDArray[np.int64],
) -> Counted:  # fmt: skip
    """Count columns; one that cannot be counted does not stop the others.

    Parameters
    ----------
    reference : None: the profiles take its place
    chosen : ids of the rows whose numbers are kept
    """
    import duckdb

    counted: dict[str, list[ColumnCounts]] = {}
    kept: dict[str, numbers.Numbers] = {}
    notes: list[str] = []
    by_name = {column.name: column for column in watched}

    def failed(name: str, error: Exception) -> None:
        notes.append(f"column {name!r} could not be counted: {type(error).__name__}")

    positions = rows.positions(chosen)
    for name, values, held in _fetched(rows, watched, missing_values, failed):
        try:
            counted[name] = _numbers(by_name[name], rows, values, held, reference)
            kept[name] = values[positions]
        except (duckdb.Error, *FAULTS) as error:
            failed(name, error)
    for column, place in _grouped(rows, watched, failed):
        try:
            counted[column.name] = _levels(rows, column, place, reference, missing_values)
        except (duckdb.Error, *FAULTS) as error:
            failed(column.name, error)
    columns = [
        [counted[column.name][n] for column in watched if column.name in counted] for n in range(len(rows.windows))
    ]
    return Counted(columns, kept, notes)


def _fetched(
    rows: Rows, watched: Sequence[Watched], missing_values: Sequence[str], failed: Callable[[str, Exception], None]
) -> Iterator[tuple[str, numbers.Numbers, numbers.Codes]]:
    """Yield the numbers of columns and what was held; if a query fails, those that can be fetched one by one."""
    import duckdb

    of_numbers = [column for column in watched if column.profile.type == "number"]
    sent = [NumberColumn(column.name, column.cell, column.profile) for column in of_numbers if column.cell]
    yielded: set[str] = set()
    try:
        for found in numbers.fetch_numbers(rows, sent, missing_values):
            yielded.add(found[0])
            yield found
    except duckdb.Error:
        for one in sent:
            if one.name not in yielded:
                try:
                    yield from numbers.fetch_numbers(rows, [one], missing_values)
                except duckdb.Error as error:
                    failed(one.name, error)
    count = len(rows.masks[0])
    for column in of_numbers:
        if column.cell is None:
            yield column.name, np.full(count, np.nan, np.float32), np.full(count, ABSENT, np.uint8)


def _numbers(
    column: Watched, rows: Rows, values: numbers.Numbers, held: numbers.Codes, reference: Reference | None
) -> list[ColumnCounts]:
    before = _reference_values(column, reference)
    if before is None:
        expected = numbers.reference_of_profile(column.profile)
    else:
        assert not isinstance(before, Texts)
        expected = numbers.reference_of_numbers(before.astype(np.float32, copy=False))
    sides = [
        numbers.number_side(numbers.sorted_present(live), expected.bins, expected.range, **numbers.held_of(what).fields)
        for live, what in zip(rows.of_windows(values), rows.of_windows(held), strict=True)
    ]
    return _counts(column, expected.bins.labels, expected.side, sides)


def _grouped(
    rows: Rows, watched: Sequence[Watched], failed: Callable[[str, Exception], None]
) -> Iterator[tuple[Watched, int]]:
    """Yield columns with their place in the table `grouped`; if they cannot be grouped together, one by one."""
    import duckdb

    others = [column for column in watched if column.profile.type != "number"]
    sent = [column for column in others if column.cell]
    alone = [column for column in sent if column.profile.distinct > NEARLY_UNIQUE * column.profile.rows]
    together = [column for column in sent if column not in alone]
    waiting = [*map(list, batches(together, 1, levels.MAX_GROUPED)), *([column] for column in alone)]
    while waiting:
        batch = waiting.pop(0)
        try:
            levels.group_cells(rows, [column.cell for column in batch if column.cell])
        except duckdb.Error as error:
            if len(batch) > 1:
                waiting = [[column] for column in batch] + waiting
            else:
                failed(batch[0].name, error)
            continue
        for place, column in enumerate(batch):
            yield column, place
    for column in others:
        if column.cell is None:
            yield column, 0


def _levels(
    rows: Rows, column: Watched, place: int, reference: Reference | None, missing_values: Sequence[str]
) -> list[ColumnCounts]:
    """Count texts, true and false, or of dates only which are missing.

    Parameters
    ----------
    place : of the column in the table `grouped`
    """
    engine, windows = rows.engine, len(rows.windows)
    if column.cell is None:
        engine.execute(
            "CREATE OR REPLACE TEMP TABLE counted AS SELECT NULL::VARCHAR AS value, $1 AS held, "
            + ", ".join(f"{count}::BIGINT AS w{n}" for n, count in enumerate(rows.counts)), [ABSENT],
        )  # fmt: skip
    else:
        levels.create_counts(engine, place, windows, column.profile, missing_values)
    held = levels.held_counts(engine, windows)
    values = _reference_values(column, reference)
    if column.profile.type == "text":
        if isinstance(values, Texts):
            expected = levels.reference_of_texts(values, column.profile)
            levels.create_known(engine, expected)
            before = Held({VALUE: sum(expected.rows), 1: expected.missing})
            side = levels.text_sides(engine, expected, "known", [before])[0]
        else:
            expected, side = levels.reference_of_profile(column.profile), _profile_side(column.profile)
            levels.create_known(engine, expected)
        sides = levels.text_sides(engine, expected, "counted", held)
        return _counts(column, expected.labels, side, sides, levels.new_texts(engine, expected, windows))
    if column.profile.type == "boolean":
        side = _profile_side(column.profile) if values is None else _boolean_reference(values)
        return _counts(column, BOOLEAN_LABELS, side, levels.boolean_sides(engine, held))
    side = Side(rows=column.profile.rows, counts=[], missing=column.profile.missing)
    if values is not None:
        assert not isinstance(values, Texts)
        side = Side(rows=len(values), counts=[], missing=int(np.isnan(values).sum()))
    return _counts(column, [], side, [Side(counts=[], **one.fields) for one in held])


def _reference_values(column: Watched, reference: Reference | None) -> Values | None:
    values = reference.values(column.name) if reference is not None else None
    return values if values is None or isinstance(values, Texts) == (column.profile.type == "text") else None


def _boolean_reference(values: Values) -> Side:
    assert not isinstance(values, Texts)
    true = int((values == 1).sum())
    missing = int(np.isnan(values).sum())
    return levels.boolean_side([len(values) - missing - true, true], Held({VALUE: len(values) - missing, 1: missing}))


def _profile_side(profile: ColumnProfile) -> Side:
    return Side(rows=profile.rows, counts=profile.counts, missing=profile.missing, distinct=profile.distinct)


def _counts(
    column: Watched, labels: list[str], expected: Side, sides: Sequence[Side],
    new: Sequence[list[tuple[str, int]]] | None = None,
) -> list[ColumnCounts]:  # fmt: skip
    return [
        ColumnCounts(
            name=column.name, type=column.profile.type, labels=labels, reference=expected, live=side,
            new=new[n] if new else [], reads=column.reads,
        )
        for n, side in enumerate(sides)
    ]  # fmt: skip
