"""Checks the health of a place."""

from __future__ import annotations

from cli import console, open_place
from cli.health.alarms import add_alarms
from cli.health.captures import add_captures
from cli.health.compaction import add_compaction
from cli.health.health import Health
from cli.health.streams import add_streams
from cli.place import Place, PlaceName, home
from modelcycle.faults import Fault


def check_health(name: PlaceName, stage: str) -> Health:
    """Return the health of a place, without changing anything in it."""
    health = _local_health() if name == "local" else Health(name, False)
    if name == "localstack":
        _add_localstack(health)
    if name == "local" and not health.up:
        return health
    try:
        place = open_place.open_place(name, stage)
    except Exception as error:  # without credentials, stack or answer, whatever the error, the place is not up
        problem, _, remedy = console.parts(error)
        if name != "local" or not health.problems:
            health.problems.append((problem, remedy))
        return health
    health.up = True
    _add_undelivered(place, health)
    _add_models(place, health)
    add_alarms(place, health)
    add_captures(place, health)
    add_compaction(place, health)
    add_streams(place, health)
    health.facts.append(("api", place.outputs.get("ApiUrl", "none")))
    return health


def _local_health() -> Health:
    from cli.screens.lines import count, size
    from infra.local import cloud

    status = cloud.status(home=home())
    health = Health("local", status.running, [(problem, "") for problem in status.problems])
    if status.running:
        functions = count(status.functions, "function")
        health.facts += [
            ("cloud", f"up, port {status.port}, process {status.pid}"),
            ("stack", f"{status.stack or 'none'}, {functions}, {status.warm_workers} warm"),
        ]
    else:
        health.facts.append(("cloud", "down; `modelcycle up` starts it"))
    health.facts.append(("disk", size(status.disk_used)))
    return health


def _add_localstack(health: Health) -> None:
    """Add which LocalStack it is, if one answers, and what it leaves out."""
    from cli.remote import localstack_endpoint
    from infra.local.localstack import adapt, place, process

    try:
        endpoint = localstack_endpoint()
    except Fault:
        return  # reported when the place is opened
    version, own = process.version(endpoint), place.own(home())
    if version is None:
        return
    started = f"process {own.pid}, ends with `down`" if own and own.endpoint == endpoint else "not started by `up`"
    health.facts.append(("cloud", f"LocalStack {version} at {endpoint}, {started}"))
    health.facts += [("leaves out", line) for line in adapt.ALWAYS]


def _add_undelivered(place: Place, health: Health) -> None:
    """Add the number of events in the dead-letter queue."""
    url = place.outputs.get("Undelivered")
    if url is None:
        return
    answer = place.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    events = int(answer["Attributes"]["ApproximateNumberOfMessages"])
    if events:
        health.problems.append(
            (f"{events} events could not be delivered; they are in the queue {url}", "read them, then send them again")
        )
    health.facts.append(("undelivered", str(events) if events else "none"))


def _add_models(place: Place, health: Health) -> None:
    """Add the number of models, and each model whose last run failed."""
    models = place.registry.runs.models()
    failed = 0
    for model in models:
        latest = place.registry.runs.latest(model, 1)
        if latest and latest[0].state == "failed":
            failed += 1
            reason = Fault.parse(latest[0].reason)[0]
            health.problems.append(
                (f"the last run of {model} failed: {reason}", f"modelcycle show {model} --run {latest[0].run.run_id}")
            )
    health.facts.append(("models", str(len(models)) + (f", the last run of {failed} failed" if failed else "")))
