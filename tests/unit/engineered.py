"""Tables over which features are engineered, and the plan that comes of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np

from modelcycle.model.plan import FeaturePlan, Planned
from tests.unit.learning_tables import Lifecycle, lifecycle, table

N = 800
START = datetime(2024, 1, 1, tzinfo=UTC)


def plan_of(life: Lifecycle) -> dict[str, Planned]:
    plan = FeaturePlan.model_validate_json(life.store.read(life.engineer().plan))
    return {planned.column: planned for planned in plan.columns}


def run_over(columns: dict[str, list[Any]], *, regression: bool = False, **pipeline: Any) -> Lifecycle:
    """A run over these columns, a feature `x`, and a target `y` that depends on `x`."""
    random = np.random.default_rng(1)
    x = random.normal(size=N)
    hidden = x + random.normal(size=N)
    y = hidden.tolist() if regression else ["p" if value > 0 else "n" for value in hidden]
    rows = table({"x": x.tolist()} | columns | {"y": y}, "y", "regression" if regression else "binary")
    return lifecycle(rows, training={"algorithms": ["linear"]}, **pipeline)


def draw(seed: int = 2) -> np.random.Generator:
    return np.random.default_rng(seed)
