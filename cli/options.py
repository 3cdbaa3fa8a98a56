"""The options that every verb of a place has, declared once: --place, --stage, --json and --debug."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from cli import console, open_place
from cli.place import Place, PlaceName

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, and nothing else, on standard output.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error, at the end.")]


@dataclass(frozen=True)
class Options:
    """The shared options of a command line. `main` itself handles --debug."""

    place: PlaceName
    stage: str
    as_json: bool

    def open_place(self, *, start: bool = False, port: int | None = None) -> Place:
        """Open the place that the options name, see `cli.open_place`."""
        return open_place.open_place(self.place, self.stage, start=start, port=port, say=console.say)


def on_place(verb: Callable[..., int]) -> Callable[..., int]:
    """Give a verb the shared options, which it receives as its last argument, `options`.

    typer reads the options of a command from the signature of its function; so the shared ones are added to it.
    """
    signature = inspect.signature(verb, eval_str=True)
    own = [parameter for name, parameter in signature.parameters.items() if name != "options"]
    shared = inspect.signature(_shared_options, eval_str=True).parameters.values()

    @functools.wraps(verb)
    def command(*, place: PlaceName, stage: str, as_json: bool, debug: bool, **own_values: Any) -> int:
        return verb(**own_values, options=Options(place, stage, as_json))

    command.__signature__ = signature.replace(parameters=[*own, *shared])  # type: ignore[attr-defined]
    return command


def _shared_options(
    place: Annotated[
        PlaceName, typer.Option("--place", envvar="MODELCYCLE_PLACE", help="The place to work on.")
    ] = "local",
    stage: Annotated[
        str, typer.Option("--stage", help="The stack modelcycle-STAGE, if the place is not local.")
    ] = "dev",
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Declare the shared options for typer."""
