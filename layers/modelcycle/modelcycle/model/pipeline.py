"""From a feature plan to a scikit-learn pipeline whose ONNX graph gives the same scores.

Not every pair of encoder and estimator that can be exported also gives the same scores. The pairs built here agree with
onnxruntime on missing values, unseen categories, unusual texts and extreme numbers
(`tests/unit/test_pipeline_parity.py`). Measured and avoided: HistGradientBoosting with `categorical_features` (wrong
scores), `OneHotEncoder(handle_unknown="infrequent_if_exist")` (fails in onnxruntime), forests after a scaler (rows
reach other leaves).

    treatment         boosting | forests                       linear
    number, date      unchanged | median                       median, clamped to the training range, standardised
    category          ordinal codes, or mean target            ordinal codes, one-hot
    high_cardinality  codes, rare levels merged; or both       mean target of the level; multiclass: as category
    words             presence of frequent words               the same

The mean target of one of many levels is cross-fitted (scikit-learn's TargetEncoder): a training row never contributes
to its own feature. That of one of a few levels is not: each has so many rows that one row hardly matters, and a tree
could tell the folds from each other by five slightly different means. Of more than two classes, each has a column of
its own, written to ONNX by `target_encoder_onnx`.

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
ENCODER_FOLDS = 5  # of the cross-fit of mean targets
MAX_TARGET_CLASSES = 10  # with more classes, mean targets would be too many columns
MIN_SPAN, MAX_MAGNITUDE = 1e-30, 1e30  # of a number in a linear model: outside, its scale is no normal float32
MAX_WORDS = 100  # features of one text column, the most frequent words
WORD_PATTERN = r"[^ .,;:!?()\"'/]+"  # the same in RE2 (onnxruntime) and Python, and independent of the locale
ESTIMATORS = {
    "hist_gradient_boosting": ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor"),
    "random_forest": ("RandomForestClassifier", "RandomForestRegressor"),
    "extra_trees": ("ExtraTreesClassifier", "ExtraTreesRegressor"),
    "linear": ("LogisticRegression", "Ridge"),
}
"""scikit-learn's classifier and regressor of each algorithm."""


