"""From an object to typed shards: the first state of a scoring job."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from modelcycle.engine import connect
from modelcycle.faults import BadInput, NoData, NotAllowed, Tampered, Unknown
from modelcycle.messages import PlannedScoring, PlanScoringRequest, ScoringShard, fingerprint
from modelcycle.model.request_columns import RequestColumns
from modelcycle.model.signature import Signature
from modelcycle.pseudonyms import Macs
from modelcycle.reading import check_suffix, read_file
from modelcycle.reading.column_names import list_names
from modelcycle.registry import Registry, Route, Version
from modelcycle.score_batch.numbered_rows import check_columns, number_rows
from modelcycle.score_batch.result_ids import ResultIds, keeps_values
from modelcycle.score_batch.typed_shards import shards
from modelcycle.spec import parse
from modelcycle.steps import reuse_or_work
from modelcycle.store import ChangingStore, Listed, Store

STEP = "plan_scoring"
MAX_FILE_BYTES = 2 * 2**30  # copied to the function's temporary storage
MAX_SHARDS = 200  # the plan and all scored shards have to fit into one state of Step Functions, which holds 256 KiB
MAX_NOTES = 10


def plan_scoring(
    request: PlanScoringRequest,
    *,
    data: ChangingStore,
    artifacts: Store,
    registry: Registry,
    keys: Macs,
    code: str,
) -> PlannedScoring:
    """Read the object as training reads its files, and write its rows as typed shards for the champion.

    The champion of this moment scores all rows, also during a rollout: a file is scored by one version. A cell that
    does not parse is a missing value, as in training; the results name it. A line that is no row is not scored.

    Parameters
    ----------
    data : the bucket with the object
    artifacts : the bucket with the versions, and for the shards
    keys : of pseudonyms, if ids are personal
    code : version of the code; a job of other code is another job

    Raises
    ------
    Unknown : no model has the name of the folder
    NotAllowed : the model has no live version
    NoData, UnreadableFile, ColumnsDiffer, BadData : the object cannot be used
    """
    name = request.name.rpartition("/")[2]
    if request.model and (not name or name.startswith(("_", "."))):
        return _skipped(request, "names that begin with _ or . are no data" if name else "a folder, not a file")
    if not request.model:
        raise BadInput("the object is not in the folder of a model", request.key, "put it under score/{model}/")
    listed = _listed(request, data)
    rewritten = registry.erasures.rewritten(request.model, data.bucket, request.key)
    if rewritten is not None and rewritten.etag == listed.etag:
        return _skipped(request, "an erasure has written this file without somebody's rows; it was scored before")
    route = registry.routes.get(request.model)
    version = _champion(request.model, route, registry)
    keep = keeps_values(request.model, data)
    mark = fingerprint(STEP, code, listed.key, listed.etag, version.version, keep)

    def work() -> PlannedScoring:
        return _plan(
            request,
            listed,
            version,
            route,
            mark[:16],
            keep,
            data=data,
            artifacts=artifacts,
            registry=registry,
            keys=keys,
        )

    return reuse_or_work(
        work, PlannedScoring, model=request.model, step=STEP, mark=mark, results=registry.results, artifacts=artifacts
    )


def _skipped(request: PlanScoringRequest, reason: str) -> PlannedScoring:
    return PlannedScoring(
        model=request.model, key=request.key, job="", version=0, rows=0, unread=0, shards=[], skipped=reason
    )


def _listed(request: PlanScoringRequest, data: Store) -> Listed:
    """Return the object as it is now: if it was replaced since the event, both events score the newer one."""
    check_suffix(request.key)
    listed = next((found for found in data.list(request.key) if found.key == request.key), None)
    if listed is None:
        raise NoData("the file is gone", request.key, "upload it again")
    if not listed.bytes:
        raise NoData("the file is empty", request.key, "upload a file with a header and rows")
    if listed.bytes > MAX_FILE_BYTES:
        raise BadInput(
            f"the file has {listed.bytes / 2**30:.1f} GiB; the limit is {MAX_FILE_BYTES >> 30} GiB", request.key,
            "split it into several files",
        )  # fmt: skip
    return listed


def _champion(model: str, route: Route, registry: Registry) -> Version:
    if route.champion is None:
        if not registry.runs.has_model(model):
            raise Unknown(f"there is no model {model}", f"score/{model}/", "`modelcycle models` lists the models")
        raise NotAllowed(f"no version of {model} is live", f"score/{model}/", f"`modelcycle runs {model}` shows why")
    return registry.versions.get(model, route.champion)


def _plan(
    request: PlanScoringRequest,
    listed: Listed,
    version: Version,
    route: Route,
    job: str,
    keep: bool,
    *,
    data: ChangingStore,
    artifacts: Store,
    registry: Registry,
    keys: Macs,
) -> PlannedScoring:
    planned_at = datetime.now(UTC)
    where = request.key
    signature = Signature.model_validate_json(artifacts.read(version.signature))
    pipeline = parse(artifacts.read(version.pipeline), version.pipeline.uri)
    with TemporaryDirectory() as folder_name, connect(Path(folder_name), where) as engine:
        folder = Path(folder_name)
        source = folder / "source"
        data.download(listed, source)
        whole = [*(field.name for field in signature.fields), *signature.ignored]
        table = read_file(engine, source, where, folder / "0.parquet", pipeline.csv, whole)
        lacks = any(field.name not in table.names for field in signature.fields)
        optional = _optional(signature, version, route, artifacts, registry) if lacks else frozenset()
        notes = [*table.notes, *check_columns(table, signature.fields, optional, where)]
        known = {*whole, signature.target}
        unknown = [name for name in table.names if name not in known]
        if unknown:
            notes.append(f"not read by version {version.version}: {list_names(unknown)}")
        rows = number_rows(engine, table, where)
        ids = ResultIds.of(signature, table.names, keep=keep)
        ids.give_keys(engine, keys, request.model)
        notes = [*ids.notes(), *notes]
        written: list[ScoringShard] = []
        unread_cells = 0
        prefix = f"_scoring/model={request.model}/{job}/"
        for shard in shards(rows, signature, ids, folder):
            columns = shard.columns.to_bytes(compressed=False)
            written.append(
                ScoringShard(
                    number=shard.number, first=shard.first, rows=shard.rows,
                    columns=artifacts.put(f"{prefix}columns-{shard.number:05d}.npz", columns),
                    index=artifacts.put(f"{prefix}index-{shard.number:05d}.parquet", shard.index),
                )
            )  # fmt: skip
            shard.index.unlink()
            unread_cells += shard.unread_cells
            if len(written) > MAX_SHARDS:
                raise BadInput(
                    f"the file needs more than {MAX_SHARDS} shards: its texts are long, or it has too many rows", where,
                    "split it into several files",
                )  # fmt: skip
        broken = None
        if table.broken:
            broken = artifacts.put(f"{prefix}broken.parquet", rows.write_broken(folder / "broken.parquet"))
    return PlannedScoring(
        model=request.model, key=request.key, job=job, version=version.version, rows=table.rows + table.broken,
        unread=table.broken, shards=written, etag=listed.etag, ids=list(ids.names), treated=dict(ids.treated),
        broken=broken, unread_cells=unread_cells, notes=notes[:MAX_NOTES], planned_at=planned_at,
    )  # fmt: skip


def _optional(
    signature: Signature, version: Version, route: Route, artifacts: Store, registry: Registry
) -> frozenset[str]:
    """Return the columns that a request need not have, since not every version of the route reads them.

    Whoever writes the file may not know them yet, as the clients of an earlier version.
    """
    fields = [signature.fields]
    for number in sorted({*route.weights, route.previous or 0, route.shadow or 0} - {0, version.version}):
        with suppress(Unknown, Tampered):  # a version that is gone serves nobody
            other = registry.versions.get(signature.model, number)
            fields.append(Signature.model_validate_json(artifacts.read(other.signature)).fields)
    return RequestColumns(signature.model, fields, frozenset()).optional
