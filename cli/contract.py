"""What the versions of a model expect in a request, and rows of text as such requests."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from cli.data_file import Row
from cli.place import Place
from modelcycle.cells import dates
from modelcycle.cells.booleans import FALSE, TRUE
from modelcycle.cells.missing import is_missing, missing_texts
from modelcycle.cells.reading import ColumnType, Reading, missing_texts_of, parsed_number
from modelcycle.faults import NotAllowed, Tampered, Unknown
from modelcycle.spec.sources import Csv


class Unread(NamedTuple):
    """A cell whose text is not what its column holds. It is sent as missing, as training reads it."""

    column: str
    text: str
    expected: str


class Contract:
    """Makes instances of a request from rows of text, with the values that training would have read.

    Parameters
    ----------
    signature : JSON of a `model.signature.Signature`, a class that needs numpy, which the command line does not have
    csv : what the pipeline file says of the dialect of CSV files
    others : by number, the signatures of the other versions that may answer. What only some of the versions read may be
        absent from a request; of two types of a column, the champion's is read.

    Examples
    --------
    >>> signature = {
    ...     "fields": [{"name": "age", "type": "number"}, {"name": "job", "type": "text"}], "target": "income",
    ...     "ignored": [], "missing_values": ["?"], "id_columns": [],
    ... }
    >>> Contract(signature).instance({"age": "41", "job": " ? ", "income": "1"})
    {'age': 41.0, 'job': None}
    >>> Contract(signature).read({"age": "forty", "job": "cook"})
    ({'age': None, 'job': 'cook'}, [Unread(column='age', text='forty', expected='a number')])
    """

    def __init__(
        self, signature: dict[str, Any], csv: Csv | None = None, others: Mapping[int, dict[str, Any]] | None = None
    ) -> None:
        self.own_fields: dict[str, dict[str, Any]] = {field["name"]: field for field in signature["fields"]}
        self.fields: dict[str, dict[str, Any]] = {}
        self.readings: dict[str, Reading] = {}
        self.missing: dict[str, frozenset[str]] = {}
        self.told_missing: dict[str, frozenset[str]] = {}
        self.others = {number: {field["name"] for field in other["fields"]} for number, other in (others or {}).items()}
        for one in (signature, *(others or {}).values()):
            for field in one["fields"]:
                name = field["name"]
                if name in self.fields:
                    continue
                self.fields[name], reading = field, Reading.model_validate(_reading(field))
                self.readings[name] = reading
                self.missing[name] = missing_texts_of(reading, one["missing_values"])
                # other words for a missing value are named: training did not meet them in this column
                self.told_missing[name] = missing_texts([*reading.missing_values, *one["missing_values"]])
        self.required = set(self.own_fields).intersection(*self.others.values())
        self.ignored = {
            name for one in (signature, *(others or {}).values()) for name in (*one["ignored"], one["target"])
        } - set(self.fields)
        self.id_columns: list[str] = signature["id_columns"]
        self.csv = csv or Csv()

    def unknown_columns(self, names: Iterable[str]) -> list[str]:
        """Return the columns that the model's data did not have."""
        return [name for name in names if name not in self.fields and name not in self.ignored]

    def instance(self, row: Row) -> dict[str, Any]:
        """Return the columns of a row that the model reads, and those that identify its entity.

        Columns that the row does not have stay absent; the API's answer then names them.
        """
        return self.read(row)[0]

    def read(self, row: Row) -> tuple[dict[str, Any], list[Unread]]:
        """Return the instance of a row, and its cells that do not parse."""
        instance: dict[str, Any] = {name: row[name] for name in self.id_columns if name in row}
        unread = []
        for name, reading in self.readings.items():
            if name not in row:
                continue
            text = row[name]
            instance[name] = value = self._value(name, reading, text)
            if value is None and text is not None and not is_missing(text, self.told_missing[name]):
                unread.append(Unread(name, text.strip(), self._expected(name, reading)))
        return instance, unread

    def example(self) -> dict[str, Any]:
        """Return an instance with typical values of the champion's training rows."""
        return {name: field.get("example") for name, field in self.own_fields.items()}

    def absent(self, names: Iterable[str]) -> dict[str, list[str]]:
        """Return the columns that rows with these names lack and need not have, each with the versions that read it.

        The champion is called `the live version`.
        """
        present = set(names)
        lacking = [name for name in self.fields if name not in self.required | present]
        return {
            name: [
                *(["the live version"] if name in self.own_fields else []),
                *(f"version {number}" for number, columns in self.others.items() if name in columns),
            ]
            for name in lacking
        }

    def _value(self, name: str, reading: Reading, text: str | None) -> Any:
        """Return what is sent for a text: None for a missing value, and for one that does not parse."""
        if text is None or is_missing(text, self.missing[name]):
            return None
        return VALUES[reading.type](text, reading)

    def _expected(self, name: str, reading: Reading) -> str:
        if reading.type == "datetime":
            return f"a date like {self.fields[name].get('example')}"
        if reading.type == "boolean":
            return f"{' or '.join([*reading.true[:1], *reading.false[:1]]) or 'true or false'}"
        return f"a number like {reading.format}" if reading.format else "a number"


def _number(text: str, reading: Reading) -> float | None:
    return parsed_number(text, reading.format)


def _boolean(text: str, reading: Reading) -> str | None:
    words = [*reading.true, *reading.false] or [*TRUE, *FALSE]
    return text if text.strip().lower() in words else None


def _date(text: str, reading: Reading) -> str | None:
    return text if dates.is_date(text.strip(), reading.format or "iso") else None


VALUES: dict[ColumnType, Callable[[str, Reading], Any]] = {
    "number": _number, "boolean": _boolean, "datetime": _date, "text": lambda text, reading: text,
}  # fmt: skip


def _reading(field: dict[str, Any]) -> dict[str, Any]:
    """Return what of a field says how its text is read."""
    return {name: value for name, value in field.items() if name in Reading.model_fields}


def contract(place: Place, model: str) -> Contract:
    """Return the contract of a model's champion, the version with the most traffic, and of the others on its route.

    Raises
    ------
    Unknown : there is no such model
    NotAllowed : no version of it is live
    """
    from modelcycle.spec import parse

    route = place.registry.routes.get(model)
    if route.champion is None:
        if model not in place.registry.runs.models():
            raise Unknown(f"there is no model {model}", place.title, "`modelcycle models` lists the models")
        raise NotAllowed(f"no version of {model} is live", place.title, f"`modelcycle show {model}` says why")
    version = place.registry.versions.get(model, route.champion)
    artifacts = place.artifacts
    pipeline = parse(artifacts.read(version.pipeline), version.pipeline.uri)
    others: dict[int, dict[str, Any]] = {}
    for number in (*route.order[1:], *([route.shadow] if route.shadow is not None else [])):
        # one whose files are gone does not answer: `predict` does not count it either
        with contextlib.suppress(Unknown, Tampered):
            others[number] = json.loads(artifacts.read(place.registry.versions.get(model, number).signature))
    return Contract(json.loads(artifacts.read(version.signature)), pipeline.csv, others)
