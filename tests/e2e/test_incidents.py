"""An incident reaches the topic as a sentence, and while values are wrong nothing is retrained."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest

from infra.local.cloud import LocalCloud
from modelcycle.messages import Broken
from modelcycle.registry import DynamoTable, Registry
from modelcycle.registry.events import event_write
from tests.e2e.observed_model import ObservedModel, wait_for
from tests.e2e.topic_queue import subscribed_queue

SECONDS = 60.0  # from an event to what it leads to, on a busy machine
WRONG = Broken(column='the "kind"\n', cause="other units", detail="about 1000 times as large")


class Subscriber(NamedTuple):
    """A queue that gets the messages of the topic."""

    sqs: Any
    queue: str

    def message(self) -> str | None:
        """Return the next message, if there is one."""
        found = self.sqs.receive_message(QueueUrl=self.queue, WaitTimeSeconds=1).get("Messages", [])
        if not found:
            return None
        self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=found[0]["ReceiptHandle"])
        return str(json.loads(found[0]["Body"])["Message"])


@pytest.fixture
def subscriber(cloud: LocalCloud) -> Iterator[Subscriber]:
    with subscribed_queue(cloud, cloud.outputs["IncidentTopic"], "incidents-of-tests") as queue:
        yield Subscriber(cloud.admin.client("sqs"), queue)


def test_wrong_values_are_told_once_and_start_no_run(cloud: LocalCloud, subscriber: Subscriber) -> None:
    model = ObservedModel(cloud, "wrong-plums")
    model.put_pipeline()
    table = DynamoTable(cloud.admin.client("dynamodb"), cloud.outputs["RegistryTable"])
    end = datetime.now(UTC)
    for minutes in (0, 10, 20):
        window = end + timedelta(minutes=minutes - 60), end + timedelta(minutes=minutes)
        Registry(table).incidents.update(model.name, 1, "hour", window, [], [WRONG], (1,))
    table.write(event_write("ModelDegraded", model.name, reason="a test says so"))
    text = wait_for(subscriber.message, SECONDS)
    assert text.startswith("\"wrong-plums:1, incident 1: live values are wrong (the 'kind')")
    decisions = wait_for(lambda: model.registry.retrainings.latest(model.name), SECONDS)
    assert [decision.decision for decision in decisions] == ["refused"]
    assert 'live values are wrong (the "kind"), incident 1' in decisions[0].why
    assert subscriber.message() is None
    assert model.runs() == []
