"""The catalogue of a version's features: from which columns each is made, how, why, and what it is worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from modelcycle.model.fields import Field
from modelcycle.model.plan import FeaturePlan, Input
from modelcycle.model.signature import Signature

Report = Mapping[str, Any]


class Feature(BaseModel):
    """One entry of the catalogue: a column, or a feature of two columns.

    Parameters
    ----------
    feature : its name for people
    columns : from which it is made
    kept : whether the model reads it
    treatment : how it enters the model
    inputs : of the graph
    type, format, missing_values : how its texts are read, see `cells.reading.Reading`; of a kept column
    importance, error : by how much the mean loss of a test row rises if the column is shuffled, with all features that
        are made of it; and the standard error of that
    gain : share of the held-out loss that a feature of two columns saved when it was chosen
    why : the reason for all of this
    """

    feature: str
    columns: list[str]
    kept: bool
    treatment: str
    inputs: list[Input] = []
    type: str = ""
    format: str = ""
    missing_values: list[str] = []
    importance: float | None = None
    error: float | None = None
    gain: float | None = None
    why: str

    @property
    def parts(self) -> list[str]:
        """The parts of a date that enter the model, in the order of the graph."""
        return [graph_input.part for graph_input in self.inputs if graph_input.part]


def feature_catalogue(plan: FeaturePlan, signature: Signature, report: Report | None) -> list[Feature]:
    """Return the features of a version: kept ones by importance, then those of two columns, then what is left out.

    Parameters
    ----------
    report : of the validation, None if it is gone
    """
    evidence = (report or {}).get("evidence") or {}
    worth = {entry["column"]: entry for entry in evidence.get("importance") or []}
    fields = {field.name: field for field in signature.fields}
    of_columns = [
        Feature(
            feature=planned.column, columns=[planned.column], kept=bool(planned.inputs), treatment=planned.treatment,
            inputs=planned.inputs, why=planned.why, importance=worth.get(planned.column, {}).get("increase"),
            error=worth.get(planned.column, {}).get("error"), **_reading(fields.get(planned.column)),
        )
        for planned in plan.columns
    ]  # fmt: skip
    derived = [
        Feature(
            feature=feature.title, columns=feature.input.columns, kept=True, treatment=feature.input.operation,
            inputs=[feature.input], why=feature.why, gain=feature.gain,
        )
        for feature in plan.derived
    ]  # fmt: skip
    kept = sorted(
        (feature for feature in of_columns if feature.kept),
        key=lambda feature: -1e300 if feature.importance is None else -feature.importance,
    )
    if not worth:
        kept = [feature for feature in of_columns if feature.kept]
    return [*kept, *derived, *(feature for feature in of_columns if not feature.kept)]


def _reading(field: Field | None) -> dict[str, Any]:
    if field is None:
        return {}
    return {"type": field.type, "format": field.format, "missing_values": field.missing_values}
