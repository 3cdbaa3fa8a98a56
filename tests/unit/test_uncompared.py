"""Where the champion is not judged because the data are no fair test of it, and what is said of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelcycle.messages import CaseColumn
from modelcycle.model.fields import Field
from tests.unit.snapshots import TARGET, TEST, TRAIN, Given, Row, recipe
from tests.unit.unseen_rows import (
    AGE,
    DAY,
    FIELDS,
    NEW_TO_IT,
    NOTE,
    OK,
    OTHER_PARTS,
    PARTS,
    ROWS,
    WHOLE,
    WORD,
    champion_and,
    changed,
    make_rows,
    numbers,
    parts_of,
)


def new_rows(**cells: Any) -> Given:
    return Given(changed(make_rows(200, seed=4), **cells), [TEST] * 200, WHOLE, FIELDS)


def every(n: int, text: str | None) -> Any:
    count = iter(range(10**6))
    return lambda before: text if next(count) % n == 0 else before


UNFAIR: dict[str, tuple[Given, list[str]]] = {
    "no numbers": (
        new_rows(**{AGE: every(10, "much")}),
        [f"{AGE}: 10.0 % of the values are not numbers, which version 1 reads"],
    ),
    "no dates of its format": (
        new_rows(**{DAY: lambda text: "2024-01-31"}),
        ["day: 100.0 % of the values are not dates of its format, which version 1 reads"],
    ),
    "other words for true and false": (
        new_rows(**{OK: lambda text: "yes"}),
        ["o'k: 100.0 % of the values are neither true nor false, which version 1 reads"],
    ),
    "far more missing": (
        new_rows(**{AGE: every(2, "")}), [f"{AGE} is missing in 50 % of the rows, 0 % when version 1 learned"]
    ),
    "all missing": (
        new_rows(**{AGE: lambda text: None}), [f"{AGE} is missing in 100 % of the rows, 0 % when version 1 learned"]
    ),
    "columns that are gone": (
        Given([{WORD: row[WORD], TARGET: row[TARGET]} for row in ROWS], [TEST] * 400, WHOLE, FIELDS),
        [f"the data have no columns {AGE}, {DAY} and o'k, which version 1 reads"],
    ),
    "too few": (
        Given([*ROWS, *make_rows(9, seed=3)], [TEST if part != TEST else TRAIN for part in PARTS] + [TEST] * 9,
              WHOLE, FIELDS),
        [f"{400 - PARTS.count(TEST)} of {409 - PARTS.count(TEST)} test rows cannot be told from rows that version 1 has"
         " learned from; 30 others are needed"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", UNFAIR)
def test_what_is_no_fair_test_is_said_with_figures(what: str) -> None:
    now, sentences = UNFAIR[what]
    _, found = champion_and(now)
    assert found.features is None and found.positions is None
    assert len(found.uncompared) == len(sentences)
    for sentence, start in zip(found.uncompared, sentences, strict=True):
        assert sentence.startswith(start)
    if "reads" in sentences[0] and "%" in sentences[0]:
        assert found.uncompared[0].endswith("(200 rows that it has not learned from)")


def test_rows_are_not_taken_for_new_ones_where_a_column_that_tells_them_apart_was_written_anew() -> None:
    """The model reads two coarse columns only, so its rows are known by the others."""
    before = Given(ROWS, PARTS, WHOLE, [FIELDS[1], FIELDS[3]])
    rows = changed(ROWS, **{DAY: lambda text: f"{text[6:]}-{text[3:5]}-{text[:2]}"})
    _, found = champion_and(Given(rows, OTHER_PARTS, WHOLE, before.fields), before)
    assert found.positions is None
    assert found.uncompared == [
        "day: 100.0 % of the values are not dates of its format, which version 1 knows its rows by"
        " (400 rows that it has not learned from)"
    ]
    _, found = champion_and(Given(ROWS, OTHER_PARTS, WHOLE, before.fields), before)
    assert (found.rows, found.uncompared) == (len(NEW_TO_IT), [])


@pytest.mark.parametrize("kind", ["features", "row"])
def test_a_champion_is_not_judged_where_a_text_that_tells_its_rows_apart_was_written_anew(kind: str) -> None:
    fields = [FIELDS[1], FIELDS[3]]
    cases = WHOLE.model_copy(update={"kind": kind})
    if kind == "row":
        cases = cases.model_copy(update={"columns": [*cases.columns, CaseColumn(name=TARGET, type="text")]})
    rows = changed(ROWS, **{NOTE: lambda text: (text or "").upper()})
    _, found = champion_and(Given(rows, OTHER_PARTS, cases, fields), Given(ROWS, PARTS, cases, fields))
    assert found.positions is None
    assert len(found.uncompared) == 1 and "the same rows may have been written anew" in found.uncompared[0]
    assert NOTE in found.uncompared[0]
    # new rows after the old ones are no reason to doubt
    more = [*ROWS, *make_rows(300, seed=9)]
    _, found = champion_and(Given(more, [*PARTS, *parts_of(300)], cases, fields), Given(ROWS, PARTS, cases, fields))
    assert found.uncompared == [] and found.rows > 100


def test_the_file_with_most_of_a_difference_is_named() -> None:
    now = new_rows(**{AGE: every(4, "much")})
    rows = [*ROWS, *now.rows]
    _, found = champion_and(Given(rows, [*PARTS, *now.parts], WHOLE, FIELDS, second_file=400))
    new = PARTS.count(TEST) + 200
    assert found.uncompared == [
        f"{AGE}: {100 * 50 / new:.1f} % of the values are not numbers, which version 1 reads"
        f" ({new} rows that it has not learned from; 25.0 % in second.csv)"
    ]


def test_rows_of_files_that_the_champion_does_not_know_are_recent() -> None:
    now = new_rows()
    rows = Given([*ROWS, *now.rows], [*PARTS, *now.parts], WHOLE, FIELDS, second_file=400)
    model, found = champion_and(rows)
    old = PARTS.count(TEST)
    assert found.recent == found.rows - old == 200
    assert model.recent(found) == [False] * old + [True] * 200


def test_live_requests_need_not_have_the_columns_that_the_champion_does_not_read() -> None:
    fields = [FIELDS[1], FIELDS[3]]
    cases = WHOLE.model_copy(update={"kind": "row", "columns": [*WHOLE.columns, CaseColumn(name=TARGET, type="text")]})
    now = new_rows(**{NOTE: lambda text: None})
    for live in (False, True):
        rows = Given([*ROWS, *now.rows], [*PARTS, *now.parts], cases, fields, second_file=400, second_is_live=live)
        before = Given(ROWS, PARTS, cases, fields, profiled=[Field(name=NOTE, type="text")])
        _, found = champion_and(rows, before)
        assert (found.uncompared == []) == live, found.uncompared


def test_a_few_unreadable_or_missing_cells_do_not_matter() -> None:
    model, found = champion_and(new_rows(**{AGE: every(100, "n/a"), DAY: every(11, "?")}))
    assert found.uncompared == [] and found.rows == 200
    assert np.isnan(numbers(model.features(found), AGE)).sum() == 2


def test_of_many_columns_that_differ_a_few_are_named() -> None:
    fields = [Field(name=f"c{n}", type="number") for n in range(100)]
    rows: list[Row] = [{f"c{n}": str(row * n) for n in range(100)} | {TARGET: "no"} for row in range(100)]
    cases = recipe({field.name: field.type for field in fields})
    before = Given(rows, [TRAIN] * 50 + [TEST] * 50, cases, fields)
    _, found = champion_and(
        Given(changed(rows, **{f"c{n}": lambda _: "x" for n in range(99)}), [TEST] * 100, cases, fields), before
    )
    assert len(found.uncompared) == 6 and found.uncompared[-1] == "94 more such differences"


SHIFTED: dict[str, tuple[dict[str, Any], str]] = {
    "constant": ({AGE: lambda text: "0"}, f"{AGE}: 0 in all rows with a value; it had "),
    "another unit": ({AGE: lambda text: str(float(text) * 12)}, f"{AGE}: the middle half of the values is "),
    "a tenth": ({AGE: lambda text: str(float(text) / 1000)}, f"{AGE}: the middle half of the values is 0.0"),
    "a wider scale": (
        {AGE: lambda text: str((float(text) - 40) * 20 + 40)}, f"{AGE}: 42 % of the values, from "
    ),
    "a year of birth": ({AGE: lambda text: f"{2024 - float(text):.0f}"}, f"{AGE}: the middle half of the values"),
    "other levels": ({WORD: lambda text: text and text * 2}, 'w"ord: 100 % of the values are levels that version 1'),
    "one level": ({WORD: lambda text: "a"}, "w\"ord: 'a' in all rows with a value; it had "),
    "one truth": ({OK: lambda text: text and "ja"}, "o'k: 1 in all rows with a value; it had 2 values when version 1"),
}  # fmt: skip


@pytest.mark.parametrize("what", SHIFTED)
@pytest.mark.parametrize("appended", [False, True])
def test_a_column_that_is_no_longer_what_it_was_is_said_with_figures(what: str, appended: bool) -> None:
    cells, start = SHIFTED[what]
    now = new_rows(**cells)
    if appended:
        now = Given([*ROWS, *now.rows], [*PARTS, *now.parts], WHOLE, FIELDS, second_file=400)
    _, found = champion_and(now)
    assert found.features is None
    assert len(found.uncompared) == 1 and found.uncompared[0].startswith(start), found.uncompared


def test_ordinary_drift_and_what_goes_on_with_time_ask_nobody() -> None:
    def drifted(row: Row, n: int) -> Row:
        return row | {
            AGE: f"{float(row[AGE] or 0) + 4.5:.3f}", DAY: f"{n % 28 + 1:02}.03.2025",
            "visit": str(n), "week": f"week {n // 40}", "month": ["Jan", "February", "mar"][n // 250],
        }  # fmt: skip

    fields = [*FIELDS, Field(name="visit", type="number"), *(Field(name=n, type="text") for n in ("week", "month"))]
    cases = recipe({field.name: field.type for field in fields}, day="%d.%m.%Y")
    before = Given(
        [drifted(row, n) | {AGE: row[AGE], DAY: row[DAY]} for n, row in enumerate(ROWS)], PARTS, cases, fields
    )
    rows = [drifted(row, n) for n, row in enumerate(make_rows(600, seed=4))][400:]
    _, found = champion_and(Given(rows, [TEST] * 200, cases, fields), before)
    assert (found.rows, found.uncompared) == (200, [])
