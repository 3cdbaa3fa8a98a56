"""The base of all sections of the pipeline file, and the names in it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

MODEL_NAME = r"^[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?$"
ColumnName = Annotated[str, StringConstraints(min_length=1, max_length=512)]


class Section(BaseModel):
    """Base of all sections: unknown keys, NaN and infinity are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
