"""What a run costs on Lambda: the seconds of its function calls, times the memory of the functions.

The seconds are those from a call to its end in the history of the execution, cold starts and waiting included: a little
more than Lambda bills. In the local cloud they are the seconds of this machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from cli.costs.prices import price_table
from cli.place import Place

CALL_STARTS = ("TaskScheduled", "LambdaFunctionScheduled")
CALL_ENDS = (
    "TaskSucceeded", "TaskFailed", "TaskTimedOut", "LambdaFunctionSucceeded", "LambdaFunctionFailed",
    "LambdaFunctionTimedOut",
)  # fmt: skip
MAX_CONCURRENT_REQUESTS = 8


@dataclass
class Calls:
    """The calls of one function, and the step that they belong to."""

    function: str
    step: str
    number: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class StepCost:
    """The cost of one step: calls, seconds of them together, and GB-seconds."""

    step: str
    calls: int
    seconds: float
    gb_seconds: float


@dataclass(frozen=True)
class RunCost:
    """The cost of a run, by step."""

    steps: list[StepCost] = field(default_factory=list)

    @property
    def gb_seconds(self) -> float:
        return sum(step.gb_seconds for step in self.steps)

    @property
    def dollars(self) -> float:
        prices = price_table().prices
        calls = sum(step.calls for step in self.steps)
        return prices["lambda_gb_second"].of(self.gb_seconds) + prices["lambda_call"].of(calls)

    def wire(self) -> dict[str, Any]:
        """Return the cost as JSON types."""
        return {
            "gb_seconds": round(self.gb_seconds, 3), "dollars": round(self.dollars, 6),
            "steps": {step.step: round(step.gb_seconds, 3) for step in self.steps},
        }  # fmt: skip


class CallLog:
    """The function calls in the events of an execution's history, by function.

    Calls of one function may overlap. The sum of their seconds needs no pairs: it is the sum of the ends minus that of
    the starts.
    """

    def __init__(self) -> None:
        self.calls: dict[str, Calls] = {}
        self._function_of: dict[int, str] = {}  # by the id of an event in a call's chain

    def add(self, event: Mapping[str, Any], step: str) -> None:
        """Add an event of a step; events come in order."""
        kind, at = event.get("type", ""), event["timestamp"].timestamp()
        function = _resource(event) or self._function_of.get(event.get("previousEventId", 0), "")
        if not function:
            return
        self._function_of[event["id"]] = function
        if kind in CALL_STARTS:
            calls = self.calls.setdefault(function, Calls(function, step))
            calls.number += 1
            calls.seconds -= at
        elif kind in CALL_ENDS and function in self.calls:
            self.calls[function].seconds += at


def run_cost(place: Place, log: CallLog) -> RunCost | None:
    """Return the cost of the calls of a finished execution; None if the functions' memory cannot be read."""
    calls = list(log.calls.values())
    memory = function_memory(place, [call.function for call in calls]) if calls else None
    if memory is None:
        return None
    totals: dict[str, list[float]] = {}
    for call in calls:
        total = totals.setdefault(call.step, [0, 0.0, 0.0])
        total[0] += call.number
        total[1] += call.seconds
        total[2] += call.seconds * memory[call.function] / 1024
    return RunCost([StepCost(step, int(number), taken, gb) for step, (number, taken, gb) in totals.items()])


def function_memory(place: Place, functions: Iterable[str]) -> dict[str, int] | None:
    """Return the memory of functions in MB, by ARN; None if one cannot be read."""
    from botocore.exceptions import BotoCoreError, ClientError

    client = place.client("lambda")

    def memory(function: str) -> int:
        return int(client.get_function_configuration(FunctionName=function)["MemorySize"])

    names = list(functions)
    try:
        with ThreadPoolExecutor(MAX_CONCURRENT_REQUESTS) as pool:
            return dict(zip(names, pool.map(memory, names), strict=True))
    except (BotoCoreError, ClientError):
        return None


def _resource(event: Mapping[str, Any]) -> str:
    """Return the function that an event of a call names; empty if it names none, or another service."""
    for key, details in event.items():
        if key.endswith("EventDetails") and isinstance(details, dict):
            resource = str(details.get("resource", ""))
            return resource if ":lambda:" in resource and ":function:" in resource else ""
    return ""
