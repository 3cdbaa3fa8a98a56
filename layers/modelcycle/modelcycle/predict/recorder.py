"""What is done with an answer after it has left: log line, metrics, captures, and the answer of the shadow version."""

from __future__ import annotations

import functools
from datetime import UTC, datetime

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from modelcycle.predict.after_answer import AfterAnswer
from modelcycle.predict.capture_lines import capture_lines, is_sampled, masked_columns
from modelcycle.predict.captures import CaptureStream
from modelcycle.predict.predict import Served
from modelcycle.predict.shadow import shadow_answer

ROW_BYTES = 500  # that an answer keeps in memory for each row, beside its text

logger = Logger(service="predict", child=True)


class Recorder:
    """Records answers after they have left.

    Parameters
    ----------
    captures : where they are captured
    """

    def __init__(self, captures: CaptureStream) -> None:
        self.captures = captures
        self.after_answer = AfterAnswer(captures)

    def record(self, answer: Served, ids: dict[str, str]) -> None:
        """Have an answer recorded; returns at once.

        Parameters
        ----------
        ids : of the request, by name; the log line is written when another request may be in progress
        """
        size = sum(map(len, answer.texts)) + ROW_BYTES * len(answer.texts)
        work = functools.partial(self._record, answer, datetime.now(UTC), ids)
        if not self.after_answer.run(work, size):
            self._log(answer, ids)
            self.captures.give_up(len(answer.ids))

    def _record(self, answer: Served, at: datetime, ids: dict[str, str]) -> None:
        self._log(answer, ids)
        if not is_sampled(answer):
            return
        masked = masked_columns(answer)
        self.captures.add(capture_lines(answer, at, masked), at.timestamp())
        shadow = shadow_answer(answer)
        if shadow is not None:
            self.captures.add(capture_lines(shadow, at, masked, beside=answer.ids), at.timestamp())

    def _log(self, answer: Served, ids: dict[str, str]) -> None:
        rows = len(answer.ids)
        logger.info("answered", extra={**ids, "model": answer.model, "version": answer.version, "rows": rows})
        count("Predictions", rows)


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
