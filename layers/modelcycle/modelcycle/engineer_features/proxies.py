"""Proxies: features from which a sensitive column can be told, although the model does not read it.

Each feature alone is scored by the area under the ROC curve with which it tells a sensitive group from all others, on
rows that did not make the score (`association`), and all features together by a small model. A proxy is named with its
strength and stays in the model: what a proxy costs a group, only the rates of the groups show.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from modelcycle.cells.column import Column
from modelcycle.engineer_features.association import Coded, separations
from modelcycle.model.columns import Columns, Texts
from modelcycle.model.row_groups import column_groups

MIN_ROWS = 100
MIN_GROUP_ROWS = 20
MAX_GROUPS = 6  # of a sensitive column, the largest
MIN_AUC = 0.7  # below it a feature tells little; Cohen's d of 0.74 (Rice and Harris 2005)
STRONG_AUC = 0.9
FALSE_PROXIES = 0.01  # probability that any feature without a relation is named
TOGETHER_ITERATIONS = 25  # of boosting
MIN_CLASS_ROWS = 40  # of a group, for the model of all features together

Codes = npt.NDArray[np.int64]


class Proxy(NamedTuple):
    """A feature that tells a sensitive group.

    Parameters
    ----------
    column : the feature; empty for all together
    auc : area under the ROC curve, of held-out rows
    """

    column: str
    sensitive: str
    group: str
    auc: float

    @property
    def why(self) -> str:
        """A phrase for people."""
        strength = "nearly gives away" if self.auc >= STRONG_AUC else "tells"
        return f"{strength} {self.sensitive} = {self.group} (area under the ROC curve {self.auc:.2f})"


def find_proxies(names: Sequence[str], rows: Columns, sensitive: Sequence[Column]) -> list[Proxy]:
    """Return the proxies of each sensitive column, the strongest first; of a feature and column the clearest group.

    Parameters
    ----------
    names : columns that the model reads, in the order of the data
    rows : training rows; numbers are finite, or NaN where missing
    sensitive : schemas of the sensitive columns

    Examples
    --------
    >>> half = np.arange(400) % 2
    >>> rows = Columns({"title": half * 1.0, "sex": Texts(half.astype(np.int32), ["f", "m"])})
    >>> [proxy.why for proxy in find_proxies(["title"], rows, [Column(name="sex", type="text")])]
    ['nearly gives away sex = m (area under the ROC curve 1.00)']
    """
    found: list[Proxy] = []
    if rows.rows < MIN_ROWS:
        return found
    codings = _coded(names, rows)
    for column in sensitive:
        texts = column_groups(rows.values[column.name], column)
        known = np.flatnonzero(texts.codes >= 0)
        scored = [name for name in names if name != column.name]
        codes = texts.codes[known].astype(np.int64)
        if len(known) < MIN_ROWS or not scored:
            continue
        features = codings if len(known) == rows.rows else _coded(scored, rows.take(known))
        alone = [
            proxy
            for name in scored
            if (proxy := _alone(name, column.name, texts.levels, features[name], codes, len(scored)))
        ]
        found += sorted(alone, key=lambda proxy: (-proxy.auc, proxy.column))
    return found


def together(names: Sequence[str], rows: Columns, sensitive: Sequence[Column]) -> list[Proxy]:
    """Return how well all features together tell the largest group of each sensitive column from the others.

    Parameters
    ----------
    names, rows, sensitive : as in `find_proxies`
    """
    found = []
    for column in sensitive:
        texts = column_groups(rows.values[column.name], column)
        known = np.flatnonzero(texts.codes >= 0)
        features = [name for name in names if name != column.name]
        sizes = np.bincount(texts.codes[known], minlength=len(texts.levels)) if len(known) else np.zeros(1, int)
        largest = int(sizes.argmax())
        if not features or min(int(sizes[largest]), len(known) - int(sizes[largest])) < MIN_CLASS_ROWS:
            continue
        matrix = np.column_stack([_number(rows.values[name], known) for name in features])
        auc = _held_out_auc(matrix, texts.codes[known] == largest)
        if auc >= MIN_AUC:
            found.append(Proxy("", column.name, texts.levels[largest], auc))
    return found


def sentences(proxies: Sequence[Proxy]) -> dict[str, str]:
    """Return for each feature what it tells of the sensitive columns, as one phrase."""
    told: dict[str, list[str]] = {}
    for proxy in proxies:
        told.setdefault(proxy.column, []).append(proxy.why)
    return {column: "; ".join(phrases) for column, phrases in told.items()}


def _coded(names: Sequence[str], rows: Columns) -> dict[str, Coded]:
    return {name: Coded(rows.values[name]) for name in names}


def _alone(
    name: str, sensitive: str, groups: Sequence[str], feature: Coded, codes: Codes, features: int
) -> Proxy | None:
    """Return what a feature tells of the group that it tells best, if it tells any beyond chance."""
    from scipy.stats import norm

    sizes = np.bincount(codes, minlength=len(groups))
    largest = np.argsort(-sizes, kind="stable")[:MAX_GROUPS].tolist()
    large = sorted(group for group in largest if min(sizes[group], len(codes) - sizes[group]) >= MIN_GROUP_ROWS)
    if len(np.unique(codes)) == 2 and len(large) > 1:
        large = large[-1:]
    deviations = float(norm.ppf(1 - FALSE_PROXIES / max(features * len(large), 1)))
    best: Proxy | None = None
    for group in large:
        is_group = (codes == group).astype(np.int64)
        (separation,) = list(separations(feature, is_group))
        error = (separation.auc - separation.auc_bound) / 2  # the bound is two standard errors below
        beyond_chance = separation.auc - deviations * max(error, _error_by_chance(int(sizes[group]), len(codes))) > 0.5
        if separation.auc >= MIN_AUC and beyond_chance and (best is None or separation.auc > best.auc):
            best = Proxy(name, sensitive, groups[group], separation.auc)
    return best


def _error_by_chance(inside: int, rows: int) -> float:
    """Return the standard error of the area of a feature without relation (Mann and Whitney 1947)."""
    return math.sqrt((rows + 1) / (12 * inside * (rows - inside)))


def _number(values: Any, rows: Codes) -> npt.NDArray[np.float64]:
    if isinstance(values, Texts):
        return values.codes[rows].astype(np.float64)
    numbers: npt.NDArray[np.float64] = values[rows].astype(np.float64)
    return numbers


def _held_out_auc(matrix: npt.NDArray[np.float64], is_group: npt.NDArray[np.bool_]) -> float:
    """Return the area under the ROC curve of a small boosted model, fitted on every second row, of the other rows."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score
    from threadpoolctl import threadpool_limits

    fit = np.arange(len(is_group)) % 2 == 0
    if len(np.unique(is_group[fit])) < 2 or len(np.unique(is_group[~fit])) < 2:
        return 0.5
    # boosting cannot bin a column without values
    with_values = [column for column in range(matrix.shape[1]) if np.isfinite(matrix[fit, column]).any()]
    if not with_values:
        return 0.5
    matrix = matrix[:, with_values]
    with threadpool_limits(1):
        model = HistGradientBoostingClassifier(max_iter=TOGETHER_ITERATIONS, early_stopping=False, random_state=0)
        model.fit(matrix[fit], is_group[fit])
        return float(roc_auc_score(is_group[~fit], model.predict_proba(matrix[~fit])[:, 1]))
