"""The columns that a request may and must have, where versions of the model differ in theirs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from modelcycle.faults import BadRequest
from modelcycle.json_pointer import json_pointer
from modelcycle.model.fields import Field
from modelcycle.model.reader import CellError
from modelcycle.model.request import MAX_REQUEST_ERRORS


class RequestColumns:
    """The columns of the requests to a model.

    A column that every version reads is required. One that only some read may be absent: it is then a missing value for
    those. So clients of the old and the new format are both served while a version of each is on the route.

    Parameters
    ----------
    model : name
    fields : of each version, the champion's first
    known : columns that a request may have, read by a version or not

    Examples
    --------
    >>> age, income = Field(name="age", type="number"), Field(name="income", type="number")
    >>> columns = RequestColumns("churn", [[age, income], [age]], frozenset({"age", "income"}))
    >>> [field.name for field in columns.fields], columns.optional
    (['age', 'income'], frozenset({'income'}))
    >>> columns.check([{"age": 41}])
    """

    def __init__(self, model: str, fields: Sequence[Sequence[Field]], known: frozenset[str]) -> None:
        self.model = model
        self.known = known
        self._fields = fields
        names = [{field.name for field in of_one} for of_one in fields]
        self.required = frozenset(names[0].intersection(*names[1:]))

    @property
    def fields(self) -> list[Field]:
        """What any version reads, the champion's columns first; of two types, the champion's."""
        by_name: dict[str, Field] = {}
        for of_one in self._fields:
            for field in of_one:
                by_name.setdefault(field.name, field)
        return list(by_name.values())

    @property
    def optional(self) -> frozenset[str]:
        """Names of the fields that a request need not have."""
        return frozenset(field.name for field in self.fields) - self.required

    def check(self, instances: Any) -> None:
        """Check that rows have the columns that they must have, and no unknown one.

        Raises
        ------
        BadRequest : names wrong columns by JSON pointer (RFC 6901), at most MAX_REQUEST_ERRORS
        """
        if not isinstance(instances, list) or not instances:
            raise self.bad_request([("/instances", "a list of one or more rows is expected")])
        errors: list[tuple[str, str]] = []
        for row, instance in enumerate(instances):
            if isinstance(instance, dict) and self.required <= instance.keys() <= self.known:
                continue
            errors += self._errors(row, instance)
            if len(errors) >= MAX_REQUEST_ERRORS:
                break
        if errors:
            raise self.bad_request(errors)

    def _errors(self, row: int, instance: Any) -> list[tuple[str, str]]:
        if not isinstance(instance, dict):
            return [(f"/instances/{row}", "an object {column: value} is expected")]
        unknown = [name for name in instance if name not in self.known]
        lacking = self.required.difference(instance)
        absent = [field.name for field in self._fields[0] if field.name in lacking]
        return [
            *((json_pointer("instances", row, name), f"{self.model} has no such column") for name in unknown),
            *(
                (json_pointer("instances", row, name), "the column is missing; send null for a missing value")
                for name in absent
            ),
        ]

    def unreadable(self, errors: Sequence[CellError]) -> BadRequest:
        """Return the fault that names cells that cannot be read."""
        return self.bad_request(
            [
                (
                    json_pointer("instances", error.row, *([error.column] if error.column is not None else [])),
                    error.detail,
                )
                for error in errors
            ]
        )

    def bad_request(self, errors: list[tuple[str, str]]) -> BadRequest:
        """Return the fault that names wrong fields, each by pointer and sentence."""
        return BadRequest.at(errors[:MAX_REQUEST_ERRORS], f"GET /v2/models/{self.model} lists the columns")
