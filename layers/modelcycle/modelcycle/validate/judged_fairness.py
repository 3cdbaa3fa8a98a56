"""All that the sensitive groups add to a verdict: measures, limits, mitigation and its price."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from modelcycle.messages import Mitigated
from modelcycle.spec import Fairness
from modelcycle.validate.compared import Compared, JudgedRows
from modelcycle.validate.fairness import group_metrics
from modelcycle.validate.fairness_gates import fairness_gates
from modelcycle.validate.fairness_price import price_of_fairness
from modelcycle.validate.fairness_report import fairness_report
from modelcycle.validate.gates import Gate
from modelcycle.validate.mitigation import mitigation
from modelcycle.validate.sensitive_groups import groupings

MAX_NOTES = 12  # in the message; the report has all


class JudgedFairness(NamedTuple):
    """What the groups add to a verdict.

    Parameters
    ----------
    gates : all gates of the candidate, with those of fairness
    ask : why a person has to decide, as sentences
    figures : by dotted name, for policies
    notes : sentences for people
    groups, report : for the validation report: fairlearn's metrics of each group, and how far groups are apart
    """

    gates: list[Gate]
    ask: list[str]
    figures: dict[str, float]
    notes: list[str]
    groups: dict[str, Any]
    report: dict[str, Any]


def judge_fairness(
    rows: JudgedRows, settings: Fairness, gates: Sequence[Gate], champion: Compared | None, version: int | None, *,
    common: float, trained: Mitigated | None,
) -> JudgedFairness:  # fmt: skip
    """Judge the groups of the test rows.

    Parameters
    ----------
    gates : of the candidate, so far
    champion : the comparison with it, None if there is none
    version : of the champion
    common : threshold of rows whose group has none of its own
    trained : what `select_model` has measured of a mitigation
    """
    grouped = groupings(rows.scores.groups)
    alone = [grouping for grouping in grouped if len(grouping.columns) == 1]  # of pairs fairlearn would take minutes
    scores = rows.scores.scores
    found = fairness_report(scores, rows.target, rows.task, rows.classes, grouped, rows.units, rows.threshold, settings)
    limits = fairness_gates(settings, found.compared, grouped, found.means)
    changed = mitigation(rows, common, grouped, settings, found.figures, trained)
    priced = price_of_fairness([*gates, *limits.gates], champion, version, rows, settings)
    return JudgedFairness(
        gates=priced.gates, ask=[*limits.ask, *priced.ask], figures=found.figures,
        notes=[*changed.notes, *found.notes][:MAX_NOTES],
        groups=group_metrics(scores, rows.target, rows.task, alone, rows.threshold),
        report=found.json | ({"mitigation": changed.json} if changed.json else {}),
    )  # fmt: skip
