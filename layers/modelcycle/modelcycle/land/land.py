"""Lands the records of a stream or queue, each row exactly once.

    batch     everything that one claim covers is written as one object: every row under the key it will have
    claim     one conditional write makes the batch that of its records, and counts them
    objects   the batch is divided into the objects that `collect` reads

Killed after the first step, the batch belongs to nobody and is never read. Killed after the second, the records are
delivered again, turn out to be claimed, and the objects are written from the batch, under the same keys. Whichever way
the records are divided when they are delivered again, and however many functions have them, every row is in one object.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from modelcycle.land.stream_records import Arrival, Delivery, KeptBack, Outcome, Record, Row
from modelcycle.messages import Artifact
from modelcycle.registry import Shard, Streams
from modelcycle.registry.streams import MAX_CLAIMED
from modelcycle.registry.table import retry_when_raced
from modelcycle.store import Store, read_json

WINDOWS = ("%Y/%m/%d/%H", "%Y/%m/%d", "%Y/%m")
MAX_WINDOWS = 48  # objects of one model in one batch: rows of many hours, as of a backfill, are kept by day or month
MESSAGE_LIFETIME = timedelta(days=15)  # a queue keeps a message for 14 days at most


class LandedRecords(NamedTuple):
    """What became of a delivery: rows that landed, records in quarantine, rows whose id the batch has twice, and
    records that had been landed before; outcomes of predictions, which no row counts."""

    rows: int = 0
    kept_back: int = 0
    repeated: int = 0
    known: int = 0
    outcomes: int = 0


class Lander:
    """Lands deliveries.

    Parameters
    ----------
    data : the bucket for the landed objects
    """

    def __init__(self, data: Store, streams: Streams) -> None:
        self.data = data
        self.streams = streams
        self._finished: dict[tuple[str, str], str] = {}  # by stream and shard: the last batch that was divided here

    def land(self, delivery: Delivery, records: Iterable[Record]) -> LandedRecords:
        """Land the records of a delivery. Safe to repeat, to kill, and to run twice at the same time.

        Raises
        ------
        Transient : the bucket or the registry does not answer; the delivery comes again
        Raced : others were faster at each attempt
        """
        by_shard: dict[str, list[Record]] = defaultdict(list)
        for record in records:
            by_shard[record.arrival.shard].append(record)
        total = LandedRecords()
        for shard, of_shard in by_shard.items():
            if delivery.ordered:
                landed = [self._land_range(delivery.stream, shard, of_shard)]
            else:
                parts = range(0, len(of_shard), MAX_CLAIMED)
                landed = [self._land_messages(delivery.stream, shard, of_shard[n : n + MAX_CLAIMED]) for n in parts]
            total = LandedRecords(*map(sum, zip(total, *landed, strict=True)))
        return total

    @retry_when_raced
    def _land_range(self, stream: str, name: str, records: Sequence[Record]) -> LandedRecords:
        """Land the records of a shard that lie behind its cursor."""
        shard, revision = self.streams.get(stream, name)
        if shard.batch is not None and self._finished.get((stream, name)) != shard.batch.uri:
            self._divide(stream, name, shard.batch)  # whoever claimed it may have been killed since
        new = [record for record in records if int(record.arrival.id) > int(shard.sequence or -1)]
        if not new:
            return LandedRecords(known=len(records))
        batch = _Batch(stream, name, new)
        artifact = self._put(batch)
        last = max((record.arrival.id for record in new), key=int)
        self.streams.claim_range(stream, name, batch.added_to(shard, artifact, last), revision)
        self._divide(stream, name, artifact)
        return batch.counts._replace(known=len(records) - len(new))

    @retry_when_raced
    def _land_messages(self, stream: str, name: str, records: Sequence[Record]) -> LandedRecords:
        """Land the messages of a queue that no batch has."""
        new = {record.arrival.id: record for record in records}
        claimed = {message: self.streams.batch_of(stream, message) for message in new}
        for artifact in {found.uri: found for found in claimed.values() if found}.values():
            self._divide(stream, name, artifact)  # whoever claimed it may have been killed since
        unclaimed = [record for message, record in new.items() if claimed[message] is None]
        if not unclaimed:
            return LandedRecords(known=len(records))
        shard, revision = self.streams.get(stream, name)
        batch = _Batch(stream, name, unclaimed)
        artifact = self._put(batch)
        expires = int((max(record.arrival.at for record in unclaimed) + MESSAGE_LIFETIME).timestamp())
        messages = [record.arrival.id for record in unclaimed]
        self.streams.claim_messages(stream, name, batch.added_to(shard, artifact), revision, messages, expires)
        self._divide(stream, name, artifact)
        return batch.counts._replace(known=len(records) - len(unclaimed))

    def _put(self, batch: _Batch) -> Artifact:
        body = json.dumps(batch.objects, sort_keys=True, ensure_ascii=True).encode()
        digest = hashlib.sha256(body).hexdigest()
        return self.data.put(f"landed/_batches/{batch.stream}/{digest}.json", body)

    def _divide(self, stream: str, name: str, artifact: Artifact) -> None:
        """Write the objects of a claimed batch; those that are there already stay."""
        objects: dict[str, list[str]] = read_json(self.data, artifact)
        for key, lines in objects.items():
            self.data.put(key, "".join(f"{line}\n" for line in lines).encode(errors="surrogatepass"))
        self._finished[stream, name] = artifact.uri


class _Batch:
    """The records of one claim: the objects that they make, and their counts.

    Attributes
    ----------
    objects : lines by key
    """

    def __init__(self, stream: str, shard: str, records: Sequence[Record]) -> None:
        self.stream = stream
        self.records = records
        ids = "\n".join(record.arrival.id for record in records)
        first = min(record.arrival.at for record in records)
        digest = hashlib.sha256(f"{stream}\n{shard}\n{ids}".encode()).hexdigest()
        self.name = f"{first:%Y%m%dT%H%M%S%f}-{shard}-{digest[:16]}.jsonl"  # names sort by arrival
        self.rows: dict[str, list[Row]] = defaultdict(list)
        self.outcomes: dict[str, list[Outcome]] = defaultdict(list)
        self.outcomes_folder = f"stream/{first:{WINDOWS[0]}}"
        self.kept_back: list[KeptBack] = []
        seen: set[tuple[str, str]] = set()
        for record in records:
            if isinstance(record, KeptBack):
                self.kept_back.append(record)
            elif isinstance(record, Outcome):
                self.outcomes[record.model].append(record)
            elif record.row_id is None or (record.model, record.row_id) not in seen:
                self.rows[record.model].append(record)
                seen.update([(record.model, record.row_id)] if record.row_id is not None else [])
        n_rows = sum(map(len, self.rows.values()))
        n_outcomes = sum(map(len, self.outcomes.values()))
        repeated = len(records) - n_rows - n_outcomes - len(self.kept_back)
        self.counts = LandedRecords(n_rows, len(self.kept_back), repeated, outcomes=n_outcomes)
        self.objects = self._objects()

    def added_to(self, shard: Shard, artifact: Artifact, sequence: str = "") -> Shard:
        """Return the shard with this batch as its newest one."""
        landed, kept_back = Counter(shard.landed), Counter(shard.kept_back)
        landed.update({model: len(rows) for model, rows in self.rows.items()})
        kept_back.update(record.reason for record in self.kept_back)
        newest = dict(shard.newest)
        for model, rows in self.rows.items():
            latest = max(row.arrival.at for row in rows)
            newest[model] = max(latest, newest.get(model, latest))
        last = max(record.arrival.at for record in self.records)
        kept_back_at = max((record.arrival.at for record in self.kept_back), default=shard.kept_back_at)
        return Shard(
            sequence=sequence, batch=artifact, arrived_at=max(last, shard.arrived_at or last), landed=dict(landed),
            newest=newest, kept_back=dict(kept_back),
            kept_back_at=kept_back_at, repeated=shard.repeated + self.counts.repeated,
        )  # fmt: skip

    def _objects(self) -> dict[str, list[str]]:
        objects: dict[str, list[str]] = defaultdict(list)
        for model, rows in self.rows.items():
            form = _window_form(row.event_at for row in rows)
            for row in rows:
                objects[f"landed/{model}/main/{row.event_at:{form}}/{self.name}"].append(row.line)
        for model, outcomes in self.outcomes.items():
            objects[f"feedback/{model}/{self.outcomes_folder}/{self.name}"] += [one.line for one in outcomes]
        for record in self.kept_back:
            objects[f"landed/_quarantine/{record.arrival.at:{WINDOWS[0]}}/{self.name}"].append(_kept_line(record))
        return dict(objects)


def _window_form(times: Iterable[datetime]) -> str:
    """Return the form of the windows: hours, or days or months where a batch has rows of too many hours."""
    known = list(times)
    fitting = (form for form in WINDOWS if len({f"{time:{form}}" for time in known}) <= MAX_WINDOWS)
    return next(fitting, WINDOWS[-1])


def _kept_line(record: KeptBack) -> str:
    """Return a record in quarantine: why, when, and all that arrived."""
    arrival: Arrival = record.arrival
    try:
        data = {"data": arrival.data.decode()}
    except UnicodeDecodeError:
        data = {"data_base64": base64.b64encode(arrival.data).decode()}
    about = {"reason": record.reason, "shard": arrival.shard, "id": arrival.id, "arrived_at": arrival.at.isoformat()}
    return json.dumps({**about, **data})
