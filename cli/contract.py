"""What the champion of a model expects in a request, and rows of text as such requests."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

from cli.data_file import Row
from cli.place import Place
from modelcycle.cells.missing import is_missing
from modelcycle.cells.numbers import number
from modelcycle.cells.reading import Reading, missing_texts_of
from modelcycle.faults import NotAllowed, Unknown


class Contract:
    """Makes instances of a request from rows of text, with the values that training would have read.

    Parameters
    ----------
    signature : JSON of a `model.signature.Signature`, a class that needs numpy, which the command line does not have

    Examples
    --------
    >>> signature = {
    ...     "fields": [{"name": "age", "type": "number"}, {"name": "job", "type": "text"}], "target": "income",
    ...     "ignored": [], "missing_values": ["?"], "id_columns": [],
    ... }
    >>> Contract(signature).instance({"age": "41", "job": " ? ", "income": "1"})
    {'age': 41.0, 'job': None}
    """

    def __init__(self, signature: dict[str, Any]) -> None:
        self.fields: dict[str, dict[str, Any]] = {field["name"]: field for field in signature["fields"]}
        self.ignored = {*signature["ignored"], signature["target"]}
        self.missing = {
            name: missing_texts_of(Reading.model_validate(_reading(field)), signature["missing_values"])
            for name, field in self.fields.items()
        }
        self.id_columns: list[str] = signature["id_columns"]

    def unknown_columns(self, names: Iterable[str]) -> list[str]:
        """Return the columns that the model's data did not have."""
        return [name for name in names if name not in self.fields and name not in self.ignored]

    def instance(self, row: Row) -> dict[str, Any]:
        """Return the columns of a row that the model reads, and those that identify its entity.

        Columns that the row does not have stay absent; the API's answer then names them.
        """
        ids = {name: row[name] for name in self.id_columns if name in row}
        return ids | {name: self._value(name, row[name]) for name in self.fields if name in row}

    def example(self) -> dict[str, Any]:
        """Return an instance with typical values of the training rows."""
        return {name: field.get("example") for name, field in self.fields.items()}

    def _value(self, name: str, text: str | None) -> Any:
        if text is None or is_missing(text, self.missing[name]):
            return None
        if self.fields[name]["type"] != "number":
            return text
        value = number(text)
        # a text that is not a number is sent as it is: the API's answer names the field and what it expects
        return value if value is not None and math.isfinite(value) else text


def _reading(field: dict[str, Any]) -> dict[str, Any]:
    """Return what of a field says how its text is read."""
    return {name: value for name, value in field.items() if name in Reading.model_fields}


def contract(place: Place, model: str) -> Contract:
    """Return the contract of a model's champion, the version with the most traffic.

    Raises
    ------
    Unknown : there is no such model
    NotAllowed : no version of it is live
    """
    from modelcycle.store import S3Store

    champion = place.registry.routes.get(model).champion
    if champion is None:
        if model not in place.registry.runs.models():
            raise Unknown(f"there is no model {model}", place.title, "`modelcycle models` lists the models")
        raise NotAllowed(f"no version of {model} is live", place.title, f"`modelcycle runs {model}` shows why")
    version = place.registry.versions.get(model, champion)
    artifacts = S3Store(place.s3, place.output("ArtifactBucket"))
    return Contract(json.loads(artifacts.read(version.signature)))
