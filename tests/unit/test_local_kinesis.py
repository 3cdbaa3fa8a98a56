"""Positions of readers in the local cloud's Kinesis: neither expiry nor a kill makes them skip a record."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from infra.local.emulator import kinesis_records

ARN = "arn:aws:kinesis:us-east-1:1:stream/s"
DAY = 86_400
Services = tuple[SimpleNamespace, SimpleNamespace]


def services(ages: list[float], read: int) -> Services:
    """Return MiniStack's modules as far as they matter here: one shard with records of these ages in seconds."""
    records = [
        {"SequenceNumber": str(n), "ApproximateArrivalTimestamp": time.time() - age} for n, age in enumerate(ages)
    ]
    stream = {"RetentionPeriodHours": 24, "shards": {"shard-0": {"records": records}}}

    def expire(stream: dict[str, Any]) -> None:
        for shard in stream["shards"].values():
            shard["records"] = shard["records"][-1:]

    kinesis = SimpleNamespace(
        _streams=SimpleNamespace(_data={("1", "us-east-1", "s"): stream}), _expire_records=expire
    )  # fmt: skip
    mapping = ("1", "us-east-1", "esm-1")
    lambdas = SimpleNamespace(
        _esms=SimpleNamespace(_data={mapping: {"EventSourceArn": ARN}}), _poll_kinesis=lambda: False,
        _kinesis_positions=SimpleNamespace(_data={mapping: {"shard-0": read}}),
    )  # fmt: skip
    return kinesis, lambdas


def state(services: Services) -> tuple[list[str], int]:
    kinesis, lambdas = services
    (stream,) = kinesis._streams._data.values()
    (positions,) = lambdas._kinesis_positions._data.values()
    return [record["SequenceNumber"] for record in stream["shards"]["shard-0"]["records"]], positions["shard-0"]


def test_expired_records_go_with_the_position_and_unread_ones_stay() -> None:
    found = services([3 * DAY, 2 * DAY, 2 * DAY, 5, 4], read=2)
    kinesis, lambdas = found
    kinesis_records.remove_read_records(*found)
    kinesis._expire_records(next(iter(kinesis._streams._data.values())))  # what each call of the API does
    assert state(found) == (["0", "1", "2", "3", "4"], 2)
    lambdas._poll_kinesis()
    assert state(found) == (["2", "3", "4"], 0)  # the next one to read is still record 2


def test_only_the_newest_read_records_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinesis_records, "MAX_READ_RECORDS", 2)
    found = services([5] * 10, read=7)
    kinesis_records.trim(*found)
    assert state(found) == (["5", "6", "7", "8", "9"], 2)
    kinesis_records.trim(*found)
    assert state(found) == (["5", "6", "7", "8", "9"], 2)


def test_a_stream_that_nobody_reads_expires_as_before() -> None:
    found = services([5] * 3, read=0)
    kinesis, lambdas = found
    lambdas._esms._data.clear()
    kinesis_records.remove_read_records(*found)
    kinesis._expire_records(next(iter(kinesis._streams._data.values())))
    assert state(found)[0] == ["2"]


@pytest.mark.parametrize(("read", "expected"), [(9, 0), (3, 3), (1, 1)])
def test_a_position_beyond_the_last_record_begins_again(read: int, expected: int) -> None:
    found = services([5] * 3, read=read)
    kinesis_records.reset_lost_positions(*found)
    assert state(found)[1] == expected


def test_ministack_still_has_what_is_changed() -> None:
    """And still leaves positions as they are when records expire; once it does not, `kinesis_records` can go."""
    from ministack.services import kinesis, lambda_svc

    kinesis_records.remove_read_records  # noqa: B018 (named here so that a search finds this test)
    assert callable(kinesis._expire_records)
    assert callable(lambda_svc._poll_kinesis)
    stream = {"RetentionPeriodHours": 24, "shards": {"s": {"records": [{"ApproximateArrivalTimestamp": 0}]}}}
    kinesis._expire_records(stream)
    assert stream["shards"]["s"]["records"] == []  # type: ignore[index]
    assert "_kinesis_positions" not in kinesis._expire_records.__code__.co_names
