"""The schedules by which models pull their sources: one for each pipeline file with `every`."""

from __future__ import annotations

import json
from typing import Any

from cli.place import Place
from modelcycle.spec import Pipeline

MINUTES = {"minute": 1, "hour": 60, "day": 1440}
MAX_EVENT_AGE_SECONDS = 3600


def interval(pipeline: Pipeline) -> str | None:
    """Return the shortest interval of a pipeline's sources, None if no source has one.

    >>> source = {"type": "sql", "secret": "s", "table": "t", "every": "1 hours"}
    >>> interval(Pipeline(name="m", target="y", source=source))
    '1 hour'
    """
    wanted = [source.every for source in pipeline.sources.values() if source.every is not None]
    if not wanted:
        return None
    number, unit = min((text.split() for text in wanted), key=lambda part: int(part[0]) * MINUTES[part[1].rstrip("s")])
    unit = unit.rstrip("s")
    return f"{int(number)} {unit}" + ("s" if int(number) > 1 else "")


def schedule_request(pipeline: Pipeline, place: Place) -> dict[str, Any]:
    """Return the schedule that starts the lifecycle of a model, as the arguments of CreateSchedule."""
    event = {
        "source": "modelcycle", "detail-type": "RunScheduled",
        "detail": {"model": pipeline.name, "reason": f"every {interval(pipeline)}"},
    }  # fmt: skip
    return {
        "Name": schedule_name(place, pipeline.name),
        "ScheduleExpression": f"rate({interval(pipeline)})",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {
            "Arn": place.output("LifecycleArn"), "RoleArn": place.output("ScheduleRoleArn"), "Input": json.dumps(event),
            "DeadLetterConfig": {"Arn": place.output("UndeliveredArn")},
            "RetryPolicy": {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": MAX_EVENT_AGE_SECONDS},
        },
    }  # fmt: skip


def schedule_name(place: Place, model: str) -> str:
    """Return the name of a model's schedule."""
    return f"{place.output('SchedulePrefix')}{model}"


def set_schedule(place: Place, pipeline: Pipeline) -> None:
    """Make, change or delete the schedule of a model, as its pipeline file says. Idempotent."""
    client = place.client("scheduler")
    name = schedule_name(place, pipeline.name)
    try:
        existing = client.get_schedule(Name=name)
    except client.exceptions.ResourceNotFoundException:
        existing = None
    if interval(pipeline) is None:
        if existing is not None:
            client.delete_schedule(Name=name)
        return
    request = schedule_request(pipeline, place)
    if existing is None:
        client.create_schedule(**request)
    elif any(existing.get(key) != value for key, value in request.items()):
        client.update_schedule(**request)
