"""Port: the event bus, which announces every change of the registry. Adapter: EventBridge.

Delivery is at least once: a consumer ignores an event id that it has already processed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Protocol

from modelcycle.messages import Event
from modelcycle.outages import Unreachable, outages_as_faults

SOURCE = "modelcycle"
MAX_EVENTS_PER_CALL = 10  # AWS page "PutEvents"


class Bus(Protocol):
    """An event bus."""

    def put(self, events: Sequence[Event]) -> list[str]:
        """Publish events; return the ids of those that the bus rejected."""


class EventBridgeBus:
    """A bus of EventBridge.

    Parameters
    ----------
    client : botocore's EventBridge client
    name : name or ARN of the bus
    unreachable : the client's errors for a service that did not answer; they are raised as Transient
    """

    def __init__(self, client: Any, name: str, unreachable: Unreachable = ()) -> None:
        self.client = client
        self.name = name
        self.unreachable = unreachable

    def put(self, events: Sequence[Event]) -> list[str]:
        rejected: list[str] = []
        for start in range(0, len(events), MAX_EVENTS_PER_CALL):
            batch = events[start : start + MAX_EVENTS_PER_CALL]
            entries = [
                {
                    "EventBusName": self.name,
                    "Source": SOURCE,
                    "DetailType": event.kind,
                    "Time": event.at,
                    "Detail": json.dumps({"id": event.id, "model": event.model} | event.detail),
                }
                for event in batch
            ]
            with outages_as_faults("EventBridge", self.name, self.unreachable):
                answer = self.client.put_events(Entries=entries)
            # a response with status 200 may contain rejected entries
            rejected += [
                event.id for event, entry in zip(batch, answer["Entries"], strict=True) if entry.get("ErrorCode")
            ]
        return rejected
