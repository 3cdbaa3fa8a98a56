"""The rows and the plan that a trial is fitted by, as earlier steps wrote them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from modelcycle.messages import RunTrialRequest, SelectModelRequest
from modelcycle.model.columns import Columns
from modelcycle.model.pipeline import frame
from modelcycle.model.plan import FeaturePlan
from modelcycle.model.signature import Signature
from modelcycle.store import Store


@dataclass(frozen=True)
class Rows:
    """`train_frame` and `validation_frame` hold graph inputs, `train` and `validation` the columns they are made of."""

    plan: FeaturePlan
    signature: Signature
    train: Columns
    validation: Columns
    train_frame: Any
    validation_frame: Any

    @property
    def classes(self) -> int:
        """0 where the target is a number."""
        return len(self.signature.classes)


def read(request: RunTrialRequest | SelectModelRequest, artifacts: Store) -> Rows:
    plan = FeaturePlan.model_validate_json(artifacts.read(request.engineer_features.plan))
    signature = Signature.model_validate_json(artifacts.read(request.engineer_features.signature))
    train = Columns.from_bytes(artifacts.read(request.preprocess.train))
    validation = Columns.from_bytes(artifacts.read(request.preprocess.validation))
    return Rows(plan, signature, train, validation, frame(signature, train), frame(signature, validation))
