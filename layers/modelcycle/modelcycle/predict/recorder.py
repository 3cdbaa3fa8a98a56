"""What is done with an answer after it has left: log line, metrics, captures, and the answer of the shadow version."""

from __future__ import annotations

import functools
from datetime import UTC, datetime

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from modelcycle.predict.after_answer import AfterAnswer
from modelcycle.predict.capture_lines import capture_lines, is_sampled, masked_columns
from modelcycle.predict.captures import HOLD_SECONDS, CaptureStream
from modelcycle.predict.personal_values import PersonalValues
from modelcycle.predict.predict import Served
from modelcycle.predict.shadow import shadow_answer

ROW_BYTES = 500  # that an answer keeps in memory for each row, beside its text

logger = Logger(service="predict", child=True)


class Recorder:
    """Records answers after they have left.

    Parameters
    ----------
    captures : where they are captured
    personal : replaces personal values in what is captured
    """

    def __init__(self, captures: CaptureStream, personal: PersonalValues) -> None:
        self.captures = captures
        self.personal = personal
        self.after_answer = AfterAnswer(self)
        self._predictions = 0  # not yet counted by the metric
        self._counted_at = captures.clock()

    def record(self, answer: Served, ids: dict[str, str]) -> None:
        """Have an answer recorded; returns at once.

        Parameters
        ----------
        ids : of the request, by name; the log line is written when another request may be in progress
        """
        size = sum(map(len, answer.texts)) + ROW_BYTES * len(answer.texts)
        work = functools.partial(self._record, answer, datetime.now(UTC), ids)
        if not self.after_answer.run(work, size):
            _log(answer, ids)
            count("Predictions", len(answer.ids))
            self.captures.give_up(len(answer.ids))

    def seconds_until_due(self) -> float | None:
        """Return the time until rows have to be sent or predictions counted, 0 if that is now, None without any."""
        due = self.captures.seconds_until_due()
        if due is None and self._predictions:
            return max(self._counted_at + HOLD_SECONDS - self.captures.clock(), 0.0)
        return due

    def send(self, last: bool = False) -> None:
        """Send the rows that are held, and count the predictions since the last time."""
        self.captures.send(last)
        predictions, self._predictions, self._counted_at = self._predictions, 0, self.captures.clock()
        if predictions:
            count("Predictions", predictions)

    def _record(self, answer: Served, at: datetime, ids: dict[str, str]) -> None:
        _log(answer, ids)
        self._predictions += len(answer.ids)
        if not is_sampled(answer):
            return
        hidden, pseudonyms = self.personal.of(answer.model, answer.loaded)
        masked = sorted({*masked_columns(answer), *hidden})
        self.captures.add(capture_lines(answer, at, masked, pseudonyms=pseudonyms), at.timestamp())
        shadow = shadow_answer(answer)
        if shadow is not None:
            self.captures.add(capture_lines(shadow, at, masked, answer.ids, pseudonyms), at.timestamp())


def _log(answer: Served, ids: dict[str, str]) -> None:
    answered_by = answer.loaded.get(answer.version)
    fields = {
        "model": answer.model, "version": answer.version, "rows": len(answer.ids),
        # from an upload to the answers that came of it, all lines have the id of one run
        "run_id": answered_by.run_id if answered_by else "",
    }  # fmt: skip
    logger.info("answered", extra={**ids, **fields})


def report_given_up(rows: int) -> None:
    """Log and count rows that could not be captured."""
    count("NotCaptured", rows)
    if rows:
        logger.warning("not captured", extra={"rows": rows})


def count(name: str, value: int) -> None:
    """Write one metric; a set of its own, because requests write theirs at the same time."""
    metrics = EphemeralMetrics(namespace="ModelCycle", service="predict")
    metrics.add_metric(name, MetricUnit.Count, value)
    metrics.flush_metrics()
