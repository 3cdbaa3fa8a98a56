"""`predict`: the rows of a file through the API, as the model's signature wants them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from modelcycle.faults import NoData

from cli import console, rows, signing
from cli import place as places
from cli.place import Name, Place
from cli.screens import predictions as screen

BATCH = 500  # rows of one request


def predict(model: str, data: Path, first: int | None, name: Name, stage: str, as_json: bool) -> int:
    rows.check(data)
    place = places.find(name, stage)
    described = signing.call(place, "GET", f"/v2/models/{model}")
    reader = Reader(described["parameters"]["signature"], missing_values(place, model, described))
    answer: dict[str, Any] = {}
    shown: list[rows.Row] = []
    for batch in batches(itertools.islice(rows.read(data), first)):
        shown += batch[: screen.MOST_ROWS - len(shown)]
        unknown = reader.unknown(batch[0])
        if unknown and not answer:
            console.say(f"left out, the model does not read them: {', '.join(unknown)}")
        instances = [reader.instance(row) for row in batch]
        merge(answer, signing.call(place, "POST", f"/models/{model}/predict", {"instances": instances}))
    if not answer:
        raise NoData("the file has no rows under its header", str(data), "give at least one row")
    if as_json:
        console.print_json(answer)
    else:
        console.out().print(screen.predictions(answer, shown, [field["name"] for field in reader.fields.values()]))
    return console.DONE


class Reader:
    """Turns texts into the values that a signature asks for.

    Parameters
    ----------
    signature : as `modelcycle.model.signature.Signature` has it, as JSON
    missing : texts that mean: no value
    """

    def __init__(self, signature: dict[str, Any], missing: Iterable[str]) -> None:
        self.fields: dict[str, dict[str, Any]] = {field["name"]: field for field in signature["fields"]}
        self.ignored = {*signature["ignored"], signature["target"]}
        self.missing = {"", *missing}

    def unknown(self, row: rows.Row) -> list[str]:
        """Columns that are neither read nor known to be left out."""
        return [name for name in row if name not in self.fields and name not in self.ignored]

    def instance(self, row: rows.Row) -> dict[str, Any]:
        """The row's columns that the model reads; one that the row lacks stays away, and the API names it."""
        return {name: self._value(row[name], field["type"]) for name, field in self.fields.items() if name in row}

    def _value(self, text: str | None, kind: str) -> Any:
        if text is None or text.strip() in self.missing:
            return None
        if kind != "number":
            return text
        try:
            value = float(text)
        except ValueError:
            return text  # the API's answer names the field and what it expects
        return value if math.isfinite(value) else text


def missing_values(place: Place, model: str, described: dict[str, Any]) -> list[str]:
    """What means "no value" in this model's data, as the pipeline file of the live version has it."""
    from modelcycle.spec import Pipeline
    from modelcycle.store import S3Store

    champion = place.registry.routes.get(model).champion
    if champion is None:
        return Pipeline(name="x", target="x").missing_values
    version = place.registry.versions.get(model, champion)
    text = S3Store(place.s3, place.output("ArtifactBucket")).read(version.pipeline)
    return Pipeline.model_validate_json(text).missing_values


def batches(found: Iterator[rows.Row]) -> Iterator[list[rows.Row]]:
    while batch := list(itertools.islice(found, BATCH)):
        yield batch


def merge(whole: dict[str, Any], part: dict[str, Any]) -> None:
    """Add a batch's answer: lists grow, the rest stays as the first answer said it."""
    for key, value in part.items():
        if isinstance(value, list) and key in whole:
            whole[key] += value
        else:
            whole.setdefault(key, value)
