"""The section `fairness`: how far groups of people may be treated differently, and what is done about it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from modelcycle.faults import BadPipeline
from modelcycle.spec.metrics import Task
from modelcycle.spec.section import ColumnName, Section

Mitigation = Literal["none", "reweighing", "thresholds"]


class FairnessLimits(Section):
    """How far two groups may be apart; None: measured, but not judged."""

    demographic_parity: float | None = Field(
        None, gt=0, le=1,
        description="lowest ratio of the selection rates of two groups, such as 0.8 (the four-fifths rule)",
    )  # fmt: skip
    equalized_odds: float | None = Field(
        None, ge=0, lt=1,
        description="largest difference of two groups in true positive rate and in false positive rate, such as 0.1",
    )  # fmt: skip

    @property
    def any(self) -> bool:
        """Whether one of the limits is set."""
        return self.demographic_parity is not None or self.equalized_odds is not None


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
        if task == "regression" and (self.judges or self.mitigate != "none"):
            raise BadPipeline(
                "fairness judges rates of predicted classes, and the target makes this a regression", "fairness",
                "remove the section; the groups are measured in any case",
            )  # fmt: skip
        if task == "multiclass" and self.mitigate == "thresholds":
            raise BadPipeline(
                "mitigate: thresholds is for two classes, and the target has more", "fairness.mitigate",
                "write `mitigate: reweighing`",
            )  # fmt: skip

    def limits_of(self, columns: list[str]) -> FairnessLimits:
        """Return the limits of a sensitive column, or of two of them together."""
        if len(columns) > 1 and not self.intersections:
            return FairnessLimits()
        return self.columns.get(columns[0], self) if len(columns) == 1 else self
