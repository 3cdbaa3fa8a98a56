"""The address of an object in S3, and to which model it belongs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict

HOLDOUT_PARTS = ("features", "labels")
# each with a folder for each model
AREAS = ("raw", "landed", "captures", "feedback", "score", "scored", "_scoring", "_monitoring", "_erasing")


class Artifact(BaseModel):
    """An object in S3 that is never rewritten."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    uri: str
    sha256: str
    bytes: int

    @property
    def owner(self) -> str:
        """The model in whose folder the object lies; empty if it lies in none.

        >>> Artifact(uri="s3://artifacts/holdout/labels/churn/r1.npz", sha256="", bytes=1).owner
        'churn'
        >>> Artifact(uri="s3://data/compacted/model=churn/progress.json", sha256="", bytes=1).owner
        'churn'
        """
        first, *rest = self.uri.removeprefix("s3://").split("/")[1:] or [""]
        if first == "holdout" and len(rest) > 1:
            return rest[1]
        if first in (*AREAS, "compacted") and rest:
            return rest[0].removeprefix("model=")
        return first if rest else ""

    def is_foreign_to(self, model: str) -> bool:
        """Return whether the object lies in the folder of another model.

        A key without a folder belongs to no model; no role may read such an object.

        >>> labels = Artifact(uri="s3://artifacts/holdout/labels/churn/r1.npz", sha256="", bytes=1)
        >>> labels.is_foreign_to("churn"), labels.is_foreign_to("holdout")
        (False, True)
        """
        first, *rest = self.uri.removeprefix("s3://").split("/")[1:] or [""]
        if first == "holdout" and len(rest) > 1 and rest[0] in HOLDOUT_PARTS:
            return rest[1] != model
        if first in AREAS and len(rest) > 1 and rest[0] in (model, f"model={model}"):
            return False
        return bool(rest) and first != model


def named_values(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each pydantic model in a message or record, at any depth, with the path of its field."""
    if isinstance(value, BaseModel):
        yield name, value
        inner: Any = {field: getattr(value, field) for field in type(value).model_fields}
    else:
        inner = value
    if isinstance(inner, list | tuple):
        inner = dict(enumerate(inner))
    for key, part in inner.items() if isinstance(inner, dict) else ():
        yield from named_values(part, f"{name}.{key}" if name else str(key))


def artifacts_in(value: Any) -> Iterator[Artifact]:
    """Yield every artifact that a message or record names, at any depth."""
    return (found for _, found in named_values(value) if isinstance(found, Artifact))


def foreign_names(value: Any, model: str) -> list[str]:
    """Return the fields of a message or record about a model that name another model, or an object of another one."""
    return [
        name.removesuffix("_")
        for name, found in named_values(value)
        if (isinstance(found, Artifact) and found.is_foreign_to(model))
        or (isinstance(found, BaseModel) and getattr(found, "model", model) != model)
    ]
