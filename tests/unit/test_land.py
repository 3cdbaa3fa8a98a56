"""Records of a stream or queue as landed rows: each exactly once, however they are delivered."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelcycle.faults import BadMessage, Raced, Unknown
from modelcycle.land.land import MAX_WINDOWS, LandedRecords, Lander
from modelcycle.land.stream_records import (
    Arrival,
    Delivery,
    KeptBack,
    Outcome,
    Row,
    read_arrival,
    read_delivery,
    read_record,
)
from modelcycle.land.stream_sources import StreamSources
from modelcycle.registry import Registry, Write
from modelcycle.spec import StreamSource
from tests.unit.killable import KillableStore, KillableTable, Killed

ROOT = Path(__file__).resolve().parents[2]
AT = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
KINESIS, SQS = Delivery("records", ordered=True), Delivery("queue", ordered=False)
PLAIN = StreamSource(type="stream")


class World:
    def __init__(self) -> None:
        self.data = KillableStore()
        self.registry = Registry(KillableTable(self.data))

    def lander(self) -> Lander:
        return Lander(self.data, self.registry.streams)

    def rows(self, model: str = "m") -> list[Any]:
        """All landed rows of a model, in the order in which `collect` reads them."""
        prefix = f"landed/{model}/main/"
        keys = sorted(key for key in self.data.objects if key.startswith(prefix))
        return [json.loads(line) for key in keys for line in self.data.objects[key].splitlines()]

    def kept_back(self) -> list[Any]:
        keys = sorted(key for key in self.data.objects if key.startswith("landed/_quarantine/"))
        return [json.loads(line) for key in keys for line in self.data.objects[key].splitlines()]


def arrival(number: int, shard: str = "shard-0", **record: Any) -> Arrival:
    value = {"model": "m", "n": number, **record}
    return Arrival(shard, str(number), AT + timedelta(seconds=number), json.dumps(value).encode())


def rows(numbers: Any, shard: str = "shard-0", source: StreamSource = PLAIN, **record: Any) -> list[Row | KeptBack]:
    return [read_record(arrival(number, shard, **record), lambda _: source) for number in numbers]


@pytest.mark.parametrize("delivery", [KINESIS, SQS])
def test_a_delivery_lands_and_a_second_one_changes_nothing(delivery: Delivery) -> None:
    world = World()
    assert world.lander().land(delivery, rows(range(50))) == LandedRecords(rows=50)
    before = dict(world.data.objects)
    assert world.lander().land(delivery, rows(range(50))) == LandedRecords(known=50)
    assert world.data.objects == before
    assert world.rows() == [{"n": n} for n in range(50)]


@pytest.mark.parametrize("delivery", [KINESIS, SQS])
@pytest.mark.parametrize("kill", range(24))
def test_killed_anywhere_and_delivered_again_in_other_parts_every_row_lands_once(delivery: Delivery, kill: int) -> None:
    world = World()
    hourly = StreamSource(type="stream", event_time="at")  # ten objects
    records = [row for n in range(10) for row in rows([n], source=hourly, at=n * 3600)]
    world.data.until_kill = kill
    try:
        world.lander().land(delivery, records)
    except Killed:
        pass
    else:
        pytest.fail("the lander was not killed")
    for part in (records[:3], records[:7], records[3:], records):  # bisected, and overlapping
        world.lander().land(delivery, part)
    assert Counter(row["n"] for row in world.rows()) == Counter(range(10))
    (shard,) = world.registry.streams.shards(delivery.stream).values()
    assert shard.landed == {"m": 10}


@pytest.mark.parametrize("delivery", [KINESIS, SQS])
@pytest.mark.parametrize("kill", range(8))
def test_outcomes_land_once_beside_those_of_people_and_are_no_rows(delivery: Delivery, kill: int) -> None:
    world = World()
    texts = [b'{"outcome": {"prediction_id": "p%d", "outcome": 1.10}, "model": "files"}' % n for n in range(4)]
    outcomes = [
        read_record(Arrival("shard-0", str(2 * n + 1), AT + timedelta(hours=n), text), sources())
        for n, text in enumerate(texts)
    ]
    assert all(isinstance(one, Outcome) for one in outcomes)
    records = [one for n in range(4) for one in (*rows([2 * n]), outcomes[n])]
    world.data.until_kill = kill
    with contextlib.suppress(Killed):
        world.lander().land(delivery, records)
    for part in (records[:3], records[2:], records):
        world.lander().land(delivery, part)
    keys = [key for key in world.data.objects if key.startswith("feedback/")]
    assert keys and all(key.startswith("feedback/files/stream/2026/03/04/") for key in keys)
    lines = [line for key in keys for line in world.data.objects[key].splitlines()]
    assert sorted(lines) == [b'{"prediction_id": "p%d", "outcome": 1.10}' % n for n in range(4)]
    assert Counter(row["n"] for row in world.rows()) == Counter([0, 2, 4, 6])
    (shard,) = world.registry.streams.shards(delivery.stream).values()
    assert shard.landed == {"m": 4} and not shard.kept_back


def test_a_row_may_have_a_column_named_outcome() -> None:
    record = read_record(Arrival("s", "1", AT, b'{"model": "m", "outcome": {"a": 1}, "n": 2}'), sources())
    assert isinstance(record, Row)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), ordered=st.booleans())
def test_whatever_happens_every_row_lands_once(seed: int, ordered: bool) -> None:
    """Deliveries of random parts, killed at random, by landers that live on or are new; two at the same time."""
    draw, world = random.Random(seed), World()
    delivery = KINESIS if ordered else SQS
    records = rows(range(60))
    landers = [world.lander(), world.lander()]
    checkpoint = 0
    for _ in range(400):
        if checkpoint >= 60:
            break
        begin = checkpoint if ordered else draw.randrange(checkpoint, 60)
        part = records[begin : begin + draw.randint(1, 15)]
        if draw.random() < 0.3:
            landers[draw.randrange(2)] = world.lander()
        world.data.until_kill = draw.randint(0, 8) if draw.random() < 0.6 else None
        try:
            draw.choice(landers).land(delivery, part)
        except Killed:
            continue
        world.data.until_kill = None
        if ordered:
            checkpoint = begin + len(part) if draw.random() < 0.7 else checkpoint  # the answer may be lost
        else:
            checkpoint += draw.random() < 0.5
    for lander in landers:
        lander.land(delivery, records[-15:] if ordered else records)
    assert Counter(row["n"] for row in world.rows()) == Counter(range(60))
    (shard,) = world.registry.streams.shards(delivery.stream).values()
    assert shard.landed == {"m": 60}


@pytest.mark.parametrize("delivery", [KINESIS, SQS])
def test_another_lander_between_read_and_claim_wins_and_every_row_lands_once(delivery: Delivery) -> None:
    world = World()
    table = world.registry.table
    assert isinstance(table, KillableTable)
    original = table.write

    def write(*writes: Write) -> None:
        table.write = original  # type: ignore[method-assign]
        world.lander().land(delivery, rows(range(4)))
        original(*writes)

    table.write = write  # type: ignore[method-assign]
    assert world.lander().land(delivery, rows(range(8))) == LandedRecords(rows=4, known=4)
    assert [row["n"] for row in world.rows()] == list(range(8))


def test_each_shard_has_its_own_cursor() -> None:
    world = World()
    world.lander().land(KINESIS, rows(range(10, 20), "shard-1"))
    world.lander().land(KINESIS, rows(range(10), "shard-0"))
    assert Counter(row["n"] for row in world.rows()) == Counter(range(20))
    assert {name: shard.sequence for name, shard in world.registry.streams.shards("records").items()} == {
        "shard-0": "9", "shard-1": "19",
    }  # fmt: skip


def test_sequence_numbers_are_numbers() -> None:
    world = World()
    world.lander().land(KINESIS, rows([9]))
    world.lander().land(KINESIS, rows([10]))  # "10" sorts before "9"
    assert [row["n"] for row in world.rows()] == [9, 10]


def test_a_late_row_lands_in_the_window_of_its_event() -> None:
    world = World()
    timed = StreamSource(type="stream", event_time="at")
    now, late = "2026-03-04T05:06:00Z", "2026-03-04T02:59:59.999+00:00"
    records = [*rows([1, 2], source=timed, at=now), *rows([3], source=timed, at=late)]
    world.lander().land(KINESIS, records)
    landed = {key.rpartition("/")[0]: body for key, body in world.data.objects.items() if key.startswith("landed/m/")}
    assert set(landed) == {"landed/m/main/2026/03/04/05", "landed/m/main/2026/03/04/02"}
    assert json.loads(landed["landed/m/main/2026/03/04/02"]) == {"n": 3, "at": late}


def test_a_backfill_of_a_year_is_kept_by_day_or_month() -> None:
    world = World()
    timed = StreamSource(type="stream", event_time="at")
    records = [
        record
        for hour in range(24 * 365)
        for record in rows([hour], source=timed, at=(AT + timedelta(hours=hour)).isoformat())
    ]
    world.lander().land(KINESIS, records)
    keys = [key for key in world.data.objects if key.startswith("landed/m/")]
    assert 12 <= len(keys) <= MAX_WINDOWS
    assert len(world.rows()) == 24 * 365


def test_of_two_rows_with_one_id_in_a_batch_the_first_stays() -> None:
    world = World()
    source = StreamSource(type="stream", id="order.id")
    records = [*rows([1], source=source, order={"id": 7}), *rows([2], source=source, order={"id": 7}),
               *rows([3], source=source, order={"id": "7"}), *rows([4, 5], source=source)]  # fmt: skip
    assert world.lander().land(SQS, records) == LandedRecords(rows=4, repeated=1)
    assert [row["n"] for row in world.rows()] == [1, 3, 4, 5]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"n=1", "is not JSON"),
        (b"", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (gzip.compress(b"{}", mtime=0), "is not JSON"),
        (b'{"model": "m", "n": NaN}', "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b'[{"model": "m"}]', "is not a JSON object"),
        (b'{"n": 1}', "names no model"),
        (b'{"model": 7, "n": 1}', "names no model"),
        (b'{"model": "unheard-of", "n": 1}', "names an unknown model"),
        (b'{"model": "../pipelines/m", "n": 1}', "names an unknown model"),
        (b'{"model": "files", "n": 1}', "names a model whose source is not the stream"),
        (b'{"model": "broken", "n": 1}', "names a model whose pipeline file has errors"),
        (b'{"model": "m"}', "holds no row"),
        (b'{"model": "files", "outcome": {}}', "holds no row"),
        (b'{"model": "unheard-of", "outcome": {"prediction_id": "p", "outcome": 1}}', "names an unknown model"),
        (b'{"model": "files", "outcome": "yes"}', "names a model whose source is not the stream"),
        (b'{"model": "m", "n": "' + b"x" * 2**23 + b'"}', "is too long"),
        (b'{"model": "timed", "n": 1}', "has no event time"),
        (b'{"model": "timed", "at": "yesterday"}', "has an event time that cannot be read"),
        (b'{"model": "timed", "at": 1e300}', "has an event time that cannot be read"),
    ],
)
def test_a_record_that_is_no_row_is_kept_with_its_reason(data: bytes, reason: str) -> None:
    world = World()
    record = read_record(Arrival("shard-0", "8", AT, data), sources())
    assert isinstance(record, KeptBack)
    assert world.lander().land(KINESIS, [*rows([7]), record, *rows([9])]) == LandedRecords(rows=2, kept_back=1)
    (kept,) = world.kept_back()
    assert kept["reason"] == reason
    assert kept["id"] == "8"
    sent = kept["data"].encode() if "data" in kept else base64.b64decode(kept["data_base64"])
    assert sent == data  # nothing of it is lost
    (shard,) = world.registry.streams.shards("records").values()
    assert shard.kept_back == {reason: 1}
    assert [row["n"] for row in world.rows()] == [7, 9]


def sources() -> StreamSources:
    files = {
        "m": "source: {type: stream}", "timed": "source: {type: stream, event_time: at}", "files": "target: z",
        "broken": "source: {type: streem}",
    }  # fmt: skip

    def read(key: str) -> bytes:
        name = key.removeprefix("pipelines/").removesuffix(".yaml")
        if name not in files:
            raise Unknown("there is no object", key)
        return f"name: {name}\n{'' if name == 'files' else 'target: y'}\n{files[name]}\n".encode()

    return StreamSources(read)


def test_a_pipeline_file_is_read_once_a_minute() -> None:
    read: list[str] = []
    now = [0.0]

    def pipeline(key: str) -> bytes:
        read.append(key)
        return b"name: m\ntarget: y\nsource: {type: stream}\n"

    find = StreamSources(pipeline, clock=lambda: now[0])
    for at in (0.0, 59.0, 61.0):
        now[0] = at
        assert find("m") == PLAIN
    assert len(read) == 2


def test_a_row_keeps_the_spelling_of_its_numbers_and_may_have_a_column_named_model() -> None:
    text = b'{"price": 1.10, "model": "cars", "n": 12345678901234567890.5,\n "u": "\\ud83d\\ude00"}'
    row = read_record(Arrival("s", "1", AT, text), lambda _: PLAIN)
    assert isinstance(row, Row)
    assert row.line == '{"price": 1.10, "n": 12345678901234567890.5, "u": "\\ud83d\\ude00"}'
    nested = read_record(Arrival("s", "1", AT, b'{"row": {"model": "T", "a": 1.0}, "model": "cars"}'), lambda _: PLAIN)
    assert isinstance(nested, Row)
    assert (nested.model, nested.line) == ("cars", '{"model": "T", "a": 1.0}')


def test_both_kinds_of_delivery_are_read() -> None:
    event = json.loads((ROOT / "events/land.json").read_text())
    delivery = read_delivery(event)
    assert delivery == Delivery("modelcycle-records", ordered=True)
    read = read_arrival(event["Records"][0])
    assert (read.shard, len(read.id), read.at.year) == ("shardId-000000000006", 56, 2025)
    message = {
        "messageId": "m-1", "body": '{"model": "m"}', "attributes": {"SentTimestamp": "1764367200125"},
        "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:records",
    }  # fmt: skip
    assert read_delivery({"Records": [message]}) == Delivery("records", ordered=False)
    assert read_arrival(message) == Arrival("queue", "m-1", read.at, b'{"model": "m"}')
    others: list[Any] = [{}, {"Records": []}, {"Records": [7]}, {"Records": [{"eventSource": "aws:s3"}]}, None]
    for other in others:
        with pytest.raises(BadMessage):
            read_delivery(other)


def test_two_landers_that_race_all_the_time_say_so() -> None:
    world = World()
    table = world.registry.table
    numbers: Iterator[int] = iter(range(100))

    def write(*writes: Write) -> None:
        raise Raced("another writer was faster", str(next(numbers)))

    table.write = write  # type: ignore[method-assign]
    with pytest.raises(Raced):
        world.lander().land(KINESIS, rows([1]))
    assert next(numbers) == 10
