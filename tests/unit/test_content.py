"""The hash of the rows: equal for equal rows however they are written, and different for every other change."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from tests.unit.data_steps import Workspace


def content(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    space = Workspace()
    lines = [",".join(f'"{value}"' if value else "" for value in row) for row in [names, *rows]]
    space.data.upload("raw/m/rows.csv", "\n".join([*lines, ""]).encode())
    return space.collect(space.run(target=names[0])).content


ROWS = [["1", "red", "0.24"], ["2", "", "7"], ["2", "", "7"], ["3", "blue", "-1.5"]]


def test_neither_the_order_of_rows_nor_that_of_columns_counts() -> None:
    shuffled = random.Random(3).sample(ROWS, len(ROWS))
    turned = [row[::-1] for row in shuffled]
    assert (
        content(["y", "a", "b"], ROWS) == content(["y", "a", "b"], shuffled) == _by_name(["b", "a", "y"], turned, "y")
    )


def _by_name(names: Sequence[str], rows: Sequence[Sequence[str]], target: str) -> str:
    space = Workspace()
    text = "\n".join(",".join(row) for row in [names, *rows]) + "\n"
    space.data.upload("raw/m/rows.csv", text.encode())
    return space.collect(space.run(target=target)).content


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("0.24", "0.2400"), ("5", "5.0"), ("5", "5e0"), ("100000", "1e5"), ("0.00001", "1e-05"), ("-0.0", "0"),
        (".5", "0.50"), ("+7", "7"),
        ("12345678901234567891.00", "12345678901234567891"), ("5.", "5"), ("10000000000000000", "1e16"),
        ("true", "TRUE"),
        ("2024-01-31", "2024-01-31 00:00:00"), ("2024-01-31T14:05:00Z", "2024-01-31 14:05:00+00"),
        ("2024-01-31 16:05:00+02:00", "2024-01-31 14:05:00"), ("2024-01-31 14:05:00.000", "2024-01-31 14:05"),
        ("x ", " x"), (" ", ""),
    ],
)  # fmt: skip
def test_a_value_counts_and_not_its_spelling(one: str, other: str) -> None:
    assert content(["y", "a"], [["1", one], ["2", "b"]]) == content(["y", "a"], [["1", other], ["2", "b"]])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("007", "7"), ("1152921504606846976", "1152921504606846977"), ("0.1", "0.10000000000000002"),
        ("", "0"), ("", "NULL"), ("2024-01-31", "2024-01-30"), ("2024-02-30", "2024-03-01"), ("x", "X"), ("1-2", "1"),
        ("18446744073709551615", "18446744073709551614"), ("1.2.3", "1.2"), ("0x10", "16"), ("-", ""),
        ("1e400", "1e401"),
    ],
)  # fmt: skip
def test_another_value_is_another_hash(one: str, other: str) -> None:
    assert content(["y", "a"], [["1", one], ["2", "b"]]) != content(["y", "a"], [["1", other], ["2", "b"]])


def test_repeated_rows_names_and_shifted_values_count() -> None:
    base = content(["y", "a", "b"], ROWS)
    assert base != content(["y", "a", "b"], [*ROWS, ROWS[1]])
    assert base != content(["y", "a", "b"], [ROWS[0], ROWS[1], ROWS[3]])
    assert base != content(["y", "a", "c"], ROWS)
    assert content(["y", "a", "b"], [["1", "x", ""], ["2", "", "x"]]) != content(
        ["y", "a", "b"], [["1", "", "x"], ["2", "", "x"]]
    )


@settings(max_examples=25, deadline=None)
@given(some.lists(some.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=8), some.randoms())
def test_numbers_written_in_any_way_are_equal(numbers: list[float], draw: random.Random) -> None:
    ways = [repr, lambda x: f"{x:.17e}", lambda x: f"{x:.17g}", lambda x: format(x, "+.20e")]
    one = [[str(i), repr(x)] for i, x in enumerate(numbers)]
    other = [[str(i), draw.choice(ways)(x)] for i, x in enumerate(numbers)]
    draw.shuffle(other)
    assert content(["y", "a"], one) == content(["y", "a"], other)
