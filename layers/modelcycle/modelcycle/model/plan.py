"""The feature plan: how each column enters the model, and why.

Made by `engineer_features`, read by training and by people.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Part = Literal["", "year", "month", "day", "weekday", "hour", "days"]
Treatment = Literal["number", "category", "high_cardinality", "date_parts", "words", "left_out"]


class Input(BaseModel):
    """One input of the ONNX graph, of shape (n, 1)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str  # x0, x1 ...: a column may be named anything, an ONNX input may not
    column: str
    kind: Literal["number", "text"]
    part: Part = ""


class Planned(BaseModel):
    """One column: its treatment, the reason in a few words, and the graph inputs it gives."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: str
    treatment: Treatment
    why: str
    loud: bool = False  # it gives away the target or a sensitive column; in the model only where `features` names it
    inputs: list[Input] = []


class FeaturePlan(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    columns: list[Planned]

    def inputs(self, *treatments: Treatment) -> list[Input]:
        return [i for planned in self.columns if planned.treatment in treatments for i in planned.inputs]
