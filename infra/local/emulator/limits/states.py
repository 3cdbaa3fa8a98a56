"""The size of data in a state machine, and the errors that `States.ALL` does not catch.

AWS fails an execution with `States.DataLimitExceeded` where the output of a task or state exceeds 256 KiB, or the input
of a task after `Parameters`. Neither `States.ALL` nor `States.TaskFailed` catches it; `States.Runtime` cannot be caught
at all (AWS page "Handling errors in Step Functions workflows").
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from infra.local.quotas import STATE_DATA

HANDLERS = ("_execute_pass", "_execute_task", "_execute_choice", "_execute_wait", "_execute_parallel", "_execute_map")
UNCATCHABLE = frozenset({"States.Runtime"})
NOT_CAUGHT_BY_WILDCARDS = UNCATCHABLE | {STATE_DATA.error}
WILDCARDS = frozenset({"States.ALL", "States.TaskFailed"})
# the fields of requests that hold data of an execution
REQUEST_FIELDS = {"_start_execution": "input", "_start_sync_execution": "input", "_send_task_success": "output"}


def limit_state_data(flows: Any) -> None:
    """Fail executions whose data exceed the quota.

    Parameters
    ----------
    flows : MiniStack's service of Step Functions
    """
    for name in HANDLERS:
        setattr(flows, name, _limited_state(flows, getattr(flows, name)))
    for name, field in REQUEST_FIELDS.items():
        setattr(flows, name, _limited_request(getattr(flows, name), field))
    _limit_tasks(flows)
    _limit_branches(flows)
    matches = flows._error_matches
    flows._error_matches = lambda names, error: matches(_catching(names, error), error)


def data_bytes(value: Any) -> int:
    """Return the length of a value as compact JSON in UTF-8, in bytes.

    Examples
    --------
    >>> data_bytes({"name": "é"})
    13
    """
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass"))


def _catching(names: list[str], error: str) -> list[str]:
    """Return those of a Catch's names that can match an error.

    Examples
    --------
    >>> _catching(["States.ALL"], "States.DataLimitExceeded")
    []
    >>> _catching(["States.ALL", "States.DataLimitExceeded"], "States.DataLimitExceeded")
    ['States.DataLimitExceeded']
    """
    if error in UNCATCHABLE:
        return []
    if error in NOT_CAUGHT_BY_WILDCARDS:
        return [name for name in names if name not in WILDCARDS]
    return names


def _limited_state(flows: Any, execute: Callable[..., tuple[Any, Any]]) -> Callable[..., tuple[Any, Any]]:
    def execute_limited(state: Any, data: Any, *others: Any) -> tuple[Any, Any]:
        output, following = execute(state, data, *others)
        context = others[-1] if others else None
        _check(flows, output, ((context or {}).get("State") or {}).get("Name", ""))
        return output, following

    return execute_limited


def _limit_tasks(flows: Any) -> None:
    invoke = flows._invoke_resource

    def invoke_limited(resource: str, data: Any) -> Any:
        _check(flows, data, resource)
        result = invoke(resource, data)
        _check(flows, result, resource)
        return result

    flows._invoke_resource = invoke_limited


def _limit_branches(flows: Any) -> None:
    """The input of an item of a Map or of a branch of a Parallel, after `ItemSelector` or `Parameters`."""
    run = flows._run_sub_machine

    def run_limited(states: Any, start: str, data: Any, execution: Any, context: Any) -> Any:
        _check(flows, data, start)
        return run(states, start, data, execution, context)

    flows._run_sub_machine = run_limited


def _limited_request(handle: Callable[[dict[str, Any]], Any], field: str) -> Callable[[dict[str, Any]], Any]:
    from ministack.core.responses import error_response_json

    def handle_limited(request: dict[str, Any]) -> Any:
        if len(str(request.get(field, "")).encode("utf-8", "surrogatepass")) > STATE_DATA.maximum:
            return error_response_json(
                "ValidationException",
                f"1 validation error detected: Value at '{field}' failed to satisfy constraint: "
                f"Member must have length less than or equal to {STATE_DATA.maximum}",
                400,
            )
        return handle(request)

    return handle_limited


def _check(flows: Any, data: Any, name: str) -> None:
    if data_bytes(data) > STATE_DATA.maximum:
        raise flows._ExecutionError(
            STATE_DATA.error,
            f"The state/task '{name}' returned a result with a size exceeding "
            "the maximum number of bytes service limit.",
        )
