"""From the sources of a pipeline to landed files: what is new is written to the data bucket, every row once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from modelcycle.collect.landed import LandedFile, LandedFiles
from modelcycle.collect.pull_objects import pull_objects
from modelcycle.messages import Pulled, PulledFile
from modelcycle.messages.data import MAX_PULLED_FILES
from modelcycle.registry import Landings
from modelcycle.registry.table import retry_when_raced
from modelcycle.sources import Landed, Secrets, Source, open_source
from modelcycle.spec import MAIN, Pipeline, S3Source
from modelcycle.store import Store

Buckets = Callable[[str | None], Store]
"""Returns a bucket by its name; None is the bucket with the uploads."""


def pull(pipeline: Pipeline, *, data: Store, buckets: Buckets, landings: Landings, secrets: Secrets) -> Pulled:
    """Land what is new in the sources of a pipeline. Safe to repeat, to kill, and to run twice at the same time.

    Parameters
    ----------
    data : the bucket for the landed files

    Raises
    ------
    BadInput, BadData : a source cannot be read
    Transient : a source does not answer
    Raced : other pulls were faster at each attempt
    """
    files: list[PulledFile] = []
    notes: list[str] = []
    for name, section in pipeline.pulled.items():
        where = f"pipelines/{pipeline.name}.yaml: {'source' if name == MAIN else f'join {name}'}"
        if isinstance(section, S3Source):
            files += pull_objects(pipeline.name, name, section, data, buckets(section.bucket), landings, where)
        else:
            source = open_source(section, secrets, where)
            files += _pull_rows(pipeline.name, name, source, data, landings)
            notes += dict.fromkeys(source.notes)
    rows = sum(file.rows for file in files)
    return Pulled(files=files[:MAX_PULLED_FILES], rows=rows, detail="; ".join(notes))


@retry_when_raced
def _pull_rows(model: str, name: str, source: Source, data: Store, landings: Landings) -> list[PulledFile]:
    """Land what is new in a database or an API.

    Files up to one with a watermark are recorded at once; the others at the end.
    """
    landed = LandedFiles(model, name, source.definition, data, landings)
    pending: list[LandedFile] = []
    pulled: list[PulledFile] = []
    state: str | None = None  # of a source that replaces: what it needs to tell whether anything has changed
    with TemporaryDirectory() as folder:
        for batch in source.batches(Path(folder), landed.watermark):
            pending.append(_put(landed, batch, None if source.replaces else landed.watermark))
            if source.replaces:
                state = batch.watermark
            elif batch.watermark is not None:
                pulled += landed.record([*landed.files, *pending], batch.watermark)
                pending = []
    if pending and source.replaces:
        pulled += landed.record(pending, state)
    elif pending:
        pulled += landed.record([*landed.files, *pending], landed.watermark)
    return pulled


def _put(landed: LandedFiles, batch: Landed, after: str | None) -> LandedFile:
    """Write a file under a name made of where it starts and what it holds: a repeated pull writes the same object."""
    with batch.path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    start = hashlib.sha256(f"{landed.definition}\n{after}".encode()).hexdigest()
    key = f"{landed.prefix}{start[:12]}-{content[:20]}{batch.suffix}"
    artifact = landed.data.put(key, batch.path)
    batch.path.unlink()
    return LandedFile(key=key, artifact=artifact, rows=batch.rows)
