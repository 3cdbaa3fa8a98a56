"""What goes where: results to standard output, progress and faults to standard error."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import shutil
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelcycle.faults import BadInput, BadPipeline, BadRequest, Fault, NotAllowed

if TYPE_CHECKING:
    from rich.console import Console

DONE, FAILED, WRONG_USE, REFUSED, INTERRUPTED = 0, 1, 2, 3, 130

COMMAND = re.compile(r"(?<![\w./-])modelcycle (?=[a-z]+\b)")


def out() -> Console:
    """Standard output, for results."""
    from rich.console import Console

    return Console(markup=False, highlight=False, emoji=False, soft_wrap=True)


def show(text: str) -> None:
    """A screen on standard output."""
    out().print(runnable(text))


def runnable(text: str) -> str:
    """The same text, its command lines as this shell takes them: the command may lie off the PATH."""
    called = Path(sys.argv[0])
    if called.name != "modelcycle" or shutil.which("modelcycle"):
        return text
    with contextlib.suppress(ValueError):
        called = called.absolute().relative_to(Path.cwd())
    return COMMAND.sub(f"{shlex.quote(str(called))} ", text)


def err() -> Console:
    """Standard error, for progress and faults."""
    from rich.console import Console

    return Console(stderr=True, markup=False, highlight=False, emoji=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """Write one JSON object to standard output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=_as_text) + "\n")


def _as_text(value: Any) -> str:
    """A value without a JSON type: times by RFC 3339 in UTC, as pydantic writes them in messages; others as they read.

    >>> _as_text(datetime(2026, 1, 1, 13, 30, tzinfo=UTC))
    '2026-01-01T13:30:00Z'
    """
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return str(value)


def say(line: str) -> None:
    """One line of progress."""
    err().print(f"    {line}", style="dim")


def status_of(error: BaseException) -> int:
    """The exit status for an error: 2 wrong use, 3 refused by a gate or policy, else 1."""
    if isinstance(error, NotAllowed):
        return REFUSED
    return WRONG_USE if isinstance(error, BadInput) else FAILED


def report(error: BaseException, *, as_json: bool, debug: bool) -> int:
    """Say what is wrong, where, and what to do; returns the exit status.

    Parameters
    ----------
    as_json : the same as `{error, detail, remedy}` on standard output too
    debug : show the traceback, after everything else
    """
    what, where, remedy = parts(error)
    console = err()
    console.print(f"error    {what}", style="red")
    if where:
        console.print(f"where    {where}")
    if remedy:
        console.print(f"to do    {runnable(remedy)}")
    details = _details(error)
    for line in details:
        console.print(f"         {line}")
    if as_json:
        print_json(
            {"error": type(error).__name__, "detail": what, "remedy": remedy}
            | ({"where": where} if where else {})
            | ({"errors": details} if details else {})
        )
    if debug:
        console.print("".join(traceback.format_exception(error)).rstrip(), style="dim")
    return status_of(error)


def parts(error: BaseException) -> tuple[str, str, str]:
    """Return what is wrong, where, and what to do, for any error."""
    if isinstance(error, Fault):
        return error.what, error.where, error.remedy
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
    from botocore.exceptions import ConnectionError as Unreachable

    if isinstance(error, ClientError):
        said = error.response.get("Error", {})
        return (
            f"{said.get('Code', 'error')}: {said.get('Message', error)}", error.operation_name,
            "`modelcycle status` says how the place is; with AccessDenied, ask for the permission that is named",
        )  # fmt: skip
    if isinstance(error, HTTPClientError | Unreachable):
        return (
            "the place does not answer", str(error.kwargs.get("endpoint_url", "")),
            "start it (`modelcycle up` the local cloud); a run that is started again takes over what was done",
        )  # fmt: skip
    if isinstance(error, BotoCoreError):
        return str(error), "", "`modelcycle status` says how the place is"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror, str(error.filename or ""), "check the path, the permissions and the room on the disk"
    return f"{type(error).__name__}: {error}", "", "this is a fault of ModelCycle: run again with --debug and report it"


def _details(error: BaseException) -> list[str]:
    """All errors of a pipeline file by line, all fields of a request by pointer."""
    if isinstance(error, BadPipeline) and len(error.errors) > 1:
        return [f"line {line}: {text}" for line, text in error.errors]
    if isinstance(error, BadRequest) and len(error.errors) > 1:
        return [f"{one['pointer']}: {one['detail']}" for one in error.errors]
    return []


def wrong_use(error: Any) -> BadInput:
    """What typer says of a command line that it cannot read."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "modelcycle"
    return BadInput(str(error.format_message()), command, f"`{command} --help` lists what it takes")


def quoted(path: Any) -> str:
    """A path as a shell takes it."""
    return shlex.quote(str(path))
