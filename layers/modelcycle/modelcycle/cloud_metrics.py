"""Port: metrics that alarms and dashboards read. Adapter: CloudWatch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from modelcycle.outages import Unreachable, outages_as_faults

NAMESPACE = "ModelCycle/Models"  # apart from that of the functions: a role may write into one of them alone
# AWS page "PutMetricData": what is older or later is refused
MAX_AGE = timedelta(days=14)
MAX_AHEAD = timedelta(hours=2)
MAX_VALUE = 2.0**360


class CloudMetrics(Protocol):
    """Metrics of models, and of the function that answers their requests."""

    def put(self, model: str, values: Mapping[str, float | None], at: datetime) -> bool:
        """Write one value for each metric of a model; return whether there was something to write.

        Parameters
        ----------
        values : by the metric's name; what is None or not finite is left out

        Raises
        ------
        Transient, Throttled : the service does not answer
        """

    def throttles(self, start: datetime, end: datetime) -> int:
        """Return how many calls of the function that answers requests were throttled in a time range.

        Raises
        ------
        Transient, Throttled : the service does not answer
        """


class CloudWatch:
    """Metrics of CloudWatch.

    Parameters
    ----------
    client : botocore's client of CloudWatch
    stack : whose models they are; several stacks may share an account
    function : name of the function that answers requests
    unreachable : the client's errors for a service that did not answer; they are raised as Transient
    """

    def __init__(self, client: Any, stack: str, function: str, unreachable: Unreachable = ()) -> None:
        self.client = client
        self.stack = stack
        self.function = function
        self.unreachable = unreachable

    def put(self, model: str, values: Mapping[str, float | None], at: datetime) -> bool:
        written = {
            name: float(value)
            for name, value in values.items()
            if value is not None and math.isfinite(value) and abs(value) < MAX_VALUE
        }
        if not written or not -MAX_AHEAD < datetime.now(UTC) - at < MAX_AGE:
            return False
        dimensions = [{"Name": "Stack", "Value": self.stack}, {"Name": "Model", "Value": model}]
        entries = [
            {"MetricName": name, "Dimensions": dimensions, "Timestamp": at, "Value": value}
            for name, value in written.items()
        ]
        with outages_as_faults("CloudWatch", NAMESPACE, self.unreachable):
            self.client.put_metric_data(Namespace=NAMESPACE, MetricData=entries)
        return True

    def throttles(self, start: datetime, end: datetime) -> int:
        with outages_as_faults("CloudWatch", self.function, self.unreachable):
            answer = self.client.get_metric_statistics(
                Namespace="AWS/Lambda", MetricName="Throttles", Statistics=["Sum"],
                Dimensions=[{"Name": "FunctionName", "Value": self.function}],
                StartTime=start, EndTime=end, Period=_period(end - start),
            )  # fmt: skip
        return round(sum(float(point["Sum"]) for point in answer["Datapoints"]))


def _period(length: timedelta) -> int:
    """Return the shortest period, seconds, of which an answer may hold all: at most 1,440 points.

    >>> _period(timedelta(hours=1)), _period(timedelta(days=90))
    (60, 5400)
    """
    return max(60, 60 * math.ceil(length.total_seconds() / 1440 / 60))
