"""From a feature plan to a scikit-learn pipeline whose ONNX graph gives the same scores.

Not every pair of encoder and estimator that can be exported also gives the same scores. The pairs built here agree with
onnxruntime on missing values, unseen categories, unusual texts and extreme numbers
(`tests/unit/test_pipeline_parity.py`). Measured and avoided: HistGradientBoosting with `categorical_features` (wrong
scores), `OneHotEncoder(handle_unknown="infrequent_if_exist")` (fails in onnxruntime), `TargetEncoder` for more than two
classes (no ONNX converter), forests after a scaler (rows reach other leaves).

    treatment         hist_gradient_boosting, random_forest    linear
    number, date      unchanged | median                       median, clamped to the training range, standardised
    category          ordinal codes                            ordinal codes, one-hot
    high_cardinality  ordinal codes, rare levels merged        mean target of the level; multiclass: as category
    words             presence of frequent words               the same

A regression target is standardised for the fit, because the graph computes in float32 with its seven digits: at prices
around a million, the differences between houses would be lost. The inverse is part of the model.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.model.columns import Columns
from modelcycle.model.plan import FeaturePlan, Treatment
from modelcycle.model.signature import Signature
from modelcycle.spec import Task

MIN_LEVEL_ROWS = 10  # levels of a category with fewer training rows are merged
MAX_ORDINAL_LEVELS = 254  # of a high-cardinality column in trees: histogram boosting has 255 bins
MAX_ONE_HOT_LEVELS = 50  # of a high-cardinality column in a linear multiclass model
MAX_WORDS = 100  # features of one text column, the most frequent words
WORD_PATTERN = r"[^ .,;:!?()\"'/]+"  # the same in RE2 (onnxruntime) and Python, and independent of the locale
ESTIMATORS = {
    "hist_gradient_boosting": ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor"),
    "random_forest": ("RandomForestClassifier", "RandomForestRegressor"),
    "linear": ("LogisticRegression", "Ridge"),
}
"""scikit-learn's classifier and regressor of each algorithm."""


def build(plan: FeaturePlan, task: Task, algorithm: str, parameters: dict[str, Any], seed: int) -> Any:
    """Return an unfitted scikit-learn model over a frame of graph inputs (see `frame`).

    Parameters
    ----------
    algorithm : a key of `ESTIMATORS`
    parameters : of the estimator, by scikit-learn's names
    seed : of all random choices

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
    """Return the graph inputs of n rows as a DataFrame (n, inputs).

    Numbers are float32, NaN where missing; texts are object strings, "" where missing.
    """
    import pandas as pd

    inputs = signature.encode(columns)
    return pd.DataFrame({name: pd.Series(values[:, 0], dtype=values.dtype) for name, values in inputs.items()})


def fit(model: Any, rows: Any, target: npt.NDArray[Any] | None) -> Any:
    """Fit a model on one thread, so that equal rows give an equal model on machines of the same kind.

    Parameters
    ----------
    model : of `build`; it is fitted in place
    rows : DataFrame (n, inputs) of `frame`
    target : class codes or numbers (n,)

    Returns
    -------
    The same model
    """
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    numbers = rows.select_dtypes("float32").columns
    with threadpool_limits(1), warnings.catch_warnings():
        # a model that has not converged is compared by its loss like any other
        warnings.simplefilter("ignore", ConvergenceWarning)
        # the values stay those of float32, as served; means and coefficients are computed in double precision
        return model.fit(rows.astype(dict.fromkeys(numbers, np.float64)), target)


def scores(model: Any, rows: Any, n_classes: int) -> npt.NDArray[np.float32]:
    """Score rows by scikit-learn.

    Parameters
    ----------
    model : fitted
    rows : DataFrame (n, inputs) of `frame`
    n_classes : 0 for regression

    Returns
    -------
    float32 (n, n_classes) : probabilities, 0 for a class without training rows; or values (n, 1)
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1), np.errstate(over="ignore"):
        if not n_classes:
            values: npt.NDArray[np.float32] = model.predict(rows).reshape(-1, 1).astype(np.float32)
            return values
        probabilities = np.zeros((len(rows), n_classes), dtype=np.float32)
        probabilities[:, model.classes_.astype(int)] = model.predict_proba(rows)
        return probabilities


def _features(plan: FeaturePlan, task: Task, algorithm: str, seed: int) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.feature_extraction.text import CountVectorizer

    candidates: list[tuple[str, Any, Any]] = [
        ("numbers", _number_steps(algorithm), _input_names(plan, "number", "date_parts")),
        ("categories", _category_steps(algorithm), _input_names(plan, "category")),
        (
            "high_cardinality",
            _high_cardinality_steps(task, algorithm, seed),
            _input_names(plan, "high_cardinality"),
        ),
    ]
    transformers = [candidate for candidate in candidates if candidate[2]]
    for name in _input_names(plan, "words"):
        # case is kept: lower case would need a locale in onnxruntime
        words = CountVectorizer(
            lowercase=False, binary=True, token_pattern=WORD_PATTERN, min_df=2, max_features=MAX_WORDS
        )
        transformers.append((f"words_{name}", words, name))
    return ColumnTransformer(transformers, sparse_threshold=0)


def _input_names(plan: FeaturePlan, *treatments: Treatment) -> list[str]:
    return [graph_input.name for graph_input in plan.inputs(*treatments)]


def _number_steps(algorithm: str) -> Any:
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

    if algorithm == "hist_gradient_boosting":
        return "passthrough"
    median = SimpleImputer(strategy="median", keep_empty_features=True)
    if algorithm == "random_forest":
        return median
    return Pipeline(
        [
            ("median", median),
            # centred first: in float32, scaling 2011 to 2020 keeps four digits of the differences, 0 to 9 seven
            ("centre", RobustScaler(with_scaling=False)),
            # unclamped, 1e38 would give an infinite score, and scikit-learn would raise
            ("clamp", MinMaxScaler(clip=True)),
            ("scale", StandardScaler()),
        ]
    )


def _category_steps(algorithm: str) -> Any:
    return _one_hot(None) if algorithm == "linear" else _ordinal(None)


def _high_cardinality_steps(task: Task, algorithm: str, seed: int) -> Any:
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler, TargetEncoder

    if algorithm != "linear":
        return _ordinal(MAX_ORDINAL_LEVELS)
    if task == "multiclass":
        return _one_hot(MAX_ONE_HOT_LEVELS)
    target_type = "binary" if task == "binary" else "continuous"
    return Pipeline([("mean", TargetEncoder(target_type=target_type, random_state=seed)), ("scale", StandardScaler())])


def _ordinal(max_levels: int | None) -> Any:
    from sklearn.preprocessing import OrdinalEncoder

    return OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=-1, min_frequency=MIN_LEVEL_ROWS, max_categories=max_levels
    )


def _one_hot(max_levels: int | None) -> Any:
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder

    return Pipeline(
        [("codes", _ordinal(max_levels)), ("columns", OneHotEncoder(handle_unknown="ignore", sparse_output=False))]
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
