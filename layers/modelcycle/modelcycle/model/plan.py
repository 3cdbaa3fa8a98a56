"""The feature plan: how each column enters the model, and why.

`engineer_features` makes it; training builds its pipelines from it, and people read it.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Part = Literal[
    "", "year", "month", "day", "weekday", "hour", "days",
    "day_sin", "day_cos", "week_sin", "week_cos", "year_sin", "year_cos",
]  # fmt: skip
"""What of a date an input holds; "" for a column that is no date. `year_sin` and `year_cos` are the place in the year
on a circle, on which December is next to January; likewise of the week and the day."""

Operation = Literal["", "difference", "ratio", "product", "days_between"]
"""What an input computes of two columns; "" for an input of one."""

SIGNS: dict[str, str] = {"difference": "-", "ratio": "/", "product": "x"}

Treatment = Literal["number", "category", "high_cardinality", "date_parts", "words", "left_out"]


class Input(BaseModel):
    """One input of the ONNX graph, of shape (n, 1)."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    name: str  # x0, x1 ...: a column may have any name, an ONNX input may not
    column: str
    kind: Literal["number", "text"]
    part: Part = ""
    operation: Operation = ""
    other: str = ""  # the second column of an operation

    @property
    def columns(self) -> list[str]:
        """The columns that it reads."""
        return [self.column, self.other] if self.operation else [self.column]


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

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    column: str
    treatment: Treatment
    why: str
    loud: bool = False
    suspected: bool = False
    inputs: list[Input] = []


class Derived(BaseModel):
    """A feature of two columns, kept because it lowers the loss of held-out rows.

    Parameters
    ----------
    input : the graph input
    why : what it gained, a short phrase for people
    gain : share of the held-out loss that it saves
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    input: Input
    why: str
    gain: float

    @property
    def title(self) -> str:
        """The feature as people write it.

        >>> ratio = Input(name="x2", column="debt", kind="number", operation="ratio", other="income")
        >>> Derived(input=ratio, why="", gain=0.1).title
        'debt / income'
        """
        if self.input.operation == "days_between":
            return f"days from {self.input.other} to {self.input.column}"
        return f"{self.input.column} {SIGNS[self.input.operation]} {self.input.other}"


class FeaturePlan(BaseModel):
    """The plan of all columns, in the order of the data, and the features of two columns.

    Parameters
    ----------
    columns : all of the data
    derived : features of two of them; they enter the model as numbers
    tried : number of pairs and operations that were looked at for `derived`
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    columns: list[Planned]
    derived: list[Derived] = []
    tried: int = 0

    def inputs(self, *treatments: Treatment) -> list[Input]:
        """Return the graph inputs of the columns with one of these treatments.

        Examples
        --------
        >>> age_input = Input(name="x0", column="age", kind="number")
        >>> age = Planned(column="age", treatment="number", why="", inputs=[age_input])
        >>> FeaturePlan(columns=[age]).inputs("number", "date_parts") == [age_input]
        True
        """
        of_columns = [
            graph_input for planned in self.columns if planned.treatment in treatments for graph_input in planned.inputs
        ]
        return of_columns + ([derived.input for derived in self.derived] if "number" in treatments else [])

    def all_inputs(self) -> list[Input]:
        """Return the inputs of the graph: those of the columns, in their order, and then the derived ones."""
        of_columns = [graph_input for planned in self.columns for graph_input in planned.inputs]
        return of_columns + [derived.input for derived in self.derived]
