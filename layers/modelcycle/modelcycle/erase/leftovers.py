"""Folders of other looks and erasures of the same people: looks that nobody confirmed, erasures that failed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pydantic import ValidationError

from modelcycle.erase.subjects import canonical
from modelcycle.erase.work import Tombstone, Work
from modelcycle.erasing_store import S3ErasingStore
from modelcycle.faults import BadMessage, Unknown
from modelcycle.messages import Wanted
from modelcycle.messages.erasure import request_key
from modelcycle.registry import Registry

ROOT = "_erasing/model={model}/"


def leftovers(work: Work, wanted: Wanted, artifacts: S3ErasingStore) -> list[Work]:
    """Return the other folders of the model that name these people and nobody else, or that nobody can take up.

    A folder that names others too stays: it may be somebody's look. Its own end, or its days, take it away.
    """
    return [other for other in other_folders(work, artifacts) if _is_covered(other, wanted.subjects)]


def other_folders(work: Work, artifacts: S3ErasingStore) -> list[Work]:
    """Return the folders of all other looks and erasures of the model that have not ended."""
    root = ROOT.format(model=work.model)
    names = {one.key.removeprefix(root).partition("/")[0] for one in artifacts.versions(root)}
    return [Work(artifacts, work.model, name) for name in sorted(names - {work.erasure, ""})]


def tombstones_of(folders: Iterable[Work]) -> list[Tombstone]:
    """Return what these have changed already, which the receipt of this erasure has to prove too."""
    return [stone for folder in folders for stone in folder.tombstones()]


def delete_leftovers(folders: Iterable[Work], by: str, artifacts: S3ErasingStore, registry: Registry) -> None:
    """Delete what other looks and erasures hold; an erasure among them says which one has ended it."""
    for folder in folders:
        registry.erasures.fail(folder.model, folder.erasure, f"erasure {by} has erased the same people")
        delete_work(folder, artifacts)


def delete_work(work: Work, artifacts: S3ErasingStore) -> None:
    """Delete all versions of what names the person; the request goes last, so that a kill before it is taken up."""
    request = request_key(work.model, work.erasure)
    for one in sorted(artifacts.versions(work.prefix), key=lambda one: one.key == request):
        artifacts.delete_version(one)


def _is_covered(other: Work, subjects: Sequence[Mapping[str, str]]) -> bool:
    try:
        theirs = other.wanted().subjects
    except Unknown:
        return True
    except (ValidationError, BadMessage):
        return False
    mine = [_conditions(subject) for subject in subjects]
    return all(any(one <= _conditions(subject) for one in mine) for subject in theirs)


def _conditions(subject: Mapping[str, str]) -> frozenset[tuple[str, str | None]]:
    return frozenset((column.strip(), canonical(value)) for column, value in subject.items())
