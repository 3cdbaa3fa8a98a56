"""Before any trial: each planned pipeline is fitted on a few hundred rows and exported; nothing is trained in vain."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.faults import NotExportable, TargetUnusable
from modelcycle.model import export, pipeline
from modelcycle.model.columns import Columns
from modelcycle.model.plan import FeaturePlan
from modelcycle.model.signature import Signature
from modelcycle.spec import Task

ROWS = 400
ROWS_OF_A_CLASS = 10
SMALL: dict[str, dict[str, Any]] = {
    "hist_gradient_boosting": {"max_iter": 3, "min_samples_leaf": 2},
    "random_forest": {"n_estimators": 3, "max_depth": 4},
    "linear": {},
}


def rehearse(plan: FeaturePlan, signature: Signature, train: Columns, algorithms: list[Any]) -> None:
    """Fit, export and check.

    Raises
    ------
    NotExportable : names the step that has no ONNX form, and its replacement
    TargetUnusable : the training rows hold one class, or one value
    """
    import onnx

    assert train.target is not None
    if len(np.unique(train.target)) < 2:
        raise TargetUnusable(
            f"the training rows hold one value of {signature.target!r} only", signature.target, "bring rows of another"
        )
    some = train.take(_rows(train.target, signature.task))
    frame = pipeline.frame(signature, some)
    for algorithm in dict.fromkeys(algorithms):
        model = pipeline.build(plan, signature.task, algorithm, SMALL[algorithm], seed=0)
        pipeline.fit(model, frame, some.target)
        body = export.to_onnx(model, signature)
        try:
            onnx.checker.check_model(onnx.load_from_string(body))
        except onnx.checker.ValidationError as error:
            raise NotExportable(
                f"the ONNX form of {algorithm} is not valid", "engineer_features", "take it out of training.algorithms"
            ) from error


def _rows(target: npt.NDArray[Any], task: Task) -> npt.NDArray[np.int64]:
    """Positions of some rows, spread over all of them, with rows of every class."""
    spread = np.linspace(0, len(target) - 1, min(ROWS, len(target))).astype(np.int64)
    if task == "regression":
        return np.unique(spread)
    each = [np.flatnonzero(target == label)[:ROWS_OF_A_CLASS] for label in np.unique(target)]
    return np.unique(np.concatenate([spread, *each]))
