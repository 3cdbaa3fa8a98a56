"""Dates: a whole column read by DuckDB and a single value read in serving give the same number."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelcycle.cells import dates

COMPACT = [format_ for format_ in dates.DIGITS if format_ not in dates.EPOCHS]


@pytest.fixture(scope="module")
def engine() -> Iterator[Any]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def by_duckdb(engine: Any, text: str, format_: str) -> float | None:
    query = f"SELECT {dates.sql('t', format_)} FROM (SELECT $1 AS t)"
    (seconds,) = engine.execute(query, [text]).fetchone()
    return seconds  # type: ignore[no-any-return]


def by_python(text: str, format_: str) -> float | None:
    try:
        return dates.parse(text, format_)
    except ValueError:
        return None


@st.composite
def nearly_dates(draw: st.DrawFn) -> tuple[str, str]:
    format_ = draw(st.sampled_from([*dates.FORMATS, *COMPACT]))
    edges = st.sampled_from([datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999), datetime(9999, 12, 31, 23)])
    moment = draw(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)) | edges)
    if format_ == "iso":
        text = moment.isoformat(sep=draw(st.sampled_from("T ")))
        text += draw(st.sampled_from(["", "Z", "+02", "-0330", "+05:45", "+23:59"]))
    else:
        text = moment.strftime(format_.replace("%Y", f"{moment.year:04}"))
    position = draw(st.integers(0, len(text) - 1))
    if draw(st.booleans()):
        return text[:position] + text[position:].swapcase(), format_
    letter = draw(st.sampled_from([text[position], *"0123456789 /:-APt.Z"]))
    return text[:position] + letter + text[position + 1 :], format_


@settings(max_examples=300, deadline=None)
@given(nearly_dates())
def test_duckdb_and_python_read_the_same(engine: Any, case: tuple[str, str]) -> None:
    assert by_python(*case) == by_duckdb(engine, *case)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(list(dates.EPOCHS)), st.integers(-(10**19), 10**19) | st.integers(0, 2 * 10**12))
def test_moments_that_count_from_1970_are_read_the_same_and_written_again(
    engine: Any, format_: str, count: int
) -> None:
    read = by_python(str(count), format_)
    assert read == by_duckdb(engine, str(count), format_)
    if read is not None:
        assert dates.parse(dates.to_text(read, format_), format_) == pytest.approx(read)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2024-01-31 14:05:00 UTC", 1706709900.0), ("2024-01-31 14:05:00+00", 1706709900.0),
        ("2024-01-31 14:05:00 GMT", 1706709900.0), ("2024-01-31 16:05:00 +0200", 1706709900.0),
        ("2024-01-31 14:05:00 +0000 UTC", 1706709900.0),
    ],
)  # fmt: skip
def test_the_moments_of_databases(engine: Any, text: str, seconds: float) -> None:
    assert by_python(text, "iso") == by_duckdb(engine, text, "iso") == seconds


OUT_OF_RANGE = [
    ("0000-01-01", "iso"), ("0001-01-01T00:00:00+00:01", "iso"), ("9999-12-31T23:59:59-00:01", "iso"),
    ("9999-12-31T23:59:59.999999", "iso"), ("01/01/0000", "%m/%d/%Y"), ("31 Dec 0000", "%d %b %Y"),
]  # fmt: skip


@pytest.mark.parametrize("case", OUT_OF_RANGE)
def test_no_date_lies_outside_the_years_1_to_9999(engine: Any, case: tuple[str, str]) -> None:
    assert by_python(*case) is None and by_duckdb(engine, *case) is None


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(dates.FORMATS), st.floats(-62_135_596_800, 253_402_300_799))
def test_what_is_written_is_read_again(format_: str, seconds: float) -> None:
    read = dates.parse(dates.to_text(seconds, format_), format_)  # a format without seconds loses them once
    assert dates.parse(dates.to_text(read, format_), format_) == read


@pytest.mark.parametrize("format_", [*dates.FORMATS, *COMPACT])
def test_each_format_reads_what_strftime_writes(engine: Any, format_: str) -> None:
    moment = datetime(2024, 1, 31, 14, 5, 6, tzinfo=UTC)
    text = "2024-01-31T14:05:06Z" if format_ == "iso" else moment.strftime(format_)
    read = dates.parse(text, format_)
    assert read == by_duckdb(engine, text, format_)
    day = moment.replace(hour=0, minute=0, second=0)
    month, week = day.replace(day=1), day.replace(day=29)
    assert read in {moment.timestamp(), moment.timestamp() - 6, *(start.timestamp() for start in (day, month, week))}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01", 0), ("1970-01-01 00:01", 60), ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01T00:00:00.25Z", 0.25),
        ("1969-12-31T23:59:59.5", -0.5),
    ],
)  # fmt: skip
def test_iso(text: str, seconds: float) -> None:
    assert dates.parse(text, "iso") == seconds


@pytest.mark.parametrize("text", ["2024-02-30", "2024-13-01", "24-01-01", "20240101", "2024-01-01T24:00", "", "today"])
def test_other_texts_are_not_dates(engine: Any, text: str) -> None:
    assert by_python(text, "iso") is None
    assert by_duckdb(engine, text, "iso") is None


@pytest.mark.parametrize("seconds", [1711936805.5, -2208988800.0, 951782400.0])
def test_a_text_of_any_format_may_be_a_date(seconds: float) -> None:
    formats = (*dates.FORMATS, *dates.DIGITS)
    assert [format_ for format_ in formats if not dates.may_be_date(dates.to_text(seconds, format_))] == []
