"""What the live version of a model takes: the values of a row, made of texts as training made them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

from cli.place import Place
from cli.rows import Row
from modelcycle.faults import NotAllowed, Unknown
from modelcycle.model.values import is_missing, missing_texts, number


class Contract:
    """Turns the texts of a row into the values that a signature asks for.

    Parameters
    ----------
    signature : as `modelcycle.model.signature.Signature` has it, as JSON (that module needs numpy, which is not here)
    """

    def __init__(self, signature: dict[str, Any]) -> None:
        self.fields: dict[str, dict[str, Any]] = {field["name"]: field for field in signature["fields"]}
        self.ignored = {*signature["ignored"], signature["target"]}
        self.missing = missing_texts(signature["missing_values"])
        self.ids: list[str] = signature["id_columns"]

    def unknown(self, names: Iterable[str]) -> list[str]:
        """Columns that are neither read nor known to be left out."""
        return [name for name in names if name not in self.fields and name not in self.ignored]

    def instance(self, row: Row) -> dict[str, Any]:
        """The row's columns that the model reads, and those that say whose row it is.

        A column that the row lacks stays away: the API names it.
        """
        ids = {name: row[name] for name in self.ids if name in row}
        return ids | {name: self._value(row[name], field["type"]) for name, field in self.fields.items() if name in row}

    def example(self) -> dict[str, Any]:
        """A row of what training saw."""
        return {name: field.get("example") for name, field in self.fields.items()}

    def _value(self, text: str | None, kind: str) -> Any:
        if text is None or is_missing(text, self.missing):
            return None
        if kind != "number":
            return text
        value = number(text)
        # what is no number goes as it is: the API's answer names the field and what it expects
        return value if value is not None and math.isfinite(value) else text


def contract(place: Place, model: str) -> Contract:
    """The contract of the version with the most traffic.

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
        raise NotAllowed(f"no version of {model} is live", place.title, f"`modelcycle runs {model}` says why")
    version = place.registry.versions.get(model, champion)
    artifacts = S3Store(place.s3, place.output("ArtifactBucket"))
    return Contract(json.loads(artifacts.read(version.signature)))
