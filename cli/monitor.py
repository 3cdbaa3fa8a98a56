"""`monitor`: live traffic against the training data, now."""

from __future__ import annotations

import json
from typing import Any

from cli import console
from cli import place as places
from cli.place import Name, Place
from cli.screens import monitored as screen
from modelcycle.faults import Fault, Unknown
from modelcycle.messages import Monitored, MonitorRequest
from modelcycle.store import S3Store, read_json


def monitor(model: str, name: Name, stage: str, as_json: bool) -> int:
    place = places.find(name, stage)
    if model not in place.registry.runs.models():
        raise Unknown(f"there is no model {model}", place.title, "`modelcycle models` lists the models")
    told = Monitored.model_validate(invoke(place, MonitorRequest(model=model).wire()))
    if as_json:
        console.print_json(told.wire())
        return console.DONE
    report = read_json(S3Store(place.s3, place.output("ArtifactBucket")), told.report) if told.report else {}
    console.show(screen.monitored(told, report))
    return console.DONE


def invoke(place: Place, message: dict[str, Any]) -> Any:
    """What the monitor function answers.

    Raises
    ------
    Fault : the function's own words
    """
    client = place.client("lambda", read_timeout=300, retries={"total_max_attempts": 1})
    answer = client.invoke(FunctionName=place.output("MonitorFunction"), Payload=json.dumps(message).encode())
    payload = json.loads(answer["Payload"].read())
    if answer.get("FunctionError"):
        raise Fault(*Fault.parse(str(payload.get("errorMessage", "the monitor function failed"))))
    return payload
