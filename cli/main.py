"""The command `modelcycle`: a table of contents. Each verb calls one function, in the file that it imports."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import console
from cli.options import Debug, Options, on_place

app = typer.Typer(
    name="modelcycle", add_completion=False, pretty_exceptions_enable=False,
    rich_markup_mode=None, help="The whole lifecycle of a machine-learning model as small cloud functions.",
    epilog="Exit status: 0 done; 1 failed; 2 wrong use; 3 refused by a gate or a policy; 4 done in part.",
)  # fmt: skip

Data = Annotated[Path, typer.Option("--data", help="The rows: csv, tsv, jsonl, json (each also .gz) or parquet.")]
Model = Annotated[str, typer.Argument(metavar="MODEL", help="The model's name.")]
ModelOrVersion = Annotated[str, typer.Argument(metavar="MODEL[:VERSION]", help="A model, or one of its versions.")]
Version = Annotated[str, typer.Argument(metavar="MODEL:VERSION", help="One version of a model.")]
Delimiter = Annotated[
    str | None, typer.Option("--delimiter", help="The character between two values of a CSV file, or tab; else found.")
]
Encoding = Annotated[str | None, typer.Option("--encoding", help="utf-8, utf-16, latin-1 or windows-1252; else found.")]
Quote = Annotated[str | None, typer.Option("--quote", help="The character around texts of a CSV file; else found.")]
Skip = Annotated[int | None, typer.Option("--skip", min=0, help="Lines above the header of a CSV file; else found.")]
Why = Annotated[str, typer.Option("--why", help="The reason, kept in the audit trail.")]


@app.command()
@on_place
def init(
    data: Annotated[
        Path | None, typer.Option("--data", help="The rows: csv, tsv, jsonl, json (each also .gz) or parquet.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option("--source", help="A database instead: postgresql://, mysql://, mssql:// or sqlite:///."),
    ] = None,
    table: Annotated[str | None, typer.Option("--table", help="The table of --source.")] = None,
    target: Annotated[str | None, typer.Option("--target", help="The column to predict; else it is guessed.")] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="The model's name; else it is made from that of the file or table.")
    ] = None,
    to: Annotated[Path | None, typer.Option("--out", help="The file to write; else NAME.yaml.")] = None,
    delimiter: Delimiter = None,
    encoding: Encoding = None,
    quote: Quote = None,
    skip: Skip = None,
    *,
    options: Options,
) -> int:
    """Inspect a data file or a table and write its pipeline file."""
    from cli.data_file import csv_options
    from cli.init import init, init_source
    from cli.init_source import check_options

    check_options(data, source, table)
    if source is not None and table is not None:
        return init_source(source, table, target, name, to, options)
    assert data is not None
    return init(data, target, name, to, options.as_json, csv_options(delimiter, encoding, quote, skip))


@app.command()
@on_place
def up(
    port: Annotated[
        int | None, typer.Option("--port", min=1024, max=65535, help="The port to listen on; else 4566.")
    ] = None,
    start: Annotated[
        bool, typer.Option("--start", help="With --place localstack: start one, without Docker; else it has to run.")
    ] = False,
    *,
    options: Options,
) -> int:
    """Start the local cloud and deploy what has changed; or deploy to a LocalStack."""
    from cli.local import up

    return up(port, start, options)


@app.command()
@on_place
def down(
    force: Annotated[bool, typer.Option("--force", help="Stop it even if its state cannot be saved.")] = False,
    *,
    options: Options,
) -> int:
    """Stop the local cloud, which keeps all on disk; or the LocalStack that `up` started, which keeps nothing."""
    from cli.local import down

    return down(force, options)


@app.command()
@on_place
def status(options: Options) -> int:
    """Check the place: problems, and the command that fixes each."""
    from cli.local import status

    return status(options)


@app.command()
@on_place
def run(
    pipeline: Annotated[Path, typer.Argument(metavar="PIPELINE.yaml", help="The pipeline file.")],
    data: Annotated[
        Path | None, typer.Option("--data", help="Rows to upload; else the run reads the uploaded files.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace all uploaded files with the rows of --data.")
    ] = False,
    *,
    options: Options,
) -> int:
    """Run the whole lifecycle, from upload to live model."""
    from cli.run import run

    return run(pipeline, data, replace, options)


@app.command()
@on_place
def collect(model: Model, options: Options) -> int:
    """Pull the rows of a model's sources now, without a run."""
    from cli.collect import collect

    return collect(model, options)


@app.command()
@on_place
def secret(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name, as in `secret:` of the pipeline file.")],
    *,
    options: Options,
) -> int:
    """Store a secret from standard input, such as a database's URL."""
    from cli.secret import secret

    return secret(name, options)


