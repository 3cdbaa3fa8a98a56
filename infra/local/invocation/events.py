"""An event for each function: that of its last call in the local cloud, else the project's example made to fit."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.local.emulator.last_events import events_folder
from infra.local.faults import EventUnusable
from infra.local.invocation.deployed_functions import DeployedFunction

EXAMPLES = "events"
ONE_VALUE = "Name a file with one JSON value."
EXAMPLE_MODELS = ("adult-income", "bikeshare")
EXAMPLE_BUCKETS = {"s3://artifacts/": "ARTIFACT_BUCKET", "s3://data/": "DATA_BUCKET"}


@dataclass(frozen=True)
class Event:
    """An event for a function.

    Parameters
    ----------
    value : JSON
    origin : where it comes from, for people
    was_given : whether the function was called with it
    """

    value: Any
    origin: str
    was_given: bool


def events_of(functions: Mapping[str, DeployedFunction], home: Path, project: Path) -> dict[str, Event]:
    """Return an event for each function, by the function's name in the template.

    An example gets the names of this cloud's buckets and of its last model, and what the last run has passed from step
    to step. What no run has made stays that of the example.

    Parameters
    ----------
    home : folder of the cloud's state
    project : folder with the examples
    """
    given = {name: path for name, function in functions.items() if (path := _file(function, home)).is_file()}
    by_age = sorted(given, key=lambda name: given[name].stat().st_mtime)
    values = {name: _read(given[name]) for name in by_age}
    run = next((value["run"] for value in reversed(values.values()) if _has_run(value)), None)
    passed = _passed(values.values(), run)
    events = {}
    for name, function in functions.items():
        if name in values:
            events[name] = Event(values[name], "its last call here", was_given=True)
            continue
        path = project / EXAMPLES / f"{function.snake_name}.json"
        example = fit(_read(path) if path.is_file() else {}, function.variables, (run or {}).get("model"), passed)
        events[name] = Event(example, f"made from {EXAMPLES}/{path.name}: it was not called here", was_given=False)
    return events


def read_event(path: Path) -> Any:
    """Return the event in a file that a person names.

    Raises
    ------
    EventUnusable
    """
    try:
        return _read(path)
    except FileNotFoundError:
        raise EventUnusable("There is no such file.", where=str(path), remedy=ONE_VALUE) from None
    except (OSError, ValueError) as error:
        raise EventUnusable(f"The file is not JSON: {error}", where=str(path), remedy=ONE_VALUE) from None


def fit(example: Any, variables: Mapping[str, str], model: str | None, passed: Mapping[str, Any]) -> Any:
    """Return an example as an event of this cloud.

    Parameters
    ----------
    variables : of the function
    model : the last one, or None if there is none
    passed : messages of the last run by their names, which replace those of the example

    Examples
    --------
    >>> fit({"run": {"model": "a"}, "at": "s3://data/adult-income/x"}, {"DATA_BUCKET": "b7"}, "plums", {"run": 1})
    {'run': 1, 'at': 's3://b7/plums/x'}
    """
    fitted = _replace(example, variables, model)
    if isinstance(fitted, dict) and fitted.keys() & passed.keys():
        return {name: passed.get(name, value) for name, value in fitted.items()}
    return fitted


def _replace(value: Any, variables: Mapping[str, str], model: str | None) -> Any:
    if isinstance(value, dict):
        return {name: _replace(item, variables, model) for name, item in value.items()}
    if isinstance(value, list):
        return [_replace(item, variables, model) for item in value]
    if not isinstance(value, str):
        return value
    for prefix, variable in EXAMPLE_BUCKETS.items():
        if variable in variables:
            value = value.replace(prefix, f"s3://{variables[variable]}/")
    for name in EXAMPLE_MODELS if model else ():
        value = value.replace(name, str(model))
    return value


def _passed(events: Iterable[Any], run: Any) -> dict[str, Any]:
    """Return the messages of a run by their names; that of a later event wins."""
    of_run = [event for event in events if _has_run(event) and event["run"] == run]
    return {name: message for event in of_run for name, message in event.items()}


def _has_run(event: Any) -> bool:
    return isinstance(event, dict) and isinstance(event.get("run"), dict) and "model" in event["run"]


def _file(function: DeployedFunction, home: Path) -> Path:
    return events_folder(home) / f"{function.deployed_name}.json"


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
