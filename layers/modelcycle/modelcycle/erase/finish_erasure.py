"""The end of an erasure: its receipt and tombstones stay, and everything that names the person goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from modelcycle.erase.leftovers import delete_leftovers, delete_work, leftovers, tombstones_of
from modelcycle.erase.named_objects import Values, without_values
from modelcycle.erase.records import count_quotes, take_out_quotes
from modelcycle.erase.work import Found, Tombstone, Work
from modelcycle.erasing_store import S3ErasingStore
from modelcycle.faults import Unknown
from modelcycle.messages import FinishedErasure, FinishErasureRequest, Wanted
from modelcycle.reasons import reason_text
from modelcycle.registry import ErasureRecord, Registry

BACKUP_DAYS = 35  # AWS page "Point-in-time backups for DynamoDB"
QUEUE_DAYS = 14  # MessageRetentionPeriod of the queues Undelivered and of rows
DAYS_ON_THE_WAY = 1  # Firehose and the stream of rows keep what they could not write
HISTORY_DAYS = 90  # of closed executions (AWS page "Step Functions service quotas")


def finish_erasure(
    request: FinishErasureRequest, *, data: S3ErasingStore, artifacts: S3ErasingStore, registry: Registry
) -> FinishedErasure:
    """End a look, an erasure, or one that has failed or is refused. Idempotent.

    A look keeps the request: the erasure needs it. So does a failure: the erasure can be taken up again. What a look
    has found goes when it is forgotten, or when an erasure of the same people ends. The release
    of the lease lets uploads that arrived meanwhile start a run; what the erasure has written itself starts none.
    """
    work = Work(artifacts, request.model, request.erasure)
    answer = FinishedErasure(model=request.model, erasure=request.erasure, mode=request.mode, state="done")
    own = _own_arrivals(request.model, data, registry, work)
    if request.error is not None:
        reason = reason_text(request.error)
        registry.erasures.fail(request.model, request.erasure, reason)
        folded = registry.leases.release(request.model, request.execution, own)
        return answer.model_copy(update={"state": "failed", "reason": reason, "folded": folded})
    earlier = registry.erasures.get(request.model, request.erasure)
    if earlier is not None and earlier.state == "done":
        return _finished_before(request, answer, earlier, work, artifacts, registry, own)
    if request.mode == "forget":
        if earlier is None:  # an erasure that has begun may have changed something: it can only be ended
            delete_work(work, artifacts)
        return answer.model_copy(update={"state": "forgotten" if earlier is None else "failed"})
    wanted = work.wanted()
    known = work.known()
    stores = {"data": data, "artifacts": artifacts}
    traces = work.traces(known)
    if request.mode == "find":
        count_quotes(registry, request.model, traces, known)
    answer = answer.model_copy(update={"rows": known.matching_rows, "objects": known.objects})
    if request.mode == "find":
        work.replace("preview.json", _without_names(preview(known, wanted), work, known, wanted, stores))
        return answer.model_copy(update={"state": "found"})
    if request.why:
        registry.erasures.fail(request.model, request.erasure, request.why)
        folded = registry.leases.release(request.model, request.execution, own)
        return answer.model_copy(update={"state": "refused", "reason": request.why, "folded": folded})
    take_out_quotes(registry, request.model, request.erasure, wanted.by, wanted.why, traces, known)
    learned = _mark_versions(request, registry, known, artifacts)
    others = leftovers(work, wanted, artifacts)
    stones = [*work.tombstones(), *tombstones_of(others)]
    tombstones = work.keep(
        "tombstones.json", {"schema": 1, "erased": [one.model_dump(mode="json") for one in _last(stones)]}
    )
    asked_at = earlier.asked_at if earlier else wanted.asked_at
    told = _receipt(request, wanted, known, stones, learned, asked_at)
    receipt = work.keep("receipt.json", _without_names(told, work, known, wanted, stores))
    done = ErasureRecord(
        erasure=request.erasure, asked_at=asked_at, by=wanted.by, why=wanted.why, state="done",
        ended_at=datetime.now(UTC), rows=known.matching_rows, receipt=receipt,
    )  # fmt: skip
    registry.erasures.finish(request.model, done, {"receipt": receipt, "tombstones": tombstones})
    folded = registry.leases.release(request.model, request.execution, own)
    delete_leftovers(others, request.erasure, artifacts, registry)
    delete_work(work, artifacts)
    return answer.model_copy(update={"receipt": receipt, "retrain": wanted.retrain, "folded": folded})


def _finished_before(
    request: FinishErasureRequest, answer: FinishedErasure, record: ErasureRecord, work: Work,
    artifacts: S3ErasingStore, registry: Registry, own: list[tuple[str, str]],
) -> FinishedErasure:  # fmt: skip
    """Return the end that an earlier delivery has recorded, which was killed before it returned."""
    folded = registry.leases.release(request.model, request.execution, own)
    with suppress(Unknown):  # the request goes last
        delete_leftovers(leftovers(work, work.wanted(), artifacts), request.erasure, artifacts, registry)
    delete_work(work, artifacts)
    return answer.model_copy(update={"receipt": record.receipt, "rows": record.rows, "folded": folded})


def _without_names(
    told: dict[str, Any], work: Work, known: Found, wanted: Wanted, stores: Mapping[str, S3ErasingStore]
) -> dict[str, Any]:
    """Return a receipt or preview in which no object's name holds a value."""
    values = Values(wanted.subjects, work.traces(known).texts)
    names = without_values(dict.fromkeys([*told["held"], *told["unread"]]), values, stores)
    held = {names[name]: why for name, why in told["held"].items()}
    return told | {"held": held, "unread": [names[name] for name in told["unread"]]}


