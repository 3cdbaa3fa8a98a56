"""The signature of a model: the columns of a request, and how they become the inputs of the graph.

Training and serving both make graph inputs with `Signature.encode`, so that a feature cannot be computed in two ways.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from modelcycle.messages.group_thresholds import GroupThresholds
from modelcycle.model import fields as request_fields
from modelcycle.model.columns import Columns, Texts, Values
from modelcycle.model.date_parts import date_part
from modelcycle.model.derive import derive
from modelcycle.model.fields import has_type, json_values
from modelcycle.model.group_cutoffs import Cutoffs, group_cutoffs
from modelcycle.model.plan import Input
from modelcycle.model.reader import Reader
from modelcycle.model.request_columns import RequestColumns
from modelcycle.spec import Task
from modelcycle.spec.privacy import Treatment

DEFAULT_THRESHOLD = 0.5


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
    groups : thresholds of groups, in place of that one
    personal : columns of personal data and how they are treated, before anything of a request is stored
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    model: str
    task: Task
    target: str
    classes: list[str]
    fields: list[request_fields.Field]
    ignored: list[str]
    inputs: list[Input]
    missing_values: list[str] = []
    id_columns: list[str] = []
    threshold: float = DEFAULT_THRESHOLD
    # left out where they are empty: a signature without them has the bytes that it always had
    groups: GroupThresholds | None = Field(None, exclude_if=operator.not_)
    personal: dict[str, Treatment] = Field({}, exclude_if=operator.not_)

    def cutoffs(self, columns: Mapping[str, Values], rows: int) -> Cutoffs:
        """Return from which probability the positive class is predicted: of all rows, or of each (rows,).

        Parameters
        ----------
        columns : typed columns of the rows; or their groups by column
        """
        return self.threshold if self.groups is None else group_cutoffs(self.groups, self.threshold, columns, rows)

    @property
    def columns(self) -> list[str]:
        """Names of the columns that a request may have: those that the version reads, and the ignored ones."""
        return [*(field.name for field in self.fields), *self.ignored]

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
        request = request_columns([self])
        request.check(instances)
        columns, errors = self.reader().read(instances)
        if errors:
            raise request.unreadable(errors)
        return columns

    def reader(self) -> Reader:
        """Return what reads rows by this signature. Keep it: it looks up once what each row needs."""
        return Reader(self.fields, self.missing_values)

    def instances(self, columns: Columns) -> list[dict[str, Any]]:
        """Return rows as a request would have them; the inverse of `read`."""
        values = {field.name: json_values(columns.values[field.name], field) for field in self.fields}
        return [{name: column[row] for name, column in values.items()} for row in range(columns.rows)]


def request_columns(signatures: Sequence[Signature]) -> RequestColumns:
    """Return the columns that requests to these versions may and must have.

    Parameters
    ----------
    signatures : of one or more versions, the champion's first
    """
    known = frozenset(name for signature in signatures for name in signature.columns)
    return RequestColumns(signatures[0].model, [signature.fields for signature in signatures], known)


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
    return values.astype(np.float32, copy=False).reshape(-1, 1)
