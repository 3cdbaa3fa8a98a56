"""`collect`: pull the rows of a model's sources, now."""

from __future__ import annotations

import json

from cli import console
from cli.options import Options
from cli.place import Place
from cli.screens.lines import count
from modelcycle.faults import Fault
from modelcycle.messages import Pulled

READ_TIMEOUT = 900  # seconds, the function's own time-out


def collect(model: str, options: Options) -> int:
    """Pull what is new, without a run, and print what came."""
    place = options.open_place()
    pulled = Pulled.model_validate(_invoke(place, model))
    if options.as_json:
        console.print_json(pulled.wire())
    else:
        console.show(pulled_text(model, pulled))
    return console.DONE


def pulled_text(model: str, pulled: Pulled) -> str:
    """Return what a pull brought, for people."""
    rows = f"{count(pulled.rows, 'new row')} in " if pulled.rows else ""
    lines = [f"{model}: {rows}{count(len(pulled.files), 'new file')}" if pulled.files else f"{model}: nothing new"]
    for file in pulled.files:
        name = file.key.rpartition("/")[2]
        up_to = f"   up to {file.watermark}" if file.watermark else ""
        lines.append(f"  {file.source}   {name}" + (f"   {count(file.rows, 'row')}" if file.rows else "") + up_to)
    lines += [f"  {note}" for note in pulled.detail.split("; ") if note]
    if pulled.files:
        lines.append(f"  train on it    modelcycle run {model}.yaml")
    return "\n".join(lines)


def _invoke(place: Place, model: str) -> object:
    client = place.client("lambda", read_timeout=READ_TIMEOUT, retries={"total_max_attempts": 1})
    answer = client.invoke(FunctionName=place.output("PullFunction"), Payload=json.dumps({"model": model}).encode())
    payload = json.loads(answer["Payload"].read())
    if answer.get("FunctionError"):
        raise Fault(*Fault.parse(str(payload.get("errorMessage", "the function that pulls rows failed"))))
    return payload
