"""The feature plan: how each column enters the model, and why.

`engineer_features` makes it; training builds its pipelines from it, and people read it.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Part = Literal["", "year", "month", "day", "weekday", "hour", "days"]
"""What of a date an input holds; "" for a column that is no date."""

Treatment = Literal["number", "category", "high_cardinality", "date_parts", "words", "left_out"]


class Input(BaseModel):
    """One input of the ONNX graph, of shape (n, 1)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str  # x0, x1 ...: a column may have any name, an ONNX input may not
    column: str
    kind: Literal["number", "text"]
    part: Part = ""


class Planned(BaseModel):
    """One column of the plan.

    Parameters
    ----------
    column : its name
    treatment : how it enters the model
    why : the reason, a short phrase for people
    loud : whether people are warned, even if it is not left out: it leaks the target or copies a sensitive column
    suspected : whether it is kept although it may leak the target; people are warned
    inputs : the graph inputs made from it
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: str
    treatment: Treatment
    why: str
    loud: bool = False
    suspected: bool = False
    inputs: list[Input] = []


class FeaturePlan(BaseModel):
    """The plan of all columns, in the order of the data."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    columns: list[Planned]

    def inputs(self, *treatments: Treatment) -> list[Input]:
        """Return the graph inputs of the columns with one of these treatments.

        Examples
        --------
        >>> age_input = Input(name="x0", column="age", kind="number")
        >>> age = Planned(column="age", treatment="number", why="", inputs=[age_input])
        >>> FeaturePlan(columns=[age]).inputs("number", "date_parts") == [age_input]
        True
        """
        return [
            graph_input for planned in self.columns if planned.treatment in treatments for graph_input in planned.inputs
        ]
