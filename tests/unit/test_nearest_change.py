"""The nearest change that alters an answer: few columns, small steps, values that training rows had."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelcycle.model.columns import Columns, Texts
from modelcycle.model.nearest_change import Goal, Option, nearest_change

POSITIVE = Goal(lambda scores: scores[:, 0] >= 0, lambda scores: scores[:, 0].astype(float))


def numbers(*values: float) -> npt.NDArray[Any]:
    return np.array(values, dtype=np.float32)


def summed(*names: str) -> Any:
    return lambda columns: sum(np.asarray(columns.values[name], float) for name in names)[:, None]


def test_one_column_is_preferred_to_two_nearer_ones() -> None:
    options = {"a": Option(numbers(0, 9), 10), "b": Option(numbers(-5, -2), 10), "c": Option(numbers(0, 1), 10)}
    found = nearest_change(options, summed("a", "b", "c"), POSITIVE)
    assert found is not None and list(found) == ["a"] and float(found["a"][0]) == 5  # type: ignore[index]


def test_columns_change_together_where_none_alone_is_enough() -> None:
    options = {name: Option(numbers(-1, 1), 2) for name in "abc"} | {"d": Option(numbers(-1))}
    found = nearest_change(options, summed("a", "b", "c", "d"), POSITIVE)
    assert found is not None and len(found) == 2
    assert nearest_change({"a": Option(numbers(-9, -8), 1)}, summed("a"), POSITIVE) is None
    assert nearest_change({"a": Option(numbers(-9))}, summed("a"), POSITIVE) is None


def test_texts_and_missing_values_can_change() -> None:
    def score(columns: Columns) -> npt.NDArray[Any]:
        color, size = columns.values["color"], np.asarray(columns.values["size"])
        return ((color.strings() == "red") * 1.0 + np.isfinite(size) - 1.5)[:, None]  # type: ignore[union-attr]

    options = {"color": Option(Texts.of(["blue", "red", None])), "size": Option(numbers(np.nan, 4.0), 0.0)}
    found = nearest_change(options, score, POSITIVE)
    assert found is not None and found["color"].strings().tolist() == ["red"]  # type: ignore[union-attr]
    assert float(found["size"][0]) == 4.0  # type: ignore[index]


@given(st.floats(-100, -0.1), st.floats(0.1, 100))
def test_a_number_moves_no_further_than_it_has_to(own: float, far: float) -> None:
    found = nearest_change({"a": Option(numbers(own, far), far - own)}, summed("a"), POSITIVE)
    assert found is not None
    value = float(found["a"][0])  # type: ignore[index]
    assert 0 <= value <= max(far, 0.11 * abs(own)) + 1e-3


@pytest.mark.parametrize("columns", [1, 30, 200])
def test_wide_rows_are_searched_too(columns: int) -> None:
    names = [f"c{number}" for number in range(columns)]
    options = {name: Option(numbers(-1, *range(10)), 10) for name in names}
    last = names[-1]
    found = nearest_change(options, summed(last), POSITIVE)
    assert found is not None and list(found) == [last] and abs(float(found[last][0])) < 0.01  # type: ignore[index]
