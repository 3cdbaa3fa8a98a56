"""From a source to landed files: what is new is written to the data bucket, every row once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from modelcycle.collect.landed import LandedFile, read_manifest, write_manifest
from modelcycle.messages import Pulled, PulledFile
from modelcycle.registry import Landing, Landings
from modelcycle.registry.table import retry_when_raced
from modelcycle.sources import Landed, Secrets, Source, open_source
from modelcycle.spec import HttpSource, Pipeline, SqlSource
from modelcycle.store import Store

MAIN = "main"
MAX_NAMED_FILES = 20  # in the message
PULLED = (SqlSource, HttpSource)


def pulls(pipeline: Pipeline) -> bool:
    """Return whether rows are pulled for a pipeline, from its source or a join."""
    return any(True for _ in pulled_sources(pipeline))


def pulled_sources(pipeline: Pipeline) -> Iterator[tuple[str, SqlSource | HttpSource]]:
    """Yield name and section of each source that rows are pulled from."""
    sections = [(MAIN, pipeline.source), *((join.name, join.source) for join in pipeline.join)]
    for name, section in sections:
        if isinstance(section, PULLED):
            yield name, section


def pull(pipeline: Pipeline, *, data: Store, landings: Landings, secrets: Secrets) -> Pulled:
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
    for name, section in pulled_sources(pipeline):
        where = f"pipelines/{pipeline.name}.yaml: {'source' if name == MAIN else f'join {name}'}"
        source = open_source(section, secrets, where)
        files += _pull_one(pipeline.name, name, source, data, landings)
        notes += source.notes
    rows = sum(file.rows for file in files)
    return Pulled(files=files[:MAX_NAMED_FILES], rows=rows, detail="; ".join(notes))


@retry_when_raced
def _pull_one(model: str, name: str, source: Source, data: Store, landings: Landings) -> list[PulledFile]:
    """Land what is new in one source, and record it.

    Files with a watermark are recorded at once, with those before them; the others at the end.
    """
    known, revision = landings.get(model, name)
    definition = hashlib.sha256(source.definition.encode()).hexdigest()
    if known is not None and known.definition != definition:
        known = None  # another table or query: its rows are read from the beginning
    kept = read_manifest(data, known)
    watermark = known.watermark if known else None
    n_pulls = known.pulls if known else 0
    prefix = f"landed/{model}/{name}/"
    pending: list[LandedFile] = []
    pulled: list[PulledFile] = []
    state: str | None = None  # of a source that replaces: what it needs to tell whether anything has changed

    def record(up_to: str | None) -> None:
        nonlocal kept, revision, n_pulls, watermark
        files = pending.copy() if source.replaces else [*kept, *pending]
        if known is not None and files == kept and up_to == watermark:
            return  # nothing is new
        digest = hashlib.sha256("\n".join(file.model_dump_json() for file in files).encode()).hexdigest()
        manifest = write_manifest(data, prefix, files, digest)
        n_pulls += 1
        landing = Landing(definition=definition, manifest=manifest, watermark=up_to, pulls=n_pulls)
        revision = landings.replace(model, name, landing, revision).revision
        new = {file.key for file in files} - {file.key for file in kept}
        pulled.extend(
            PulledFile(source=name, key=file.key, rows=file.rows or 0, watermark=up_to)
            for file in pending
            if file.key in new
        )
        kept, watermark = files, up_to
        pending.clear()

    with TemporaryDirectory() as folder:
        for batch in source.batches(Path(folder), watermark):
            pending.append(_put(data, prefix, definition, None if source.replaces else watermark, batch))
            if source.replaces:
                state = batch.watermark
            elif batch.watermark is not None:
                record(batch.watermark)
    if pending:
        record(state if source.replaces else watermark)
    return pulled


def _put(data: Store, prefix: str, definition: str, after: str | None, batch: Landed) -> LandedFile:
    """Write a file under a name made of where it starts and what it holds: a repeated pull writes the same object."""
    with batch.path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    start = hashlib.sha256(f"{definition}\n{after}".encode()).hexdigest()
    key = f"{prefix}{start[:12]}-{content[:20]}{batch.suffix}"
    artifact = data.put(key, batch.path)
    batch.path.unlink()
    return LandedFile(key=key, artifact=artifact, rows=batch.rows)
