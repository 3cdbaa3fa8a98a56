"""The section `fairness`: how far groups of people may be treated differently, and what is done about it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from modelcycle.faults import BadPipeline
from modelcycle.spec.metrics import Task
from modelcycle.spec.section import ColumnName, Section

Mitigation = Literal["none", "reweighing", "thresholds"]


OF_CLASSES = ("demographic_parity", "equalized_odds")
OF_NUMBERS = ("mean_prediction_difference", "mean_prediction_ratio", "mean_error_difference", "mae_ratio", "group_mae")
"""Limits by the task that has them."""


class FairnessLimits(Section):
    """How far two groups may be apart; None: measured, but not judged."""

    demographic_parity: float | None = Field(
        None, gt=0, le=1,
        description="classes: lowest ratio of the selection rates of two groups, such as 0.8 (the four-fifths rule)",
    )  # fmt: skip
    equalized_odds: float | None = Field(
        None, ge=0, lt=1,
        description="classes: largest difference of two groups in true positive rate and in false positive rate, such"
        " as 0.1",
    )  # fmt: skip
    mean_prediction_difference: float | None = Field(
        None, gt=0, description="numbers: largest difference of two groups' mean predictions, in the target's unit"
    )
    mean_prediction_ratio: float | None = Field(
        None, gt=0, le=1,
        description="numbers: lowest ratio of two groups' mean predictions, such as 0.8; for targets above zero",
    )  # fmt: skip
    mean_error_difference: float | None = Field(
        None, gt=0,
        description="numbers: largest difference of two groups' mean errors (prediction less truth), in the target's"
        " unit: one group is not overestimated beside another",
    )  # fmt: skip
    mae_ratio: float | None = Field(
        None, gt=0, le=1, description="numbers: lowest ratio of two groups' mean absolute errors, such as 0.8"
    )
    group_mae: float | None = Field(
        None, gt=0, description="numbers: highest mean absolute error of any group, in the target's unit"
    )

    @property
    def limits(self) -> dict[str, float]:
        """The limits that are set, by name."""
        found = {name: getattr(self, name) for name in (*OF_CLASSES, *OF_NUMBERS)}
        return {name: value for name, value in found.items() if value is not None}

    @property
    def any(self) -> bool:
        """Whether one of the limits is set."""
        return bool(self.limits)


class Fairness(FairnessLimits):
    """Limits on the differences between the groups of `sensitive_columns`, judged by their 95 % intervals."""

    columns: dict[ColumnName, FairnessLimits] = Field(
        {}, description="limits of one sensitive column, in place of those above; {} measures it only"
    )
    intersections: bool = Field(
        True, description="the groups of two sensitive columns together are held to the limits too"
    )
    minimum_rows: int = Field(
        50, ge=20, description="test rows from which a group is judged; smaller ones are measured and told"
    )
    undecided: Literal["ask", "refuse", "pass"] = Field(
        "ask", description="what happens if the interval has the limit within it; ask: a person approves"
    )
    mitigate: Mitigation = Field(
        "none",
        description="reweighing: training rows get weights that make group and target independent; thresholds: each"
        " group gets a probability of its own from which the positive class is predicted, so requests must hold the"
        " sensitive columns",
    )

    @property
    def judges(self) -> bool:
        """Whether any limit is set."""
        return self.any or any(limits.any for limits in self.columns.values())

    def check(self, task: Task) -> None:
        """Check that the task has what the section asks for; the pipeline file alone may not say the task.

        Raises
        ------
        BadPipeline : limits or a mitigation that the task does not have
        """
        path, sentence = self.misfit(task) or ((), "")
        if path:
            raise BadPipeline(sentence, ".".join(path), "remove the key; the groups are measured in any case")
        if task == "multiclass" and self.mitigate == "thresholds":
            raise BadPipeline(
                "mitigate: thresholds is for two classes, and the target has more", "fairness.mitigate",
                "write `mitigate: reweighing`",
            )  # fmt: skip

    def misfit(self, task: Task) -> tuple[tuple[str, ...], str] | None:
        """Return the path to the first key that is for another kind of target, and the sentence about it.

        >>> Fairness(mae_ratio=0.8).misfit("binary")
        (('fairness', 'mae_ratio'), 'mae_ratio is for numbers, and this task is binary: it has demographic_parity, \
equalized_odds')
        """
        known, of_others = (OF_NUMBERS, "classes") if task == "regression" else (OF_CLASSES, "numbers")
        for path, limits in ((), self), *((("columns", name), own) for name, own in self.columns.items()):
            for name in limits.limits:
                if name not in known:
                    told = f"{name} is for {of_others}, and this task is {task}: it has {', '.join(known)}"
                    return ("fairness", *path, name), told
        if task == "regression" and self.mitigate != "none":
            told = f"mitigate: {self.mitigate} is for classes; there is no mitigation for numbers"
            return ("fairness", "mitigate"), told
        return None

    def limits_of(self, columns: list[str]) -> FairnessLimits:
        """Return the limits of a sensitive column, or of two of them together."""
        if len(columns) > 1 and not self.intersections:
            return FairnessLimits()
        return self.columns.get(columns[0], self) if len(columns) == 1 else self
