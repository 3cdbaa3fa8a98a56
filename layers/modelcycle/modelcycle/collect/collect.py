"""From the uploaded files to one snapshot, which never changes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from modelcycle.collect.column_checks import check_pipeline_columns, check_same_columns, pipeline_columns
from modelcycle.collect.contract_columns import check_table
from modelcycle.collect.corrections import Correction, apply_corrections, is_corrections, read_corrections
from modelcycle.collect.pinned_contract import Pinned, contract_for, pinned_contract
from modelcycle.collect.shards import write_quarantine, write_shards
from modelcycle.contract import ContractFile
from modelcycle.engine import connect
from modelcycle.faults import BadData, NoData
from modelcycle.messages import Collected, CollectRequest
from modelcycle.reading import TextTable, check_suffix, read_file
from modelcycle.reading.column_names import check_second_column
from modelcycle.registry import Leases, Registry, Results
from modelcycle.spec import Pipeline
from modelcycle.steps import pipeline_of, reuse_or_run
from modelcycle.store import Listed, Store, put_json, read_json

MAX_SNAPSHOT_BYTES = 2 * 2**30  # of all files; they are copied to the function's temporary storage
MAX_NAMED = 20  # repeated files in the message; the manifest has all


def collect(
    request: CollectRequest, *, data: Store, artifacts: Store, leases: Leases, results: Results, code: str,
    registry: Registry | None = None,
) -> Collected:  # fmt: skip
    """Write a snapshot of the objects under `raw/{model}/`: all columns as text, rows in order of key and line.

    Skips objects whose names begin with `_` or `.`. Of files with equal bytes, only the first by key is read, unless
    the pipeline file says `duplicates: keep`. Removes white space around column names.

    Parameters
    ----------
    data : the bucket with the uploaded files
    artifacts : the bucket for the snapshot
    leases : records which objects this run has read
    results : earlier results of the step
    code : version of the code; a result of other code is not reused
    registry : whose live version holds new files to its contract; without one they are held to none

    Raises
    ------
    NoData : there is no object, or no row
    UnreadableFile, ColumnsDiffer, BadData : a file cannot be used
    TargetMissing, BadPipeline : the pipeline file names a column that the data do not have
    Transient : an object was replaced while it was being read
    """
    run = request.run
    pipeline = pipeline_of(artifacts, run)
    prefix = f"raw/{run.model}/"
    objects = list(data.list(prefix))
    listing = [listed for listed in objects if _is_data(listed.key)]
    corrections = [listed for listed in objects if is_corrections(listed.key)]
    leases.mark_as_read(run, [(listed.key, listed.etag) for listed in [*listing, *corrections]])
    _check_listing(listing, prefix)
    pinned = pinned_contract(run, artifacts, registry) if registry is not None else None
    parameters = {
        "objects": [(listed.key, listed.etag) for listed in listing], "columns": pipeline_columns(pipeline),
        "keep_repeated": pipeline.duplicates == "keep",
        "corrections": [(listed.key, listed.etag) for listed in corrections],
    }  # fmt: skip

    def work() -> Collected:
        with TemporaryDirectory() as name, connect(Path(name), "collect") as engine:
            folder = Path(name)
            corrected, correction_objects = read_corrections(data, corrections, folder)
            tables, sources = _read_objects(
                engine, data, listing, pipeline, folder, request, pinned, artifacts, corrected
            )
            rows = sum(table.rows for table in tables)
            broken = sum(table.broken for table in tables)
            if not rows:
                raise NoData("the files have headers but no row", prefix, "upload a file with rows")
            shards = [
                artifacts.put(run.key("collect", f"rows-{number:04d}.parquet"), path)
                for number, path in enumerate(write_shards(engine, tables, folder))
            ]
            quarantine = write_quarantine(engine, folder) if broken else None
            names = tables[0].names
            repeated = [source["key"] for source in sources if "repeats" in source]
            manifest = {"columns": names, "objects": sources, "rows": rows, "quarantined": broken}
            if correction_objects:
                manifest["corrections"] = correction_objects
            return Collected(
                manifest=put_json(artifacts, run.key("collect", "manifest.json"), manifest),
                shards=shards,
                quarantine=artifacts.put(run.key("collect", "quarantine.parquet"), quarantine) if quarantine else None,
                columns=len(names),
                objects=len(listing),
                bytes=sum(listed.bytes for listed in listing),
                rows=rows,
                quarantined=broken,
                corrected=sum(source.get("corrected", 0) for source in sources),
                repeated=repeated[:MAX_NAMED],
                files_left_out=len(repeated),
            )

    collected = reuse_or_run(
        work, Collected, step="collect", request=request, parameters=parameters, code=code,
        results=results, artifacts=artifacts,
    )  # fmt: skip
    contents = [
        entry.get("content") or entry["sha256"] for entry in read_json(artifacts, collected.manifest)["objects"]
    ]
    held = contract_for(pinned, contents, artifacts)
    if held is None:
        return collected
    return collected.model_copy(update={"contract": held.artifact, "contract_version": held.version})


def _is_data(key: str) -> bool:
    return not key.endswith("/") and not Path(key).name.startswith(("_", "."))


def _check_listing(listing: list[Listed], prefix: str) -> None:
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
    engine: Any, data: Store, listing: list[Listed], pipeline: Pipeline, folder: Path,
    request: CollectRequest, pinned: Pinned | None, artifacts: Store, corrections: list[Correction],
) -> tuple[list[TextTable], list[dict[str, Any]]]:  # fmt: skip
    """Read all objects; return the rows of those that are used, and the entries of all in the manifest."""
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
        table, applied, content = apply_corrections(engine, table, listed.key, entry["sha256"], corrections)
        if applied:
            entry |= {"content": content, "corrected": applied}
        if pinned is not None and content not in pinned.contract.contents:
            file = ContractFile(key=listed.key, content=content, rows=table.rows)
            check_table(engine, table, file, number, pinned, pipeline, request, artifacts)
        if tables:
            check_same_columns(table.names, tables[0].names, listed.key, listing[0].key, table.sparse)
        else:
            if not table.sparse:
                check_second_column(table.names, listed.key)
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
