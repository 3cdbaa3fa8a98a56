from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from pydantic import ValidationError

from modelcycle.captured.manifest import LATE, compacted_hours, hour_of, manifest_key, read_progress
from modelcycle.key_service import KeyService
from modelcycle.messages import Sealed, SealRequest
from modelcycle.registry import Head, Registry
from modelcycle.seal.daily_seal import DailySeal, SealedCaptures, seal_key, sealed_days
from modelcycle.store import ChangingStore, S3Store

MAX_SECONDS = 600  # after which no further day is begun; a function may take 900
MAX_READS = 8  # at a time
FIRST_SEAL = timedelta(days=7)  # of captures before it, the first seal of a model holds no manifest
DAY = timedelta(days=1)


class Ports(NamedTuple):
    """What a seal is made of; see `seal`."""

    data: ChangingStore
    registry: Registry
    keys: KeyService


def seal(
    request: SealRequest, *, data: ChangingStore, seals: S3Store, registry: Registry, keys: KeyService,
    clock: Callable[[], float] = time.monotonic,
) -> Sealed:  # fmt: skip
    """Seal each day that has ended and has no seal yet, the oldest first.

    The first seal is that of yesterday. A day that was missed is sealed later, with what stands then. A seal is never
    rewritten: of two calls at once, the slower one goes on from the seal of the faster one. A seal of a day that has
    not ended is not of this function, and is ignored.

    Parameters
    ----------
    data : the bucket with compacted captures
    seals : the bucket with Object Lock
    keys : signs the seal, if the stack has a key that signs
    clock : seconds

    Raises
    ------
    Transient : a service does not answer; nothing is sealed without a signature because of that
    """
    begun, at = clock(), (request.at or datetime.now(UTC)).astimezone(UTC)
    yesterday = at.date() - DAY
    days = [day for day in sealed_days(seals) if day <= yesterday]  # one that has not ended, somebody else wrote
    last = _last(seals, days[-1]) if days else None
    waiting = [yesterday] if last is None else _days_between(last.day, yesterday)
    done: list[str] = []
    for day in waiting:
        if clock() - begun > MAX_SECONDS:
            break
        made = _sealed(day, at, last, Ports(data, registry, keys))
        seals.put(seal_key(day), made.to_bytes())
        last = _last(seals, day)  # which may be that of another call
        done.append(day.isoformat())
    newest = last.seal if last else None
    return Sealed(
        days=done, models=len(newest.heads) if newest else 0, signed=bool(newest and newest.signature),
        behind=len(waiting) - len(done),
    )  # fmt: skip


class _Last(NamedTuple):
    """The newest seal: the day under which it lies, the SHA-256 of its object, and None if that is no seal."""

    day: date
    sha256: str
    seal: DailySeal | None


def _last(seals: S3Store, day: date) -> _Last:
    """Return the seal of a day. Sealing goes on behind an object that is none: `verify` names it."""
    body, _ = seals.latest(seal_key(day))
    try:
        seal = DailySeal.model_validate_json(body)
    except ValidationError:
        seal = None
    return _Last(day, hashlib.sha256(body).hexdigest(), seal)


def _days_between(last: date, until: date) -> list[date]:
    return [last + number * DAY for number in range(1, (until - last).days + 1)]


def _sealed(day: date, at: datetime, last: _Last | None, ports: Ports) -> DailySeal:
    models = ports.registry.runs.models()
    earlier = last.seal.captures if last and last.seal else {}

    def read(model: str) -> tuple[Head, SealedCaptures | None]:
        return ports.registry.audit.head(model), _captures(model, at, earlier.get(model), ports.data)

    with ThreadPoolExecutor(MAX_READS) as pool:
        found = dict(zip(models, pool.map(read, models), strict=True))
    made = DailySeal(
        day=day, at=at,
        heads={model: head for model, (head, _) in found.items() if head.number},
        captures={model: captures for model, (_, captures) in found.items() if captures},
        **({"previous": last.sha256, "previous_day": last.day} if last else {}),
    )  # fmt: skip
    return made.signed(ports.keys.sign(made.digest)) if ports.keys.signs else made


def _captures(model: str, at: datetime, earlier: SealedCaptures | None, data: ChangingStore) -> SealedCaptures | None:
    """Return the manifests since the seal before, of days to which no late object can be added any more."""
    progress, _ = read_progress(data, model)
    if progress.through is None:
        return earlier
    settled = min(progress.through, hour_of(at)) - LATE
    end = settled.replace(hour=0, minute=0, second=0, microsecond=0)
    since = earlier.through if earlier else end - FIRST_SEAL
    manifests = {}
    for hour in compacted_hours(data, model, since, end) if since < end else []:
        key = manifest_key(model, hour)
        found = data.current(key)
        if found is not None:
            manifests[key] = hashlib.sha256(found[0]).hexdigest()
    return SealedCaptures(through=max(since, end), manifests=manifests)
