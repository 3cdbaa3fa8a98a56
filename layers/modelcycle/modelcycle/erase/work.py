"""What an erasure knows while it runs: objects in a folder of its own, which its last step deletes with all versions.

    _erasing/model={model}/{erasure}/
        request.json            who is erased (`Wanted`)
        salt.json               a random text, which exists nowhere else
        round-00.json           the parts of the work of a round: a list of lists of tasks
        found-00-0007.json      what a part has found (`Found`)
        known.json              what all parts have found so far
        tombstones/{hash}.json  what a part was about to change, written before it did

What stays lies under {model}/erasures/{erasure}/: the tombstones of all parts, the receipt, and a preview of counts.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from modelcycle.erase.subjects import Subjects
from modelcycle.erase.traces import Traces
from modelcycle.faults import BadMessage, Unknown
from modelcycle.key_service import KeyService
from modelcycle.messages import Artifact, Wanted
from modelcycle.messages.erasure import erasure_prefix, request_key, work_prefix
from modelcycle.personal.encryption import encrypt, encryption_key
from modelcycle.pseudonyms import pseudonym, pseudonym_key
from modelcycle.store import S3Store

MAX_KEPT_ROWS = 20_000  # rows of subjects whose cells are remembered, to recognize them where no id stands
MAX_KEPT_TEXTS = 200_000


class Task(BaseModel):
    """A part of the work: some objects, an hour of answers, the test rows of versions, or what others have too."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    kind: Literal["objects", "hour", "references", "names", "compare"]
    bucket: Literal["data", "artifacts"] = "data"
    keys: list[str] = []
    hour: str = ""


class Count(BaseModel):
    """Of a class of data: objects with rows or values of the subjects, these rows, and how many are old versions."""

    objects: int = 0
    rows: int = 0
    old: int = 0


class Positions(BaseModel):
    """The test rows of a version that are the subjects': their positions, and the hashes of the files they are in."""

    version: int
    rows: list[int]
    was: dict[str, str]


class Found(BaseModel):
    """What parts of the work have found.

    Parameters
    ----------
    classes : by class of data
    predictions : ids of predictions that were made for the subjects
    own, shared : by column: texts of the subjects' rows, and those of them that other rows of the same file have; `*`:
        that other rows of any file have, in any column
    names : of columns and classes, and frequent levels of versions: no texts of somebody
    rows : their rows, cells by column
    contents : SHA-256 of source files that hold them
    runs : runs whose tables hold them
    descended : runs whose files an earlier erasure has written anew, and that hold them now: by lineage they held them
    alike : cells that differ from a subject by leading zeros or capital letters alone, with their column
    masked : captured answers in which a column that identifies the subjects is masked: nobody can say whose they are
    columns : columns that exist somewhere, of those that identify the subjects
    held : objects that cannot be changed, with the reason
    doubtful : objects of which a part may be the subjects' and stays: the name, or lines that nobody can tell apart
    unread : objects that cannot be read
    base, last : the first round of this execution, and the last one that was planned
    counted : whether `classes`, `alike`, `masked` and `columns` are those of a whole look, before anything was erased
    """

    base: int = 0
    last: int = -1
    counted: bool = False
    classes: dict[str, Count] = {}
    predictions: list[str] = []
    own: dict[str, list[str]] = {}
    shared: dict[str, list[str]] = {}
    names: list[str] = []
    rows: list[dict[str, str | None]] = []
    contents: list[str] = []
    runs: list[str] = []
    descended: list[str] = []
    references: list[Positions] = []
    alike: dict[str, int] = {}
    masked: int = 0
    columns: list[str] = []
    held: dict[str, str] = {}
    doubtful: dict[str, str] = {}
    unread: list[str] = []

    @property
    def objects(self) -> int:
        return sum(count.objects for count in self.classes.values())

    @property
    def stays(self) -> dict[str, str]:
        """Objects that stay, or a part of them, with the reason."""
        return self.doubtful | self.held

    @property
    def matching_rows(self) -> int:
        """Rows in what people upload, send or get; those of derived tables are the same rows again."""
        classes = ("uploads", "landed rows", "captured answers", "files to score")
        return max((count.rows for name, count in self.classes.items() if name in classes), default=0)

    def add(self, other: Found) -> None:
        """Add what another part has found."""
        for name, count in other.classes.items():
            mine = self.classes.get(name, Count())
            self.classes[name] = Count(
                objects=mine.objects + count.objects, rows=mine.rows + count.rows, old=mine.old + count.old
            )
        for field in ("predictions", "contents", "runs", "descended", "columns", "names", "unread"):
            setattr(self, field, sorted({*getattr(self, field), *getattr(other, field)}))
        for field in ("own", "shared"):
            mine_texts, texts = getattr(self, field), getattr(other, field)
            for column, found in texts.items():
                mine_texts[column] = sorted({*mine_texts.get(column, []), *found})[:MAX_KEPT_TEXTS]
        rows = {frozenset(row.items()): row for row in (*self.rows, *other.rows)}  # of equal ones, one
        self.rows = list(rows.values())[:MAX_KEPT_ROWS]
        known = {one.version for one in self.references}
        self.references += [one for one in other.references if one.version not in known]
        for column, cells in other.alike.items():
            self.alike[column] = self.alike.get(column, 0) + cells
        self.masked += other.masked
        self.held |= other.held
        self.doubtful |= other.doubtful

    def learn(self, other: Found) -> None:
        """Take over what a look has found beside its counts."""
        self.add(
            other.model_copy(update={"classes": {}, "alike": {}, "masked": 0, "held": {}, "doubtful": {}, "unread": []})
        )


