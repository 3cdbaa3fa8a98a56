"""What an operator is told without asking: the schedule of monitoring fires, and what fails raises its alarm."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from infra.local.cloud import LocalCloud
from tests.e2e.topic_queue import subscribed_queue

MAX_WAIT = 100.0  # seconds: the scheduler looks each 10 s, and a new schedule fires after its first minute
BROKEN = {"model": "nobody", "at": "no moment"}


@pytest.fixture
def letters(cloud: LocalCloud) -> Iterator[Any]:
    """Returns the names of the alarms that the topic has sent letters about."""
    sqs, sns = cloud.admin.client("sqs"), cloud.admin.client("sns")
    topic = next(one["TopicArn"] for one in sns.list_topics()["Topics"] if "-Alarms-" in one["TopicArn"])
    received: set[str] = set()

    with subscribed_queue(cloud, topic, "letters") as queue:

        def read() -> set[str]:
            for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
                letter = json.loads(json.loads(message["Body"])["Message"])
                if letter["NewStateValue"] == "ALARM":
                    received.add(letter["AlarmName"].split("-")[-2])
            return received

        yield read


def test_the_schedule_fires_by_itself_and_a_monitor_that_fails_raises_its_alarm(
    cloud: LocalCloud, letters: Any
) -> None:
    scheduler, states = cloud.admin.client("scheduler"), cloud.admin.client("stepfunctions")
    monitoring = cloud.outputs["MonitoringArn"]
    name = next(one["Name"] for one in scheduler.list_schedules()["Schedules"] if "-Look-" in one["Name"])
    look = scheduler.get_schedule(Name=name)
    kept = {key: look[key] for key in ("ScheduleExpression", "FlexibleTimeWindow", "Target")}
    before = {one["executionArn"] for one in states.list_executions(stateMachineArn=monitoring)["executions"]}
    # only the rate and the input are others: a look at all models would disturb the other tests
    target = kept["Target"] | {"Input": json.dumps(BROKEN)}
    scheduler.update_schedule(Name=name, **kept | {"ScheduleExpression": "rate(1 minute)", "Target": target})
    try:
        cloud.admin.client("lambda").invoke(FunctionName=cloud.outputs["MonitorFunction"], Payload=b"{}")
        deadline = time.monotonic() + MAX_WAIT
        while not {"MonitorErrors", "MonitoringFailed"} <= letters():
            assert time.monotonic() < deadline, letters()
            time.sleep(0.2)
    finally:
        scheduler.update_schedule(Name=name, **kept)
    listed = states.list_executions(stateMachineArn=monitoring)["executions"]
    fired = [one for one in listed if one["executionArn"] not in before]
    assert [one["status"] for one in fired] == ["FAILED"]
    # the alarms of other functions read other dimensions of the same metric
    assert not {"PredictErrors", "JudgeErrors", "RunsFailed"} & letters()
