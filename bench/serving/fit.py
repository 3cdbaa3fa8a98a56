"""Fits the peers' model: `fit.py FOLDER`, in a peer's environment, with pandas and scikit-learn only.

The same algorithm, parameters and columns as our live version, and the pipeline that a data scientist would write for
them (see `bench/plain.py`). The folder holds `parameters.json` and `data.txt`, the path of the data.
"""

from __future__ import annotations

import importlib.util
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
TRUSTED = ["sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"]


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


def fitted(folder: Path) -> Any:
    """Return the pipeline of the recipe and the data that a folder names."""
    data = Path((folder / "data.txt").read_text())
    return fit(json.loads((folder / "parameters.json").read_text()), data)[0]


def main(folder: Path) -> None:
    """Write `rows.json`, and what the peer installed here serves: an MLflow model, or a file for MLServer."""
    model, columns = fit(json.loads((folder / "parameters.json").read_text()), Path((folder / "data.txt").read_text()))
    (folder / "rows.json").write_text(json.dumps(columns.sample(200, random_state=0).to_dict("records")))
    if importlib.util.find_spec("mlflow"):
        import mlflow.sklearn

        signature = mlflow.models.infer_signature(columns.head(100), model.predict_proba(columns.head(100)))
        mlflow.sklearn.save_model(
            model, folder / "mlflow", signature=signature, pyfunc_predict_fn="predict_proba", pip_requirements=[],
            skops_trusted_types=TRUSTED,
        )  # fmt: skip
    if importlib.util.find_spec("mlserver"):
        import joblib  # the only format that its runtime for scikit-learn reads

        joblib.dump(model, folder / "model.joblib")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
