"""`monitor`: compare live traffic with the training data, now."""

from __future__ import annotations

import json
from typing import Any

from cli import console
from cli.options import Options
from cli.place import Place
from cli.screens.monitored import monitored_text
from modelcycle.faults import Fault
from modelcycle.messages import Monitored, MonitorRequest
from modelcycle.store import S3Store, read_json

READ_TIMEOUT = 300  # seconds; the function downloads all captures of the window


def monitor(model: str, options: Options) -> int:
    """Run the monitor and show its report."""
    place = options.open_place()
    place.check_model(model)
    monitored = Monitored.model_validate(invoke_monitor(place, MonitorRequest(model=model).wire()))
    if options.as_json:
        console.print_json(monitored.wire())
        return console.DONE
    artifacts = S3Store(place.s3, place.output("ArtifactBucket"))
    console.show(monitored_text(monitored, read_json(artifacts, monitored.report) if monitored.report else {}))
    return console.DONE


def invoke_monitor(place: Place, message: dict[str, Any]) -> Any:
    """Return the answer of the monitor function.

    Raises
    ------
    Fault : with the function's own message
    """
    client = place.client("lambda", read_timeout=READ_TIMEOUT, retries={"total_max_attempts": 1})
    answer = client.invoke(FunctionName=place.output("MonitorFunction"), Payload=json.dumps(message).encode())
    payload = json.loads(answer["Payload"].read())
    if answer.get("FunctionError"):
        raise Fault(*Fault.parse(str(payload.get("errorMessage", "the monitor function failed"))))
    return payload