def build(plan: FeaturePlan, task: Task, algorithm: str, parameters: dict[str, Any], seed: int) -> Any:
    """Return an unfitted scikit-learn model over a frame of graph inputs (see `frame`).

    Parameters
    ----------
    algorithm : a key of `ESTIMATORS`
    parameters : of the estimator, by scikit-learn's names; and `encoding` of categories in trees: codes or target
    seed : of all random choices

    Returns
    -------
    Pipeline for classes; for regression a TransformedTargetRegressor around one
    """
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    settings = dict(parameters)
    by_target = settings.pop("encoding", "codes") == "target"
    pipeline = Pipeline(
        [
            ("features", _features(plan, task, algorithm, seed, by_target)),
            ("estimator", _estimator(task, algorithm, settings, seed)),
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


def fit(model: Any, rows: Any, target: npt.NDArray[Any] | None, weights: npt.NDArray[np.float64] | None = None) -> Any:
    """Fit a model on one thread, so that equal rows give an equal model on machines of the same kind.

    Parameters
    ----------
    model : of `build`; it is fitted in place
    rows : DataFrame (n, inputs) of `frame`
    target : class codes or numbers (n,)
    weights : of the rows (n,), for classes only

    Returns
    -------
    The same model
    """
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    _fit_to_rows(getattr(model, "regressor", model)["features"], rows, target)
    with threadpool_limits(1), warnings.catch_warnings():
        # a model that has not converged is compared by its loss like any other
        warnings.simplefilter("ignore", ConvergenceWarning)
        _ignore_rare_classes()
        weighed = {} if weights is None else {"estimator__sample_weight": weights}
        fitted = model.fit(in_double_precision(rows), target, **weighed)
    _round_encodings(getattr(fitted, "regressor_", fitted)["features"])
    _forget_splits(getattr(fitted, "regressor_", fitted)["features"], getattr(model, "regressor", model)["features"])
    return fitted


def fit_features(pipeline: Any, rows: Any, target: npt.NDArray[Any]) -> tuple[Any, npt.NDArray[np.float64]]:
    """Fit the features of a pipeline as `fit` does, without its estimator.

    Parameters
    ----------
    pipeline : of `build`; of a regression, the inner one
    target : class codes (n,), or standardised numbers (n,)

    Returns
    -------
    the fitted transformer, and the features (n, k) from which the estimator learns
    """
    from threadpoolctl import threadpool_limits

    features = pipeline["features"]
    _fit_to_rows(features, rows, target)
    with threadpool_limits(1), warnings.catch_warnings():
        _ignore_rare_classes()
        fitted_rows = features.fit_transform(in_double_precision(rows), target)
    _round_encodings(features)
    _forget_splits(features)
    return features, fitted_rows


def in_double_precision(rows: Any) -> Any:
    """Return a frame whose numbers are float64.

    The values stay those of float32, as served; means and coefficients are computed in double precision.
    """
    return rows.astype(dict.fromkeys(rows.select_dtypes("float32").columns, np.float64))


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


def _ignore_rare_classes() -> None:
    # the folds of a target encoder need not have all classes
    warnings.filterwarnings("ignore", "The least populated class in y")


def _fit_to_rows(features: Any, rows: Any, target: Any) -> None:
    """Adapt unfitted features to the rows of a fit, in place.

    Numbers that cannot be scaled in float32 are left out of a linear model. A target encoder of several classes fails
    on rows of two of them: there it becomes one of two classes. One of few levels learns from all rows at once.
    """
    for position, (name, step, columns) in enumerate(features.transformers):
        if name == "numbers" and hasattr(step, "steps"):
            kept = [column for column in columns if _is_scalable(rows[column].to_numpy())]
            features.transformers[position] = (name, step, kept)
        if getattr(step, "target_type", None) == "multiclass" and len(np.unique(target)) == 2:
            step.set_params(target_type="binary")
        if name == "categories" and hasattr(step, "target_type"):
            every_row = np.arange(len(rows))
            step.set_params(cv=[(every_row, every_row)])


def _is_scalable(values: npt.NDArray[np.float32]) -> bool:
    present = values[np.isfinite(values)].astype(np.float64)
    if not len(present):
        return True
    low, high = float(present.min()), float(present.max())
    return (low == high or high - low >= MIN_SPAN) and max(abs(low), abs(high)) <= MAX_MAGNITUDE


def _round_encodings(features: Any) -> None:
    """Round the mean targets of a fitted transformer to float32, in place.

    The graph has them in float32. A tree splits between two of them: only if scikit-learn computes with the same
    numbers does a row always reach the same leaf.
    """
    for _, step, _ in features.transformers_:
        encoder = step[0] if hasattr(step, "steps") else step
        if hasattr(encoder, "encodings_"):
            encoder.encodings_ = [_float32(encodings) for encodings in encoder.encodings_]
            encoder.target_mean_ = _float32(np.asarray(encoder.target_mean_))
            if not encoder.target_mean_.ndim:
                encoder.target_mean_ = float(encoder.target_mean_)


def _forget_splits(*features: Any) -> None:
    """Remove the splits from target encoders: only the fit needs them, and they may hold the position of every row."""
    for transformer in features:
        for _, step, _ in [*transformer.transformers, *getattr(transformer, "transformers_", [])]:
            encoder = step[0] if hasattr(step, "steps") else step
            if hasattr(encoder, "target_type"):
                encoder.set_params(cv=ENCODER_FOLDS)


def _float32(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    return values.astype(np.float32).astype(np.float64)


def _features(plan: FeaturePlan, task: Task, algorithm: str, seed: int, by_target: bool) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.feature_extraction.text import CountVectorizer

    candidates: list[tuple[str, Any, Any]] = [
        ("numbers", _number_steps(algorithm), _input_names(plan, "number", "date_parts")),
        ("categories", _category_steps(task, algorithm, seed, by_target), _input_names(plan, "category")),
        (
            "high_cardinality",
            _high_cardinality_steps(task, algorithm, seed),
            _input_names(plan, "high_cardinality"),
        ),
    ]
    if by_target and algorithm != "linear":
        candidates.append(("means", _mean_target(task, seed), _input_names(plan, "high_cardinality")))
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
    if algorithm != "linear":
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


def _category_steps(task: Task, algorithm: str, seed: int, by_target: bool) -> Any:
    if algorithm == "linear":
        return _one_hot(None)
    return _mean_target(task, seed) if by_target else _ordinal(None)


def _high_cardinality_steps(task: Task, algorithm: str, seed: int) -> Any:
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    if algorithm != "linear":
        return _ordinal(MAX_ORDINAL_LEVELS)
    if task == "multiclass":
        return _one_hot(MAX_ONE_HOT_LEVELS)
    return Pipeline([("mean", _mean_target(task, seed)), ("scale", StandardScaler())])


def _mean_target(task: Task, seed: int) -> Any:
    from sklearn.model_selection import KFold, StratifiedKFold
    from sklearn.preprocessing import TargetEncoder

    target_type = "continuous" if task == "regression" else task
    folds: Any = KFold if task == "regression" else StratifiedKFold
    return TargetEncoder(target_type=target_type, cv=folds(ENCODER_FOLDS, shuffle=True, random_state=seed))


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
    if algorithm in ("random_forest", "extra_trees"):
        fixed["n_jobs"] = 1
    return estimator(**fixed | parameters)
