"""The command `modelcycle`: its verbs, as a table of contents. What each does stands in the file that it calls."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import console

app = typer.Typer(
    name="modelcycle", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    rich_markup_mode=None, help="The whole life of a machine-learning model as small cloud functions.",
    epilog="Exit status: 0 done; 1 the run failed; 2 wrong use; 3 a gate or policy refused.",
)  # fmt: skip


class PlaceName(StrEnum):
    local = "local"
    localstack = "localstack"
    aws = "aws"


Place = Annotated[PlaceName, typer.Option("--place", envvar="MODELCYCLE_PLACE", help="Where to work.")]
Stage = Annotated[str, typer.Option("--stage", help="Stack modelcycle-STAGE, where the place is not local.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, and nothing else, on standard output.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error, at the end.")]
Data = Annotated[Path, typer.Option("--data", help="Rows: csv, csv.gz, jsonl, jsonl.gz or parquet.")]
MaybeData = Annotated[
    Path | None, typer.Option("--data", help="Rows to upload; without it the run reads what is there.")
]
Model = Annotated[str, typer.Argument(metavar="MODEL", help="The model's name.")]
MaybeVersion = Annotated[str, typer.Argument(metavar="MODEL[:VERSION]", help="The model, or one version of it.")]
Version = Annotated[str, typer.Argument(metavar="MODEL:VERSION", help="One version of a model.")]
Why = Annotated[str, typer.Option("--why", help="The reason, kept in the audit trail.")]
LOCAL = PlaceName.local


@app.command()
def init(
    data: Data,
    target: Annotated[str | None, typer.Option("--target", help="The column to predict; else it is guessed.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="The model's name; else made from the file's.")] = None,
    to: Annotated[Path | None, typer.Option("--out", help="The file to write; else NAME.yaml.")] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Look at a data file and write the pipeline file for it, with comments."""
    from cli.init import init

    return init(data, target, name, to, as_json)


@app.command()
def up(
    port: Annotated[int | None, typer.Option("--port", min=1024, max=65535, help="Where to listen; else 4566.")] = None,
    place: Place = LOCAL,
    stage: Stage = "dev",
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Start the local cloud and deploy what has changed."""
    from cli.local import up

    return up(place.value, stage, port, as_json)


@app.command()
def down(
    force: Annotated[bool, typer.Option("--force", help="Stop it even if its state cannot be saved.")] = False,
    place: Place = LOCAL,
    stage: Stage = "dev",
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Stop the local cloud; everything in it stays on disk."""
    from cli.local import down

    return down(place.value, force, as_json)


@app.command()
def status(place: Place = LOCAL, stage: Stage = "dev", as_json: Json = False, debug: Debug = False) -> int:
    """How the place is: bad news first, each with the command that mends it."""
    from cli.local import status

    return status(place.value, stage, as_json)


@app.command()
def run(
    pipeline: Annotated[Path, typer.Argument(metavar="PIPELINE.yaml", help="The pipeline file.")],
    data: MaybeData = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Let these rows take the place of all that are there.")
    ] = False,
    place: Place = LOCAL,
    stage: Stage = "dev",
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Run the whole cycle: upload, S3 event, state machine, followed live."""
    from cli.run import run

    return run(pipeline, data, replace, place.value, stage, as_json)


@app.command()
def predict(
    model: Model,
    data: Data,
    rows: Annotated[int | None, typer.Option("--rows", min=1, help="Only the first so many rows.")] = None,
    place: Place = LOCAL,
    stage: Stage = "dev",
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Ask the live model for each row of a file."""
    from cli.predict import predict

    return predict(model, data, rows, place.value, stage, as_json)


@app.command()
def monitor(
    model: Model, place: Place = LOCAL, stage: Stage = "dev", as_json: Json = False, debug: Debug = False
) -> int:
    """Compare live traffic with the training data, now."""
    from cli.monitor import monitor

    return monitor(model, place.value, stage, as_json)


@app.command()
def models(place: Place = LOCAL, stage: Stage = "dev", as_json: Json = False, debug: Debug = False) -> int:
    """All models: what is live, the last run, drift."""
    from cli.look import models

    return models(place.value, stage, as_json)


@app.command()
def show(
    model: MaybeVersion,
    run: Annotated[str | None, typer.Option("--run", help="One run of the model, step by step.")] = None,
    place: Place = LOCAL,
    stage: Stage = "dev",
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """A model's versions, one version, or one run."""
    from cli.look import show

    return show(model, run, place.value, stage, as_json)


@app.command()
def runs(
    model: Model,
    follow: Annotated[str | None, typer.Option("--follow", help="Follow this run to its end.")] = None,
    place: Place = LOCAL,
    stage: Stage = "dev",
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """A model's runs, newest first."""
    from cli.look import runs

    return runs(model, follow, place.value, stage, as_json)


@app.command()
def approve(
    version: Version,
    why: Why = "",
    place: Place = LOCAL,
    stage: Stage = "dev",
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Let a version that waits for a person go live."""
    from cli.decide import decide

    return decide("approve", version, why, place.value, stage, as_json)


@app.command()
def reject(
    version: Version,
    why: Why = "",
    place: Place = LOCAL,
    stage: Stage = "dev",
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Refuse a version that waits for a person."""
    from cli.decide import decide

    return decide("reject", version, why, place.value, stage, as_json)


@app.command()
def rollback(
    model: MaybeVersion,
    why: Why = "",
    place: Place = LOCAL,
    stage: Stage = "dev",
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Give all traffic back to the version before, or to the one named."""
    asked_at = datetime.now(UTC)  # before the imports: what others roll back meanwhile is the same rollback
    from cli.decide import decide

    return decide("rollback", model, why, place.value, stage, as_json, asked_at)


@app.command()
def promote(
    version: Version,
    why: Why = "",
    place: Place = LOCAL,
    stage: Stage = "dev",
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Roll a version out, by the steps of its pipeline file."""
    from cli.decide import decide

    return decide("promote", version, why, place.value, stage, as_json)


@app.command()
def schema(debug: Debug = False) -> int:
    """Print the JSON Schema of the pipeline file, for editors."""
    from modelcycle.spec import json_schema

    console.print_json(json_schema())
    return console.DONE


def main(argv: list[str] | None = None) -> int:
    """Run one command line; returns its exit status."""
    words = sys.argv[1:] if argv is None else argv
    # read from the words themselves: reading the options may be what fails
    as_json, debug = "--json" in words, "--debug" in words
    try:
        status: Any = app(words, prog_name="modelcycle", standalone_mode=False)
    except (typer.Abort, KeyboardInterrupt):
        return console.INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # the reader has gone; Python would complain once more at its own end
        return console.DONE
    except Exception as error:
        if hasattr(error, "format_message"):  # typer's own errors: an unknown verb, a missing argument
            error = console.wrong_use(error)
        return console.report(error, as_json=as_json, debug=debug)
    return status if isinstance(status, int) else console.DONE


if __name__ == "__main__":
    sys.exit(main())
