"""The signature of a model: the columns of a request, and how they become the inputs of the graph.

Training and serving both make graph inputs with `Signature.encode`, so that a feature cannot be computed in two ways.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from modelcycle.cells.missing import is_missing
from modelcycle.cells.reading import missing_texts_of
from modelcycle.faults import BadRequest
from modelcycle.json_pointer import json_pointer
from modelcycle.model.columns import Columns, Texts, Values
from modelcycle.model.date_parts import date_part
from modelcycle.model.derive import derive
from modelcycle.model.fields import Field, has_type, json_values, parse_value, typed_values
from modelcycle.model.plan import Input
from modelcycle.spec import Task

DEFAULT_THRESHOLD = 0.5
MAX_REQUEST_ERRORS = 20  # named in one answer


class Signature(BaseModel):
    """The signature of all versions that are made from one feature plan.

    Parameters
    ----------
    model : name
    task, target : as in the table's schema
    classes : of the target, in the order of the codes; empty for a regression
    fields : the columns that a request must have, in the order of the data
    ignored : other columns of the data, which a request may have
    inputs : of the graph
    missing_values : texts that mean a missing value in every field, in training and in requests
    id_columns : identify an entity, so that all its requests go to one version
    threshold : probability from which the positive class is predicted; binary only
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    task: Task
    target: str
    classes: list[str]
    fields: list[Field]
    ignored: list[str]
    inputs: list[Input]
    missing_values: list[str] = []
    id_columns: list[str] = []
    threshold: float = DEFAULT_THRESHOLD

    def fits(self, columns: Columns) -> bool:
        """Return whether a table has all columns that the graph reads, with the types that it reads."""
        types = {field.name: field.type for field in self.fields}
        return all(
            name in columns.values and has_type(columns.values[name], types[name])
            for graph_input in self.inputs
            for name in graph_input.columns
        )

    def encode(self, columns: Columns) -> dict[str, npt.NDArray[Any]]:
        """Return the inputs of the graph.

        Parameters
        ----------
        columns : n rows

        Returns
        -------
        by input name: float32 (n, 1), NaN where missing; or str objects (n, 1), "" where missing

        Raises
        ------
        KeyError : a column that the graph reads is missing
        """
        return {graph_input.name: _encode(columns, graph_input) for graph_input in self.inputs}

    def read(self, instances: Any) -> Columns:
        """Return the typed columns of a request. Nothing is guessed: every wrong field is an error.

        Parameters
        ----------
        instances : a list of objects, one per row: {column: value or null}

        Raises
        ------
        BadRequest : names wrong fields by JSON pointer (RFC 6901), at most MAX_REQUEST_ERRORS
        """
        if not isinstance(instances, list) or not instances:
            raise self._bad_request([("/instances", "a list of one or more rows is expected")])
        errors = self._column_errors(instances)
        if errors:
            raise self._bad_request(errors)
        columns: dict[str, Values] = {}
        for field in self.fields:
            parsed: list[Any] = []
            missing = missing_texts_of(field, self.missing_values)
            for row, instance in enumerate(instances):
                value = instance[field.name]
                if value is None or (isinstance(value, str) and is_missing(value, missing)):
                    parsed.append(None)
                    continue
                try:
                    parsed.append(parse_value(value, field))
                except ValueError as error:
                    errors.append((json_pointer("instances", row, field.name), str(error)))
                    parsed.append(None)
            if len(errors) >= MAX_REQUEST_ERRORS:
                break
            columns[field.name] = typed_values(parsed, field.type)
        if errors:
            raise self._bad_request(errors)
        return Columns(columns)

    def instances(self, columns: Columns) -> list[dict[str, Any]]:
        """Return rows as a request would have them; the inverse of `read`."""
        values = {field.name: json_values(columns.values[field.name], field) for field in self.fields}
        return [{name: column[row] for name, column in values.items()} for row in range(columns.rows)]

    def _column_errors(self, instances: list[Any]) -> list[tuple[str, str]]:
        """Return pointer and sentence of each unknown or absent column, until there are MAX_REQUEST_ERRORS."""
        known = {field.name for field in self.fields} | set(self.ignored)
        errors: list[tuple[str, str]] = []
        for row, instance in enumerate(instances):
            if not isinstance(instance, dict):
                errors.append((f"/instances/{row}", "an object {column: value} is expected"))
                continue
            errors += [
                (json_pointer("instances", row, name), f"{self.model} has no such column")
                for name in instance
                if name not in known
            ]
            errors += [
                (json_pointer("instances", row, field.name), "the column is missing; send null for a missing value")
                for field in self.fields
                if field.name not in instance
            ]
            if len(errors) >= MAX_REQUEST_ERRORS:
                break
        return errors

    def _bad_request(self, errors: list[tuple[str, str]]) -> BadRequest:
        return BadRequest.at(errors[:MAX_REQUEST_ERRORS], f"GET /v2/models/{self.model} lists the columns")


def _encode(columns: Columns, graph_input: Input) -> npt.NDArray[Any]:
    values = columns.values[graph_input.column]
    if isinstance(values, Texts):
        return values.strings().reshape(-1, 1)
    if graph_input.operation:
        other = columns.values[graph_input.other]
        assert not isinstance(other, Texts)
        return derive(values, other, graph_input.operation).reshape(-1, 1)
    if graph_input.part:
        return date_part(values, graph_input.part).reshape(-1, 1)
    return values.astype(np.float32).reshape(-1, 1)