def preview(known: Found, wanted: Wanted) -> dict[str, Any]:
    """Return what was found, for a person to confirm: counts, and nothing of the rows."""
    missing = [name for subject in wanted.subjects for name in subject if name not in known.columns]
    return {
        "schema": 1,
        "rows": known.matching_rows,
        "objects": known.objects,
        "classes": {name: count.model_dump() for name, count in known.classes.items() if count.objects or count.rows},
        "versions": sorted(one.version for one in known.references),
        "alike": known.alike,
        "missing_columns": list(dict.fromkeys(missing)),
        "masked": known.masked,
        "held": known.stays,
        "unread": known.unread,
    }


def _receipt(
    request: FinishErasureRequest, wanted: Wanted, known: Found, stones: list[Tombstone], learned: Sequence[Learned],
    asked_at: datetime,
) -> dict[str, Any]:  # fmt: skip
    """Return the proof for the person who asked. It holds no value of anybody."""
    return {
        "schema": 1,
        "model": request.model,
        "erasure": request.erasure,
        "asked_at": asked_at.isoformat(),
        "asked_by": wanted.by,
        "why": wanted.why,
        "subjects": len(wanted.subjects),
        "rows": known.matching_rows,
        "classes": {name: count.model_dump() for name, count in known.classes.items() if count.objects or count.rows},
        "rewritten": len({(one.bucket, one.key) for one in stones if one.now is not None}),
        "deleted": len({(one.bucket, one.key) for one in stones if one.now is None}),
        "versions_that_learned": [one.version for one in learned],
        "versions_by_lineage": [one.version for one in learned if one.by_lineage],
        "versions_that_name_texts": [one.version for one in learned if one.holds_texts],
        "masked": known.masked,
        "held": known.stays,
        "unread": known.unread,
        "kept_elsewhere": kept_elsewhere(datetime.now(UTC)),
    }


def kept_elsewhere(ended: datetime) -> list[str]:
    """Return what an erasure cannot reach, and until when it is kept, as sentences."""
    backup, queue = ended + timedelta(days=BACKUP_DAYS), ended + timedelta(days=QUEUE_DAYS)
    way = ended + timedelta(days=DAYS_ON_THE_WAY)
    return [
        "answers given shortly before the end, which the capture writes within two minutes, after an outage until"
        f" {way:%Y-%m-%d}; and answers given since: if the person may be among them, erase again after that day",
        f"rows in a stream or queue that have not landed: until {way:%Y-%m-%d}, in a queue until {queue:%Y-%m-%d}",
        "results of a scoring job that had read its file before the rows went: erase again when it has ended",
        f"messages that could not be delivered (queue Undelivered): until {queue:%Y-%m-%d}",
        f"point-in-time backups of the registry, which holds sentences and no rows: until {backup:%Y-%m-%d}",
        "backups and replicas that you have made of the buckets: as long as you keep them",
        "databases, APIs and other buckets from which rows are pulled: erase there first, or the next pull brings them",
        "files of your own: whoever uploads one that holds the person brings the rows back; `run` refuses the very"
        " files from which rows were erased, and no others",
        "what clients and people have downloaded",
        "row hashes and hashes of cases, 64 bits each, from which nobody can read a row",
    ]


class Learned(NamedTuple):
    """A version that has learned from the rows.

    Parameters
    ----------
    by_lineage : whether only its files say so: an earlier erasure has deleted the tables in which its rows were
    holds_texts : whether its graph still names a text of theirs
    """

    version: int
    by_lineage: bool
    holds_texts: bool


def _mark_versions(
    request: FinishErasureRequest, registry: Registry, known: Found, artifacts: S3ErasingStore
) -> list[Learned]:
    """Mark the versions that have learned from the rows; return them, the oldest first."""
    learned = []
    tested = {one.version for one in known.references}
    for version in registry.versions.all(request.model):
        runs = {artifact.uri.split("/runs/")[-1].split("/")[0] for artifact in (version.profile, version.plan)}
        is_seen = version.version in tested or bool(runs & set(known.runs))
        if not is_seen and not runs & set(known.descended):
            continue
        graph = version.onnx.uri.removeprefix(f"s3://{artifacts.bucket}/")
        one = Learned(version.version, not is_seen, f"artifacts/{graph}" in known.stays)
        registry.erasures.mark(
            request.model, one.version, request.erasure, holds_texts=one.holds_texts, by_lineage=one.by_lineage
        )
        learned.append(one)
    return sorted(learned)


def _last(stones: list[Tombstone]) -> list[Tombstone]:
    """Return the tombstones, of each former hash of an object the last one."""
    last = {(one.bucket, one.key, one.was): one for one in stones}
    return [last[name] for name in sorted(last)]


def _own_arrivals(model: str, data: S3ErasingStore, registry: Registry, work: Work) -> list[tuple[str, str]]:
    """Return key and ETag of the uploads that this erasure has written."""
    found = []
    for stone in work.tombstones():
        if stone.bucket == "data" and stone.now is not None:
            rewritten = registry.erasures.rewritten(model, data.bucket, stone.key)
            if rewritten is not None and rewritten.etag:
                found.append((stone.key, rewritten.etag))
    return found
