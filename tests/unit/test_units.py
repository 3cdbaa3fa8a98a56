"""Numbers in other units, and changes of the world that are none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from modelcycle.model.window import QUANTILES, Side
from modelcycle.monitor.inputs.units import other_units

Draw = Callable[[np.random.Generator, int], Any]
DISTRIBUTIONS: dict[str, Draw] = {
    "income": lambda rng, n: rng.lognormal(10, 0.8, n),
    "weight": lambda rng, n: rng.normal(75, 14, n),
    "waiting": lambda rng, n: rng.exponential(30, n),
    "gain": lambda rng, n: np.where(rng.random(n) < 0.12, rng.lognormal(8, 1, n), 0),
    "returns": lambda rng, n: rng.standard_t(4, n),
    "years": lambda rng, n: np.floor(rng.gamma(9, 4.5, n)),
    "temperature": lambda rng, n: rng.normal(11, 8, n),
}


def side(values: Any) -> Side:
    found = np.quantile(np.asarray(values, dtype=np.float32), QUANTILES, method="inverted_cdf")
    return Side(rows=len(values), counts=[len(values)], quantiles=found.tolist())


def seen(name: str, change: Callable[[Any], Any], rows: int = 5_000, seed: int = 0) -> str:
    rng = np.random.default_rng(seed)
    draw = DISTRIBUTIONS[name]
    return other_units(side(draw(rng, 20_000)), side(change(draw(rng, rows))))


@pytest.mark.parametrize("rows", [200, 5_000, 100_000])
@pytest.mark.parametrize(
    ("name", "factor", "told"),
    [
        ("income", 100, "100 times as large (cents"), ("income", 0.001, "1,000 times as small (thousands"),
        ("weight", 1000, "1,000 times as large"), ("waiting", 60, "60 times as large (seconds"),
        ("gain", 100, "times as large"), ("years", 12, "12 times as large (months"), ("returns", 100, "times as large"),
    ],
)  # fmt: skip
def test_a_large_factor_is_named_with_few_rows_and_with_many(name: str, factor: float, told: str, rows: int) -> None:
    detail = seen(name, lambda values: values * factor, rows)
    assert "times as" in detail
    if rows > 1_000 and name != "gain":
        assert told in detail


def test_known_factors_between_small_numbers_are_named() -> None:
    assert "pounds" in seen("weight", lambda values: values * 2.20462)
    assert "Fahrenheit" in seen("temperature", lambda values: values * 1.8 + 32)
    assert "kelvins" in seen("temperature", lambda values: values + 273.15)
    assert "other sign" in seen("weight", lambda values: -values)
    assert "scaled" in seen("weight", lambda values: (values - 75) / 14)


def test_a_part_of_the_rows_in_other_units_is_found() -> None:
    def by_one_client(values: Any) -> Any:
        return np.where(np.arange(len(values)) % 5 < 2, values * 100, values)

    detail = seen("income", by_one_client)
    assert detail.startswith("some ") and abs(int(detail[5:7]) - 40) <= 3 and "100 times" in detail


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("rows", [200, 5_000])
def test_a_change_of_the_world_is_no_other_unit(name: str, rows: int, seed: int) -> None:
    changes: list[Callable[[Any], Any]] = [
        lambda values: values,
        lambda values: values * 1.3,
        lambda values: values * 2,
        lambda values: values + np.std(values),
        lambda values: values - 2 * np.std(values),
        lambda values: (values - np.mean(values)) * 3 + np.mean(values),
        lambda values: np.where(np.arange(len(values)) % 3 == 0, values * 4, values),
        lambda values: np.sign(values) * np.abs(values / np.std(values)) ** 1.3 * np.std(values),
        lambda values: np.sort(values)[len(values) // 2 :],
    ]
    for number, change in enumerate(changes):
        assert seen(name, change, rows, seed) == "", (number, seen(name, change, rows, seed))


def test_quantiles_that_say_little_are_not_read() -> None:
    ones = Side(rows=9, counts=[9], quantiles=[1.0] * 9)
    assert other_units(ones, ones) == other_units(Side(rows=9, counts=[9]), ones) == ""
    huge = Side(rows=9, counts=[9], quantiles=[float("-inf"), *range(8)])
    assert other_units(huge, huge) == ""
