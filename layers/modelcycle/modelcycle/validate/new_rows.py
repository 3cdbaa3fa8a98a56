"""The candidate against the champion on the newest rows alone: what a new version is made for."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from modelcycle.model.group_cutoffs import of_rows
from modelcycle.validate.compared import Compared, JudgedRows, compare_models
from modelcycle.validate.gates import Gate, figure

MIN_NEW_UNITS = 30  # independent rows; fewer say nothing


class NewRows(NamedTuple):
    """The comparison on the new rows, and whether the candidate may replace the champion by it."""

    compared: Compared
    gate: Gate


def compare_on_new_rows(
    rows: JudgedRows,
    champion: Compared,
    recent: npt.NDArray[np.bool_],
    margin: float,
    metric: str,
    version: int,
    *,
    must_win: bool,
) -> NewRows | None:
    """Compare both models on the compared rows that came after those of the champion.

    Older rows are most of the test rows. A candidate that is as good as the champion on them may be worse on what comes
    now, and nobody would see it in the mean. It is refused if it is worse on the new rows beyond chance, by more than
    `margin` of the champion's loss there: with a second test, a small difference would often be chance.

    A run that live rows have asked for (`must_win`) has to be better on them, beyond chance. If too few of the compared
    rows are new to be judged apart, or all are, it has to be better on all.

    Parameters
    ----------
    champion : the comparison on all compared rows (m,)
    recent : which of them are new (m,)
    margin : `gates.margin`
    metric : to name in the sentence
    version : of the champion
    must_win : whether the candidate has to be better, not only no worse

    Returns
    -------
    None if the new rows are too few, or if there are no others, and it need not win
    """
    if len(recent) != len(champion.positions):
        recent = np.zeros(len(champion.positions), dtype=np.bool_)
    few = rows.units.take(champion.positions[recent]).count < MIN_NEW_UNITS
    if few or recent.all():
        return _on_all_rows(champion, recent, version) if must_win else None
    positions = champion.positions[recent]
    compared = compare_models(
        f"version {version}", rows, positions, champion.scores[recent], metric, of_rows(champion.threshold, recent)
    )
    comparison = compared.reference.comparison
    lost = comparison.verdict == "worse" and -comparison.advantage > margin * compared.reference.loss
    own, other = compared.candidate_metrics.get(metric), compared.metrics.get(metric)
    figures = ""
    if own is not None and other is not None:
        figures = f": {metric.replace('_', ' ')} {figure(other)}, this model {figure(own)}"
    where = f"version {version} on the {len(positions):,} new ones of these rows{figures}"
    if must_win:
        return NewRows(compared, _better(where, compared))
    outcome = (
        "not significantly worse" if comparison.verdict == "inconclusive" else f"significantly {comparison.verdict}"
    )
    if comparison.verdict == "worse" and not lost:
        outcome = f"worse by less than gates.margin ({margin:.1%})"
    return NewRows(compared, Gate("gates.new_rows", not lost, f"{where}: {outcome} ({comparison.p_text})"))


def _on_all_rows(champion: Compared, recent: npt.NDArray[np.bool_], version: int) -> NewRows:
    new = int(recent.sum())
    what = "all are new" if new == len(recent) else f"{new:,} of them are new, too few to judge them alone"
    return NewRows(champion, _better(f"version {version} on the {len(recent):,} compared rows ({what})", champion))


def _better(where: str, compared: Compared) -> Gate:
    """Return whether the candidate is better beyond chance; a model that is no better would not end what is wrong."""
    comparison, verdict = compared.reference.comparison, compared.reference.comparison.verdict
    outcome = "not significantly better" if verdict == "inconclusive" else f"significantly {verdict}"
    holds = verdict == "better"
    why = "" if holds else "; a run that live rows have asked for has to be"
    return Gate("gates.new_rows", holds, f"{where}: {outcome} ({comparison.p_text}){why}")
