"""Capture answers for monitoring, rollouts and feedback: a line of JSON per row, through Firehose into the data bucket.

Lines are made and sent after the answer (`AfterAnswer`). While requests come in quick succession, up to MAX_HELD_ROWS
are held for HOLD_SECONDS, so that several answers share a Firehose record, which is billed as at least 5 KB.

What can be lost:

- If the process is killed (SIGKILL, out of memory): the rows that are held, fewer than MAX_HELD_ROWS, and those of the
  answers of which the sending is not complete. On Lambda that is one answer. Nobody can count these, and the metric
  `Predictions` lacks them.
- If Firehose does not take them: rows wait, at most MAX_WAITING_BYTES of them for MAX_WAITING_SECONDS, and are sent
  with the next ones. The metric `NotCaptured` counts those that were given up.
- A row of more than MAX_RECORD_BYTES; `NotCaptured` counts it.

A failed capture never fails the answer, nor delays it. A line may arrive twice; its prediction id is the same.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from modelcycle.bounded_groups import bounded_groups
from modelcycle.predict.backoff import Backoff

# AWS pages "Amazon Data Firehose quota" and "Apply dynamic partitioning to aggregated data"
MAX_RECORD_BYTES = 1000 * 2**10
MAX_RECORD_ROWS = 500  # that Firehose takes apart
MAX_CALL_BYTES = 4 * 2**20  # all records of one PutRecordBatch
MAX_CALL_RECORDS = 500

MAX_HELD_ROWS = 20
HOLD_SECONDS = 1.0
MAX_WAITING_BYTES = 8 * 2**20
MAX_WAITING_SECONDS = 60.0
MAX_RETRY_SECONDS = 30.0  # between two attempts while Firehose does not answer


class Line(NamedTuple):
    """A row as it is captured."""

    data: bytes
    at: float  # seconds since 1970


class Record(NamedTuple):
    """A Firehose record: the lines of several rows."""

    data: bytes
    lines: list[Line]


class CaptureStream:
    """A Firehose delivery stream, and the rows that wait for it.

    Parameters
    ----------
    connect : returns botocore's Firehose client and the name of the stream; called when rows are sent
    report : called with the number of rows that were given up, after each attempt to send
    clock : seconds since 1970; an environment's other clocks may stand still while it is frozen
    """

    def __init__(
        self,
        connect: Callable[[], tuple[Any, str]],
        report: Callable[[int], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.connect = connect
        self.report = report
        self.clock = clock
        self._lines: list[Line] = []
        self._bytes = 0
        self._given_up = 0
        self._counting = threading.Lock()
        self._added_at = float("-inf")
        self._quick = False  # whether the last two answers came within HOLD_SECONDS
        self._backoff = Backoff(HOLD_SECONDS, MAX_RETRY_SECONDS)

    def add(self, rows: Iterable[bytes], at: float) -> None:
        """Hold the lines of an answer.

        Parameters
        ----------
        rows : each a line of JSON with its line feed
        at : time of the answer, seconds since 1970
        """
        for data in rows:
            if len(data) > MAX_RECORD_BYTES or self._bytes + len(data) > MAX_WAITING_BYTES:
                self.give_up(1)
                continue
            self._lines.append(Line(data, at))
            self._bytes += len(data)
        now = self.clock()
        self._quick = now - self._added_at < HOLD_SECONDS
        self._added_at = now

    def give_up(self, rows: int) -> None:
        """Count rows that could not even wait; requests call it while other rows are being sent."""
        with self._counting:
            self._given_up += rows

    def seconds_until_due(self) -> float | None:
        """Return the time until the rows have to be sent, 0 if that is now, None without any."""
        if not self._lines:
            return 0.0 if self._given_up else None
        now = self.clock()
        if self._backoff.waiting(now):
            return self._backoff.until - now
        if len(self._lines) >= MAX_HELD_ROWS or not self._quick or self._backoff.failing:
            return 0.0
        # an age below zero: the clock was set back
        return max(HOLD_SECONDS - max(now - self._lines[0].at, 0.0), 0.0)

    def send(self, last: bool = False) -> None:
        """Send all rows that wait; those that Firehose does not take wait for the next attempt, if there is one."""
        now = self.clock()
        self._lines = list(self._unsent(self._lines))
        (self._backoff.failed(now) if self._lines else self._backoff.succeeded())
        kept = [] if last else [line for line in self._lines if now - line.at < MAX_WAITING_SECONDS]
        self.give_up(len(self._lines) - len(kept))
        self._lines, self._bytes = kept, sum(len(line.data) for line in kept)
        with self._counting:
            given_up, self._given_up = self._given_up, 0
        self.report(given_up)

    def _unsent(self, lines: Sequence[Line]) -> Iterator[Line]:
        """Send lines; yield those that Firehose did not take."""
        records = [
            Record(b"".join(line.data for line in group), group)
            for group in bounded_groups(lines, lambda line: len(line.data), MAX_RECORD_BYTES, MAX_RECORD_ROWS)
        ]
        for batch in bounded_groups(records, lambda record: len(record.data), MAX_CALL_BYTES, MAX_CALL_RECORDS):
            try:
                client, stream = self.connect()
                response = client.put_record_batch(
                    DeliveryStreamName=stream, Records=[{"Data": record.data} for record in batch]
                )
            except Exception:  # whatever went wrong: the rows wait, and the metric counts those that are given up
                rejected = batch
            else:
                # a response with status 200 may reject records
                results = zip(batch, response["RequestResponses"], strict=True) if response["FailedPutCount"] else ()
                rejected = [record for record, result in results if result.get("ErrorCode")]
            for record in rejected:
                yield from record.lines
