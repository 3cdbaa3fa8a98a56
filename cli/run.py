"""`run`: from a pipeline file and a data file to a live model."""

from __future__ import annotations

import contextlib
from pathlib import Path

from cli import console, signing, start
from cli import place as places
from cli.contract import contract
from cli.follow import Ending, begun, folded, follow, next_run
from cli.place import Name, Place
from cli.screens.run import RunScreen, ending
from modelcycle.faults import BadInput, Tampered, Unknown

EXIT = {
    "deployed": console.DONE, "unchanged": console.DONE, "awaiting_approval": console.DONE,
    "refused": console.REFUSED, "failed": console.FAILED,
}  # fmt: skip


def run(file: Path, data: Path | None, replace: bool, name: Name, stage: str, as_json: bool) -> int:
    pipeline, text = start.read_pipeline(file)
    if data is not None:
        start.check_upload(data, pipeline)
    elif replace:
        raise BadInput("--replace is about the rows of --data", "the command line", "give --data FILE with it")
    place = places.find(name, stage, start=True, say=console.say)
    if data is not None:
        started = start.by_upload(place, pipeline, text, data, replace)
    else:
        started = start.by_request(place, pipeline, text)
    return show_to_the_end(place, started.model, started.execution, as_json, started.folded)


def show_to_the_end(place: Place, model: str, execution: str, as_json: bool, holder: str | None = None) -> int:
    """Follow an execution on standard error, print what came of it, return the exit status.

    Parameters
    ----------
    holder : the run into which an upload was folded; where it came too late for that, the next run is followed too
    """
    record = begun(place, execution)
    title = f"run {record.run.run_id}  {place.title}" if record else place.title
    progress = console.err()
    try:
        with RunScreen(progress, model, title) as screen:
            if holder:
                screen.note(folded(holder))
            end = follow(place, model, execution, screen)
            later = next_run(place, model, end.run_id) if holder and end.unseen else None
            if later:
                screen.note("the file came after the rows were read; the next run sees it")
                end = follow(place, model, later, screen)
    except KeyboardInterrupt:
        record = place.registry.runs.of_execution(execution)
        again = f"modelcycle runs {model}" + (f" --follow {record.run.run_id}" if record else "")
        progress.print(f"\nThe run goes on. Follow it again: {console.runnable(again)}")
        return console.INTERRUPTED
    if as_json:
        console.print_json(end.wire())
    else:
        progress.print()
        console.show(ending(end, next_steps(place, end)))
    return EXIT.get(end.status, console.FAILED)


def next_steps(place: Place, end: Ending) -> list[tuple[str, str]]:
    """What a person may want next, each a line that works as pasted."""
    if end.route.champion is None:
        return []
    steps = [("look at it", f"modelcycle show {end.model}")]
    if end.status in ("deployed", "unchanged"):
        with contextlib.suppress(Unknown, Tampered):  # a champion whose files are gone must not hide how the run ended
            body = {"instances": [contract(place, end.model).example()]}
            steps.insert(0, ("ask it", signing.curl(place, f"/models/{end.model}/predict", body)))
        steps.append(("your own data", "modelcycle init --data FILE"))
        if end.route.previous is not None:
            steps.append(("take it back", f"modelcycle rollback {end.model}"))
        if place.name == "local":
            steps.append(("stop", "modelcycle down"))
    return steps
