"""Every error class of ModelCycle.

Each error says what is wrong, where, and what to do about it; none contains a value of a row.

    Fault
    ├── BadInput                     the user's file, data or request; a retry changes nothing
    │   ├── BadPipeline              the pipeline file
    │   │   └── BadPolicy            a file of governance/
    │   ├── BadData                  the rows: none, unreadable, without the target, too wide ...
    │   │   ├── NoData
    │   │   ├── UnreadableFile
    │   │   ├── TargetMissing
    │   │   ├── TargetUnusable
    │   │   └── ColumnsDiffer
    │   ├── NotExportable            a feature or model without an ONNX equivalent
    │   ├── BadRequest               a prediction request that does not fit the signature
    │   │   ├── TooLarge             more bytes or rows than one request may have
    │   │   └── UnsupportedMedia     a request in another media type, character set or compression
    │   └── Unknown                  a model, version or run that does not exist
    ├── BadMessage                   an event that is not the message its step expects
    ├── ParityBroken                 scikit-learn and ONNX give different scores
    ├── Tampered                     an artifact whose bytes have changed since they were written
    ├── NotAllowed                   a decision that the version's state or the policy forbids
    ├── Raced                        a conditional write that lost to another writer
    └── Transient                    an outage that may pass; the state machines retry it
        └── Throttled

Step Functions matches the exact name of the class that was raised, never that of a parent. What a state machine retries
is therefore raised as exactly `Transient`, `Throttled` or `Raced`, never as a new subclass.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Self


class Fault(Exception):
    """An error that the reader can act on.

    Parameters
    ----------
    what : one sentence, without values of rows
    where : the file, line, column or step
    remedy : what the reader can do now

    Notes
    -----
    `str(fault)` has one line for each of the three. In this form a fault travels through Lambda and Step Functions;
    `Fault.parse` is the inverse.

    Examples
    --------
    >>> fault = NoData("there is no file", "raw/churn/", "upload one")
    >>> Fault.parse(str(fault))
    ('there is no file', 'raw/churn/', 'upload one')
    """

    def __init__(self, what: str, where: str = "", remedy: str = "") -> None:
        self.what, self.where, self.remedy = (" ".join(part.split()) for part in (what, where, remedy))
        super().__init__("\n".join((self.what, self.where, self.remedy)).rstrip())

    @staticmethod
    def parse(text: str) -> tuple[str, str, str]:
        """Return what, where and remedy of a fault's text; any other text is all `what`."""
        lines = text.split("\n")
        if len(lines) > 3:
            return " ".join(lines), "", ""
        what, where, remedy = (*lines, "", "")[:3]
        return what, where, remedy


class BadInput(Fault):
    """The user's file, data or request is wrong."""


class BadPipeline(BadInput):
    """The pipeline file has errors; `errors` lists all of them as (line, sentence)."""

    def __init__(
        self, what: str, where: str = "", remedy: str = "", errors: list[tuple[int, str]] | None = None
    ) -> None:
        super().__init__(what, where, remedy)
        self.errors = errors or []


class BadPolicy(BadPipeline):
    """A policy file has errors, or it is not clear which one applies; `errors` as for a pipeline file."""


class BadData(BadInput):
    """The rows cannot be used; `outgrows`: not in this place, perhaps in one with more memory, time and disk."""

    def __init__(self, what: str, where: str = "", remedy: str = "", *, outgrows: bool = False) -> None:
        super().__init__(what, where, remedy)
        self.outgrows = outgrows


class NoData(BadData):
    """There is no file, or it has no rows."""


class UnreadableFile(BadData):
    """A file's content does not have the format that its name says."""


class TargetMissing(BadData):
    """The target is not a column of the data."""


class TargetUnusable(BadData):
    """The target has one class, too many classes, or only missing values."""


class ColumnsDiffer(BadData):
    """Files of one model have different columns, or a column name is duplicated."""


class NotExportable(BadInput):
    """A step of the planned pipeline cannot be exported to ONNX."""


class BadRequest(BadInput):
    """A prediction request does not fit the model's signature; `errors` lists each field by its JSON pointer."""

    def __init__(
        self, what: str, where: str = "", remedy: str = "", errors: list[dict[str, str]] | None = None
    ) -> None:
        super().__init__(what, where, remedy)
        self.errors = errors or []

    @classmethod
    def at(cls, errors: Sequence[tuple[str, str]], remedy: str = "") -> Self:
        """Return the fault for wrong fields; the first one is its `what` and `where`.

        Parameters
        ----------
        errors : JSON pointer and sentence of each, at least one; the pointer of the whole body is empty
        """
        pointer, detail = errors[0]
        fields = [{"pointer": pointer, "detail": detail} for pointer, detail in errors]
        return cls(f"{pointer}: {detail}" if pointer else detail, pointer, remedy, fields)


class TooLarge(BadRequest):
    """A prediction request, or its response, is larger than one call allows."""


class UnsupportedMedia(BadRequest):
    """A prediction request has a media type, character set or compression that is not read."""


class Unknown(BadInput):
    """No model, version or run has that name."""


class BadMessage(Fault):
    """An event is not the message that this step expects."""


class ParityBroken(Fault):
    """The ONNX graph and the scikit-learn pipeline give different scores."""


class Tampered(Fault):
    """An artifact's bytes do not have the recorded SHA-256."""


class NotAllowed(Fault):
    """The state of the version, or the policy, forbids the decision."""


class Raced(Fault):
    """A conditional write lost to another writer. Read the record again before a retry.

    Parameters
    ----------
    records : the keys of the records that others have changed, where the writer knows them
    """

    def __init__(
        self, what: str, where: str = "", remedy: str = "", records: Collection[tuple[str, str]] = ()
    ) -> None:  # fmt: skip
        super().__init__(what, where, remedy)
        self.records = frozenset(records)


class Transient(Fault):
    """A service was unreachable or failed; a retry may help."""


class Throttled(Transient):
    """A service rejected a call because of its rate."""
