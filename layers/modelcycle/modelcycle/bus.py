"""Port: the event bus, on which every change of the registry is told. Adapter: EventBridge.

Told at least once: whoever listens drops an event id that it has seen.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Protocol

from modelcycle.messages import Event
from modelcycle.outages import Unreachable, named

SOURCE = "modelcycle"


class Bus(Protocol):
    def put(self, events: Sequence[Event]) -> list[str]:
        """Tell events; returns the ids of those that were not taken."""


class EventBridgeBus:
    """`client` is boto3's EventBridge client; `unreachable` are the errors by which it says that nobody answered."""

    def __init__(self, client: Any, name: str, unreachable: Unreachable = ()) -> None:
        self.client = client
        self.name = name
        self.unreachable = unreachable

    def put(self, events: Sequence[Event]) -> list[str]:
        refused: list[str] = []
        for start in range(0, len(events), 10):  # entries of one call, AWS page "PutEvents"
            batch = events[start : start + 10]
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
            with named("EventBridge", self.name, self.unreachable):
                answer = self.client.put_events(Entries=entries)
            # a 200 may hold refused entries
            refused += [
                event.id for event, entry in zip(batch, answer["Entries"], strict=True) if entry.get("ErrorCode")
            ]
        return refused
