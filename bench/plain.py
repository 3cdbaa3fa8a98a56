"""The reference of `lifecycle.py`: what a data scientist would write for Adult with pandas and scikit-learn only.

The same rows in the same parts, the same columns, the same trials; the best one is fitted again, exported to ONNX and
skops, and measured on the test rows. Reads the trials as JSON from standard input; prints seconds by part and the test
error as JSON.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from pathlib import Path
from typing import Any

STARTED = time.perf_counter()

import numpy as np  # noqa: E402 (the imports are part of the measurement)
import pandas as pd  # noqa: E402
from sklearn import ensemble, linear_model  # noqa: E402
from sklearn.compose import ColumnTransformer  # noqa: E402
from sklearn.impute import SimpleImputer  # noqa: E402
from sklearn.metrics import log_loss  # noqa: E402
from sklearn.model_selection import StratifiedKFold  # noqa: E402
from sklearn.pipeline import Pipeline, make_pipeline  # noqa: E402
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler, TargetEncoder  # noqa: E402

PATIENCE = 25  # iterations of boosting without a better loss
TARGET, POSITIVE = "income", ">50K"
LEFT_OUT = ["education", "race", "sex"]  # same as education_num; sensitive


def main(path: Path) -> None:
    """Do the work on a data file and print the seconds."""
    parts = {"import": time.perf_counter() - STARTED}
    trials = json.load(sys.stdin)

    started = time.perf_counter()
    texts = pd.read_csv(path, dtype=str, keep_default_na=False, na_values=["", "?"]).drop_duplicates()
    features = texts.drop(columns=TARGET)
    bucket = np.array([_bucket(row) for row in features.itertuples(index=False)])
    y = (texts[TARGET] == POSITIVE).to_numpy().astype(int)
    numbers = [name for name in features if pd.to_numeric(features[name], errors="coerce").notna().mean() > 0.9]
    categories = [name for name in features if name not in numbers and name not in LEFT_OUT]
    x = pd.concat([features[numbers].astype("float32"), features[categories].fillna("").astype(object)], axis=1)
    train, validation, test = bucket < 6, bucket == 6, bucket == 7
    parts["read and prepare"] = time.perf_counter() - started

    started = time.perf_counter()
    losses = []
    for trial in trials:
        losses.append(_loss(_pipeline(trial, numbers, categories), trial, (x, y), train, validation))
    parts["trials"] = time.perf_counter() - started

    started = time.perf_counter()
    best = _pipeline(trials[int(np.argmin(losses))], numbers, categories).fit(x[train], y[train])
    _export(best, x)
    parts["refit and export"] = time.perf_counter() - started

    started = time.perf_counter()
    error = float((best.predict(x[test]) != y[test]).mean())
    parts["test"] = time.perf_counter() - started
    rows = [int(part.sum()) for part in (train, validation, test)]
    print(json.dumps({"total": time.perf_counter() - STARTED, "parts": parts, "error": error, "rows": rows}))


def _loss(model: Pipeline, trial: dict[str, Any], rows: tuple[Any, Any], train: Any, validation: Any) -> float:
    """Return the validation loss; boosting stops early, and its best number of iterations is written to the trial."""
    x, y = rows
    if trial["algorithm"] != "hist_gradient_boosting":
        return float(log_loss(y[validation], model.fit(x[train], y[train]).predict_proba(x[validation])))
    columns, estimator = model[0], model[-1]
    fitted = columns.fit_transform(x[train], y[train])
    estimator.set_params(early_stopping=True, n_iter_no_change=PATIENCE, scoring="loss")
    estimator.fit(fitted, y[train], X_val=columns.transform(x[validation]), y_val=y[validation])
    scores = estimator.validation_score_[1:]
    trial["parameters"]["max_iter"] = int(np.argmax(scores)) + 1
    return -float(max(scores))


def _bucket(row: Any) -> int:
    """Return the row's eighth by its hash, as `preprocess` computes it."""
    joined = chr(31).join("" if pd.isna(value) else f"={value.strip()}" for value in row)
    return int.from_bytes(hashlib.md5(joined.encode()).digest()[8:], "little") % 8


def _pipeline(trial: dict[str, Any], numbers: list[str], categories: list[str]) -> Pipeline:
    ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, min_frequency=10)
    parameters = dict(trial["parameters"])
    codes = (
        TargetEncoder(cv=StratifiedKFold(5, shuffle=True)) if parameters.pop("encoding", "") == "target" else ordinal
    )
    treatments: dict[str, tuple[Any, Any]] = {
        "hist_gradient_boosting": ("passthrough", codes),
        "random_forest": (SimpleImputer(strategy="median"), codes),
        "extra_trees": (SimpleImputer(strategy="median"), codes),
        "linear": (
            make_pipeline(SimpleImputer(strategy="median"), StandardScaler()),
            make_pipeline(ordinal, OneHotEncoder(handle_unknown="ignore", sparse_output=False)),
        ),
    }
    estimators = {
        "hist_gradient_boosting": lambda: ensemble.HistGradientBoostingClassifier(early_stopping=False),
        "random_forest": lambda: ensemble.RandomForestClassifier(n_jobs=1),
        "extra_trees": lambda: ensemble.ExtraTreesClassifier(n_jobs=1),
        "linear": linear_model.LogisticRegression,
    }
    number_step, category_step = treatments[trial["algorithm"]]
    estimator = estimators[trial["algorithm"]]().set_params(random_state=trial["seed"], **parameters)
    columns = ColumnTransformer([("numbers", number_step, numbers), ("categories", category_step, categories)])
    return make_pipeline(columns, estimator)


def _export(model: Pipeline, x: pd.DataFrame) -> None:
    import skops.io
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    kinds = [(name, (StringTensorType if x[name].dtype == object else FloatTensorType)([None, 1])) for name in x]
    convert_sklearn(model, initial_types=kinds, options={id(model): {"zipmap": False}}, target_opset=18)
    skops.io.dumps(model)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
