"""`retrain`: ask the governor for a new run of a model, now; or end its pause."""

from __future__ import annotations

import getpass
import json
from uuid import uuid4

from cli import console
from cli.options import Options
from cli.place import Place
from cli.run import show_run
from cli.screens.incidents import retrained_text
from modelcycle.faults import Fault
from modelcycle.messages import Retrained

READ_TIMEOUT = 90  # seconds; longer than the function's own time-out


def retrain(model: str, why: str, resume: bool, options: Options) -> int:
    """Ask for a run and follow it; a person waits for no cooldown, budget or pause.

    Parameters
    ----------
    why : the reason, kept with the decision and the run
    resume : end the pause after refused challengers instead; no run is started
    """
    place = options.open_place()
    place.check_model(model)
    answer = ask(place, model, "RetrainingResumed" if resume else "RetrainingRequested", why)
    if answer.done == "started":
        return show_run(place, model, answer.execution, options.as_json)
    if options.as_json:
        console.print_json({"model": model} | answer.wire())
    else:
        console.show(retrained_text(model, answer))
    return console.DONE if answer.done == "resumed" else console.REFUSED


def ask(place: Place, model: str, kind: str, why: str) -> Retrained:
    """Return the governor's answer to a person's request.

    Raises
    ------
    Fault : with the function's own message
    """
    event = {
        "source": "modelcycle", "detail-type": kind, "id": uuid4().hex,
        "detail": {"model": model, "by": getpass.getuser(), "author": place.identity, "reason": why},
    }  # fmt: skip
    client = place.client("lambda", read_timeout=READ_TIMEOUT, retries={"total_max_attempts": 1})
    answer = client.invoke(FunctionName=place.output("RetrainFunction"), Payload=json.dumps(event).encode())
    payload = json.loads(answer["Payload"].read())
    if answer.get("FunctionError"):
        raise Fault(*Fault.parse(str(payload.get("errorMessage", "the function that decides about runs failed"))))
    return Retrained.model_validate(payload)
