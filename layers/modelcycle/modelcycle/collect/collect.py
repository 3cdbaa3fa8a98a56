"""From the uploaded files to one snapshot, which never changes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from modelcycle.collect.column_checks import all_names, check_pipeline_columns, check_same_columns, pipeline_columns
from modelcycle.collect.content import content_hash
from modelcycle.collect.inputs import list_inputs, source_prefix
from modelcycle.collect.join import join_tables
from modelcycle.collect.repeated_ids import without_repeated_ids
from modelcycle.collect.shards import write_quarantine, write_shards
from modelcycle.collect.stream_objects import read_stream_objects
from modelcycle.engine import connect
from modelcycle.faults import BadData, NoData
from modelcycle.messages import Collected, CollectRequest
from modelcycle.reading import TextTable, check_suffix, read_file
from modelcycle.reading.column_names import check_second_column
from modelcycle.registry import Landings, Leases, Results
from modelcycle.spec import MAIN, Pipeline, StreamSource
from modelcycle.steps import pipeline_of, reuse_or_run
from modelcycle.store import Listed, Store, put_json

MAX_SNAPSHOT_BYTES = 2 * 2**30  # of all files; they are copied to the function's temporary storage
MAX_NAMED = 20  # repeated files in the message; the manifest has all


def collect(
    request: CollectRequest,
    *,
    data: Store,
    artifacts: Store,
    leases: Leases,
    results: Results,
    code: str,
    landings: Landings | None = None,
) -> Collected:
    """Write a snapshot of the rows: all columns as text, in order of object and line.

    Reads the objects under `raw/{model}/`, or those that have landed from the source of the pipeline file, and joins
    the columns of its other sources.

    Skips objects whose names begin with `_` or `.`. Of files with equal bytes, only the first by key is read, unless
    the pipeline file says `duplicates: keep`. Removes white space around column names.

    Parameters
    ----------
    data : the bucket with the uploaded files
    artifacts : the bucket for the snapshot
    leases : records which objects this run has read
    results : earlier results of the step
    landings : what has landed from sources; see `list_inputs` for None
    code : version of the code; a result of other code is not reused

    Raises
    ------
    NoData : there is no object, or no row
    UnreadableFile, ColumnsDiffer, BadData : a file cannot be used
    TargetMissing, BadPipeline : the pipeline file names a column that the data do not have
    Transient : an object was replaced while it was being read
    """
    run = request.run
    pipeline = pipeline_of(artifacts, run)
    prefix = source_prefix(run.model, MAIN, pipeline.source)
    inputs = list_inputs(pipeline, data, landings)
    listing = inputs[MAIN]
    leases.mark_as_read(run, [(listed.key, listed.etag) for listed in listing])
    for name, objects in inputs.items():
        _check_listing(objects, source_prefix(run.model, name, pipeline.sources[name]))
    parameters = {
        "objects": [(listed.key, listed.etag) for listed in listing], "columns": pipeline_columns(pipeline),
        "keep_repeated": pipeline.duplicates == "keep",
        "joins": [
            (join.model_dump(mode="json", exclude={"source"}), [(other.key, other.etag) for other in inputs[join.name]])
            for join in pipeline.join
        ],
    }  # fmt: skip

    def work() -> Collected:
        with TemporaryDirectory() as name, connect(Path(name), "collect") as engine:
            folder = Path(name)
            tables, sources = _read_objects(engine, data, listing, pipeline, folder)
            notes: list[str] = []
            if isinstance(pipeline.source, StreamSource) and pipeline.source.id is not None:
                where = f"pipelines/{pipeline.name}.yaml"
                tables, repeated_rows = without_repeated_ids(engine, tables, pipeline.source.id, where)
                if repeated_rows:
                    notes.append(f"{repeated_rows} rows left out: an earlier one has the same {pipeline.source.id}")
            names = all_names(tables)
            rows = sum(table.rows for table in tables)
            broken = sum(table.broken for table in tables)
            if not rows:
                raise NoData("the files have headers but no row", prefix, "upload a file with rows")
            paths = write_shards(engine, tables, names, folder)
            for join in pipeline.join:
                others, entries = _read_objects(engine, data, inputs[join.name], pipeline, folder, join.name)
                broken += sum(table.broken for table in others)
                sources += [entry | {"source": join.name} for entry in entries]
                paths, names, said = join_tables(engine, paths, names, others, join, pipeline, folder)
                notes += said
            check_pipeline_columns(pipeline, names)
            content = content_hash(engine, paths, names)
            shards = [
                artifacts.put(run.key("collect", f"rows-{number:04d}.parquet"), path)
                for number, path in enumerate(paths)
            ]
            quarantine = write_quarantine(engine, folder) if broken else None
            repeated = [source["key"] for source in sources if "repeats" in source]
            manifest = {"columns": names, "objects": sources, "rows": rows, "quarantined": broken}
            return Collected(
                manifest=put_json(artifacts, run.key("collect", "manifest.json"), manifest),
                shards=shards,
                quarantine=artifacts.put(run.key("collect", "quarantine.parquet"), quarantine) if quarantine else None,
                columns=len(names),
                objects=sum(map(len, inputs.values())),
                bytes=sum(listed.bytes for objects in inputs.values() for listed in objects),
                rows=rows,
                quarantined=broken,
                repeated=repeated[:MAX_NAMED],
                files_left_out=len(repeated),
                content=content,
                notes=notes,
            )

    return reuse_or_run(
        work, Collected, step="collect", request=request, parameters=parameters, code=code,
        results=results, artifacts=artifacts,
    )  # fmt: skip


def _check_listing(listing: list[Listed], prefix: str) -> None:
    if not listing and not prefix.startswith("raw/"):
        raise NoData(
            "no rows have arrived from the source", prefix,
            "does its table or query give any? `modelcycle status` says what has arrived of a stream",
        )  # fmt: skip
    if not listing:
        raise NoData(
            "there is no file",
            prefix,
            f"upload one to {prefix} in the data bucket, or give `modelcycle run` --data FILE",
        )
    for listed in listing:
        check_suffix(listed.key)
    total = sum(listed.bytes for listed in listing)
    if total > MAX_SNAPSHOT_BYTES:
        raise BadData(
            f"the files have {total / 2**30:.1f} GiB; the limit is {MAX_SNAPSHOT_BYTES >> 30} GiB", prefix,
            "keep fewer files there, or only newer ones",
        )  # fmt: skip


def _read_objects(
    engine: Any, data: Store, listing: list[Listed], pipeline: Pipeline, folder: Path, source_name: str = MAIN
) -> tuple[list[TextTable], list[dict[str, Any]]]:
    """Read all objects of a source; return the rows of those that are used, and the entries of all in the manifest."""
    section = pipeline.sources[source_name]
    folder = folder / f"source-{source_name}"
    folder.mkdir()
    if isinstance(section, StreamSource):
        return read_stream_objects(engine, data, listing, folder)
    tables: list[TextTable] = []
    sources: list[dict[str, Any]] = []
    first_of_content: dict[str, str] = {}
    for number, listed in enumerate(listing):
        source = folder / f"{number}.source"
        entry = _download(data, listed, source)
        first = first_of_content.setdefault(entry["sha256"], listed.key)
        if first != listed.key and pipeline.duplicates != "keep":
            source.unlink()
            sources.append(entry | {"rows": 0, "quarantined": 0, "repeats": first})
            continue
        table = read_file(engine, source, listed.key, source.with_suffix(".parquet"))
        if tables:
            check_same_columns(table, tables[0], listed.key, listing[0].key)
        else:
            if not table.sparse:
                check_second_column(table.names, listed.key)
            if not pipeline.join and not table.sparse:
                check_pipeline_columns(pipeline, table.names)
        tables.append(table)
        sources.append(entry | {"rows": table.rows, "quarantined": table.broken})
    return tables, sources


def _download(data: Store, listed: Listed, target: Path) -> dict[str, Any]:
    """Copy an object to a file; return its entry in the manifest, without the numbers of rows."""
    version = data.download(listed, target)
    with target.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "key": listed.key, "version": version, "etag": listed.etag, "sha256": digest, "bytes": listed.bytes,
    }  # fmt: skip
