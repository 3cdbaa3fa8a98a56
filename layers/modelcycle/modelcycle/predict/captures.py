"""Capture answers for the monitor: one line of JSON per row, through Firehose into the data bucket.

A Lambda environment is frozen as soon as it has answered, so the rows are sent before the answer, in one short attempt.
A failed capture never fails the answer; the metric `NotCaptured` counts the rows that were not captured.

A line: {"prediction_id", "at", "model", "version", "instance", "prediction", "probabilities"}.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

from modelcycle.model.answer import Answer

# AWS page "Amazon Data Firehose quota"
MAX_RECORD_BYTES = 1000 * 2**10
MAX_CALL_BYTES = 4 * 2**20  # all records of one PutRecordBatch

Item = TypeVar("Item")


class Record(NamedTuple):
    """A Firehose record: the lines of several rows. Firehose bills each record as at least 5 KB."""

    data: bytes
    rows: int


class CaptureStream:
    """Sends answers to a Firehose delivery stream.

    Parameters
    ----------
    client : boto3's Firehose client
    stream : name of the delivery stream
    """

    def __init__(self, client: Any, stream: str) -> None:
        self.client = client
        self.stream = stream

    def send(self, answer: Answer) -> int:
        """Capture the rows of an answer; return how many rows were not captured."""
        lines = [json.dumps(record, allow_nan=False).encode() + b"\n" for record in answer.records(datetime.now(UTC))]
        sendable = [line for line in lines if len(line) <= MAX_RECORD_BYTES]
        lost = len(lines) - len(sendable)
        records = (Record(b"".join(group), len(group)) for group in _grouped(sendable, len, MAX_RECORD_BYTES))
        for batch in _grouped(records, lambda record: len(record.data), MAX_CALL_BYTES):
            try:
                response = self.client.put_record_batch(
                    DeliveryStreamName=self.stream, Records=[{"Data": record.data} for record in batch]
                )
            except Exception:  # whatever went wrong, the client gets its answer; the caller counts the loss
                lost += sum(record.rows for record in batch)
                continue
            if response["FailedPutCount"]:  # a response with status 200 may reject records
                results = zip(batch, response["RequestResponses"], strict=True)
                lost += sum(record.rows for record, result in results if result.get("ErrorCode"))
        return lost


def _grouped(items: Iterable[Item], size_of: Callable[[Item], int], max_size: int) -> Iterator[list[Item]]:
    """Split items, in their order, into as few groups as possible of at most `max_size` each."""
    group: list[Item] = []
    size = 0
    for item in items:
        if group and size + size_of(item) > max_size:
            yield group
            group, size = [], 0
        group.append(item)
        size += size_of(item)
    if group:
        yield group
