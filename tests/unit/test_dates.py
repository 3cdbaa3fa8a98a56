"""Dates: a whole column read by DuckDB and a single value read in serving give the same number."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelcycle.model import dates


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
    format_ = draw(st.sampled_from(dates.FORMATS))
    moment = draw(st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 31)))
    if format_ == "iso":
        text = moment.isoformat(sep=draw(st.sampled_from("T ")))
        text += draw(st.sampled_from(["", "Z", "+02", "-0330", "+05:45", "+23:59"]))
    else:
        text = moment.strftime(format_)
    position = draw(st.integers(0, len(text) - 1))
    return text[:position] + draw(st.sampled_from([text[position], *"0123456789 /:-APt.Z"])) + text[
        position + 1 :
    ], format_


@settings(max_examples=300, deadline=None)
@given(nearly_dates())
def test_duckdb_and_python_read_the_same(engine: Any, case: tuple[str, str]) -> None:
    assert by_python(*case) == by_duckdb(engine, *case)


@pytest.mark.parametrize("format_", dates.FORMATS)
def test_each_format_reads_what_strftime_writes(engine: Any, format_: str) -> None:
    moment = datetime(2024, 1, 31, 14, 5, 6, tzinfo=UTC)
    text = "2024-01-31T14:05:06Z" if format_ == "iso" else moment.strftime(format_)
    read = dates.parse(text, format_)
    assert read == by_duckdb(engine, text, format_)
    assert read in {moment.timestamp(), moment.timestamp() - 6, moment.replace(hour=0, minute=0, second=0).timestamp()}


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
