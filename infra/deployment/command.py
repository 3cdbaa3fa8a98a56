"""What `deploy` and `destroy` share as commands: lines on the screen, a question, errors in three lines."""

from __future__ import annotations

import sys
from collections.abc import Callable

from modelcycle.faults import Fault

FAILED = 1


def say(line: str) -> None:
    """Print a line of progress to standard error."""
    print(line, file=sys.stderr, flush=True)


def confirmed(question: str) -> bool:
    """Ask a person; without a terminal the answer is no."""
    if not sys.stdin.isatty():
        say(f"{question} Nobody can answer here: add YES=1.")
        return False
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def run(command: Callable[[], int]) -> int:
    """Run a command; print what went wrong, where, and what to do, and return the exit status."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return command()
    except Fault as fault:
        return _report(fault.what, fault.where, fault.remedy)
    except ClientError as error:
        details = error.response.get("Error", {})
        remedy = "whoever deploys needs the permission that it names" if "Denied" in str(details.get("Code")) else (
            "correct it, then run the same command again: what is done already is skipped")  # fmt: skip
        return _report(f"{details.get('Code')}: {details.get('Message')}", error.operation_name, remedy)
    except BotoCoreError as error:
        return _report(str(error), "", "check the network, then run the same command again")
    except KeyboardInterrupt:
        return _report("interrupted", "", "run the same command again: what is done already is skipped")


def _report(what: str, where: str, remedy: str) -> int:
    for name, text in (("error", what), ("where", where), ("to do", remedy)):
        if text:
            say(f"{name}    {text}")
    return FAILED
