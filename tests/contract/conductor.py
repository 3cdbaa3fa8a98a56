"""A second interpreter of the state machines, in process: it fails where the emulator accepts a mistake.

It knows the part of the Amazon States Language that the flows use (Task, Choice, Map, Wait, Succeed, Fail; plain
JSONPath) and fails at everything else, so that a new feature is a decision.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
Task = Callable[[str, Any], Any]
STATE = {
    "Task": {"Resource", "Parameters", "ResultPath", "TimeoutSeconds", "Retry", "Catch", "Next", "End"},
    "Choice": {"Choices", "Default"},
    "Map": {
        "Label",
        "ItemsPath",
        "MaxConcurrency",
        "ItemSelector",
        "ItemProcessor",
        "ResultPath",
        "Retry",
        "Catch",
        "Next",
        "End",
    },
    "Wait": {"SecondsPath", "Seconds", "Next"},
    "Pass": {"Parameters", "InputPath", "Result", "ResultPath", "Next", "End"},
    "Succeed": set(),
    "Fail": {"Error", "ErrorPath", "Cause", "CausePath"},
}


class Failed(Exception):
    """The state machine ended in a Fail state."""


def flow(name: str) -> dict[str, Any]:
    definition: dict[str, Any] = yaml.safe_load((ROOT / "statemachines" / f"{name}.asl.yaml").read_text())
    return definition


def conduct(machine: dict[str, Any], data: Any, task: Task, execution: str) -> tuple[str, Any]:
    """Run a state machine; return the name of its last state, and the data.

    Parameters
    ----------
    task : is called with a resource and its input; returns the result
    """
    name = execution.rpartition(":")[2]
    context = {"Execution": {"Id": execution, "Name": name, "StartTime": datetime.now(UTC).isoformat()}}
    return _run(machine, data, task, context)


def _run(machine: dict[str, Any], data: Any, task: Task, context: dict[str, Any]) -> tuple[str, Any]:
    name = machine["StartAt"]
    for _ in range(200):
        state = machine["States"][name]
        unknown = set(state) - STATE[state["Type"]] - {"Type", "Comment"}
        assert not unknown, f"{name}: {sorted(unknown)} is unknown to this interpreter"
        kind = state["Type"]
        if kind == "Succeed":
            return name, data
        if kind == "Fail":
            raise Failed(f"{name}: {state.get('Cause') or _path(state.get('CausePath', '$'), data, context)}")
        if kind == "Choice":
            name = next((c["Next"] for c in state["Choices"] if _holds(c, data)), state.get("Default"))
            continue
        if kind == "Pass":
            given = _path(state.get("InputPath", "$"), data, context)
            if "Parameters" in state:
                given = _filled(state["Parameters"], given, context)
            data = _put(data, state.get("ResultPath", "$"), state.get("Result", given))
        if kind in ("Task", "Map"):
            try:
                if kind == "Task":
                    given = _filled(state["Parameters"], data, context) if "Parameters" in state else data
                    result = task(state["Resource"], given)
                else:
                    result = []
                    for item in _path(state["ItemsPath"], data, context):
                        inner = context | {"Map": {"Item": {"Value": item}}}
                        given = _filled(state["ItemSelector"], data, inner)
                        result.append(_run(state["ItemProcessor"], given, task, inner)[1])
            except Failed:
                raise
            except Exception as error:
                names = {type(error).__name__, "States.ALL"}
                catch = next((c for c in state.get("Catch", []) if names & set(c["ErrorEquals"])), None)
                if catch is None:
                    raise
                data = _put(data, catch["ResultPath"], {"Error": type(error).__name__, "Cause": str(error)})
                name = catch["Next"]
                continue
            data = _put(data, state.get("ResultPath", "$"), result)
        if state.get("End"):
            return name, data
        name = state["Next"]
    raise AssertionError("the state machine does not end")


def _filled(template: Any, data: Any, context: dict[str, Any]) -> Any:
    if isinstance(template, list):
        return [_filled(item, data, context) for item in template]
    if not isinstance(template, dict):
        return template
    filled = {}
    for key, value in template.items():
        if key.endswith(".$"):
            filled[key[:-2]] = _path(value, data, context)
        else:
            filled[key] = _filled(value, data, context)
    return filled


def _path(path: str, data: Any, context: dict[str, Any]) -> Any:
    split = re.fullmatch(r"States\.StringSplit\('([^']*)', '([^']*)'\)", path)
    if split:
        return [part for part in split[1].split(split[2]) if part]
    contains = re.fullmatch(r"States\.ArrayContains\((\$[\w.]*), '([^']*)'\)", path)
    if contains:
        return contains[2] in _path(contains[1], data, context)
    called = re.fullmatch(r"States\.Format\('([^']*)'((?:, *\$[\w.$]*)*)\)", path)
    if called:
        values = [_path(p.strip(), data, context) for p in called[2].split(",") if p.strip()]
        text = called[1]
        for value in values:  # the template's placeholders have braces too
            text = text.replace("{}", str(value), 1)
        return text
    assert re.fullmatch(r"\$?\$(\.\w+)*", path), f"{path} is not plain JSONPath"
    value = context if path.startswith("$$") else data
    for part in path.lstrip("$").split(".")[1:]:
        assert part in value, f"{path} does not exist"
        value = value[part]
    return copy.deepcopy(value)


def _put(data: Any, path: str | None, result: Any) -> Any:
    if path is None:
        return data
    if path == "$":
        return result
    key = path.removeprefix("$.")
    assert re.fullmatch(r"\w+", key), f"{path} is not plain JSONPath"
    return data | {key: result}


def _holds(choice: dict[str, Any], data: Any) -> bool:
    if "IsPresent" in choice:
        path, _, name = choice["Variable"].rpartition(".")
        assert re.fullmatch(r"\w+", name), f"{choice['Variable']} is not plain JSONPath"
        return (name in _path(path, data, {})) == bool(choice["IsPresent"])
    value = _path(choice["Variable"], data, {})
    for operator in ("StringEquals", "BooleanEquals"):
        if operator in choice:
            return bool(value == choice[operator])
    raise AssertionError(f"{choice} is unknown to this interpreter")
