"""`make invoke FUNCTION=govern`: calls one function by itself, without Docker.

    python -m infra.local.invocation FUNCTION [--event FILE] [--calls N]

The answer goes to standard output, everything else to standard error.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from infra.local.invocation.effects import effect_of
from infra.local.invocation.invoke import Call, FunctionHost
from modelcycle.faults import Fault


def main(arguments: list[str]) -> int:
    """Call the function that the command line names; return 1 if it raised an error, 2 for wrong use."""
    parser = argparse.ArgumentParser(prog="make invoke", description="Calls one function of the local cloud by itself.")
    parser.add_argument("function", help="as in template.yaml, such as govern or PlanTrials")
    parser.add_argument("--event", type=Path, help="a file with its event; else that of its last call")
    parser.add_argument("--calls", type=int, default=1, help="how often it is called in one process")
    options = parser.parse_args(arguments)
    try:
        return _invoke(options.function, options.event, options.calls)
    except Fault as fault:
        _report(*Fault.parse(str(fault)))
        return 2


def _invoke(asked: str, path: Path | None, calls: int) -> int:
    home = os.environ.get("MODELCYCLE_HOME")
    host = FunctionHost(Path(home) if home else None)
    function = host.find(asked)
    event = host.event(function, path)
    _say(f"{function.name} at {host.cloud.endpoint}; the event: {event.origin}")
    effect = effect_of(function.name)
    if effect:
        _say(f"In earnest: the call {effect}.")
    with host.started(function) as call:
        for number in range(max(1, calls)):
            done = call(event.value)
            _say(f"{'cold' if number == 0 else 'warm'}: {done.seconds * 1000:,.0f} ms")
            if done.error:
                _report_error(done)
                return 1
    print(json.dumps(done.answer, indent=2, ensure_ascii=False))
    return 0


def _report_error(call: Call) -> None:
    what, where, remedy = Fault.parse(str(call.answer.get("errorMessage", "")))
    _report(f"{call.error}: {what}", where, remedy)


def _report(what: str, where: str, remedy: str) -> None:
    for line in filter(None, (what, where and f"  where   {where}", remedy and f"  to do   {remedy}")):
        _say(line)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
