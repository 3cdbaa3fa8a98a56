"""Tells operators that another version had to answer. Clients see which one did; captures have it row by row."""

from __future__ import annotations

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from modelcycle.model.answer import Answer
from modelcycle.model.scored_rows import NOT_LOADED, NOT_READABLE

logger = Logger(service="predict", child=True)
metrics = Metrics(namespace="ModelCycle", service="predict")


def report_failures(answer: Answer) -> None:
    """Log the versions that did not answer their rows, and count those that failed to score.

    One that is not loaded is counted by `VersionNotLoaded`. One that reads another format is no failure to act on.
    """
    if not answer.failures:
        return
    failed = [version for version, reason in answer.failures.items() if reason not in (NOT_LOADED, NOT_READABLE)]
    fields = {"model": answer.model, "failures": {str(version): why for version, why in answer.failures.items()}}
    if failed:
        logger.error("another version answered", extra=fields)
        metrics.add_metric("VersionFailed", MetricUnit.Count, len(failed))
    else:
        logger.info("another version answered", extra=fields)
