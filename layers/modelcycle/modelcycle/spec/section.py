"""The base of all sections of the pipeline file, and the names in it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints
from pydantic_core import PydanticCustomError

CROSS_FIELD_ERROR = "cross_field"
"""Pydantic error type of a rule over several keys; its context holds `message` and `path`, the key to blame."""

MODEL_NAME = r"^[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?$"
ColumnName = Annotated[str, StringConstraints(min_length=1, max_length=512)]


class Section(BaseModel):
    """Base of all sections: unknown keys, NaN and infinity are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def cross_field_error(path: tuple[int | str, ...], message: str) -> PydanticCustomError:
    """Return the error of a rule over several keys; `path` leads to the key to blame."""
    return PydanticCustomError(CROSS_FIELD_ERROR, "{message}", {"message": message, "path": path})
