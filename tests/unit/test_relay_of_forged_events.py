"""A record is an event by its key, which IAM guards, not by what its writer calls it."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from modelcycle.messages import Event
from modelcycle.relay import relay

RECORD = json.loads((Path(__file__).resolve().parents[2] / "events" / "relay.json").read_text())["Records"][0]


class Bus:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def put(self, events: list[Event]) -> list[Event]:
        self.events += events
        return []


def record(pk: str, **image: Any) -> dict[str, Any]:
    made: dict[str, Any] = copy.deepcopy(RECORD)
    made["dynamodb"]["NewImage"] |= {"pk": {"S": pk}} | image
    return made


@pytest.mark.parametrize("pk", ["EVENT#adult-income", "MODEL#adult-income"])
def test_an_event_is_relayed_by_its_key_and_by_that_of_an_earlier_release(pk: str) -> None:
    bus = Bus()
    assert relay(record(pk), bus=bus) is not None and len(bus.events) == 1


@pytest.mark.parametrize("pk", ["RESULT#run_trial#adult-income", "AUDIT#adult-income", "MONITOR#a", "EVENTS#a", "x"])
@pytest.mark.parametrize("body", [RECORD["dynamodb"]["NewImage"]["body"]["S"], "not JSON"])
def test_a_record_of_another_kind_that_is_called_an_event_is_not(pk: str, body: str) -> None:
    bus = Bus()
    assert relay(record(pk, body={"S": body}), bus=bus) is None and not bus.events
