"""The verb: list what was uploaded, read it, and keep it as one snapshot that never changes."""

from __future__ import annotations

import hashlib
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from modelcycle.collect import delimited, headings, json_lines, parquet, piece
from modelcycle.collect.piece import Piece
from modelcycle.engine import SHARD, connect, literal, row_group
from modelcycle.faults import BadData, NoData, UnreadableFile
from modelcycle.messages import Collected, CollectRequest
from modelcycle.registry import Leases, Results
from modelcycle.steps import pipeline_of, reuse_or_run
from modelcycle.store import MAX_OBJECT_BYTES, Listed, Store, put_json

SUFFIXES = (".csv", ".csv.gz", ".parquet", ".jsonl", ".jsonl.gz")
MOST_BYTES = 2 * 2**30  # of all files together; pieces and shards lie in the function's temporary storage


def collect(
    request: CollectRequest, *, data: Store, artifacts: Store, leases: Leases, results: Results, code: str
) -> Collected:
    """Snapshot the objects under `raw/{model}/`: all columns as text, rows in order of key, then line.

    White space around column names is taken off. Names that begin with `_` or `.` are no data.

    Raises
    ------
    NoData : no object, or no row in any
    UnreadableFile, ColumnsDiffer, BadData : what is wrong with a file
    TargetMissing, BadPipeline : the pipeline file names a column that is not there
    Transient : an object was replaced meanwhile
    """
    run = request.run
    pipeline = pipeline_of(artifacts, run)
    prefix = f"raw/{run.model}/"
    listing = [listed for listed in data.list(prefix) if not Path(listed.key).name.startswith(("_", "."))]
    listing = [listed for listed in listing if not listed.key.endswith("/")]
    leases.mark_as_read(run, [(listed.key, listed.etag) for listed in listing])
    _looked_at(listing, prefix)
    parameters = {"objects": [(listed.key, listed.etag) for listed in listing], "columns": headings.spoken_of(pipeline)}

    def work() -> Collected:
        with TemporaryDirectory() as name, connect(Path(name), "collect") as engine:
            folder = Path(name)
            piece.begin(engine)
            pieces: list[Piece] = []
            objects: list[dict[str, Any]] = []
            for listed in listing:
                found, about = _read(engine, data, listed, folder / f"{len(pieces)}.parquet")
                if pieces:
                    headings.same(found.names, pieces[0].names, listed.key, listing[0].key, found.sparse)
                else:
                    headings.held_against(pipeline, found.names)
                pieces.append(found)
                objects.append(about)
            names = pieces[0].names
            rows = sum(found.rows for found in pieces)
            broken = sum(found.broken for found in pieces)
            if not rows:
                raise NoData("there are headers, but no row", prefix, "upload a file with rows")
            shards = [
                artifacts.put(run.key("collect", f"rows-{number:04d}.parquet"), path)
                for number, path in enumerate(_shards(engine, pieces, folder))
            ]
            quarantine = _quarantine(engine, folder) if broken else None
            manifest = {"columns": names, "objects": objects, "rows": rows, "quarantined": broken}
            return Collected(
                manifest=put_json(artifacts, run.key("collect", "manifest.json"), manifest),
                shards=shards,
                quarantine=artifacts.put(run.key("collect", "quarantine.parquet"), quarantine) if quarantine else None,
                columns=len(names),
                objects=len(listing),
                bytes=sum(listed.bytes for listed in listing),
                rows=rows,
                quarantined=broken,
            )

    return reuse_or_run(
        work, Collected, step="collect", request=request, parameters=parameters, code=code,
        results=results, artifacts=artifacts,
    )  # fmt: skip


def _looked_at(listing: list[Listed], prefix: str) -> None:
    if not listing:
        raise NoData(
            "there is no file", prefix, f"upload one to {prefix} of the data bucket, or give `run` --data FILE"
        )
    for listed in listing:
        if not listed.key.lower().endswith(SUFFIXES):
            raise UnreadableFile(
                "the file's ending is not known", listed.key, f"name it {', '.join(SUFFIXES)}, or remove it"
            )
    total = sum(listed.bytes for listed in listing)
    if total > MOST_BYTES:
        raise BadData(
            f"{total / 2**30:.1f} GiB are more than the {MOST_BYTES >> 30} GiB that one snapshot may hold", prefix,
            "keep fewer or newer files there",
        )  # fmt: skip


def _read(engine: Any, data: Store, listed: Listed, target: Path) -> tuple[Piece, dict[str, Any]]:
    source = target.with_suffix(".source")
    version = data.download(listed, source)
    with source.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if not listed.bytes:
        raise NoData("the file is empty", listed.key, "upload a file with a header and rows")
    name = listed.key.lower()
    if name.endswith(".parquet"):
        found = parquet.read(engine, source, listed.key, target)
    else:
        reader = delimited.read if ".csv" in Path(name).suffixes[-2:] else json_lines.read
        found = reader(engine, source, name.endswith(".gz"), listed.key, target)
    return found, {
        "key": listed.key, "version": version, "etag": listed.etag, "sha256": digest, "bytes": listed.bytes,
        "rows": found.rows, "quarantined": found.broken,
    }  # fmt: skip


def _shards(engine: Any, pieces: list[Piece], folder: Path) -> list[Path]:
    """All pieces, in order, as Parquet files of one size."""
    names = pieces[0].names
    parts = []
    for order, group in groupby(pieces, key=lambda found: found.names):
        place = {name: number for number, name in enumerate(order)}
        columns = ", ".join(
            f"c{place[name]} AS c{number}" if name in place else f"NULL::VARCHAR AS c{number}"
            for number, name in enumerate(names)
        )
        files = ", ".join(literal(found.path) for found in group)
        parts.append(f"SELECT file, row, {columns} FROM read_parquet([{files}])")
    shards = folder / "shards"
    engine.execute(
        f"""COPY ({" UNION ALL ".join(parts)}) TO {literal(shards)}
            (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {row_group(len(names))}, FILE_SIZE_BYTES '{SHARD}')"""
    )
    # data_10 comes after data_9
    return sorted(shards.iterdir(), key=lambda path: (len(path.name), path.name))


def _quarantine(engine: Any, folder: Path) -> Path:
    path = folder / "quarantine.parquet"
    for length in (piece.LONGEST_TEXT, 200, 20):  # millions of long broken lines are told in fewer characters each
        engine.execute(
            f"""COPY (SELECT file, line, left(text, {length}) AS text, reason FROM broken ORDER BY file, line)
                TO {literal(path)} (FORMAT parquet, COMPRESSION zstd)"""
        )
        if path.stat().st_size <= MAX_OBJECT_BYTES:
            break
    return path
