"""What is kept of answers: one line of JSON a row, through Firehose into the data bucket.

The environment freezes at the answer, so the lines are sent before it, in one short call that is not repeated. A
failure never fails the answer: what could not be kept is counted, and a monitor that knows its count knows what it saw.

A line: {"prediction_id", "at", "model", "version", "instance", "prediction", "probabilities"}.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from modelcycle.model.answer import Answer

# limits of Firehose, AWS page "Amazon Data Firehose quota"
LARGEST_RECORD = 1000 * 2**10  # bytes
LARGEST_CALL = 4 * 2**20  # bytes of all records in one PutRecordBatch


class Capture:
    """`client` is boto3's Firehose client. Lines share records: each is billed as 5 KB at least."""

    def __init__(self, client: Any, stream: str) -> None:
        self.client = client
        self.stream = stream

    def keep(self, answer: Answer) -> int:
        """Send an answer's rows; returns how many could not be kept."""
        lost = 0
        lines = []
        for record in answer.records(datetime.now(UTC)):
            line = json.dumps(record, allow_nan=False).encode() + b"\n"
            if len(line) > LARGEST_RECORD:
                lost += 1
            else:
                lines.append(line)
        for batch in _batches(_packed(lines)):
            try:
                answered = self.client.put_record_batch(
                    DeliveryStreamName=self.stream, Records=[{"Data": data} for data, _ in batch]
                )
            except Exception:  # whatever it is, the answer comes first; the caller counts what is lost
                lost += sum(rows for _, rows in batch)
                continue
            if answered["FailedPutCount"]:  # a 200 may hold refused records
                told = zip(batch, answered["RequestResponses"], strict=True)
                lost += sum(rows for (_, rows), one in told if one.get("ErrorCode"))
        return lost


def _packed(lines: list[bytes]) -> Iterator[tuple[bytes, int]]:
    """Records of several lines, each with its number of lines."""
    held: list[bytes] = []
    size = 0
    for line in lines:
        if held and size + len(line) > LARGEST_RECORD:
            yield b"".join(held), len(held)
            held, size = [], 0
        held.append(line)
        size += len(line)
    if held:
        yield b"".join(held), len(held)


def _batches(records: Iterator[tuple[bytes, int]]) -> Iterator[list[tuple[bytes, int]]]:
    """Records of one call."""
    batch: list[tuple[bytes, int]] = []
    size = 0
    for record in records:
        if batch and size + len(record[0]) > LARGEST_CALL:
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += len(record[0])
    if batch:
        yield batch
