"""The candidate against the champion on the newest rows alone: what a new version is made for."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from modelcycle.validate.compared import Compared, JudgedRows, compare_models
from modelcycle.validate.gates import Gate

MIN_NEW_UNITS = 30  # independent rows; fewer say nothing


class NewRows(NamedTuple):
    """The comparison on the new rows, and whether the candidate may replace the champion by it."""

    compared: Compared
    gate: Gate


def compare_on_new_rows(
    rows: JudgedRows, champion: Compared, recent: npt.NDArray[np.bool_], margin: float, metric: str, version: int
) -> NewRows | None:
    """Compare both models on the compared rows that came after those of the champion.

    Older rows are most of the test rows. A candidate that is as good as the champion on them may be worse on what comes
    now, and nobody would see it in the mean. It is refused if it is worse on the new rows beyond chance, by more than
    `margin` of the champion's loss there: with a second test, a small difference would often be chance.

    Parameters
    ----------
    champion : the comparison on all compared rows (m,)
    recent : which of them are new (m,)
    margin : `gates.margin`
    metric : to name in the sentence
    version : of the champion

    Returns
    -------
    None if the new rows are too few, or if there are no others
    """
    if len(recent) != len(champion.positions) or recent.all():
        return None
    positions = champion.positions[recent]
    if rows.units.take(positions).count < MIN_NEW_UNITS:
        return None
    compared = compare_models(
        f"version {version}", rows, positions, champion.scores[recent], metric, champion.threshold
    )
    comparison = compared.reference.comparison
    lost = comparison.verdict == "worse" and -comparison.advantage > margin * compared.reference.loss
    own, other = compared.candidate_metrics.get(metric), compared.metrics.get(metric)
    figures = "" if own is None or other is None else f": {metric} {other:.3g}, this model {own:.3g}"
    outcome = (
        "not significantly worse" if comparison.verdict == "inconclusive" else f"significantly {comparison.verdict}"
    )
    if comparison.verdict == "worse" and not lost:
        outcome = f"worse by less than gates.margin ({margin:.1%})"
    where = f"version {version} on the {len(positions):,} new ones of these rows"
    return NewRows(compared, Gate("gates.new_rows", not lost, f"{where}{figures}: {outcome} ({comparison.p_text})"))
