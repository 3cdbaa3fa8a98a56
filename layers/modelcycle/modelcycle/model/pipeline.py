"""From a feature plan to a scikit-learn pipeline whose ONNX form answers alike.

Not every pair of encoder and estimator that exports also answers alike; the pairs built here were held against
onnxruntime on nulls, unseen categories, odd strings and extreme numbers (`tests/unit/test_pipeline_parity.py`). Among
what was measured and is avoided: HistGradientBoosting with `categorical_features` (silently wrong),
`OneHotEncoder(handle_unknown="infrequent_if_exist")` (raises when served), `TargetEncoder` for many classes (no ONNX
form), forests behind a scaler (other leaves).

    treatment         hist_gradient_boosting, random_forest    linear
    number, date      as it is | median                        median, clamped to the training range, standardised
    category          ordinal codes                            ordinal codes, one column a level
    high_cardinality  ordinal codes, rare levels in one        mean target of the level; many classes: as category
    words             which of the frequent words occur        the same

A regression target is standardised for the fit, since float32 holds seven digits: a house price of a million would
lose what sets one house off from the next. The way back is part of the model.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.model.columns import Columns
from modelcycle.model.plan import FeaturePlan
from modelcycle.model.signature import Signature
from modelcycle.spec import Task

RARE = 10  # rows; rarer levels of a category count as one
MOST_LEVELS = 254  # codes of a high-cardinality column in a tree; its histogram has 255 bins
MOST_COLUMNS = 50  # columns that one high-cardinality text gives a linear model of many classes
MOST_WORDS = 100
WORD = r"[^ .,;:!?()\"'/]+"  # RE2 and Python read it alike, and no locale is asked
ESTIMATORS = {
    "hist_gradient_boosting": ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor"),
    "random_forest": ("RandomForestClassifier", "RandomForestRegressor"),
    "linear": ("LogisticRegression", "Ridge"),
}


def build(plan: FeaturePlan, task: Task, algorithm: str, parameters: dict[str, Any], seed: int) -> Any:
    """An unfitted scikit-learn model over a frame of graph inputs (see `frame`).

    Parameters
    ----------
    algorithm : a key of `ESTIMATORS`
    parameters : of the estimator, by scikit-learn's names
    seed : of everything that draws numbers

    Returns
    -------
    Pipeline for classes; for regression a TransformedTargetRegressor around one
    """
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    pipeline = Pipeline(
        [
            ("features", _features(plan, task, algorithm, seed)),
            ("estimator", _estimator(task, algorithm, parameters, seed)),
        ]
    )
    if task != "regression":
        return pipeline
    return TransformedTargetRegressor(regressor=pipeline, transformer=StandardScaler(), check_inverse=False)


def frame(signature: Signature, columns: Columns) -> Any:
    """DataFrame of the graph's inputs: float32 numbers with NaN, and object strings with "" for no value."""
    import pandas as pd

    inputs = signature.encode(columns)
    return pd.DataFrame({name: pd.Series(values[:, 0], dtype=values.dtype) for name, values in inputs.items()})


def fit(model: Any, rows: Any, target: npt.NDArray[Any] | None) -> Any:
    """Fit on one thread, so that the same rows give the same model on any machine of the same kind.

    Parameters
    ----------
    rows : DataFrame (n, inputs) of `frame`
    target : class codes or numbers (n,)
    """
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    numbers = rows.select_dtypes("float32").columns
    with threadpool_limits(1), warnings.catch_warnings():
        # a model that stopped early is judged by its loss like any other
        warnings.simplefilter("ignore", ConvergenceWarning)
        # the rows are what is served, float32; means and coefficients are worked out in double precision
        return model.fit(rows.astype(dict.fromkeys(numbers, np.float64)), target)


def scores(model: Any, rows: Any, classes: int) -> npt.NDArray[np.float32]:
    """scikit-learn's scores, float32: probabilities (n, classes), or values (n, 1) where `classes` is 0.

    A class that no training row had has probability 0.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1), np.errstate(over="ignore"):
        if not classes:
            values: npt.NDArray[np.float32] = model.predict(rows).reshape(-1, 1).astype(np.float32)
            return values
        probabilities = np.zeros((len(rows), classes), dtype=np.float32)
        probabilities[:, model.classes_.astype(int)] = model.predict_proba(rows)
        return probabilities


def _features(plan: FeaturePlan, task: Task, algorithm: str, seed: int) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.feature_extraction.text import CountVectorizer

    parts = [
        ("numbers", _numbers(algorithm), _names(plan, "number", "date_parts")),
        ("categories", _categories(algorithm), _names(plan, "category")),
        ("high_cardinality", _high_cardinality(task, algorithm, seed), _names(plan, "high_cardinality")),
    ]
    transformers: list[tuple[str, Any, Any]] = [part for part in parts if part[2]]
    for name in _names(plan, "words"):
        # letters as they came: lower case would need a locale where it is served
        words = CountVectorizer(lowercase=False, binary=True, token_pattern=WORD, min_df=2, max_features=MOST_WORDS)
        transformers.append((f"words_{name}", words, name))
    return ColumnTransformer(transformers, sparse_threshold=0)


def _names(plan: FeaturePlan, *treatments: Any) -> list[str]:
    return [graph_input.name for graph_input in plan.inputs(*treatments)]


def _numbers(algorithm: str) -> Any:
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

    if algorithm == "hist_gradient_boosting":
        return "passthrough"
    median = SimpleImputer(strategy="median", keep_empty_features=True)
    if algorithm == "random_forest":
        return median
    steps = [
        ("median", median),
        # to zero first: 2011 to 2020 as float32 keeps four digits of the difference, 0 to 9 seven
        ("centre", RobustScaler(with_scaling=False)),
        # a linear model that meets 1e38 would answer with infinity, and scikit-learn refuse
        ("clamp", MinMaxScaler(clip=True)),
        ("scale", StandardScaler()),
    ]
    return Pipeline(steps)


def _categories(algorithm: str) -> Any:
    return _one_hot(None) if algorithm == "linear" else _ordinal(None)


def _high_cardinality(task: Task, algorithm: str, seed: int) -> Any:
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler, TargetEncoder

    if algorithm != "linear":
        return _ordinal(MOST_LEVELS)
    if task == "multiclass":
        return _one_hot(MOST_COLUMNS)
    kind = "binary" if task == "binary" else "continuous"
    return Pipeline([("mean", TargetEncoder(target_type=kind, random_state=seed)), ("scale", StandardScaler())])


def _ordinal(most: int | None) -> Any:
    from sklearn.preprocessing import OrdinalEncoder

    return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, min_frequency=RARE, max_categories=most)


def _one_hot(most: int | None) -> Any:
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder

    return Pipeline(
        [("codes", _ordinal(most)), ("columns", OneHotEncoder(handle_unknown="ignore", sparse_output=False))]
    )


def _estimator(task: Task, algorithm: str, parameters: dict[str, Any], seed: int) -> Any:
    from sklearn import ensemble, linear_model

    name = ESTIMATORS[algorithm][task == "regression"]
    estimator = getattr(ensemble, name, None) or getattr(linear_model, name)
    fixed: dict[str, Any] = {"random_state": seed}
    if algorithm == "hist_gradient_boosting":
        fixed["early_stopping"] = False
    if algorithm == "random_forest":
        fixed["n_jobs"] = 1
    return estimator(**fixed | parameters)