class Tombstone(BaseModel):
    """What became of an object: its bucket (data or artifacts) and key, and its SHA-256 before and after."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    bucket: Literal["data", "artifacts"]
    key: str
    was: str
    now: str | None


class Work:
    """The folder of an erasure in the artifact bucket."""

    def __init__(self, artifacts: S3Store, model: str, erasure: str) -> None:
        self.artifacts, self.model, self.erasure = artifacts, model, erasure
        self.prefix = work_prefix(model, erasure)
        self.kept = erasure_prefix(model, erasure)

    def wanted(self) -> Wanted:
        """Return the request.

        Raises
        ------
        Unknown : there is none: the erasure is done, or was never asked for
        BadMessage : it is about another model
        """
        try:
            body, _ = self.artifacts.latest(request_key(self.model, self.erasure))
        except Unknown:
            raise Unknown(
                "there is no request of that erasure: it is done, or was never asked for",
                f"{self.model}, erasure {self.erasure}", f"`modelcycle erase {self.model} --subject COLUMN=VALUE`",
            ) from None  # fmt: skip
        wanted = Wanted.model_validate_json(body)
        if wanted.model != self.model:
            raise BadMessage("the request is about another model", request_key(self.model, self.erasure), "ask again")
        return wanted

    def salt(self) -> str:
        """Return the random text of this erasure; the first caller makes it."""
        key = f"{self.prefix}salt.json"
        self.artifacts.put(key, json.dumps(secrets.token_hex(32)).encode())
        found: str = json.loads(self.artifacts.latest(key)[0])
        return found

    def keep_batches(self, round_number: int, batches: Sequence[Sequence[Task]]) -> None:
        body = [[task.model_dump(mode="json") for task in batch] for batch in batches]
        self._replace(f"round-{round_number:02d}.json", body)

    def batch(self, round_number: int, number: int) -> list[Task]:
        body = json.loads(self.artifacts.latest(f"{self.prefix}round-{round_number:02d}.json")[0])
        return [Task.model_validate(task) for task in body[number]]

    def keep_found(self, round_number: int, number: int, found: Found) -> None:
        self._replace(f"found-{round_number:02d}-{number:04d}.json", found.model_dump(mode="json"))

    def found(self, round_number: int) -> Found:
        """Return what all parts of a round have found."""
        total = Found()
        for listed in self.artifacts.list(f"{self.prefix}found-{round_number:02d}-"):
            total.add(Found.model_validate_json(self.artifacts.latest(listed.key)[0]))
        return total

    def known(self) -> Found:
        """Return what the rounds before this one have found."""
        try:
            return Found.model_validate_json(self.artifacts.latest(f"{self.prefix}known.json")[0])
        except Unknown:
            return Found()

    def keep_known(self, found: Found) -> None:
        self._replace("known.json", found.model_dump(mode="json"))

    def subjects(self, known: Found, keys: KeyService | None) -> Subjects:
        """Return the subjects, with the predictions that were made for them as far as they are known.

        Parameters
        ----------
        keys : which make the pseudonym and the ciphertext of a value, as tables of runs have them
        """
        wanted = self.wanted().subjects
        pairs = {(column, value) for subject in wanted for column, value in subject.items()}
        also: dict[tuple[str, str], list[str]] = {}
        if keys is not None and keys.makes_macs:
            own, sealing = pseudonym_key(keys, self.model), encryption_key(keys, self.model)
            for column, value in pairs:
                also[column, value] = [pseudonym(own, value), encrypt(sealing, value, column)]
        return Subjects.of(wanted, known.predictions, also)

    def traces(self, known: Found) -> Traces:
        return Traces.of(known.own, known.shared, known.rows, self.wanted().subjects, {self.model, *known.names})

    def keep_tombstones(self, tombstones: Iterable[Tombstone]) -> None:
        """Write what is about to be changed; the same again is one object."""
        entries = sorted({one.model_dump_json() for one in tombstones})
        if entries:
            body = f"[{','.join(entries)}]".encode()
            self.artifacts.put(f"{self.prefix}tombstones/{hashlib.sha256(body).hexdigest()}.json", body)

    def tombstones(self) -> list[Tombstone]:
        found: dict[str, Tombstone] = {}
        for listed in self.artifacts.list(f"{self.prefix}tombstones/"):
            for entry in json.loads(self.artifacts.latest(listed.key)[0]):
                one = Tombstone.model_validate(entry)
                found[one.model_dump_json()] = one
        return [found[name] for name in sorted(found)]

    def keep(self, name: str, value: Any) -> Artifact:
        """Write an object that stays, once."""
        body = json.dumps(value, sort_keys=True, ensure_ascii=False, indent=1).encode()
        return self.artifacts.put(f"{self.kept}{name}", body)

    def replace(self, name: str, value: Any) -> None:
        """Write an object that stays, in place of the one that is there."""
        self._replace(name, value, self.kept)

    def _replace(self, name: str, value: Any, folder: str = "") -> None:
        key = f"{folder or self.prefix}{name}"
        body = json.dumps(value, sort_keys=True, ensure_ascii=False).encode("utf-8", "surrogatepass")
        found = self.artifacts.current(key)
        if found is None or found[0] != body:
            self.artifacts.replace(key, body, found[1] if found else None)
