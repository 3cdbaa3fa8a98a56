"""One captured prediction, found by its id."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from cli.place import Place
from modelcycle.faults import Unknown
from modelcycle.store import S3Store

MAX_OBJECTS_AT_ONCE = 8
MAX_OBJECTS = 20_000  # captured objects that are looked through, the newest first


class Captured(NamedTuple):
    """A captured prediction.

    Parameters
    ----------
    masked : columns whose values were hidden when it was captured
    inputs : SHA-256 of the row as it was captured
    """

    record: dict[str, Any]
    instance: dict[str, Any]
    masked: list[str]
    inputs: str


def find_captured(place: Place, model: str, prediction_id: str, at: datetime | None) -> Captured:
    """Return the captured prediction of an id, looking through the newest objects first.

    Raises
    ------
    Unknown : none has it
    """
    bucket, wanted = place.output("DataBucket"), json.dumps(prediction_id).encode()

    def found_in(key: str) -> Captured | None:
        body = place.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        text = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
        for line in text.splitlines() if wanted in text else []:
            record = json.loads(line) if wanted in line else {}
            if record.get("prediction_id") == prediction_id and not record.get("shadow"):
                return _captured(record)
        return None

    keys = list(_capture_keys(place, bucket, model, at))
    with ThreadPoolExecutor(MAX_OBJECTS_AT_ONCE) as pool:
        for start in range(0, len(keys), MAX_OBJECTS_AT_ONCE):
            for found in pool.map(found_in, keys[start : start + MAX_OBJECTS_AT_ONCE]):
                if found is not None:
                    return found
    looked = f"the newest {len(keys):,} objects of captured answers were looked through"
    raise Unknown(
        f"no captured prediction of {model} has the id {prediction_id}", looked if keys else "nothing is captured yet",
        "answers are captured within 90 seconds and kept for 90 days; give --at TIME for an older one",
    )  # fmt: skip


def _capture_keys(place: Place, bucket: str, model: str, at: datetime | None) -> Iterator[str]:
    prefix = f"captures/model={model}/"
    store = S3Store(place.s3, bucket)
    if at is not None:
        for hours in (0, 1, -1):
            hour = at + timedelta(hours=hours)
            yield from (listed.key for listed in store.list(f"{prefix}{hour:%Y/%m/%d/%H}/"))
        return
    keys = sorted((listed.key for listed in store.list(prefix) if not listed.key.endswith("/")), reverse=True)
    yield from keys[:MAX_OBJECTS]


def _captured(record: dict[str, Any]) -> Captured:
    instance = record["instance"]
    masked = [name for name in record.get("masked", []) if name in instance]
    text = json.dumps(instance, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return Captured(
        record, instance | dict.fromkeys(masked), masked, hashlib.sha256(text.encode()).hexdigest()
    )  # fmt: skip
