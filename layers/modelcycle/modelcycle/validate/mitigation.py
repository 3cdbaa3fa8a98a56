"""What a mitigation of the pipeline file has changed, and what it costs: for the report, and as a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from modelcycle.messages import BeforeAfter, Mitigated
from modelcycle.spec import Fairness
from modelcycle.validate.compared import JudgedRows
from modelcycle.validate.fairness_report import fairness_report
from modelcycle.validate.sensitive_groups import Grouping

MAX_NAME_CHARACTERS = 80
RATIO = "fairness.selection_rate.ratio"


class Mitigation(NamedTuple):
    """A mitigation for the report, and sentences for people; both empty if there is none."""

    json: dict[str, Any]
    notes: list[str]


def mitigation(
    rows: JudgedRows, common: float, groupings: Sequence[Grouping], settings: Fairness, after: Mapping[str, float],
    trained: Mitigated | None,
) -> Mitigation:  # fmt: skip
    """Return before and after of a mitigation.

    Thresholds by group are taken away from the judged model, and both are measured on the test rows. A model without
    reweighing would be another model; it was measured on held-out rows, when this one was chosen.

    Parameters
    ----------
    common : threshold of rows of no group
    after : figures of the judged model, see `fairness_report`
    trained : what `select_model` has measured
    """
    if isinstance(rows.threshold, float):
        if trained is None or trained.kind != "reweighing":
            return Mitigation({}, [])
        return _told("reweighing", trained.figures, f"{trained.rows:,} held-out rows")
    scores, target = rows.scores.scores, rows.target
    plain = fairness_report(scores, target, rows.task, rows.classes, groupings, rows.units, common, settings).figures
    right = [
        float(((scores[:, 1] >= np.float32(threshold)) == (target == 1)).mean())
        for threshold in (common, rows.threshold)
    ]  # fmt: skip
    figures = {"accuracy": BeforeAfter(before=right[0], after=right[1])}
    for grouping in groupings:
        name = f"{RATIO}:{grouping.title}"
        if name in plain and name in after:
            title = f"lowest ratio of selection rates by {grouping.title[:MAX_NAME_CHARACTERS]}"
            figures[title] = BeforeAfter(before=plain[name], after=after[name])
    return _told("thresholds", figures, f"{len(target):,} test rows")


def _told(kind: str, figures: Mapping[str, BeforeAfter], where: str) -> Mitigation:
    report = {"kind": kind, "rows": where, "figures": {name: one.model_dump() for name, one in figures.items()}}
    shown = ", ".join(f"{name} {one.after:.3g} ({one.before:.3g} before)" for name, one in figures.items())
    return Mitigation(report, [f"mitigated by {kind}: on {where} {shown}"])