@app.command()
@on_place
def predict(
    model: Model,
    data: Data,
    rows: Annotated[int | None, typer.Option("--rows", min=1, help="Predict only the first rows.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show which columns moved each answer most.")] = False,
    delimiter: Delimiter = None,
    encoding: Encoding = None,
    quote: Quote = None,
    skip: Skip = None,
    *,
    options: Options,
) -> int:
    """Predict the rows of a file with the live model."""
    from cli.data_file import csv_options
    from cli.predict import predict

    return predict(model, data, rows, options, csv_options(delimiter, encoding, quote, skip), explain)


@app.command()
@on_place
def feedback(model: Model, data: Data, options: Options) -> int:
    """Keep what really happened: a file with prediction_id and outcome."""
    from cli.feedback import feedback

    return feedback(model, data, options)


@app.command()
@on_place
def score(
    model: Model,
    data: Data,
    to: Annotated[
        Path | None,
        typer.Option("--out", help="The file to write: csv, parquet or jsonl; else NAME.scored.csv beside the rows."),
    ] = None,
    *,
    options: Options,
) -> int:
    """Score all rows of a file in the cloud, and write the results to a file."""
    from cli.score import score

    return score(model, data, to, options)


@app.command()
@on_place
def api(
    model: Model,
    print_document: Annotated[
        bool, typer.Option("--print", help="Print the OpenAPI document instead; nothing is served.")
    ] = False,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Listen here; by default on a free port.")] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in your browser.")] = True,
    *,
    options: Options,
) -> int:
    """Open a page that describes a model's API and calls it, signed with your keys."""
    from cli.api import api

    return api(model, options, print_document=print_document, port=port, browser=browser)


@app.command()
@on_place
def monitor(
    model: Model,
    options: Options,
    window: Annotated[str, typer.Option(help="list what earlier looks saw, such as 7d, instead of looking now")] = "",
) -> int:
    """Judge live traffic and outcomes now, or list what earlier looks saw."""
    from cli.monitor import look, windows

    return windows(model, window, options) if window else look(model, options)


@app.command()
@on_place
def card(name: ModelOrVersion, *, options: Options) -> int:
    """Print the model card of a version: what it is for, what it learned from, how good it is, for whom."""
    from cli.documents import card

    return card(name, options)


@app.command()
@on_place
def documents(
    name: ModelOrVersion,
    to: Annotated[Path | None, typer.Option("--to", help="The folder; else MODEL-VERSION-documents.")] = None,
    *,
    options: Options,
) -> int:
    """Write a version's documents from what is on record: card, data sheet, technical file, risk index, materials."""
    from cli.documents import documents

    return documents(name, to, options)


@app.command()
@on_place
def explain(
    model: Model,
    prediction: Annotated[str, typer.Option("--prediction", help="The id that the answer came with.")],
    at: Annotated[str | None, typer.Option("--at", help="About when it was answered; finds an old one sooner.")] = None,
    to: Annotated[str | None, typer.Option("--to", help="The answer that a change has to reach; else another.")] = None,
    *,
    options: Options,
) -> int:
    """Explain one prediction: which version gave it, what moved it, and which nearest change would alter it."""
    from cli.explain import explain

    return explain(model, prediction, at, to, options)


@app.command()
@on_place
def incidents(
    model: Annotated[str | None, typer.Argument(metavar="[MODEL]", help="The model's name; else all models.")] = None,
    *,
    options: Options,
) -> int:
    """List what monitoring has found wrong: open incidents, closed ones, and what retraining did."""
    from cli.incidents import incidents

    return incidents(model, options)


@app.command()
@on_place
def retrain(
    model: Model,
    why: Annotated[str, typer.Option("--why", help="The reason, kept with the run.")] = "",
    resume: Annotated[
        bool, typer.Option("--resume", help="End the pause after refused challengers; no run is started.")
    ] = False,
    *,
    options: Options,
) -> int:
    """Ask for a new run of a model, and follow it."""
    from cli.retrain import retrain

    return retrain(model, why, resume, options)


@app.command()
@on_place
def erase(
    model: Model,
    subject: Annotated[
        list[str] | None,
        typer.Option("--subject", help="Who: COLUMN=VALUE, or several joined by &; may be given again."),
    ] = None,
    subjects: Annotated[
        Path | None,
        typer.Option("--subjects", help="A JSON file with a list of {column: value}, for what no shell should keep."),
    ] = None,
    rows: Annotated[
        int | None, typer.Option("--rows", min=1, help="How many rows you mean, if more than 1,000 match.")
    ] = None,
    why: Why = "",
    retrain: Annotated[bool, typer.Option("--retrain", help="Ask for a run when the rows are gone.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before erasing.")] = False,
    resume: Annotated[
        str | None, typer.Option("--resume", help="The id of an erasure that ended early: it goes on.")
    ] = None,
    *,
    options: Options,
) -> int:
    """Erase a person's rows from everything that a model keeps, with all versions; leave a receipt."""
    from cli.erase import erase

    return erase(model, subject or [], subjects, rows, why, resume, options, yes=yes, retrain=retrain)


