"""What `status` says of alarms."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from cli.health.alarms import add_alarms
from cli.health.health import Health
from cli.place import Credentials, Place

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)


def alarm(name: str, state: str, hour: int = 12, **fields: Any) -> dict[str, Any]:
    return {
        "AlarmName": f"modelcycle-dev-Alarms-1A-{name}-9Z", "StateValue": state, "AlarmDescription": f"{name} it is",
        "StateUpdatedTimestamp": NOON.replace(hour=hour),
    } | fields  # fmt: skip


def health_of(monkeypatch: pytest.MonkeyPatch, *alarms: dict[str, Any]) -> Health:
    class CloudWatch:
        """Two pages."""

        def describe_alarms(self, **request: Any) -> dict[str, Any]:
            assert request["AlarmNamePrefix"] == "modelcycle-dev-"
            if "NextToken" in request:
                return {"MetricAlarms": list(alarms[1:])}
            return {"MetricAlarms": list(alarms[:1]), "NextToken": "2"}

    monkeypatch.setattr(Place, "client", lambda place, service: CloudWatch())
    health = Health("aws", True)
    outputs = {"SchedulePrefix": "modelcycle-dev-"}
    add_alarms(Place("aws", None, outputs, Credentials("", "")), health)  # type: ignore[arg-type]
    return health


def test_alarms_that_ring_are_problems_the_newest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    silent: dict[str, Any] = {"InsufficientDataActions": ["topic"], "StateReason": "no datapoints were received"}
    health = health_of(
        monkeypatch, alarm("RunsFailed", "ALARM", 9), alarm("PredictErrors", "OK"), alarm("MonitorErrors", "ALARM"),
        alarm("NothingMonitored", "INSUFFICIENT_DATA", 8, **silent),
    )  # fmt: skip
    assert [problem.split()[2] for problem, _ in health.problems] == ["MonitorErrors", "RunsFailed", "NothingMonitored"]
    assert health.problems[0][0] == "the alarm MonitorErrors rings since 2026-11-29 12:00 UTC: MonitorErrors it is"
    assert dict(health.facts)["alarms"] == "MonitorErrors, NothingMonitored, RunsFailed"


def test_a_new_alarm_without_data_does_not_ring(monkeypatch: pytest.MonkeyPatch) -> None:
    new: dict[str, Any] = {"InsufficientDataActions": ["topic"], "StateReason": "Unchecked: Initial alarm creation"}
    health = health_of(
        monkeypatch, alarm("NothingMonitored", "INSUFFICIENT_DATA", **new), alarm("LandLate", "INSUFFICIENT_DATA")
    )
    assert health.problems == [] and dict(health.facts)["alarms"] == "none rings"
