"""How far the records of the stack's stream and queue have been landed."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cli.screens.lines import count

if TYPE_CHECKING:
    from cli.health.health import Health
    from cli.place import Place
    from modelcycle.registry import Shard

TOLD_FOR = timedelta(days=1)  # a record that was kept back is a problem for so long, then a fact
MAX_LAG_SECONDS = 300.0  # `land` waits for up to 60 s, so that objects are few and large
NONE = "none"  # what the stack's outputs say where there is no stream or no queue


def add_streams(place: Place, health: Health) -> None:
    """Add the lag of the stream and the queue, what has landed of each model, and what was kept back."""
    stream, queue = place.outputs.get("RecordStream", NONE), place.outputs.get("RecordQueue", NONE)
    if stream != NONE:
        shards = place.registry.streams.shards(stream)
        _add(health, place, f"Kinesis {stream}", "stream", shards, _stream_lag(place, stream, shards))
    if queue != NONE:
        shards = place.registry.streams.shards(queue.rpartition("/")[2])
        _add(health, place, f"SQS {queue}", "queue", shards, _waiting_messages(place, queue))


def _add(health: Health, place: Place, name: str, kind: str, shards: dict[str, Shard], lag: tuple[str, bool]) -> None:
    waiting, is_late = lag
    landed: Counter[str] = Counter()
    kept_back: Counter[str] = Counter()
    for shard in shards.values():
        landed.update(shard.landed)
        kept_back.update(shard.kept_back)
    health.facts.append((kind, f"{count(landed.total(), 'row')} landed; {waiting}; {name}"))
    for model, rows in sorted(landed.items()):
        newest = max(shard.newest[model] for shard in shards.values() if model in shard.newest)
        health.facts.append((f"{kind} {model}", f"{count(rows, 'row')}, the newest of {newest:%Y-%m-%d %H:%M:%S} UTC"))
    if is_late:
        health.problems.append((f"the {kind} is late: {waiting}", "is `land` failing? its log says why"))
    if kept_back:
        reasons = ", ".join(f"{number:,} {reason}" for reason, number in kept_back.most_common())
        told = f"{count(kept_back.total(), 'record')} of the {kind} kept back: {reasons}"
        newest_at = max((shard.kept_back_at for shard in shards.values() if shard.kept_back_at), default=None)
        where = f"s3://{place.outputs.get('DataBucket')}/landed/_quarantine/"
        if newest_at is not None and datetime.now(UTC) - newest_at < TOLD_FOR:
            health.problems.append((told, f"correct the sender; the records are in {where}"))
        else:
            health.facts.append((f"{kind} kept", f"{told}; none since yesterday; in {where}"))


def _stream_lag(place: Place, stream: str, shards: dict[str, Shard]) -> tuple[str, bool]:
    """Return for how long the oldest record that has not landed waits, in words, and whether that is too long."""
    kinesis = place.client("kinesis")
    arn = kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]["StreamARN"]
    oldest: datetime | None = None
    for shard in kinesis.list_shards(StreamARN=arn)["Shards"]:
        known = shards.get(shard["ShardId"])
        begin = (
            {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": known.sequence}
            if known and known.sequence
            else {"ShardIteratorType": "TRIM_HORIZON"}
        )
        iterator = kinesis.get_shard_iterator(StreamARN=arn, ShardId=shard["ShardId"], **begin)["ShardIterator"]
        records = kinesis.get_records(StreamARN=arn, ShardIterator=iterator, Limit=1)["Records"]
        for record in records:
            arrived: datetime = record["ApproximateArrivalTimestamp"]
            oldest = min(arrived, oldest or arrived)
    if oldest is None:
        return "nothing waits", False
    seconds = max(0.0, (datetime.now(UTC) - oldest).total_seconds())
    return f"the oldest record waits for {seconds:,.0f} s", seconds > MAX_LAG_SECONDS


def _waiting_messages(place: Place, queue: str) -> tuple[str, bool]:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = place.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    waiting = sum(int(found.get(name, 0)) for name in names)
    return (f"{count(waiting, 'message')} waiting" if waiting else "nothing waits"), False
