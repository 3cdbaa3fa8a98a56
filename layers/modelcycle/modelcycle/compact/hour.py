"""Compact one hour of a model's captured answers."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from modelcycle.captured.converting import Converted, convert_next
from modelcycle.captured.manifest import Manifest, Part, hour_folder, manifest_key, read_manifest
from modelcycle.faults import Raced
from modelcycle.outages import RETRIED
from modelcycle.store import ChangingStore, Listed

MAX_RACES = 5


@dataclass(frozen=True)
class Counted:
    """What was compacted: rows, objects, and objects that could not be read."""

    rows: int = 0
    objects: int = 0
    unread: int = 0

    def __add__(self, other: Counted) -> Counted:
        return Counted(self.rows + other.rows, self.objects + other.objects, self.unread + other.unread)


def compact_hour(
    data: ChangingStore, model: str, hour: datetime, objects: Sequence[Listed], folder: Path
) -> tuple[Counted, int]:  # fmt: skip
    """Compact those of an hour's objects that are not compacted yet, some at a time.

    Parameters
    ----------
    folder : for the work; the caller removes it

    Returns
    -------
    what was compacted, and how many answers the hour holds now, compacted by whomever

    Raises
    ------
    Raced : other writers were faster MAX_RACES times
    """
    counted, gone = Counted(), set[Listed]()
    races = number = 0
    while True:
        manifest, etag = read_manifest(data, model, hour)
        waiting = [one for one in objects if one not in gone and manifest.lacks(one)]
        if not waiting:
            return counted, sum(part.answers for part in manifest.parts)
        number += 1
        work = folder / f"{number}"
        converted = convert_next(data, waiting, model, work)
        gone.update(converted.gone)
        written = converted.written
        files = zip(written.files, written.rows, written.answers, strict=True)
        parts = [_put(data, model, hour, *file) for file in files]
        shutil.rmtree(work)
        try:
            data.replace(manifest_key(model, hour), _added(manifest, converted, parts).to_bytes(), etag)
        except Raced:
            races += 1
            if races == MAX_RACES:
                raise Raced("other compactions of the model are faster", manifest_key(model, hour), RETRIED) from None
            continue
        counted += Counted(sum(written.rows), len(converted.read), len(converted.broken) + len(converted.gone))


def _put(data: ChangingStore, model: str, hour: datetime, path: Path, rows: int, answers: int) -> Part:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    name = f"part-{digest[:32]}.parquet"
    artifact = data.put(f"{hour_folder(model, hour)}{name}", path)
    return Part(name=name, sha256=artifact.sha256, bytes=artifact.bytes, rows=rows, answers=answers)


def _added(manifest: Manifest, converted: Converted, parts: list[Part]) -> Manifest:
    """Return the manifest with what was converted."""
    written = converted.written
    return Manifest(
        parts=[*manifest.parts, *(part for part in parts if part not in manifest.parts)],
        objects=manifest.objects | {one.key: one.etag for one in converted.read},
        broken=manifest.broken | {one.key: one.etag for one in converted.broken},
        columns=manifest.columns | written.columns,
        classes=manifest.classes | written.classes,
        broken_lines=manifest.broken_lines + converted.broken_lines,
        left_out=manifest.left_out + written.left_out,
    )