@app.command()
@on_place
def reveal(
    model: ModelOrVersion,
    column: Annotated[
        list[str] | None, typer.Option("--column", help="In which the encrypted cells are; may be given again.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="A file with encrypted cells; without it, the rows of the version.")
    ] = None,
    value: Annotated[str | None, typer.Option("--value", help="One encrypted cell.")] = None,
    pseudonym_of: Annotated[
        str | None, typer.Option("--pseudonym-of", help="A value; what is shown is its pseudonym.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="The rows with values.")] = None,
    why: Why = "",
    *,
    options: Options,
) -> int:
    """Show encrypted values to whoever may see them; the audit trail has who and why before."""
    from cli.reveal import reveal

    return reveal(model, column or [], data, value, pseudonym_of, out, why, options)


@app.command()
@on_place
def models(options: Options) -> int:
    """List all models: live version, last run, drift."""
    from cli.models import models

    return models(options)


@app.command()
@on_place
def show(
    model: ModelOrVersion,
    run: Annotated[str | None, typer.Option("--run", help="Show one run of the model, step by step.")] = None,
    features: Annotated[
        bool, typer.Option("--features", help="List the version's features: from which columns, why, and their worth.")
    ] = False,
    at: Annotated[
        str | None, typer.Option("--at", help='Show what was live then, such as "2026-11-24 10:00" (local time).')
    ] = None,
    *,
    options: Options,
) -> int:
    """Show a model's versions, one version, its features, one run, or what was live at a time."""
    from cli.show import show

    return show(model, run, features, options, at)


@app.command()
@on_place
def history(model: Model, options: Options) -> int:
    """List who moved the traffic of a model, when, why, from and to what."""
    from cli.history import history

    return history(model, options)


@app.command()
@on_place
def contract(
    model: ModelOrVersion,
    odcs: Annotated[
        bool, typer.Option("--odcs", help="Print it as an Open Data Contract Standard document (ODCS 3.1).")
    ] = False,
    read: Annotated[
        Path | None, typer.Option("--read", help="Read such a document; print its rules for the pipeline file.")
    ] = None,
    *,
    options: Options,
) -> int:
    """Show what each new batch of rows is held to."""
    from cli.data_contract import data_contract

    return data_contract(model, odcs, read, options)


@app.command()
@on_place
def quarantine(
    model: Model,
    run: Annotated[str | None, typer.Option("--run", help="Of this run; else of the last one.")] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print it as CSV, to be corrected.")] = False,
    replay: Annotated[bool, typer.Option("--replay", help="Run again, with the corrections in --file.")] = False,
    file: Annotated[
        Path | None, typer.Option("--file", help="The CSV file: --csv writes it, --replay reads it.")
    ] = None,
    *,
    options: Options,
) -> int:
    """Show which lines, rows and cells were kept back, and why; replay them after a fix."""
    from cli.quarantine import quarantine

    return quarantine(model, run, options, as_csv=as_csv, replay=replay, file=file)


@app.command()
@on_place
def verify(
    name: ModelOrVersion,
    options: Options,
) -> int:
    """Check that records, audit trail, objects and captures are those that were written."""
    from cli.verify import verify

    return verify(name, options)


@app.command()
@on_place
def reproduce(
    version: Version,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Work here, in a new environment, and keep everything.")
    ] = None,
    *,
    options: Options,
) -> int:
    """Make a version again from its lineage, and compare the bytes."""
    from cli.reproduce import reproduce

    return reproduce(version, folder, options)


@app.command()
@on_place
def export(
    name: ModelOrVersion,
    folder: Annotated[Path, typer.Option("--to", help="A new or empty folder.")],
    mlflow: Annotated[bool, typer.Option("--mlflow", help="Write a folder that MLflow opens.")] = False,
    *,
    options: Options,
) -> int:
    """Write a version with its signature into a folder, for others to check; or for MLflow."""
    from cli.export import export

    return export(name, folder, options, mlflow=mlflow)


@app.command()
@on_place
def runs(
    model: Model,
    follow: Annotated[str | None, typer.Option("--follow", help="Follow this run to its end.")] = None,
    *,
    options: Options,
) -> int:
    """List a model's runs, newest first."""
    from cli.runs import runs

    return runs(model, follow, options)


@app.command()
@on_place
def cost(
    pipeline: Annotated[Path, typer.Argument(metavar="PIPELINE.yaml", help="The pipeline file.")],
    runs: Annotated[
        float | None, typer.Option("--runs", min=0, help="Runs a month; else as source.every says, else weekly.")
    ] = None,
    predictions: Annotated[float, typer.Option("--predictions", min=0, help="Requests a second in prod.")] = 0.1,
    rows: Annotated[int, typer.Option("--rows", min=1, max=1000, help="Rows of a request.")] = 1,
    batch_rows: Annotated[
        float, typer.Option("--batch-rows", min=0, help="Rows of batch scoring a month in prod.")
    ] = 0,
    records: Annotated[
        float, typer.Option("--records", min=0, help="Records a second in prod, where the stack has a stream or queue.")
    ] = 0,
    share: Annotated[
        float,
        typer.Option("--share", min=0, max=1, help="What dev and staging get of these requests, rows and records."),
    ] = 0.1,
    months: Annotated[
        float, typer.Option("--months", min=1, help="For how many months artifacts and logs have been kept.")
    ] = 12,
    capture_days: Annotated[
        int | None,
        typer.Option("--capture-days", min=1, help="Days that captures are kept; else as the template says."),
    ] = None,
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", help="A parameter of the template, NAME=VALUE; may be repeated.")
    ] = None,
    documented: Annotated[
        bool, typer.Option("--documented", help="Take the documented figures, whatever was measured.")
    ] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the page docs/costs.md.")] = False,
    *,
    options: Options,
) -> int:
    """Estimate what a month of a model costs on AWS, in dev, staging and prod."""
    from cli.cost import cost, settings_of
    from cli.costs.assumptions import Assumptions

    use = Assumptions(
        predictions=predictions, rows=rows, batch_rows=batch_rows, records=records, share=share, months=months,
        capture_days=capture_days, settings=settings_of(parameter or []),
    )  # fmt: skip
    return cost(pipeline, use, options, runs=runs, documented=documented, markdown=markdown)


@app.command()
@on_place
def approve(version: Version, why: Why = "", *, options: Options) -> int:
    """Approve a version that waits for approval: it goes live."""
    from cli.decide import decide

    return decide("approve", version, why, options)


@app.command()
@on_place
def reject(version: Version, why: Why = "", *, options: Options) -> int:
    """Reject a version that waits for approval."""
    from cli.decide import decide

    return decide("reject", version, why, options)


@app.command()
@on_place
def rollback(model: ModelOrVersion, why: Why = "", *, options: Options) -> int:
    """Give all traffic back to an earlier version."""
    asked_at = datetime.now(UTC)  # before the slow imports: a rollback by someone else since then counts as this one
    from cli.decide import decide

    return decide("rollback", model, why, options, asked_at)


@app.command()
@on_place
def promote(version: Version, why: Why = "", *, options: Options) -> int:
    """Roll out a version, in the steps of its pipeline file."""
    from cli.decide import decide

    return decide("promote", version, why, options)


@app.command()
@on_place
def policy(
    model: Annotated[str | None, typer.Argument(help="A model; without it: all policies.")] = None,
    check: Annotated[Path | None, typer.Option("--check", help="Check a policy file, line by line.")] = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of a policy file.")] = False,
    figures: Annotated[bool, typer.Option("--figures", help="List what rules may be about.")] = False,
    *,
    options: Options,
) -> int:
    """Show which policy applies to a model and how its newest run stands, or check a policy file."""
    from cli.policy import check_one_way, policy

    check_one_way(model, check, schema, figures)
    return policy(model, check, schema, figures, options)


@app.command()
def schema(debug: Debug = False) -> int:
    """Print the JSON Schema of the pipeline file, for editors."""
    from modelcycle.spec import json_schema

    console.print_json(json_schema())
    return console.DONE


def main(argv: list[str] | None = None) -> int:
    """Run one command line; return its exit status."""
    arguments = sys.argv[1:] if argv is None else argv
    # read here, because parsing the command line is one of the things that may fail
    as_json, debug = "--json" in arguments, "--debug" in arguments
    try:
        status: Any = app(arguments or ["--help"], prog_name="modelcycle", standalone_mode=False)
    except (typer.Abort, KeyboardInterrupt):
        return console.INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # the reader of the output has gone; else Python reports the error again at exit
        return console.DONE
    except Exception as error:
        if hasattr(error, "format_message"):  # typer's own errors: an unknown verb, a missing argument
            error = console.wrong_use(error)
        return console.report(error, as_json=as_json, debug=debug)
    return status if isinstance(status, int) else console.DONE


if __name__ == "__main__":
    sys.exit(main())
