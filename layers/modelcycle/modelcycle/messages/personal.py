"""What is known of a column with personal data: a fact about it, never a value."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from modelcycle.spec.privacy import Treatment


class PersonalColumn(BaseModel):
    """How a column of personal data is treated, and why.

    Parameters
    ----------
    kind : what it holds, such as `e-mail addresses`; empty if a person has listed it
    by : declared: the pipeline file lists it; detected: found in the data
    share : of the inspected values that look so, 0 to 1; 0 if a person has listed it
    sure : whether a check digit or a form proves it; otherwise its name and usual words are the evidence
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    treatment: Treatment
    kind: str = ""
    by: Literal["declared", "detected"] = "declared"
    share: float = 0.0
    sure: bool = False
