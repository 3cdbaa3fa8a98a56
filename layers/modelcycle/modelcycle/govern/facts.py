"""What is known about a candidate when it is governed."""

from __future__ import annotations

from typing import NamedTuple

from modelcycle.messages import GovernRequest
from modelcycle.model.plan import FeaturePlan
from modelcycle.spec import Pipeline


class Facts(NamedTuple):
    """What a candidate is judged and described by; `code` is the version of the code."""

    request: GovernRequest
    pipeline: Pipeline
    plan: FeaturePlan
    code: str

    @property
    def used(self) -> set[str]:
        """The columns that the model uses."""
        return {planned.column for planned in self.plan.columns if planned.treatment != "left_out"}

    @property
    def learned_rows(self) -> int:
        """The rows that the model that goes live has learned from."""
        refit = self.request.refit
        return refit.rows if refit.done else sum(self.request.preprocess.split[:2])
