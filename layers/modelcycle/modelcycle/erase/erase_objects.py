"""Find the rows of the subjects in some objects, or take them out: one item of the erasure's Map."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from modelcycle.engine import connect
from modelcycle.erase.erasing import Erasing
from modelcycle.erase.hours import Hours
from modelcycle.erase.judged_rows import JudgedRows
from modelcycle.erase.named_objects import CHOSEN, NAMED, Values
from modelcycle.erase.objects import Objects
from modelcycle.erase.others import Others
from modelcycle.erase.work import Work
from modelcycle.erasing_store import S3ErasingStore
from modelcycle.key_service import KeyService
from modelcycle.messages import ErasedObjects, EraseObjectsRequest
from modelcycle.registry import Registry

STEP = "erase_objects"


def erase_objects(
    request: EraseObjectsRequest, *, data: S3ErasingStore, artifacts: S3ErasingStore, registry: Registry,
    keys: KeyService | None = None,
) -> ErasedObjects:  # fmt: skip
    """Look for the subjects in the objects of a batch, or erase them there.

    Before anything is changed, a tombstone says what will be. An object that is rewritten has its new hash on record
    before it has its new bytes. So a step that is killed anywhere goes on when it is called again, and one that is
    called twice changes nothing the second time.

    Parameters
    ----------
    keys : of pseudonyms; None: the stack has none

    Raises
    ------
    Unknown : there is no request of that erasure
    Raced : somebody replaced an object meanwhile
    """
    work = Work(artifacts, request.model, request.erasure)
    with TemporaryDirectory() as name, connect(Path(name), STEP) as engine:
        at = Erasing(request, work, data, artifacts, registry, keys, engine, Path(name))
        values = Values(work.wanted().subjects)
        for task in work.batch(request.round, request.batch):
            if task.bucket == "data" and task.kind == "objects":
                named = [key for key in task.keys if key.startswith(CHOSEN) and values.are_in(key)]
                at.found.doubtful |= {f"data/{key}": NAMED for key in named}
            if task.kind == "references":
                JudgedRows(at).do()
            elif task.kind == "names":
                Others(at).names()
            elif task.kind == "compare":
                Others(at).compare(task)
            elif task.kind == "hour":
                Hours(at).do(task)
            else:
                Objects(at).do(task)
        work.keep_found(request.round, request.batch, at.found)
        return ErasedObjects(
            model=request.model, erasure=request.erasure, batch=request.batch, objects=at.looked_at,
            changed=at.changed,
        )  # fmt: skip
