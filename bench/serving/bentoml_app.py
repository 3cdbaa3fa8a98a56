"""The same model as a BentoML service."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import bentoml
import pandas as pd
from fit import fitted


@bentoml.service(workers=int(os.environ.get("BENCH_WORKERS", "1")), logging={"access": {"enabled": False}})
class Adult:
    """Scores rows."""

    def __init__(self) -> None:
        self.model = fitted(Path(os.environ["BENCH_MODEL"]))

    @bentoml.api  # type: ignore[untyped-decorator]
    def predict(self, instances: list[dict[str, Any]]) -> dict[str, Any]:
        scores = self.model.predict_proba(pd.DataFrame(instances))
        labels = self.model.classes_[scores.argmax(axis=1)]
        return {"predictions": labels.tolist(), "probabilities": scores.tolist()}
