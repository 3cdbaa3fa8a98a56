"""Reads the rows of requests as one version types them; looks up once what every row needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from modelcycle.cells.missing import is_missing
from modelcycle.cells.numbers import MAX_NUMBER
from modelcycle.cells.reading import missing_texts_of
from modelcycle.model.columns import Columns, Values
from modelcycle.model.fields import Field, parse_value, typed_values

Parsed = float | str | None
Parser = Callable[[Any], Parsed]

NO_COLUMN = "the row has none of the columns that the model reads"


class CellError(NamedTuple):
    """Why a row cannot be read: `row` is its position, `column` is None if the whole row is meant."""

    row: int
    column: str | None
    detail: str


class Reader:
    """Reads rows of JSON values into typed columns.

    Parameters
    ----------
    fields : the columns that the version reads
    missing_values : texts that mean a missing value in every field
    """

    def __init__(self, fields: Sequence[Field], missing_values: Sequence[str]) -> None:
        self.names = frozenset(field.name for field in fields)
        self._fields = [(field, _parser(field, missing_texts_of(field, missing_values))) for field in fields]

    def read(self, rows: Sequence[Mapping[str, Any]]) -> tuple[Columns, list[CellError]]:
        """Return the typed columns of all rows, and what cannot be read.

        A column that a row does not have is a missing value, and so is one that cannot be read. A row with none of the
        columns cannot be read either.
        """
        errors = [
            CellError(position, None, NO_COLUMN)
            for position, row in enumerate(rows)
            if self.names and self.names.isdisjoint(row)
        ]
        columns: dict[str, Values] = {}
        for field, parse in self._fields:
            name = field.name
            try:
                parsed = [parse(row.get(name)) for row in rows]
            except ValueError:
                parsed, wrong = _parsed_one_by_one([row.get(name) for row in rows], parse, name)
                errors += wrong
            columns[name] = typed_values(parsed, field.type)
        return Columns(columns), errors


def _parsed_one_by_one(values: Sequence[Any], parse: Parser, name: str) -> tuple[list[Parsed], list[CellError]]:
    parsed: list[Parsed] = []
    errors: list[CellError] = []
    for position, value in enumerate(values):
        try:
            parsed.append(parse(value))
        except ValueError as error:
            errors.append(CellError(position, name, str(error)))
            parsed.append(None)
    return parsed, errors


def _parser(field: Field, missing: frozenset[str]) -> Parser:
    """Return what parses a value of a field; it raises ValueError as `parse_value` does.

    Numbers in JSON and ASCII texts, which are most values, take a shorter way to the same result.
    """

    def any_value(value: Any) -> Parsed:
        if value is None or (isinstance(value, str) and is_missing(value, missing)):
            return None
        return parse_value(value, field)

    def number(value: Any) -> Parsed:
        if (type(value) is float or type(value) is int) and -MAX_NUMBER <= value <= MAX_NUMBER:
            return float(value)
        return any_value(value)

    def text(value: Any) -> Parsed:
        if type(value) is str and value.isascii():
            stripped = value.strip()
            return None if stripped in missing else stripped
        return any_value(value)

    return {"number": number, "text": text}.get(field.type, any_value)
