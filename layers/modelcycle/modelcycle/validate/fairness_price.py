"""A candidate that is worse than an unfair champion because it is fairer: a person decides what that is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from modelcycle.model.columns import Texts
from modelcycle.spec import Fairness
from modelcycle.validate.compared import Compared, JudgedRows
from modelcycle.validate.fairness_gates import fairness_gates
from modelcycle.validate.fairness_report import fairness_report
from modelcycle.validate.gates import Gate
from modelcycle.validate.mean_gates import NO_MITIGATION
from modelcycle.validate.sensitive_groups import groupings

AGAINST_CHAMPION = frozenset({"gates.better", "gates.margin", "gates.new_rows", "gates.slices", "gates.older_slices"})


class Priced(NamedTuple):
    """The gates, and why a person has to decide, as sentences."""

    gates: list[Gate]
    ask: list[str]


def price_of_fairness(
    gates: Sequence[Gate], champion: Compared | None, version: int | None, rows: JudgedRows, settings: Fairness
) -> Priced:
    """Return the gates; where only the champion breaks a limit of fairness, a loss against it does not refuse.

    Fairness has its price in the loss. A candidate that pays it could never replace a champion that did not.

    Parameters
    ----------
    gates : of the candidate, those of fairness included
    champion : on the compared rows; None if there is none
    version : of the champion
    """
    lost = [gate for gate in gates if not gate.holds and gate.name in AGAINST_CHAMPION]
    is_unfair = any(not gate.holds and gate.name.startswith("fairness.") for gate in gates)
    if champion is None or not settings.judges or not lost or is_unfair or not len(champion.positions):
        return Priced(list(gates), [])
    broken = _broken(champion, rows, settings)
    if not broken:
        return Priced(list(gates), [])
    why = f"version {version} breaks a limit that this model keeps ({broken}); what that costs: "
    ask = [why + "; ".join(gate.detail for gate in lost)]
    return Priced([replace(gate, holds=True) if gate in lost else gate for gate in gates], ask)


def _broken(champion: Compared, rows: JudgedRows, settings: Fairness) -> str:
    """Return the first limit that the champion breaks on the compared rows, as a sentence; empty if it breaks none."""
    positions = champion.positions
    groups = {name: Texts(texts.codes[positions], texts.levels) for name, texts in rows.scores.groups.items()}
    found, units = groupings(groups), rows.units.take(positions)
    report = fairness_report(
        champion.scores, rows.target[positions], rows.task, rows.classes, found, units, champion.threshold,
        settings,
    )  # fmt: skip
    judged_alone = settings.model_copy(update={"undecided": "pass"})
    verdict = fairness_gates(judged_alone, report.compared, found, report.means)
    return next((_without_remedy(gate.detail) for gate in verdict.gates if not gate.holds), "")


def _without_remedy(sentence: str) -> str:
    return sentence.partition("; `fairness.")[0].partition(NO_MITIGATION)[0]
