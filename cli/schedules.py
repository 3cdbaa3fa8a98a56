"""The schedules of models: one pulls the sources of a pipeline file (`source.every`), one asks for a retraining."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from cli.place import Place
from modelcycle.spec import Pipeline

MINUTES = {"minute": 1, "hour": 60, "day": 1440}
MAX_EVENT_AGE_SECONDS = 3600
MAX_NAME_LENGTH = 64  # characters, of EventBridge Scheduler
MARK_LENGTH = 12  # hexadecimal digits of a hash


def interval(pipeline: Pipeline) -> str | None:
    """Return the shortest interval of a pipeline's sources, None if no source has one.

    Examples
    --------

    >>> source = {"type": "sql", "secret": "s", "table": "t", "every": "1 hours"}
    >>> interval(Pipeline(name="m", target="y", source=source))
    '1 hour'
    """
    wanted = [source.every for source in pipeline.sources.values() if source.every is not None]
    if not wanted:
        return None
    return _as_rate(min(wanted, key=lambda text: int(text.split()[0]) * MINUTES[text.split()[1].rstrip("s")]))


def retraining_interval(pipeline: Pipeline) -> str | None:
    """Return how often a pipeline file asks for a retraining, None if it does not.

    Examples
    --------
    >>> retraining_interval(Pipeline(name="m", target="y", retraining={"every": "7 day"}))
    '7 days'
    """
    return _as_rate(pipeline.retraining.every) if pipeline.retraining.every is not None else None


def has_schedules(pipeline: Pipeline) -> bool:
    """Return whether a pipeline file asks for a schedule."""
    return interval(pipeline) is not None or retraining_interval(pipeline) is not None


def schedule_request(pipeline: Pipeline, place: Place) -> dict[str, Any]:
    """Return the schedule that starts the lifecycle of a model, as the arguments of CreateSchedule."""
    event = {
        "source": "modelcycle", "detail-type": "RunScheduled",
        "detail": {"model": pipeline.name, "reason": f"every {interval(pipeline)}"},
    }  # fmt: skip
    name = schedule_name(place, pipeline.name)
    return _request(place, name, interval(pipeline), place.output("LifecycleArn"), event)


def retraining_request(pipeline: Pipeline, place: Place) -> dict[str, Any]:
    """Return the schedule that asks for a retraining of a model; the governor decides.

    EventBridge Scheduler replaces the name in the id by the time of the call, so that a second delivery is known.
    """
    every = retraining_interval(pipeline)
    event = {
        "source": "modelcycle", "detail-type": "RetrainingScheduled",
        "detail": {
            "model": pipeline.name, "reason": f"every {every}", "id": f"<aws.scheduler.scheduled-time>-{pipeline.name}",
        },
    }  # fmt: skip
    name = retraining_schedule_name(place, pipeline.name)
    return _request(place, name, every, place.output("RetrainFunction"), event)


def _request(place: Place, name: str, every: str | None, target: str, event: dict[str, Any]) -> dict[str, Any]:
    return {
        "Name": name,
        "ScheduleExpression": f"rate({every})",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {
            "Arn": target, "RoleArn": place.output("ScheduleRoleArn"), "Input": json.dumps(event),
            "DeadLetterConfig": {"Arn": place.output("UndeliveredArn")},
            "RetryPolicy": {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": MAX_EVENT_AGE_SECONDS},
        },
    }  # fmt: skip


def schedule_name(place: Place, model: str) -> str:
    """Return the name of a model's schedule."""
    return _name(place.output("SchedulePrefix"), model)


def retraining_schedule_name(place: Place, model: str) -> str:
    """Return the name of the schedule of a model's retraining; no model has a name with `.`."""
    return _name(place.output("SchedulePrefix"), f"{model}.retrain")


def _name(prefix: str, of_model: str) -> str:
    """Return the name of a schedule, with a hash instead of its end if it would be too long; no model's has `.`.

    >>> _name("modelcycle-", "orders.retrain")
    'modelcycle-orders.retrain'
    >>> _name("modelcycle-", "orders-" + "x" * 41 + ".retrain")
    'modelcycle-orders-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.5c04990d3c0c'
    """
    name = prefix + of_model
    if len(name) <= MAX_NAME_LENGTH:
        return name
    mark = hashlib.sha256(of_model.encode()).hexdigest()[:MARK_LENGTH]
    kept = max(MAX_NAME_LENGTH - len(prefix) - MARK_LENGTH - 1, 0)
    return f"{prefix}{of_model[:kept]}.{mark}"


def set_schedules(place: Place, pipeline: Pipeline) -> None:
    """Make, change or delete the schedules of a model, as its pipeline file says. Idempotent."""
    client = place.client("scheduler")
    source = schedule_request(pipeline, place) if interval(pipeline) is not None else None
    _set(client, schedule_name(place, pipeline.name), source)
    retraining = retraining_request(pipeline, place) if retraining_interval(pipeline) is not None else None
    _set(client, retraining_schedule_name(place, pipeline.name), retraining)


def _as_rate(every: str) -> str:
    """Return an interval as EventBridge Scheduler writes it."""
    number, unit = int(every.split()[0]), every.split()[1].rstrip("s")
    return f"{number} {unit}" + ("s" if number > 1 else "")


def _set(client: Any, name: str, request: dict[str, Any] | None) -> None:
    try:
        existing = client.get_schedule(Name=name)
    except client.exceptions.ResourceNotFoundException:
        existing = None
    if request is None:
        if existing is not None:
            client.delete_schedule(Name=name)
        return
    if existing is None:
        client.create_schedule(**request)
    elif any(existing.get(key) != value for key, value in request.items()):
        client.update_schedule(**request)
