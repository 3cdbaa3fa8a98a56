"""`run`: from a pipeline file and a data file to a live model."""

from __future__ import annotations

import contextlib
from pathlib import Path

from cli import console, signing, start
from cli.contract import contract
from cli.follow import follow, joined, wait_for_claim, wait_for_next_run
from cli.left_out import say_of_a_run
from cli.options import Options
from cli.outcome import Outcome
from cli.place import Place
from cli.sam_files import write_sam_files
from cli.screens.outcome import outcome_text
from cli.screens.run import RunScreen
from modelcycle.faults import BadInput, Tampered, Unknown
from modelcycle.spec import Pipeline, S3Source

EXIT_STATUS = {
    "deployed": console.DONE, "unchanged": console.DONE, "awaiting_approval": console.DONE,
    "refused": console.REFUSED, "failed": console.FAILED,
}  # fmt: skip

EXAMPLES = ("adult-income", "bikeshare")  # of pipelines/: whoever runs others knows where their data are


def run(file: Path, data: Path | None, replace: bool, options: Options) -> int:
    """Start the lifecycle and follow it.

    Parameters
    ----------
    file : the pipeline file
    data : rows to upload; None runs on the uploaded files
    replace : delete all other uploaded files
    """
    pipeline, text = start.read_pipeline(file)
    if data is not None:
        start.check_upload(data, pipeline, file)
        _check_takes_uploads(pipeline)
    elif replace:
        raise BadInput("--replace needs the new rows", "the command line", "add --data FILE")
    place = options.open_place(start=True)
    say_of_a_run(place)
    if data is not None:
        start.check_not_erased(place, pipeline.name, data)
        started = start.by_upload(place, pipeline, text, data, replace)
    else:
        started = start.by_request(place, pipeline, text)
    if not started.proved:
        console.say(
            "nothing proves that you started it, and a policy may ask for that: the data bucket takes your name from"
            " you if you have the right s3:PutObjectTagging and the path of your role is known (iam:GetRole)"
        )
    status = show_run(place, started.model, started.execution, options.as_json, started.folded, file)
    write_sam_files(place)  # after a failed run too: then somebody calls its functions one by one
    return status


def _check_takes_uploads(pipeline: Pipeline) -> None:
    """Raise BadInput if the rows of a model come from elsewhere: an upload would never be read."""
    source = pipeline.source
    if isinstance(source, S3Source) and not source.is_elsewhere:
        return
    raise BadInput(
        f"the rows of {pipeline.name} come from its source ({source.type}), not from uploads", "--data",
        "leave out --data, or remove `source:` from the pipeline file",
    )  # fmt: skip


def show_run(
    place: Place, model: str, execution: str, as_json: bool, holder: str | None = None, file: Path | None = None
) -> int:
    """Follow an execution on standard error, print its outcome, and return the exit status.

    Parameters
    ----------
    holder : the run in progress that an upload was joined to; if the upload came too late for it, the next run is
        followed too
    file : the pipeline file that the person gave; the reasons of a run name its copy in the data bucket
    """
    record = wait_for_claim(place, execution)
    title = f"run {record.run.run_id}  {place.title}" if record else place.title
    progress = console.err()
    try:
        with RunScreen(progress, model, title) as screen:
            if holder:
                screen.note(joined(holder))
            outcome = follow(place, model, execution, screen)
            if holder and outcome.late_uploads:
                next_execution = wait_for_next_run(place, model, outcome.run_id)
                if next_execution:
                    screen.note("the file arrived too late for this run; the next run includes it")
                    outcome = follow(place, model, next_execution, screen)
    except KeyboardInterrupt:
        record = place.registry.runs.of_execution(execution)
        command = f"modelcycle runs {model}" + (f" --follow {record.run.run_id}" if record else "")
        progress.print(f"\nThe run continues. Follow it again: {console.runnable(command)}")
        return console.INTERRUPTED
    if as_json:
        console.print_json(outcome.wire())
    else:
        progress.print()
        console.show(outcome_text(outcome, next_steps(place, outcome), file=file))
    return EXIT_STATUS.get(outcome.status, console.FAILED)


def next_steps(place: Place, outcome: Outcome) -> list[tuple[str, str]]:
    """Return what a person may do next: pairs of purpose and command, which runs as pasted."""
    if outcome.route.champion is None:
        return []
    model = outcome.model
    steps = [("details", f"modelcycle show {model}")]
    if outcome.status in ("deployed", "unchanged"):
        # a champion whose artifacts are gone must not hide how the run ended
        with contextlib.suppress(Unknown, Tampered):
            body = {"instances": [contract(place, model).example()]}
            steps.insert(0, ("predict", signing.curl(place, f"/models/{model}/predict", body)))
        if outcome.route.shadow is not None:  # a rollback without a number would take the champion's traffic
            steps.append(("end the shadow", f"modelcycle rollback {model}:{outcome.route.champion}"))
        elif outcome.route.previous is not None:
            steps.append(("roll back", f"modelcycle rollback {model}"))
        if model in EXAMPLES:
            steps.append(("your own data", "modelcycle init --data FILE"))
        if place.name == "local":
            steps.append(("stop", "modelcycle down"))
    return steps
