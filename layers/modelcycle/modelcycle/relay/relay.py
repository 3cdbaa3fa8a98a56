from __future__ import annotations

import json
from typing import Any

from modelcycle.bus import Bus
from modelcycle.faults import Transient
from modelcycle.messages import Event
from modelcycle.registry import keys


def relay(record: dict[str, Any], *, bus: Bus) -> Event | None:
    """Put one event record of the registry on the bus.

    Any role that writes to the registry could call its record an event. Its key says whether it was allowed to.

    Parameters
    ----------
    record : a record of the DynamoDB stream (AWS page "Using AWS Lambda with Amazon DynamoDB")

    Returns
    -------
    the event; None if the record is another kind of change

    Raises
    ------
    Transient : the bus rejected it; the stream delivers the record again
    """
    image = record["dynamodb"].get("NewImage", {})
    if image.get("kind", {}).get("S") != "event" or not keys.is_of_an_event(image["pk"]["S"]):
        return None
    event = Event.model_validate(json.loads(image["body"]["S"]))
    if bus.put([event]):
        raise Transient("the bus rejected an event", event.kind, "the stream delivers it again")
    return event
