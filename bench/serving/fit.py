"""Fits the peers' model: `fit.py RECIPE.json DATA OUT`, in a peer's environment, with pandas and scikit-learn only.

The same algorithm, parameters and columns as our live version, and the pipeline that a data scientist would write for
them (see `bench/plain.py`). It is stored as the peers store models: with cloudpickle, in a temporary folder.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

TARGET = "income"
LEFT_OUT = ["education", "race", "sex"]


def fit(parameters: dict[str, Any], data: Path) -> tuple[Any, pd.DataFrame]:
    """Return the fitted pipeline and the columns that it reads."""
    table = pd.read_csv(data, na_values=["", "?"], keep_default_na=False)
    columns = table.drop(columns=[TARGET, *LEFT_OUT])
    numbers = list(columns.select_dtypes("number"))
    columns[numbers] = columns[numbers].astype("float64")  # as JSON numbers arrive
    categories = [name for name in columns if name not in numbers]
    columns[categories] = columns[categories].fillna("")
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, min_frequency=10)
    model = make_pipeline(
        ColumnTransformer([("numbers", "passthrough", numbers), ("categories", codes, categories)]),
        HistGradientBoostingClassifier(early_stopping=False, random_state=0, **parameters),
    )
    return model.fit(columns, table[TARGET]), columns


def main(parameters: Path, data: Path, out: Path) -> None:
    """Write `model.joblib`, `rows.json`, and where it is installed, an MLflow model `mlflow`."""
    model, columns = fit(json.loads(parameters.read_text()), data)
    import joblib

    out.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, out / "model.joblib")
    rows = columns.sample(200, random_state=0).to_dict("records")
    (out / "rows.json").write_text(json.dumps(rows))
    try:
        import mlflow.sklearn
    except ImportError:
        return
    signature = mlflow.models.infer_signature(columns.head(100), model.predict_proba(columns.head(100)))
    mlflow.sklearn.save_model(
        model,
        out / "mlflow",
        signature=signature,
        pyfunc_predict_fn="predict_proba",
        pip_requirements=[],
        serialization_format="cloudpickle",
    )


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:]))
