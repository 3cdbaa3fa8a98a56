"""What is compacted of a model: one manifest an hour, and how far the compaction has come.

The manifest of an hour alone says which Parquet files hold its rows, and which captured objects these rows are from. It
is replaced only by a writer that has read its present content. So every captured object is compacted once, whichever
writers were killed or raced: a file that no manifest names does not exist for readers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from modelcycle.messages import Artifact
from modelcycle.store import ChangingStore, Listed, Store

HOUR = timedelta(hours=1)
MAX_LISTED_DAYS = 7  # one by one
LATE = timedelta(hours=48)  # Firehose tries for a day to deliver an object of an hour
MAX_COUNTED_HOURS = 400  # whose answers the progress counts; a look at a week asks for the 337 hours before its end


class Part(BaseModel):
    """A Parquet file in the folder of an hour.

    Parameters
    ----------
    answers : rows that clients have seen, without those of a shadow version
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    name: str
    sha256: str
    bytes: int
    rows: int
    answers: int = 0

    def artifact(self, data: ChangingStore, model: str, hour: datetime) -> Artifact:
        """Return the file's address; the bucket may be another one than that in which it was written."""
        key = f"{hour_folder(model, hour)}{self.name}"
        return Artifact(uri=f"s3://{data.bucket}/{key}", sha256=self.sha256, bytes=self.bytes)


class Manifest(BaseModel):
    """What is compacted of an hour of arrival.

    Parameters
    ----------
    objects : of each captured object that is compacted, the key and the etag
    broken : of those that cannot be unpacked
    columns, classes : names by their codes in the files, see `captured.answer_rows`
    broken_lines : that are not JSON, or lack an id, a time or a version
    left_out : columns and classes beyond the limits
    digest : SHA-256 of the manifest without it; empty in those of earlier releases
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True, populate_by_name=True)

    schema_number: int = Field(1, alias="schema")
    parts: list[Part] = []
    objects: dict[str, str] = {}
    broken: dict[str, str] = {}
    columns: dict[str, str] = {}
    classes: dict[str, str] = {}
    broken_lines: int = 0
    left_out: int = 0
    digest: str = ""

    def lacks(self, one: Listed) -> bool:
        """Return whether a captured object is not compacted yet."""
        return self.objects.get(one.key) != one.etag and self.broken.get(one.key) != one.etag

    def to_bytes(self) -> bytes:
        """Return JSON with the digest; equal manifests give equal bytes."""
        content = self.model_dump(mode="json", by_alias=True, exclude={"digest"})
        return _json(content | {"digest": hashlib.sha256(_json(content)).hexdigest()})


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, ensure_ascii=False).encode("utf-8", "surrogatepass")


class Progress(BaseModel):
    """How far a model is compacted.

    Parameters
    ----------
    through : of all hours that ended before it, what had arrived is compacted; None before the first compaction
    answers : that clients have seen, by hour of arrival, of the newest hours: one request instead of one an hour
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    through: datetime | None = None
    answers: dict[datetime, int] = {}

    def with_answers(self, through: datetime, answers: Mapping[datetime, int]) -> Progress:
        """Return the progress with further hours, or other counts of the same; the oldest beyond the limit are gone."""
        counted = {**self.answers, **answers}
        newest = sorted(counted)[-MAX_COUNTED_HOURS:]
        reached = through if self.through is None else max(self.through, through)
        return Progress(through=reached, answers={hour: counted[hour] for hour in newest})


def hour_of(moment: datetime) -> datetime:
    """Return the beginning of the hour (UTC).

    >>> hour_of(datetime(2026, 1, 2, 3, 59, tzinfo=UTC)).isoformat()
    '2026-01-02T03:00:00+00:00'
    """
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def hour_folder(model: str, hour: datetime) -> str:
    """Return the folder of an hour's Parquet files and its manifest."""
    return f"compacted/model={model}/{hour:%Y/%m/%d/%H}/"


def manifest_key(model: str, hour: datetime) -> str:
    return f"{hour_folder(model, hour)}manifest.json"


def progress_key(model: str) -> str:
    return f"compacted/model={model}/progress.json"


def read_manifest(data: ChangingStore, model: str, hour: datetime) -> tuple[Manifest, str | None]:
    """Return the manifest of an hour and its etag; an empty one and None if nothing of it is compacted."""
    found = data.current(manifest_key(model, hour))
    return (Manifest.model_validate_json(found[0]), found[1]) if found else (Manifest(), None)


def read_progress(data: ChangingStore, model: str) -> tuple[Progress, str | None]:
    """Return how far the model is compacted, and the etag of what says so; None before the first compaction."""
    found = data.current(progress_key(model))
    return (Progress.model_validate_json(found[0]), found[1]) if found else (Progress(), None)


def captures_by_hour(data: Store, model: str, since: datetime | None, end: datetime) -> dict[datetime, list[Listed]]:
    """Return a model's captured objects by their hour of arrival (UTC), oldest hour and key first.

    Until version 0.1 all models shared the objects under `captures/YYYY/MM/DD/HH/`.

    Parameters
    ----------
    since : the first hour; None: all that there are
    end : hours that begin before it
    """
    roots = [f"captures/model={model}/", "captures/"]
    by_hour: dict[datetime, list[Listed]] = {}
    for root in roots:
        prefixes = [f"{root}{day}" for day in (["2"] if since is None else _days(since, end))]
        for prefix in prefixes:
            for one in data.list(prefix):
                hour = _hour_in(one.key.removeprefix(root))
                if hour is not None and (since is None or hour >= since) and hour < end:
                    by_hour.setdefault(hour, []).append(one)
    return {hour: sorted(by_hour[hour]) for hour in sorted(by_hour)}


def compacted_hours(data: ChangingStore, model: str, since: datetime, end: datetime) -> list[datetime]:
    """Return the hours from `since` on, and before `end`, that have a manifest."""
    root = f"compacted/model={model}/"
    days = _days(since, end)
    # a request to S3 lists a thousand keys, which are some ten days
    prefixes = days if len(days) <= MAX_LISTED_DAYS else sorted({day[:8] for day in days})
    hours = [
        _hour_in(one.key.removeprefix(root))
        for prefix in prefixes for one in data.list(f"{root}{prefix}") if one.key.endswith("/manifest.json")
    ]  # fmt: skip
    return [hour for hour in hours if hour is not None and since <= hour < end]


def _days(since: datetime, end: datetime) -> Sequence[str]:
    days = []
    day = hour_of(since).replace(hour=0)
    while day < end:
        days.append(f"{day:%Y/%m/%d/}")
        day += timedelta(days=1)
    return days


def _hour_in(rest: str) -> datetime | None:
    """Return the hour that a key names behind its root; None if it is no captured object.

    >>> _hour_in("2026/01/02/03/part.gz"), _hour_in("2026/01/02/03/")
    (datetime.datetime(2026, 1, 2, 3, 0, tzinfo=datetime.timezone.utc), None)
    """
    try:
        hour = datetime.strptime(rest[:13], "%Y/%m/%d/%H").replace(tzinfo=UTC)
    except ValueError:
        return None
    return hour if rest[13:14] == "/" and len(rest) > 14 and not rest.endswith("/") else None
