"""The signature of a model: what a request must hold, and how its values enter the graph.

Training and serving both turn columns into graph inputs by `Signature.encode`, so that no feature can be worked out in
two ways. Reading a request never guesses: a field that is missing, unknown or of another type is named. `instances`
is the way back, from typed rows to the JSON that a client would send.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from modelcycle.faults import BadRequest
from modelcycle.model import dates
from modelcycle.model.columns import Columns, ColumnType, Texts, Values
from modelcycle.model.plan import Input, Part
from modelcycle.model.values import MAX_NUMBER, is_missing, missing_texts
from modelcycle.spec import Task

MAX_REQUEST_ERRORS = 20  # named in one answer


class Field(BaseModel):
    """One column that a request holds; null is allowed and means: no value."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    type: ColumnType
    format: str = ""
    true: list[str] = []
    false: list[str] = []
    example: float | str | bool | None = None
    levels: list[str] = []  # some of the texts that training saw, for people


class Signature(BaseModel):
    """`fields` in the order of the data; `ignored` are columns of the data that a request may hold but no model reads.

    `missing_values` are the texts that training took for no value: a request means the same by them. `id_columns` say
    whose row it is, so that one entity stays on one version.
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

    def fits(self, columns: Columns) -> bool:
        """Whether the columns hold all that the graph reads, typed as it does; dates are float64 (see `columns`)."""
        types = {field.name: field.type for field in self.fields}
        return all(
            graph_input.column in columns.values
            and _typed_as(columns.values[graph_input.column], types[graph_input.column])
            for graph_input in self.inputs
        )

    def encode(self, columns: Columns) -> dict[str, npt.NDArray[Any]]:
        """Graph inputs by name: float32 (n, 1) with NaN, or object (n, 1) of str with "" for no value.

        Raises
        ------
        KeyError : the columns lack one that the graph reads
        """
        return {
            graph_input.name: _encoded(columns.values[graph_input.column], graph_input) for graph_input in self.inputs
        }

    def read(self, instances: Any) -> Columns:
        """Typed columns of a request's instances.

        Parameters
        ----------
        instances : list of objects, one a row, {column: value or null}

        Raises
        ------
        BadRequest : names every wrong field by JSON pointer (RFC 6901), 20 at most
        """
        if not isinstance(instances, list) or not instances:
            raise _refused([("/instances", "a list of one or more rows is expected")], self.model)
        errors: list[tuple[str, str]] = []
        known = {field.name for field in self.fields} | set(self.ignored)
        for row, instance in enumerate(instances):
            if not isinstance(instance, dict):
                errors.append((f"/instances/{row}", "an object {column: value} is expected"))
                continue
            for name in instance:
                if name not in known:
                    errors.append((pointer(row, name), f"{self.model} knows no such column"))
            for field in self.fields:
                if field.name not in instance:
                    errors.append((pointer(row, field.name), "the column is missing; null stands for no value"))
            if len(errors) >= MAX_REQUEST_ERRORS:
                break
        if errors:
            raise _refused(errors, self.model)
        missing = missing_texts(self.missing_values)
        values: dict[str, Values] = {}
        for field in self.fields:
            read = READERS[field.type]
            column: list[Any] = []
            for row, instance in enumerate(instances):
                value = instance[field.name]
                if value is None or (isinstance(value, str) and is_missing(value, missing)):
                    column.append(None)
                    continue
                try:
                    column.append(read(value, field))
                except ValueError as error:
                    errors.append((pointer(row, field.name), str(error)))
                    column.append(None)
            if len(errors) >= MAX_REQUEST_ERRORS:
                break
            values[field.name] = _typed(column, field.type)
        if errors:
            raise _refused(errors, self.model)
        return Columns(values)

    def instances(self, columns: Columns) -> list[dict[str, Any]]:
        """The rows as a request would hold them: what `read` reads back into the same columns."""
        written = {field.name: _written(columns.values[field.name], field) for field in self.fields}
        return [{name: cells[row] for name, cells in written.items()} for row in range(columns.rows)]


def pointer(row: int, name: str) -> str:
    """JSON pointer of a field (RFC 6901)."""
    return f"/instances/{row}/{name.replace('~', '~0').replace('/', '~1')}"


def _refused(errors: list[tuple[str, str]], model: str) -> BadRequest:
    errors = errors[:MAX_REQUEST_ERRORS]
    place, text = errors[0]
    return BadRequest(
        f"{place}: {text}",
        place,
        f"GET /v2/models/{model} lists the columns",
        [{"pointer": place, "detail": text} for place, text in errors],
    )


def _number(value: Any, field: Field) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"a number is expected, got {shown(value)}")
    # an integer of JSON has no largest value, and math.isfinite fails on one that no float can hold
    if not -MAX_NUMBER <= value <= MAX_NUMBER:
        raise ValueError("the number is too large")
    return float(value)


def _boolean(value: Any, field: Field) -> float:
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, str | int):  # as the data write it: "yes", "0", 1
        text = str(value).strip().lower() if isinstance(value, str) or -1 <= value <= 1 else ""
        if text in field.true:
            return 1.0
        if text in field.false:
            return 0.0
    raise ValueError(f"true or false is expected, got {shown(value)}")


def _datetime(value: Any, field: Field) -> float:
    if not isinstance(value, str):
        raise ValueError(f"a date as text is expected, got {shown(value)}")
    try:
        seconds: float = dates.parse(value.strip(), field.format)
        return seconds
    except ValueError:
        raise ValueError(f"a date like {field.example} is expected, got {shown(value)}") from None


def _text(value: Any, field: Field) -> str:
    if not isinstance(value, str):
        raise ValueError(f"a text is expected, got {shown(value)}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("the text holds half of a surrogate pair, which is no Unicode text") from None
    return value.strip()


READERS: dict[ColumnType, Callable[[Any, Field], Any]] = {
    "number": _number, "boolean": _boolean, "datetime": _datetime, "text": _text,
}  # fmt: skip


def shown(value: Any) -> str:
    """A value that was sent, short enough for a sentence."""
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _typed(column: list[Any], kind: ColumnType) -> Values:
    if kind == "text":
        return Texts.of([value or None for value in column])
    dtype = np.float64 if kind == "datetime" else np.float32
    return np.array([np.nan if value is None else value for value in column], dtype=dtype)


def _typed_as(values: Values, kind: ColumnType) -> bool:
    if isinstance(values, Texts) or kind == "text":
        return isinstance(values, Texts) and kind == "text"
    return (values.dtype == np.float64) == (kind == "datetime")


def _written(values: Values, field: Field) -> list[Any]:
    if isinstance(values, Texts):
        return [values.levels[code] if code >= 0 else None for code in values.codes]
    write: Callable[[float], Any] = {"number": float, "boolean": bool}.get(
        field.type, lambda seconds: dates.written(seconds, field.format)
    )
    return [None if math.isnan(value) else write(value) for value in values.tolist()]


def _encoded(values: Values, graph_input: Input) -> npt.NDArray[Any]:
    if isinstance(values, Texts):
        return values.strings().reshape(-1, 1)
    if graph_input.part:
        return date_part(values, graph_input.part).reshape(-1, 1)
    return values.astype(np.float32).reshape(-1, 1)


def date_part(seconds: npt.NDArray[np.float64], part: Part) -> npt.NDArray[np.float32]:
    """One number of each date (UTC), float32 (n,), NaN where there is none; `days` from 1970, `weekday` from Monday."""
    missing = np.isnan(seconds)
    moment = np.where(missing, 0.0, np.floor(seconds)).astype("int64").astype("datetime64[s]")
    day = moment.astype("datetime64[D]")
    month = moment.astype("datetime64[M]")
    parts: dict[str, Callable[[], npt.NDArray[Any]]] = {
        "year": lambda: moment.astype("datetime64[Y]").astype(int) + 1970,
        "month": lambda: month.astype(int) % 12 + 1,
        "day": lambda: (day - month.astype("datetime64[D]")).astype(int) + 1,
        "weekday": lambda: (day.astype(int) + 3) % 7,
        "hour": lambda: (moment - day.astype("datetime64[s]")).astype(int) // 3600,
        "days": lambda: day.astype(int),
    }
    return np.where(missing, np.nan, parts[part]()).astype(np.float32)
