"""What an erasure does next: take the lease, look twice, erase, and look whether all is gone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Literal

from modelcycle.erase.places import areas, hours_of, place_of
from modelcycle.erase.work import Found, Task, Work
from modelcycle.erasing_store import S3ErasingStore
from modelcycle.faults import Transient
from modelcycle.flows import Flows
from modelcycle.messages import PlanErasureRequest, PlannedErasure
from modelcycle.messages.erasure import MAX_UNASKED_ROWS
from modelcycle.outages import RETRIED
from modelcycle.registry import ErasureRecord, Registry

MAX_BATCHES = 200  # the numbers of all fit into a state of Step Functions
MAX_BATCH_OBJECTS = 50
MAX_BATCH_BYTES = 200 * 2**20
FIRST_LOOK, COMPARISON, SECOND_LOOK = 0, 1, 2  # rounds; then an erasure and a look in turn
MAX_ROUNDS = 13
SOURCES = ("raw/", "landed/", "captures", "compacted/", "score/")  # what names people itself; the rest is derived
TRAFFIC = "/_traffic/"  # labelled live requests may have lost the column: they are found by the ids of predictions


def plan_erasure(
    request: PlanErasureRequest, *, data: S3ErasingStore, artifacts: S3ErasingStore, registry: Registry, flows: Flows
) -> PlannedErasure:
    """Return the next round, or that the erasure ends.

    The first look finds the rows in what people and clients send. A comparison strikes the texts of these rows that
    others have too. The second look finds what was made of them: outcomes by the ids of predictions, profiles by the
    texts that nobody else has. Then everything is erased, and looked through
    again, until nothing is found. A round that is planned twice is the same round.

    Raises
    ------
    Unknown : there is no request of that erasure
    Transient : rows were still found after MAX_ROUNDS rounds: somebody writes them again and again
    """
    work = Work(artifacts, request.model, request.erasure)
    answer = PlannedErasure(model=request.model, erasure=request.erasure, mode=request.mode, phase="find", round=0)
    earlier = registry.erasures.get(request.model, request.erasure)
    if earlier is not None and earlier.state == "done":
        return answer.model_copy(update={"phase": "finish"})
    if request.mode == "forget":
        return answer.model_copy(update={"phase": "finish"})
    wanted = work.wanted()
    if request.phase == "begin":
        known = work.known()
        if request.mode == "find" or earlier is None:
            known = Found(last=known.last)  # an erasure that goes on keeps what it knew before anything was gone
        if request.mode == "erase":
            holder = registry.leases.hold(request.model, request.erasure, request.execution, flows.is_running)
            if holder is not None:
                return answer.model_copy(update={"phase": "wait", "why": f"{holder} has the model"})
            record = ErasureRecord(erasure=request.erasure, asked_at=wanted.asked_at, by=wanted.by, why=wanted.why)
            registry.erasures.begin(request.model, record)
        known.base = known.last + 1
        return _round(answer, work, known, known.base, data, artifacts)
    known = work.known()
    number = request.round - known.base
    if request.phase == "erase":
        known.held |= work.found(request.round).held
        return _round(answer, work, known, request.round + 1, data, artifacts)
    found = work.found(request.round)
    known.learn(found)
    if number in (FIRST_LOOK, COMPARISON):
        return _round(answer, work, known, request.round + 1, data, artifacts)
    if number == SECOND_LOOK:
        look = work.found(known.base)
        look.add(found)
        if not known.counted:
            known.classes, known.alike, known.masked, known.counted = look.classes, look.alike, look.masked, True
        found = look
    known.held, known.doubtful, known.unread = found.held, found.doubtful, found.unread
    work.keep_known(known)
    answer = answer.model_copy(
        update={"objects": found.objects, "rows": known.matching_rows, "round": request.round}
    )  # fmt: skip
    if request.mode == "find" or not found.objects:
        return answer.model_copy(update={"phase": "finish"})
    rows, allowed = known.matching_rows, max(MAX_UNASKED_ROWS, wanted.rows or 0)
    if rows > allowed:
        why = f"{rows:,} rows match, more than the {allowed:,} that may be erased; if you mean all: --rows {rows}"
        return answer.model_copy(update={"phase": "refuse", "why": why})
    if number >= MAX_ROUNDS:
        raise Transient(f"{found.objects} objects hold the rows again after {number} rounds", request.erasure, RETRIED)
    return _round(answer, work, known, request.round + 1, data, artifacts, "erase")


def _round(
    answer: PlannedErasure, work: Work, known: Found, number: int, data: S3ErasingStore, artifacts: S3ErasingStore,
    phase: str = "find",
) -> PlannedErasure:  # fmt: skip
    """Divide the objects of a round into batches, and keep these."""
    known.last = max(known.last, number)
    work.keep_known(known)
    tasks = list(_tasks(work.model, number - known.base, data, artifacts))
    batches = [list(batch) for batch in _spread(tasks)]
    work.keep_batches(number, batches)
    return answer.model_copy(update={"phase": phase, "round": number, "batches": list(range(len(batches)))})


def _tasks(
    model: str, number: int, data: S3ErasingStore, artifacts: S3ErasingStore
) -> Iterator[Task]:  # fmt: skip
    stores = {"data": data, "artifacts": artifacts}
    hours: dict[str, list[str]] = {}
    kind: Literal["compare", "objects"] = "compare" if number == COMPARISON else "objects"
    if number == COMPARISON:
        yield Task(kind="names")
    for area in areas(model):
        is_source = area.bucket == "data" and area.prefix.startswith(SOURCES)
        by_hour = area.prefix in (f"captures/model={model}/", f"compacted/model={model}/")
        keys: list[str] = []
        size = 0
        for key, versions in groupby(stores[area.bucket].versions(area.prefix), key=lambda one: one.key):
            total = sum(one.bytes for one in versions)
            if number <= SECOND_LOOK and (number != SECOND_LOOK) != (is_source and TRAFFIC not in key):
                continue
            if by_hour and number != COMPARISON:
                for hour, names in hours_of(iter([key])).items():
                    hours.setdefault(hour, []).extend(names)
                continue
            if place_of(model, area.bucket, key) is None:
                continue
            if keys and (len(keys) >= MAX_BATCH_OBJECTS or size + total > MAX_BATCH_BYTES):
                yield Task(kind=kind, bucket=area.bucket, keys=keys)
                keys, size = [], 0
            keys.append(key)
            size += total
        if keys:
            yield Task(kind=kind, bucket=area.bucket, keys=keys)
    for hour, names in sorted(hours.items()):
        yield Task(kind="hour", keys=names, hour=hour)
    if number >= SECOND_LOOK:
        yield Task(kind="references", bucket="artifacts")


def _spread(tasks: Sequence[Task]) -> Iterator[Sequence[Task]]:
    """Yield the tasks in at most MAX_BATCHES batches."""
    size = max(1, -(-len(tasks) // MAX_BATCHES))
    for start in range(0, len(tasks), size):
        yield tasks[start : start + size]
