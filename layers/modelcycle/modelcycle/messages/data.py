"""From uploads to typed and split rows: collect and preprocess."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from modelcycle.cells.reading import Reading
from modelcycle.messages.message import Artifact, Message
from modelcycle.messages.run import RunRequest
from modelcycle.spec import Task

MAX_PULLED_FILES = 20  # in the message

CollectRequest = RunRequest
PullRequest = RunRequest


class PulledFile(BaseModel):
    """Rows that a source has given, as an object of the data bucket."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    source: str = Field(description="main, or the name of the join")
    key: str
    rows: int
    watermark: str | None = Field(None, description="the next pull reads what lies above it")


class Pulled(Message):
    files: list[PulledFile] = Field(description=f"what is new; at most {MAX_PULLED_FILES} of them")
    rows: int = Field(description="of all new files")
    detail: str = Field("", description="what people should know, such as retries or rows left out")

    def joined_by(self, files: list[PulledFile], notes: list[str]) -> Pulled:
        """Return this with the files of a further source, and what people should know of it."""
        return self.model_copy(
            update={
                "files": [*self.files, *files][:MAX_PULLED_FILES], "rows": self.rows + sum(file.rows for file in files),
                "detail": "; ".join(filter(None, [self.detail, *notes])),
            }
        )  # fmt: skip


class CaseColumn(Reading):
    """A column of a case: its name, and how its text is read."""

    name: str


class CaseRecipe(BaseModel):
    """How a row's case is made, so that a later run can find the rows that a version has learned from.

    Parameters
    ----------
    kind : features: rows with equal columns are one case, such as copies of a row; group: rows of one group are;
        row: each row is a case of its own, since equal rows are different observations
    columns : of the group, or else all that may enter the model; with kind row, the target too
    rest : with kind group, the columns that make the case of a row without a group
    missing_values : texts that mean a missing value in every column, besides those of each column
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    kind: Literal["features", "group", "row"]
    columns: list[CaseColumn]
    rest: list[CaseColumn] = []
    missing_values: list[str]


class Collected(Message):
    manifest: Artifact = Field(
        description="JSON: each source object with key, version, etag, sha256, rows, quarantined"
    )
    shards: list[Artifact] = Field(description="Parquet, all columns text, at most 100 MB each")
    quarantine: Artifact | None = Field(description="Parquet of broken lines: file, line, text, reason")
    columns: int
    objects: int
    bytes: int
    rows: int
    quarantined: int
    traffic: int = Field(0, description="those of the rows that are live requests whose outcome is known")
    repeated: list[str] = Field(
        [],
        description="keys of files left out, because another file has the same content, at most 20 of them",
    )
    files_left_out: int = Field(0, description="how many files were left out for that reason")
    content: str = Field("", description="hash of all rows, whatever their order, format and source")
    lines: Artifact | None = Field(
        None,
        description="Parquet: file, row, line; the line of a row is that of the last entry of its file up to its row,"
        " and the rows between; 0 is not known",
    )
    contract: Artifact | None = Field(
        None, description="JSON: the contract of the live version, by which the columns are read and checked"
    )
    contract_version: int | None = Field(None, description="whose contract it is")
    corrected: int = Field(0, description="cells and lines that a person has corrected, see `modelcycle quarantine`")
    notes: list[str] = Field([], description="what was found in the files that is not usual, as sentences for people")
    cached: bool = False


class PreprocessRequest(RunRequest):
    collect: Collected


class Preprocessed(Message):
    table: Artifact = Field(description="JSON: each column's type and how its text is parsed; the target; the task")
    profile: Artifact = Field(description="JSON: distribution of each column over the training rows")
    train: Artifact = Field(description="npz of typed columns, target included")
    validation: Artifact
    test_features: Artifact
    test_labels: Artifact
    quarantine: Artifact | None
    task: Task
    rows: int
    kept: int
    quarantined: int
    cells: int = Field(0, description="values of kept rows that do not parse; they are missing")
    cell_reasons: dict[str, int] = Field({}, description="those values by reason, the most frequent first")
    quarantine_reasons: dict[str, int] = Field(
        {}, description="quarantined rows by reason; a row with several reasons counts for each"
    )
    duplicates: int
    older: int = Field(0, description="rows before the window that the run learns from")
    older_labels: Artifact | None = Field(None, description="npz: the target of each older row, -1 for another class")
    split: tuple[int, int, int] = Field(description="rows of train, validation and test")
    cases: int = Field(0, description="distinct cases of the kept rows; a case is never in two parts")
    case_recipe: Artifact | None = Field(None, description="JSON: how a row's case is made, a `CaseRecipe`")
    parts: Artifact | None = Field(None, description="npz: each row's part, 254 if it is older, 255 if not kept")
    folds: Artifact | None = Field(None, description="npz: the fold of each training and each validation row")
    notes: list[str] = Field([], description="what the step decided by itself, as sentences for people")
    contract: Artifact | None = Field(None, description="JSON: what the kept rows are like, for the batches to come")
    contract_report: Artifact | None = Field(None, description="JSON: how the new rows differ from the contract")
    warned: list[str] = Field([], description="broken rules that are told, as sentences")
    ask: list[str] = Field([], description="broken rules because of which a person has to approve, as sentences")
    cached: bool = False
