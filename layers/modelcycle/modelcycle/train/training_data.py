"""What a trial is fitted and scored on, as the earlier steps wrote it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.messages import RunTrialRequest, SelectModelRequest
from modelcycle.model.columns import Columns, concatenate
from modelcycle.model.pipeline import frame
from modelcycle.model.plan import FeaturePlan
from modelcycle.model.reweighing import reweigh
from modelcycle.model.signature import Signature
from modelcycle.spec import Pipeline
from modelcycle.store import Store


@dataclass(frozen=True)
class TrainingData:
    """Training and validation rows, with plan and signature.

    Parameters
    ----------
    train, validation : typed columns, with the target
    reweigh : sensitive columns by which the rows are weighed
    train_frame, validation_frame : the same rows as graph inputs, DataFrames (n, inputs) of `model.pipeline.frame`
    """

    plan: FeaturePlan
    signature: Signature
    train: Columns
    validation: Columns
    train_frame: Any
    validation_frame: Any
    reweigh: list[str] = field(default_factory=list)

    @property
    def n_classes(self) -> int:
        """Number of classes; 0 for regression."""
        return len(self.signature.classes)

    def weights(self) -> npt.NDArray[np.float64] | None:
        """Return the weights of the training and then the validation rows (n,); None if all are equal."""
        if not self.reweigh:
            return None
        parts = [Columns({name: part.values[name] for name in self.reweigh}) for part in (self.train, self.validation)]
        return reweigh(concatenate(parts).values, self.reweigh, self.all_rows()[1])

    def all_rows(self) -> tuple[Any, Any]:
        """Return the training and then the validation rows: DataFrame (n, inputs), and the target (n,)."""
        import pandas as pd

        assert self.train.target is not None and self.validation.target is not None
        target = np.concatenate([self.train.target, self.validation.target])
        return pd.concat([self.train_frame, self.validation_frame], ignore_index=True), target


def read_training_data(
    request: RunTrialRequest | SelectModelRequest, artifacts: Store, pipeline: Pipeline
) -> TrainingData:
    """Read the artifacts of `preprocess` and `engineer_features` that a request names."""
    plan = FeaturePlan.model_validate_json(artifacts.read(request.engineer_features.plan))
    signature = Signature.model_validate_json(artifacts.read(request.engineer_features.signature))
    train = Columns.from_bytes(artifacts.read(request.preprocess.train))
    validation = Columns.from_bytes(artifacts.read(request.preprocess.validation))
    sensitive = [name for name in pipeline.sensitive_columns if name in train.values]
    return TrainingData(
        plan, signature, train, validation, frame(signature, train), frame(signature, validation),
        sensitive if pipeline.fairness.mitigate == "reweighing" else [],
    )  # fmt: skip
