"""The end of a scoring job: its results beside the object, or the reason why there are none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from modelcycle.engine import connect
from modelcycle.faults import BadMessage, Fault
from modelcycle.messages import (
    Artifact,
    FailedScoring,
    FailedShard,
    FinishedScoring,
    FinishScoringRequest,
    ScoredShard,
    ScoringFailure,
    fingerprint,
)
from modelcycle.messages.scoring import INPUTS, OUTPUTS
from modelcycle.model.npz import from_npz
from modelcycle.model.signature import Signature
from modelcycle.reasons import RUN_AGAIN, reason_text
from modelcycle.registry import Registry, Version
from modelcycle.score_batch.result_files import column_names, header, joined, number_columns, write_shard
from modelcycle.steps import reuse_or_work
from modelcycle.store import Store, put_json

STEP = "finish_scoring"


def finish_scoring(
    request: FinishScoringRequest, *, data: Store, artifacts: Store, registry: Registry, code: str
) -> FinishedScoring:
    """Write the results beside the object, the manifest last.

    `scored/{model}/{name}/{job}/results-00000.csv` and so on have one line for each row of the object; the manifest
    names them with their hashes.

    Raises
    ------
    Fault : a shard could not be scored; it says why
    BadMessage : the shards do not have the rows of the plan
    """
    plan = request.plan
    failed = [shard for shard in request.shards if isinstance(shard, FailedShard)]
    if failed:
        raise Fault(*Fault.parse(reason_text(failed[0].error)))
    shards = [shard for shard in request.shards if isinstance(shard, ScoredShard)]
    _check_whole(request, shards)

    def work() -> FinishedScoring:
        version = registry.versions.get(plan.model, plan.version)
        signature = Signature.model_validate_json(artifacts.read(version.signature))
        prefix = results_prefix(plan.model, plan.key, plan.job)
        with TemporaryDirectory() as name, connect(Path(name), plan.key) as engine:
            lines = _Lines(request, shards, signature, artifacts, engine, Path(name))
            files = [
                data.put(prefix + path.name, path)
                for path in _deleted_after(joined(lines.parts(), header(lines.names), Path(name)))
            ]
            if lines.written != plan.rows:
                raise BadMessage(
                    f"the results have {lines.written:,} lines for {plan.rows:,} rows", STEP, "report this as a bug"
                )
        unread = plan.unread + lines.not_scored
        manifest = put_json(
            data, prefix + "manifest.json", _manifest(request, version, signature, lines.names, files, unread)
        )
        return FinishedScoring(
            model=plan.model, key=plan.key, job=plan.job, version=plan.version, rows=plan.rows, unread=unread,
            results=_key(files[0]), manifest=_key(manifest), files=[*files, manifest],
            unread_cells=plan.unread_cells, notes=plan.notes,
        )  # fmt: skip

    # `planned_at` differs if a job was planned twice; the results do not
    mark = fingerprint(STEP, code, plan.model_copy(update={"planned_at": None}), shards)
    return reuse_or_work(
        work, FinishedScoring, model=plan.model, step=STEP, mark=mark, results=registry.results, artifacts=data
    )  # fmt: skip


def record_failure(request: ScoringFailure, *, data: Store) -> FailedScoring:
    """Write `scored/{model}/{name}/{execution}/failed.json`, which says what is wrong, where, and what to do."""
    reason = reason_text(request.error)
    what, where, remedy = Fault.parse(reason)
    if remedy == RUN_AGAIN:
        remedy = "upload the file again: what was finished is used"
    execution = request.execution.rpartition(":")[2]
    record = put_json(
        data,
        results_prefix(request.model, request.key, execution) + "failed.json",
        {
            "model": request.model, "object": request.key, "execution": request.execution,
            "error": what, "where": where, "remedy": remedy,
        },
    )  # fmt: skip
    return FailedScoring(model=request.model, key=request.key, reason=reason, record=_key(record))


def results_prefix(model: str, key: str, folder: str) -> str:
    """Return where the end of a job is written.

    >>> results_prefix("churn", "score/churn/2026/may.csv", "1f6a")
    'scored/churn/2026/may.csv/1f6a/'
    """
    return f"{OUTPUTS}{key.removeprefix(INPUTS)}/{folder}/"


class _Lines:
    """The lines of the results, shard by shard; `written` counts them, `not_scored` those without a number."""

    def __init__(
        self, request: FinishScoringRequest, shards: Sequence[ScoredShard], signature: Signature, artifacts: Store,
        engine: Any, folder: Path,
    ) -> None:  # fmt: skip
        self.plan, self.shards, self.signature = request.plan, shards, signature
        self.artifacts, self.engine, self.folder = artifacts, engine, folder
        self.names = column_names(signature, request.plan.ids)
        self.written = self.not_scored = 0

    def parts(self) -> Iterator[Path]:
        """Yield files of lines, one or more for each shard."""
        broken = self.artifacts.fetch(self.plan.broken, self.folder) if self.plan.broken else None
        first = 1  # number of the first line of this shard; broken lines count
        for position, (planned, scored) in enumerate(zip(self.plan.shards, self.shards, strict=True)):
            index = self.artifacts.fetch(planned.index, self.folder)
            stored = from_npz(self.artifacts.read(scored.scores))
            scores, cutoffs = stored["scores"], stored.get("cutoffs")
            if len(scores) != planned.rows:
                raise BadMessage(f"shard {planned.number} has not a score for each row", STEP, "report this as a bug")
            is_last = position == len(self.shards) - 1
            here = None
            if broken is not None:
                end = 0 if is_last else self._last_number(index) + 1
                here = (broken, first, end)
                first = end
            path = self.folder / f"lines-{planned.number:05d}.csv"
            paths, lines, not_scored = write_shard(
                self.engine,
                path,
                index,
                scores,
                self.signature,
                self.plan.version,
                len(self.plan.ids),
                here,
                cutoffs,
            )
            self.written += lines
            self.not_scored += not_scored
            index.unlink()
            yield from paths

    def _last_number(self, index: Path) -> int:
        found = self.engine.execute("SELECT max(number) FROM read_parquet($1)", [str(index)]).fetchall()
        return int(found[0][0])


def _check_whole(request: FinishScoringRequest, shards: Sequence[ScoredShard]) -> None:
    """Check that each row is scored or unread, once."""
    plan = request.plan
    planned = [(shard.number, shard.rows) for shard in plan.shards]
    if planned != [(shard.number, shard.rows) for shard in shards] or any(shard.job != plan.job for shard in shards):
        raise BadMessage("the shards are not those of the plan", STEP, "upload the file again")
    if sum(rows for _, rows in planned) + plan.unread != plan.rows:
        raise BadMessage("the shards do not have the rows of the plan", STEP, "upload the file again")


def _manifest(
    request: FinishScoringRequest,
    version: Version,
    signature: Signature,
    names: Sequence[str],
    files: Sequence[Artifact],
    unread: int,
) -> dict[str, Any]:
    plan = request.plan
    return {
        "model": plan.model, "version": plan.version, "job": plan.job,
        "object": {"key": plan.key, "etag": plan.etag},
        "onnx": version.onnx.sha256, "signature": version.signature.sha256,
        "rows": plan.rows, "scored": plan.rows - unread, "unread": unread, "unread_cells": plan.unread_cells,
        "columns": list(names), "numbers": number_columns(names, signature),
        "ids": plan.ids, "treated": plan.treated, "classes": signature.classes, "notes": plan.notes,
        "planned_at": plan.planned_at.isoformat() if plan.planned_at else None,
        "finished_at": datetime.now(UTC).isoformat(),
        "results": [{"key": _key(file), "sha256": file.sha256, "bytes": file.bytes} for file in files],
    }  # fmt: skip


def _deleted_after(paths: Iterator[Path]) -> Iterator[Path]:
    for path in paths:
        yield path
        path.unlink()


def _key(artifact: Artifact) -> str:
    return artifact.uri.removeprefix("s3://").partition("/")[2]
