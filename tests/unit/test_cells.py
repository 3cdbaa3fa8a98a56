"""Cells: a whole column read by DuckDB and a single value read in serving give the same number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelcycle.cells.numbers import CURRENCY_CODES, NUMBER_FORMATS, number, separators
from modelcycle.cells.reading import Reading, parsed_number, parsed_sql
from modelcycle.cells.times import TIME_FORMATS, seconds


@pytest.fixture(scope="module")
def engine() -> Iterator[Any]:
    with duckdb.connect() as connection:
        yield connection


def by_duckdb(engine: Any, text: str, format_: str) -> float | None:
    query = f"SELECT {parsed_sql(Reading(type='number', format=format_), 't')} FROM (SELECT $1 AS t)"
    (value,) = engine.execute(query, [text.strip()]).fetchone()
    return value  # type: ignore[no-any-return]


def written(value: float, format_: str, thousands: bool, places: int) -> str:
    """Return a number as people write it in a format."""
    separator, mark = separators(format_) if format_ else ("", ".")
    text = f"{value:,.{places}f}" if thousands and separator else f"{value:.{places}f}"
    return text.translate({ord(","): separator, ord("."): mark})


@st.composite
def nearly_numbers(draw: st.DrawFn) -> tuple[str, str]:
    measure = draw(st.sampled_from(["", "", " kg", " km/h", " sq. ft", " years", " m²", " °C"]))
    format_ = draw(st.sampled_from(["", *(f"{format_}{measure}" for format_ in NUMBER_FORMATS)]))
    value = draw(st.floats(0, 1e9) | st.integers(0, 10**9).map(float))
    text = written(value, format_, draw(st.booleans()), draw(st.integers(0, 3)))
    blank = draw(st.sampled_from(["", " ", "\u00a0", "\u202f"]))
    unit = draw(st.sampled_from(["", "", "$", "€", "US$", "kr", "kr.", "%", *CURRENCY_CODES[:3]]))
    unit = draw(st.sampled_from([measure.strip(), unit]))
    text = text.replace("'", draw(st.sampled_from("'\u2019"))).replace(" ", draw(st.sampled_from(" \u00a0\u202f")))
    text = draw(st.sampled_from([unit + blank + text, text + blank + unit, text]))
    text = draw(st.sampled_from([text, "-" + text, "\u2212" + text, f"({text})", text + "-", "+" + text]))
    position = draw(st.integers(0, max(0, len(text) - 1)))
    letters = [text[position : position + 1], *"0123456789.,' -(%e"]
    return text[:position] + draw(st.sampled_from(letters)) + text[position + 1 :], format_


@settings(max_examples=400, deadline=None)
@given(nearly_numbers())
def test_numbers_are_read_the_same(engine: Any, case: tuple[str, str]) -> None:
    assert parsed_number(*case) == by_duckdb(engine, *case)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(NUMBER_FORMATS), st.integers(-(10**9), 10**9), st.booleans(), st.sampled_from([0, 1, 2]))
def test_a_number_in_a_format_is_that_number(format_: str, cents: int, thousands: bool, places: int) -> None:
    text = written(cents / 10**places, format_, thousands, places)
    assert number(text, format_) == float(f"{cents / 10**places:.{places}f}")


@st.composite
def nearly_times(draw: st.DrawFn) -> tuple[str, str]:
    hour, minute, second = draw(st.integers(0, 30)), draw(st.integers(0, 60)), draw(st.integers(0, 60))
    text = draw(st.sampled_from([
        f"{hour}:{minute:02d}", f"{hour:02d}:{minute:02d}:{second:02d}.25", f"{hour % 13}:{minute:02d} pm",
        f"{hour} days {hour:02d}:{minute:02d}:{second:02d}", f"-{hour} days +{hour}:{minute:02d}:00",
        f"P{hour}DT{minute}M{second}.5S", f"PT{hour}H", f"-PT{second}S", f"{hour}h {minute}m", f"{minute} min", "P", "",
        f"{hour} day, {hour}:{minute:02d}:{second:02d}", f"{hour}h{minute:02d}", f"-{hour}:{minute:02d}",
    ]))  # fmt: skip
    position = draw(st.integers(0, max(0, len(text) - 1)))
    letter = draw(st.sampled_from([text[position : position + 1], *"0159:hmdPT-+ ."]))
    return text[:position] + letter + text[position + 1 :], draw(st.sampled_from(TIME_FORMATS))


@settings(max_examples=400, deadline=None)
@given(nearly_times())
def test_times_are_read_the_same(engine: Any, case: tuple[str, str]) -> None:
    assert parsed_number(*case) == by_duckdb(engine, *case)


@pytest.mark.parametrize(
    ("text", "format_", "value"),
    [
        ("-1 days +23:59:00", "duration", -60.0), ("26:30", "duration", 95400.0), ("12:00 AM", "clock", 0.0),
        ("12:30 p.m.", "clock", 45000.0), ("P1W", "duration", 604800.0), ("13:00 PM", "clock", None),
        ("14:60", "clock", None), ("5 m", "duration", None), ("5 min", "duration", 300.0),
    ],
)  # fmt: skip
def test_times_of_programs(text: str, format_: str, value: float | None) -> None:
    assert seconds(text, format_) == value


@pytest.mark.parametrize("format_", NUMBER_FORMATS)
@pytest.mark.parametrize(
    "text", ["12 Main Street", "A5", "1.2.3", "--5", "(5", "5)", "(-5)", "1e", "", "-", "€", "5 kg"]
)
def test_other_texts_are_no_numbers(engine: Any, text: str, format_: str) -> None:
    assert number(text, format_) is None
    assert by_duckdb(engine, text, format_) is None
