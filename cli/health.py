"""How a place is: bad news first, each with the command that mends it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cli import console
from cli import place as places
from cli.place import Place
from modelcycle.faults import Fault


@dataclass
class Health:
    """`bad` are (what is wrong, what mends it); `facts` are (name, what is so)."""

    place: str
    up: bool
    bad: list[tuple[str, str]] = field(default_factory=list)
    facts: list[tuple[str, str]] = field(default_factory=list)

    def wire(self) -> dict[str, Any]:
        return {
            "place": self.place, "up": self.up, "facts": dict(self.facts),
            "faults": [{"detail": what, "remedy": remedy} for what, remedy in self.bad],
        }  # fmt: skip


def look(name: places.PlaceName, stage: str) -> Health:
    """The place's health, without changing anything."""
    health = _local() if name == "local" else Health(name, False)
    if name == "local" and not health.up:
        return health
    try:
        place = places.open_place(name, stage)
    except Exception as error:  # no credentials, no stack, nobody answers: whatever it is, the place is not up
        what, _, remedy = console.parts(error)
        if name != "local" or not health.bad:
            health.bad.append((what, remedy))
        return health
    health.up = True
    _undelivered(place, health)
    _runs(place, health)
    health.facts.append(("api", place.outputs.get("ApiUrl", "none")))
    return health


def _local() -> Health:
    from cli.screens.lines import count, size
    from infra.local import cloud

    told = cloud.status(home=places.home())
    health = Health("local", told.running, [(problem, "") for problem in told.problems])
    if told.running:
        health.facts += [
            ("cloud", f"up, port {told.port}, process {told.pid}"),
            ("stack", f"{told.stack or 'none'}, {count(told.functions, 'function')}, {told.warm_workers} warm"),
        ]
    else:
        health.facts.append(("cloud", "down; `modelcycle up` starts it"))
    health.facts.append(("disk", size(told.disk_used)))
    return health


def _undelivered(place: Place, health: Health) -> None:
    """Dead letters: events that nobody could take."""
    url = place.outputs.get("Undelivered")
    if url is None:
        return
    answer = place.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    waiting = int(answer["Attributes"]["ApproximateNumberOfMessages"])
    if waiting:
        health.bad.append(
            (f"{waiting} events could not be delivered; they wait in {url}", "look at them, then send them again")
        )
    health.facts.append(("undelivered", str(waiting) if waiting else "none"))


def _runs(place: Place, health: Health) -> None:
    models = place.registry.runs.models()
    failed = 0
    for model in models:
        latest = place.registry.runs.latest(model, 1)
        if latest and latest[0].state == "failed":
            failed += 1
            what = Fault.parse(latest[0].reason)[0]
            health.bad.append(
                (f"the last run of {model} failed: {what}", f"modelcycle show {model} --run {latest[0].run.run_id}")
            )
    health.facts.append(("models", str(len(models)) + (f", the last run of {failed} failed" if failed else "")))
