"""Compact one hour of a model's captured answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from modelcycle.captured.answer_rows import AnswerFiles, write_answers
from modelcycle.captured.joined_lines import Joined, join_lines
from modelcycle.captured.manifest import Manifest, Part, hour_folder, manifest_key, read_manifest
from modelcycle.engine import connect
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
) -> Counted:  # fmt: skip
    """Compact those of an hour's objects that are not compacted yet, some at a time.

    Parameters
    ----------
    folder : for the work; the caller removes it

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
            return counted
        number += 1
        work = folder / f"{number}"
        work.mkdir()
        joined = join_lines(data, waiting, work / "lines")
        gone.update(joined.gone)
        with connect(work, "compact") as engine:
            written = write_answers(engine, work / "lines", model, work / "rows")
        parts = [_put(data, model, hour, path, rows) for path, rows in zip(written.files, written.rows, strict=True)]
        for path in sorted(work.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        try:
            data.replace(manifest_key(model, hour), _added(manifest, joined, written, parts).to_bytes(), etag)
        except Raced:
            races += 1
            if races == MAX_RACES:
                raise Raced("other compactions of the model are faster", manifest_key(model, hour), RETRIED) from None
            continue
        counted += Counted(sum(written.rows), len(joined.read), len(joined.broken) + len(joined.gone))


def _put(data: ChangingStore, model: str, hour: datetime, path: Path, rows: int) -> Part:
    import hashlib

    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    name = f"part-{digest[:32]}.parquet"
    artifact = data.put(f"{hour_folder(model, hour)}{name}", path)
    return Part(name=name, sha256=artifact.sha256, bytes=artifact.bytes, rows=rows)


def _added(manifest: Manifest, joined: Joined, written: AnswerFiles, parts: list[Part]) -> Manifest:
    """Return the manifest with what was written."""
    return Manifest(
        parts=[*manifest.parts, *(part for part in parts if part not in manifest.parts)],
        objects=manifest.objects | {one.key: one.etag for one in joined.read},
        broken=manifest.broken | {one.key: one.etag for one in joined.broken},
        columns=manifest.columns | written.columns,
        classes=manifest.classes | written.classes,
        broken_lines=manifest.broken_lines + written.broken,
        left_out=manifest.left_out + written.left_out,
    )
