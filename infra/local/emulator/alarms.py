"""Alarms that judge as CloudWatch does, and the metrics that they read.

MiniStack 1.5.33 judges alarms when somebody calls PutMetricData, over all dimensions of a metric at once, and never
takes one back. It has no metrics of state machines, and drops those that functions write into their logs (CloudWatch
embedded metric format), which is how all functions of the template count.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

JUDGE_SECONDS = 5.0  # AWS judges once in each period of an alarm, 60 s at least
STATES_METRICS = {
    "RUNNING": "ExecutionsStarted", "SUCCEEDED": "ExecutionsSucceeded", "FAILED": "ExecutionsFailed",
    "TIMED_OUT": "ExecutionsTimedOut", "ABORTED": "ExecutionsAborted",
}  # fmt: skip
COMPARISONS = {
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "LessThanOrEqualToThreshold": lambda value, threshold: value <= threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
}

logger = logging.getLogger("modelcycle.alarms")


class Alarms:
    """The alarms of the local cloud.

    Parameters
    ----------
    cloudwatch, stepfunctions, lambda_service : services of MiniStack
    scope : MiniStack's `request_scope(account, region)`
    """

    def __init__(self, cloudwatch: Any, stepfunctions: Any, lambda_service: Any, scope: Any) -> None:
        self._cloudwatch = cloudwatch
        self._stepfunctions = stepfunctions
        self._lambda = lambda_service
        self._scope = scope
        self._lock = threading.Lock()

    def install(self) -> None:
        """Judge MiniStack's alarms, and count what the template's alarms read."""
        report, log = self._stepfunctions._emit_execution_status_event, self._lambda._emit_lambda_logs

        def report_counted(execution: dict[str, Any]) -> None:
            metric = STATES_METRICS.get(execution["status"])
            if metric:
                dimensions = {"StateMachineArn": execution["stateMachineArn"]}
                self._cloudwatch.record_metric("AWS/States", metric, 1, "Count", dimensions)
            report(execution)

        def log_counted(function: Any, request_id: str, text: str, *rest: Any, **named: Any) -> None:
            log(function, request_id, text, *rest, **named)
            for namespace, name, dimensions, value in embedded_metrics(text):
                self._cloudwatch.record_metric(namespace, name, value, "None", dimensions)

        self._stepfunctions._emit_execution_status_event = report_counted
        self._lambda._emit_lambda_logs = log_counted
        self._cloudwatch._evaluate_alarm = self.judge

    def watch(self) -> None:
        """Judge all alarms again and again, in a thread."""
        threading.Thread(target=self._watch, name="alarms", daemon=True).start()

    def judge(self, alarm: dict[str, Any]) -> None:
        """Give an alarm its state, and tell the topics of its actions if that is a new one."""
        metrics = self._cloudwatch
        dimensions = {one["Name"]: one["Value"] for one in alarm.get("Dimensions") or []}
        key = (alarm.get("Namespace"), alarm.get("MetricName"), metrics._dims_key(dimensions))
        with self._lock:  # else two would tell one change
            old = alarm["StateValue"]
            new = state_of(alarm, metrics._metrics.get(key) or [], time.time(), metrics)
            if new == old:
                return
            reason = f"{alarm.get('MetricName')} {alarm.get('ComparisonOperator')} {alarm.get('Threshold')}: {new}"
            alarm.update(StateValue=new, StateReason=reason, StateUpdatedTimestamp=int(time.time()))
        metrics._record_history(alarm["AlarmName"], old, new, reason)
        metrics._dispatch_alarm_actions(alarm, old, new, reason)
        metrics._evaluate_parent_alarms(alarm)

    def _watch(self) -> None:
        while True:
            time.sleep(JUDGE_SECONDS)
            for (account, region, _), alarm in list(self._cloudwatch._alarms._data.items()):
                try:
                    with self._scope(account, region):
                        self.judge(alarm)
                except Exception:  # one alarm must not silence the others
                    logger.exception("%s could not be judged", alarm.get("AlarmName"))


def state_of(alarm: Mapping[str, Any], points: Sequence[Mapping[str, Any]], now: float, metrics: Any) -> str:
    """Return the state of an alarm: `M out of N` periods that end now are breaching (AWS page "Alarm evaluation").

    Parameters
    ----------
    points : of its metric with exactly its dimensions
    now : seconds since 1970
    metrics : MiniStack's module, which knows the statistics
    """
    compare = COMPARISONS.get(str(alarm.get("ComparisonOperator")))
    if compare is None or not alarm.get("MetricName"):
        return str(alarm["StateValue"])
    period, count = float(alarm.get("Period") or 60), int(alarm.get("EvaluationPeriods") or 1)
    needed = int(alarm.get("DatapointsToAlarm") or count)
    statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average"
    recent = [point for point in points if now - period * count < point["Timestamp"] <= now]
    missing = str(alarm.get("TreatMissingData") or "missing")
    if not recent and missing in ("missing", "ignore"):
        return "INSUFFICIENT_DATA" if missing == "missing" else str(alarm["StateValue"])
    breaching = known = 0
    for number in range(count):
        end = now - number * period
        own = [point for point in recent if end - period < point["Timestamp"] <= end]
        value = metrics._stat_value(metrics._calc_stats(own), statistic, own) if own else None
        known += value is not None
        breaching += compare(value, float(alarm.get("Threshold", 0))) if value is not None else missing == "breaching"
    # where data are missing, those that are there decide
    return "ALARM" if breaching >= (min(needed, known) if missing == "missing" else needed) else "OK"


def embedded_metrics(text: str) -> list[tuple[str, str, dict[str, str], float]]:
    """Return the metrics in a function's log: namespace, name, dimensions and value of each.

    Source: AWS page "Specification: Embedded metric format".

    Examples
    --------
    >>> line = {"_aws": {"CloudWatchMetrics": [{"Namespace": "N", "Dimensions": [["service"]],
    ...                                         "Metrics": [{"Name": "Rows"}]}]}, "service": "land", "Rows": [3.0]}
    >>> embedded_metrics("START\\n" + json.dumps(line))
    [('N', 'Rows', {'service': 'land'}, 3.0)]
    """
    found = []
    for line in text.splitlines():
        if '"_aws"' not in line:
            continue
        try:
            written = json.loads(line)
            for part in written["_aws"]["CloudWatchMetrics"]:
                for names in part["Dimensions"]:
                    dimensions = {name: str(written[name]) for name in names}
                    for metric in part["Metrics"]:
                        values = written[metric["Name"]]
                        found += [
                            (str(part["Namespace"]), str(metric["Name"]), dimensions, float(value))
                            for value in (values if isinstance(values, list) else [values])
                        ]
        except (ValueError, KeyError, TypeError):  # a line that only looks like it
            continue
    return found
