"""The server that people write themselves: FastAPI and scikit-learn."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pandas as pd
from fastapi import FastAPI
from fit import fitted
from pydantic import BaseModel

app = FastAPI()
model = fitted(Path(os.environ["BENCH_MODEL"]))


class Request(BaseModel):
    """Rows to score."""

    instances: list[dict[str, float | str | None]]


@app.post("/predict")  # type: ignore[untyped-decorator]
def predict(request: Request) -> dict[str, Any]:
    scores = model.predict_proba(pd.DataFrame(request.instances))
    labels = model.classes_[scores.argmax(axis=1)]
    return {"predictions": labels.tolist(), "probabilities": scores.tolist()}
