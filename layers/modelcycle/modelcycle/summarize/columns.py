"""The columns of a version's requests, counted in several windows by the bins of their reference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from modelcycle.engine import Engine, batches
from modelcycle.model.columns import Texts, Values
from modelcycle.model.profile import ColumnProfile
from modelcycle.model.reference import Reference
from modelcycle.model.window import ColumnCounts, Side
from modelcycle.summarize import levels, numbers
from modelcycle.summarize.held import Held
from modelcycle.summarize.numbers import NumberColumn
from modelcycle.summarize.traffic import ABSENT, VALUE, Cell

BOOLEAN_LABELS = ["false", "true"]
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
class Rows:
    """The rows of one version.

    Parameters
    ----------
    source : SQL of them
    counts : number of rows in each window
    windows : SQL of whether a row is in each window
    """

    engine: Engine
    source: str
    counts: Sequence[int]
    windows: Sequence[str]


def without_unread_texts(rows: Rows, watched: Sequence[Watched]) -> list[Watched]:
    """Return the columns, those of numbers without their texts if all are JSON numbers: texts take longest to read."""
    numeric = [column for column in watched if column.cell and column.profile.type == "number"]
    written: dict[str, bool] = {}
    for batch in batches(numeric):
        asked = ", ".join(f"bool_or({column.cell.written})" for column in batch if column.cell)
        found = rows.engine.execute(f"SELECT {asked} FROM {rows.source}").fetchone()
        written |= zip([column.name for column in batch], found, strict=True)
    return [
        replace(column, cell=replace(column.cell, text="NULL::VARCHAR"))
        if column.cell and written.get(column.name, True) is False
        else column
        for column in watched
    ]


def count_columns(
    rows: Rows, watched: Sequence[Watched], reference: Reference | None, missing_values: Sequence[str]
) -> tuple[list[list[ColumnCounts]], list[str]]:
    """Count columns; one that cannot be counted does not stop the others.

    Parameters
    ----------
    reference : None: the profiles take its place

    Returns
    -------
    for each window, the columns in their order; and what could not be counted, as sentences
    """
    import duckdb

    counted: dict[str, list[ColumnCounts]] = {}
    notes: list[str] = []
    by_name = {column.name: column for column in watched}

    def failed(column: Watched, error: Exception) -> None:
        notes.append(f"column {column.name!r} could not be counted: {type(error).__name__}")

    fetched = _fetched(rows, [column for column in watched if column.profile.type == "number"], missing_values, notes)
    for name, found in fetched:
        column = by_name[name]
        try:
            counted[name] = _numbers(column, found, reference)
        except (duckdb.Error, *FAULTS) as error:
            failed(column, error)
    for column in watched:
        if column.profile.type == "number":
            continue
        try:
            counted[column.name] = _levels(rows, column, reference, missing_values)
        except (duckdb.Error, *FAULTS) as error:
            failed(column, error)
    return [
        [counted[column.name][n] for column in watched if column.name in counted] for n in range(len(rows.windows))
    ], notes


def _fetched(
    rows: Rows, watched: Sequence[Watched], missing_values: Sequence[str], notes: list[str]
) -> Iterator[tuple[str, list[tuple[numbers.Numbers, Held]]]]:
    """Yield the numbers of columns; if a query fails, those that can be fetched one by one."""
    import duckdb

    sent = [NumberColumn(column.name, column.cell, column.profile) for column in watched if column.cell]
    yielded: set[str] = set()
    try:
        for name, found in numbers.fetch_numbers(
            rows.engine, rows.source, rows.counts[0], rows.windows, sent, missing_values
        ):
            yielded.add(name)
            yield name, found
    except duckdb.Error:
        for one in sent:
            if one.name not in yielded:
                try:
                    yield from numbers.fetch_numbers(
                        rows.engine, rows.source, rows.counts[0], rows.windows, [one], missing_values
                    )
                except duckdb.Error as error:
                    notes.append(f"column {one.name!r} could not be counted: {type(error).__name__}")
    nothing = np.zeros(0, dtype=np.float32)
    for column in watched:
        if column.cell is None:
            yield column.name, [(nothing, Held({ABSENT: count})) for count in rows.counts]


def _numbers(
    column: Watched, fetched: Sequence[tuple[numbers.Numbers, Held]], reference: Reference | None
) -> list[ColumnCounts]:
    values = _reference_values(column, reference)
    if values is None:
        expected = numbers.reference_of_profile(column.profile)
    else:
        assert not isinstance(values, Texts)
        expected = numbers.reference_of_numbers(values.astype(np.float32, copy=False))
    return _counts(column, expected.bins.labels, expected.side, numbers.sides_of(fetched, expected))


def _levels(
    rows: Rows, column: Watched, reference: Reference | None, missing_values: Sequence[str]
) -> list[ColumnCounts]:
    """Count texts, true and false, or of dates only which are missing."""
    engine, windows = rows.engine, len(rows.windows)
    if column.cell is None:
        engine.execute(
            "CREATE OR REPLACE TEMP TABLE counted AS SELECT NULL::VARCHAR AS value, $1 AS held, "
            + ", ".join(f"{count}::BIGINT AS w{n}" for n, count in enumerate(rows.counts)), [ABSENT],
        )  # fmt: skip
    else:
        levels.create_counts(engine, rows.source, rows.windows, column.cell, column.profile, missing_values)
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
