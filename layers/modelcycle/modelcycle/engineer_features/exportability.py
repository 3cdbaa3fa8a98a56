"""Checks before training that every planned pipeline can be exported, on a few hundred rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.faults import BadData, NotExportable, TargetUnusable
from modelcycle.model import export, pipeline
from modelcycle.model.columns import Columns
from modelcycle.model.npz import spans
from modelcycle.model.plan import FeaturePlan
from modelcycle.model.signature import Signature
from modelcycle.spec import Task

EXPORT_ROWS = 400
EXPORT_ROWS_PER_CLASS = 10
FAST_PARAMETERS: dict[str, dict[str, Any]] = {
    "hist_gradient_boosting": {"max_iter": 3, "min_samples_leaf": 2},
    "random_forest": {"n_estimators": 3, "max_depth": 4},
    "extra_trees": {"n_estimators": 3, "max_depth": 4},
    "linear": {},
}


def check_exportable(plan: FeaturePlan, signature: Signature, train: Columns, algorithms: Sequence[str]) -> None:
    """Fit and export a small model of each algorithm. One that cannot learn from these rows is left to its trials.

    Parameters
    ----------
    train : training rows, with the target
    algorithms : keys of `model.pipeline.ESTIMATORS`

    Raises
    ------
    NotExportable : names the step that cannot be exported, and its replacement
    TargetUnusable : the training rows have only one value of the target
    BadData : no algorithm can learn from these rows
    """
    import onnx

    assert train.target is not None
    if train.target.min() == train.target.max():
        raise TargetUnusable(
            f"the training rows have only one value of {signature.target!r}", signature.target,
            "add rows with other values",
        )  # fmt: skip
    sample = train.take(_sample_positions(train.target, signature.task))
    frame = pipeline.frame(signature, sample)
    refused: dict[str, str] = {}
    for algorithm in dict.fromkeys(algorithms):
        model = pipeline.build(plan, signature.task, algorithm, FAST_PARAMETERS[algorithm], seed=0)
        try:
            pipeline.fit(model, frame, sample.target)
        except (ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
            refused[algorithm] = type(error).__name__
            continue
        body = export.to_onnx(model, signature)
        try:
            onnx.checker.check_model(onnx.load_from_string(body))
        except onnx.checker.ValidationError as error:
            raise NotExportable(
                f"the ONNX graph of {algorithm} is invalid", "engineer_features",
                "remove it from training.algorithms",
            ) from error  # fmt: skip
    if len(refused) == len(set(algorithms)):
        reasons = ", ".join(f"{algorithm}: {reason}" for algorithm, reason in refused.items())
        raise BadData(
            f"no algorithm can learn from these columns ({reasons})", "engineer_features",
            "check the columns for extreme numbers, or name other training.algorithms",
        )  # fmt: skip


def _sample_positions(target: npt.NDArray[Any], task: Task) -> npt.NDArray[np.int64]:
    """Return positions spread evenly over all rows, with rows of every class."""
    spread = np.linspace(0, len(target) - 1, min(EXPORT_ROWS, len(target))).astype(np.int64)
    if task == "regression":
        return np.unique(spread)
    rows_of: dict[int, int] = {}
    of_classes = []
    for span in spans(len(target)):
        piece = target[span.start : span.stop]
        for code in np.unique(piece).tolist():
            wanted = EXPORT_ROWS_PER_CLASS - rows_of.get(code, 0)
            if wanted:
                found = np.flatnonzero(piece == code)[:wanted]
                rows_of[code] = rows_of.get(code, 0) + len(found)
                of_classes.append(found + span.start)
    return np.unique(np.concatenate([spread, *of_classes]))
