"""What a contract says: of each column and of the table, from the rows of a version that was accepted."""

from __future__ import annotations

import operator
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from modelcycle.messages import Artifact
from modelcycle.messages.personal import PersonalColumn
from modelcycle.model.profile import ColumnProfile
from modelcycle.spec import Task

MIN_IDENTIFIER_SHARE = 0.5  # of distinct texts among the values: no model reads such a column as categories


class ColumnTerms(ColumnProfile):
    """One column: how its texts are read, and how its values were distributed over the kept rows.

    Parameters
    ----------
    quantiles : of numbers and dates, at `measured.LEVELS`
    whole : whether all numbers are whole
    unread : cells that did not parse, and count as missing
    unique : whether no value is there twice
    """

    quantiles: list[float] = Field([])
    whole: bool = False
    unread: int = 0
    unique: bool = False

    @property
    def open(self) -> bool:
        """Whether it holds more texts than are listed."""
        return self.type == "text" and self.distinct > len(self.levels)

    @property
    def is_identifier(self) -> bool:
        """Whether nearly every text is there once."""
        return self.type == "text" and self.distinct >= MIN_IDENTIFIER_SHARE * max(self.rows - self.missing, 1)


class ContractFile(BaseModel):
    """A file that the contract is from; `content` changes if its bytes, or the corrections to it, change.

    Parameters
    ----------
    joined : whether its columns are added to the rows of other files
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str
    content: str
    rows: int
    joined: bool = False


class RowHashes(BaseModel):
    """A Parquet file beside the contract with a hash of each row, over all columns of the contract."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sha256: str
    bytes: int


class Contract(BaseModel):
    """What the rows of an accepted version were like.

    Parameters
    ----------
    columns : all that were read, without the target, in the order of the data
    dropped : columns of the data that the pipeline file drops
    classes, class_rows : of the target, and the rows of each; empty for a regression
    keys : columns that together were there only once
    rows : that were kept
    files : all files of the snapshot
    time_column : by which rows are ordered
    missing_values : texts that mean a missing value in every column
    row_hashes : of all rows of the files; None if there are too many
    personal : columns of personal data, and what is known of them
    made_under : the contract under which these rows were read and checked, and its version; None for the first one
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    kind: Literal["modelcycle contract 1"] = "modelcycle contract 1"
    model: str
    task: Task
    columns: list[ColumnTerms]
    target: ColumnTerms
    classes: list[str] = []
    class_rows: dict[str, int] = {}
    dropped: list[str] = []
    keys: list[str] = []
    rows: int
    files: list[ContractFile]
    time_column: str | None = None
    missing_values: list[str] = []
    row_hashes: RowHashes | None = None
    personal: dict[str, PersonalColumn] = Field({}, exclude_if=operator.not_)
    made_under: Artifact | None = None
    made_under_version: int | None = None

    def terms(self) -> dict[str, ColumnTerms]:
        """Return the terms of all columns by name, the target last."""
        return {column.name: column for column in [*self.columns, self.target]}

    @property
    def contents(self) -> frozenset[str]:
        """The contents of its files."""
        return frozenset(file.content for file in self.files)
