"""Every error that ModelCycle raises by name.

Each says what is wrong, where, and what to do about it; none holds a value of a row.

    Fault
    ├── BadInput                     the user's file, data or request; trying again changes nothing
    │   ├── BadPipeline              the pipeline file
    │   ├── BadData                  the rows: empty, unreadable, without the target, too wide ...
    │   │   ├── NoData
    │   │   ├── UnreadableFile
    │   │   ├── TargetMissing
    │   │   ├── TargetUnusable
    │   │   └── ColumnsDiffer
    │   ├── NotExportable            a feature or model that ONNX cannot hold
    │   ├── BadRequest               a prediction request that does not fit the signature
    │   │   └── TooLarge             more bytes or rows than one request may hold
    │   └── Unknown                  a model, version or run that is not there
    ├── BadMessage                   an event that no step expects
    ├── ParityBroken                 scikit-learn and ONNX answer differently
    ├── Tampered                     an artifact whose bytes are not the ones that were written
    ├── NotAllowed                   a decision that the model's state or policy forbids
    ├── Raced                        a conditional write that another run won
    └── Transient                    may pass by itself; the state machines try these again
        └── Throttled

A state machine matches the very name of the class that was raised, never its parents: what it retries
(`Transient`, `Throttled`, `Raced`) is raised as itself, never as a child class of its own.
"""

from __future__ import annotations


class Fault(Exception):
    """An error that a person can act on.

    Parameters
    ----------
    what : one sentence, without values of rows
    where : the file, line, column or step
    remedy : what the reader can do now

    `str(fault)` is the three on lines of their own, which is how a fault travels through Lambda and Step Functions;
    `Fault.parse` reads it back.
    """

    def __init__(self, what: str, where: str = "", remedy: str = "") -> None:
        self.what, self.where, self.remedy = (" ".join(part.split()) for part in (what, where, remedy))
        super().__init__("\n".join((self.what, self.where, self.remedy)).rstrip())

    @staticmethod
    def parse(text: str) -> tuple[str, str, str]:
        """The three parts of a fault's text; a foreign text is all `what`."""
        lines = text.split("\n")
        if len(lines) > 3:
            return " ".join(lines), "", ""
        what, where, remedy = (*lines, "", "")[:3]
        return what, where, remedy


class BadInput(Fault):
    """The user's file, data or request is wrong."""


class BadPipeline(BadInput):
    """The pipeline file has errors; `errors` holds all of them, one (line, text) each."""

    def __init__(
        self, what: str, where: str = "", remedy: str = "", errors: list[tuple[int, str]] | None = None
    ) -> None:
        super().__init__(what, where, remedy)
        self.errors = errors or []


class BadData(BadInput):
    """The rows cannot be worked with."""


class NoData(BadData):
    """There is no file, or no row in it."""


class UnreadableFile(BadData):
    """A file is not what its name says."""


class TargetMissing(BadData):
    """The target is not a column of the data."""


class TargetUnusable(BadData):
    """The target has one class only, or no value, or too many classes."""


class ColumnsDiffer(BadData):
    """Files of one model have different columns, or a column name stands twice."""


class NotExportable(BadInput):
    """A step of the planned pipeline has no ONNX form."""


class BadRequest(BadInput):
    """A prediction request does not fit the model's signature; `errors` names each field by JSON pointer."""

    def __init__(
        self, what: str, where: str = "", remedy: str = "", errors: list[dict[str, str]] | None = None
    ) -> None:
        super().__init__(what, where, remedy)
        self.errors = errors or []


class TooLarge(BadRequest):
    """A prediction request, or its answer, is larger than one call can carry."""


class Unknown(BadInput):
    """No model, version or run of that name."""


class BadMessage(Fault):
    """An event is not the message that this step expects."""


class ParityBroken(Fault):
    """The ONNX graph and the scikit-learn pipeline give different scores."""


class Tampered(Fault):
    """An artifact's bytes do not have the hash on record."""


class NotAllowed(Fault):
    """The state of a version, or a policy, forbids the decision."""


class Raced(Fault):
    """A conditional write was refused: somebody else wrote first. Reading again tells who."""


class Transient(Fault):
    """A service did not answer as it should; trying again may help."""


class Throttled(Transient):
    """A service asked for patience."""
