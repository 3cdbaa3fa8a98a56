"""What `fairness.mitigate` does to a recipe, and what it changes on held-out rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.messages import BeforeAfter, GroupThresholds, Mitigated
from modelcycle.model.columns import Columns
from modelcycle.model.group_cutoffs import group_cutoffs
from modelcycle.model.joint_groups import JointGroups, joint_groups, pooled
from modelcycle.model.scoring import predicted_codes
from modelcycle.spec import Decide, Fairness
from modelcycle.train.group_thresholds import MIN_GROUP_ROWS, choose_group_thresholds

MAX_NAMED = 6  # groups in a sentence
MAX_NAME_CHARACTERS = 80

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Mitigation:
    """What the pipeline file asks for, with the sensitive columns of the held-out rows.

    Parameters
    ----------
    sensitive : names of the columns that the data have
    rows : the held-out rows (m,), with these columns
    """

    fairness: Fairness
    sensitive: list[str]
    rows: Columns

    @property
    def reweigh(self) -> list[str]:
        """The columns by which training rows are weighed."""
        return self.sensitive if self.fairness.mitigate == "reweighing" else []

    def thresholds(self, scores: Array, target: Array, common: float, decide: Decide) -> GroupThresholds | None:
        """Return the thresholds by group; None if they are not asked for."""
        if self.fairness.mitigate != "thresholds":
            return None
        groups = pooled(joint_groups(self.rows.values, self.sensitive), MIN_GROUP_ROWS)
        return choose_group_thresholds(scores, target, groups, self.sensitive, common, decide, self.fairness)

    def measured(self, before: Array, after: Array, target: Array) -> Mitigated:
        """Return what changed, from predicted codes (m,) without and with the mitigation."""
        assert self.fairness.mitigate != "none"
        without, having = (self._figures(predicted, target) for predicted in (before, after))
        return Mitigated(
            kind=self.fairness.mitigate, rows=len(target),
            figures={
                name: BeforeAfter(before=without[name], after=having[name]) for name in without if name in having
            },
        )  # fmt: skip

    def _figures(self, predicted: Array, target: Array) -> dict[str, float]:
        figures = {"accuracy": float((predicted == target).mean())}
        if int(target.max(initial=0)) > 1:  # the ratio of which class would it be?
            return figures
        for name in self.sensitive:
            ratio = lowest_ratio(predicted == 1, joint_groups(self.rows.values, [name]))
            if ratio is not None:
                figures[f"lowest ratio of selection rates by {name[:MAX_NAME_CHARACTERS]}"] = ratio
        return figures


def lowest_ratio(selected: Array, groups: JointGroups) -> float | None:
    """Return the lowest selection rate of a group by the highest one, of groups with MIN_GROUP_ROWS rows.

    >>> lowest_ratio(np.repeat([1, 0, 1], [20, 80, 50]), JointGroups(np.repeat([0, 1], [100, 50]), [("f",), ("m",)]))
    0.2
    """
    rows = np.bincount(groups.codes, minlength=len(groups.values))
    large = rows >= MIN_GROUP_ROWS
    rates = np.bincount(groups.codes, selected, minlength=len(groups.values))[large] / rows[large]
    return float(rates.min() / rates.max()) if len(rates) > 1 and rates.max() > 0 else None


def told(mitigated: Mitigated) -> str:
    """Return what a mitigation changed, as a sentence."""
    figures = ", ".join(f"{name} {one.after:.3g} ({one.before:.3g} before)" for name, one in mitigated.figures.items())
    return f"mitigated by {mitigated.kind}: on {mitigated.rows:,} held-out rows {figures}"


def told_thresholds(groups: GroupThresholds, common: float, positive: str) -> str:
    """Return the thresholds as a sentence."""
    named = [
        f"{group.threshold:.3g} where {_where(groups.columns, group.values)}" for group in groups.groups[:MAX_NAMED]
    ]
    more = f", and {len(groups.groups) - MAX_NAMED:,} more" if len(groups.groups) > MAX_NAMED else ""
    columns = " and ".join(name[:MAX_NAME_CHARACTERS] for name in groups.columns)
    return (
        f"{positive[:MAX_NAME_CHARACTERS]!r} is predicted from a probability of {', '.join(named)}{more};"
        f" of {common:g} for everyone else: requests have to hold {columns}"
    )


def _where(columns: Sequence[str], values: Sequence[str | None]) -> str:
    parts = [
        f"{column[:MAX_NAME_CHARACTERS]} is " + ("missing" if value == "" else value[:MAX_NAME_CHARACTERS])
        for column, value in zip(columns, values, strict=True)
        if value is not None
    ]
    rest = " (other values)" if None in values else ""
    return " and ".join(parts) + rest


def codes_with(scores: Array, groups: GroupThresholds, common: float, rows: Columns) -> Array:
    """Return the predicted codes (m,) of probabilities (m, 2) with thresholds by group."""
    return predicted_codes(scores.astype(np.float32), group_cutoffs(groups, common, rows.values, len(scores)))
