"""Standard output for results, standard error for progress and errors."""

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

DONE, FAILED, WRONG_USE, REFUSED, DONE_IN_PART, INTERRUPTED = 0, 1, 2, 3, 4, 130  # exit statuses, see docs/cli.md

COMMAND = re.compile(r"(?<![\w./-])modelcycle (?=[a-z]+\b)")
CHECK_PLACE = "`modelcycle status` checks the place"


def out() -> Console:
    """Return the console of standard output."""
    from rich.console import Console

    return Console(markup=False, highlight=False, emoji=False, soft_wrap=True)


def err() -> Console:
    """Return the console of standard error."""
    from rich.console import Console

    return Console(stderr=True, markup=False, highlight=False, emoji=False, soft_wrap=True)


def show(text: str) -> None:
    """Print a screen to standard output."""
    out().print(runnable(text))


def say(line: str) -> None:
    """Print one line of progress to standard error."""
    err().print(f"    {line}", style="dim")


def print_json(value: Any) -> None:
    """Print one JSON object to standard output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=_as_text) + "\n")


def runnable(text: str) -> str:
    """Return the text with its command lines changed so that they run in this shell, if the command is not on PATH."""
    command = Path(sys.argv[0])
    if command.name != "modelcycle" or shutil.which("modelcycle"):
        return text
    with contextlib.suppress(ValueError):
        command = command.absolute().relative_to(Path.cwd())
    return COMMAND.sub(f"{shlex.quote(str(command))} ", text)


def quoted(path: Any) -> str:
    """Return a path as a shell takes it."""
    return shlex.quote(str(path))


def report(error: BaseException, *, as_json: bool, debug: bool) -> int:
    """Print what is wrong, where, and what to do; return the exit status.

    Parameters
    ----------
    as_json : print it as an object `{error, detail, remedy}` on standard output too
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


def status_of(error: BaseException) -> int:
    """Return the exit status for an error."""
    if isinstance(error, NotAllowed):
        return REFUSED
    return WRONG_USE if isinstance(error, BadInput) else FAILED


def parts(error: BaseException) -> tuple[str, str, str]:
    """Return what is wrong, where, and what to do, for any error."""
    if isinstance(error, Fault):
        return error.what, error.where, error.remedy
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
    from botocore.exceptions import ConnectionError as Unreachable

    if isinstance(error, ClientError):
        details = error.response.get("Error", {})
        return (
            f"{details.get('Code', 'error')}: {details.get('Message', error)}", error.operation_name,
            f"{CHECK_PLACE}; for AccessDenied, ask for the permission that it names",
        )  # fmt: skip
    if isinstance(error, HTTPClientError | Unreachable):
        return (
            "the place does not answer", str(error.kwargs.get("endpoint_url", "")),
            "`modelcycle up` starts the local cloud; a new run reuses the results of an interrupted one",
        )  # fmt: skip
    if isinstance(error, BotoCoreError):
        return str(error), "", CHECK_PLACE
    if isinstance(error, OSError) and error.strerror:
        return error.strerror, str(error.filename or ""), "check the path, its permissions and the free disk space"
    return f"{type(error).__name__}: {error}", "", "this is a bug in ModelCycle: repeat with --debug and report it"


def wrong_use(error: Any) -> BadInput:
    """Return the fault for a command line that typer rejects."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "modelcycle"
    return BadInput(str(error.format_message()), command, f"`{command} --help` lists its arguments and options")


def _details(error: BaseException) -> list[str]:
    """Return all errors of a pipeline file by line, or of a request by field, if there are several."""
    if isinstance(error, BadPipeline) and len(error.errors) > 1:
        return [f"line {line}: {text}" for line, text in error.errors]
    if isinstance(error, BadRequest) and len(error.errors) > 1:
        return [f"{field['pointer']}: {field['detail']}" for field in error.errors]
    return []


def _as_text(value: Any) -> str:
    """Return a value without a JSON type as text: times by RFC 3339 in UTC, as pydantic writes them.

    >>> _as_text(datetime(2026, 1, 1, 13, 30, tzinfo=UTC))
    '2026-01-01T13:30:00Z'
    """
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return str(value)
