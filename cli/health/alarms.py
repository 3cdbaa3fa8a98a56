"""Which alarms of a stack ring."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cli.screens.lines import minute

if TYPE_CHECKING:
    from cli.health.health import Health
    from cli.place import Place


def add_alarms(place: Place, health: Health) -> None:
    """Add each alarm that rings as a problem, the newest first.

    An alarm about silence, which has no data when it should ring, is one too once it has had some.
    """
    prefix = place.outputs.get("SchedulePrefix")  # with which the names of all alarms begin, too
    if prefix is None:
        return
    rings = [alarm for alarm in _alarms(place, prefix) if _rings(alarm)]
    for alarm in sorted(rings, key=lambda alarm: alarm["StateUpdatedTimestamp"], reverse=True):
        since = minute(alarm["StateUpdatedTimestamp"])
        problem = f"the alarm {_short(alarm['AlarmName'])} rings since {since}: {alarm.get('AlarmDescription', '')}"
        health.problems.append((problem, "docs/runbook.md says what to do; it ends by itself once the cause is gone"))
    health.facts.append(("alarms", ", ".join(sorted(_short(alarm["AlarmName"]) for alarm in rings)) or "none rings"))


def _alarms(place: Place, prefix: str) -> list[dict[str, Any]]:
    client = place.client("cloudwatch")
    request: dict[str, Any] = {"AlarmNamePrefix": prefix, "AlarmTypes": ["MetricAlarm"]}
    alarms: list[dict[str, Any]] = []
    while True:
        page = client.describe_alarms(**request)
        alarms += page["MetricAlarms"]
        if not page.get("NextToken"):
            return alarms
        request["NextToken"] = page["NextToken"]


def _rings(alarm: dict[str, Any]) -> bool:
    state = alarm["StateValue"]
    if state == "INSUFFICIENT_DATA":
        # a new alarm is there from the beginning, which is no change of state
        return bool(alarm.get("InsufficientDataActions")) and not _is_new(alarm)
    return bool(state == "ALARM")


def _is_new(alarm: dict[str, Any]) -> bool:
    return str(alarm.get("StateReason", "")).startswith("Unchecked")


def _short(name: str) -> str:
    """Return the name that the template gives an alarm.

    >>> _short("modelcycle-Alarms-b668fa4b-b42-MonitorErrors-E3CC4F0353F38")
    'MonitorErrors'
    """
    parts = name.split("-")
    return parts[-2] if len(parts) > 2 else name
