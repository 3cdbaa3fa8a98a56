"""What the random search may draw, for each algorithm (Bergstra and Bengio 2012, "Random Search for Hyper-Parameter
Optimization").

The first trial of an algorithm is its default, which is seldom far from the best.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Draw = Callable[[Any], float | int | str | None]


def _log(low: float, high: float) -> Draw:
    """Evenly over the orders of magnitude."""
    import math

    return lambda draw: round(math.exp(draw.uniform(math.log(low), math.log(high))), 6)


def _whole(low: int, high: int) -> Draw:
    return lambda draw: int(draw.integers(low, high + 1))


def _one_of(*values: Any) -> Draw:
    return lambda draw: values[int(draw.integers(len(values)))]


DEFAULTS: dict[str, dict[str, Any]] = {
    "hist_gradient_boosting": {"max_iter": 150, "learning_rate": 0.1, "max_leaf_nodes": 31, "min_samples_leaf": 20},
    "random_forest": {"n_estimators": 60, "min_samples_leaf": 3, "max_features": "sqrt", "max_depth": 16},
    "linear": {},
}
SPACES: dict[str, dict[str, Draw]] = {
    "hist_gradient_boosting": {
        "max_iter": _whole(60, 250),
        "learning_rate": _log(0.03, 0.3),
        "max_leaf_nodes": _whole(7, 48),
        "min_samples_leaf": _whole(5, 80),
        "l2_regularization": _log(1e-4, 10),
    },
    "random_forest": {
        "n_estimators": _whole(30, 80),
        "min_samples_leaf": _whole(1, 15),
        "max_depth": _whole(6, 18),
        "max_features": _one_of("sqrt", 0.3, 0.6),
    },
    "linear": {"strength": _log(1e-3, 1e3)},
}
SHARES = {"hist_gradient_boosting": 4, "random_forest": 1, "linear": 1}  # of the trials after the defaults
