"""`init`: writes a pipeline file for a data file."""

from __future__ import annotations

from pathlib import Path

from cli import console
from cli import init_source as init_table
from cli.data_file import check_data_file
from cli.data_summary import DataSummary, summarize
from cli.draft import ambiguous_dates, date_order, draft, model_name, personal_columns, suggestions
from cli.guess import guess_target
from cli.options import Options
from cli.screens.lines import clip
from modelcycle.faults import BadInput, TargetMissing
from modelcycle.personal.decide import KEPT_KINDS
from modelcycle.reading.column_names import list_names
from modelcycle.spec import parse
from modelcycle.spec.sources import Csv

MAX_PROPOSED = 60  # characters of names on a line


def init_source(
    source: str, table: str, target: str | None, name: str | None, to: Path | None, options: Options
) -> int:
    """Write a pipeline file for a table of a database, and store the database's URL as a secret.

    Parameters
    ----------
    source : URL of the database; the pipeline file gets none of it

    Raises
    ------
    as `init`, and those of `first_rows`
    """
    url = init_table.full_url(source)
    model = name or model_name(Path(table.rpartition(".")[2]))
    _check_new(to or Path(f"{model}.yaml"))
    with init_table.first_rows(url, table) as rows:
        secret = f"{model}-source"
        status = init(rows, target, model, to, options.as_json, source=init_table.source_lines(secret, table))
    init_table.store_url(options, secret, url)
    return status


def init(
    data: Path, target: str | None, name: str | None, to: Path | None, as_json: bool, csv: Csv | None = None,
    source: str | None = None,
) -> int:  # fmt: skip
    """Write a pipeline file.

    Parameters
    ----------
    data : the data file
    target : column to predict; if None, it is guessed
    name : of the model; if None, it is made from the file's name
    to : file to write; if None, it is named after the model
    as_json : print the result as JSON
    csv : what is known of the dialect of a CSV file; it is written to the pipeline file
    source : the section `source:` if the file holds the first rows of a table

    Raises
    ------
    BadInput : the pipeline file exists
    TargetMissing : `target` is not a column of the data
    BadPipeline : `name` is not a valid model name
    """
    check_data_file(data)
    model = name or model_name(data)
    file = to or Path(f"{model}.yaml")
    _check_new(file)
    summary = summarize(data, csv)
    for note in summary.notes:
        console.say(note)
    if target is not None and target not in summary.names:
        raise TargetMissing(
            f"the target {target!r} is not a column", str(data), f"the columns are: {list_names(summary.names)}"
        )
    why = "chosen with --target"
    if target is None:
        target, why = guess_target(summary)
    for column in ambiguous_dates(summary, target):
        console.say(
            f"{column.name!r} could be read in two ways, because no day is above 12: it is read"
            f" {date_order(column.format)}; the other way is a comment in the file"
        )
    text = draft(model, target, why, summary, data)
    if source is not None:
        text = text.replace("\n\n", f"\n{source}", 1)
    parse(text, "--name" if name else str(file))
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("x", encoding="utf-8", newline="\n") as out:
        out.write(text)
    if as_json:
        console.print_json({"file": str(file), "name": model, "target": target, "why": why, "columns": summary.names})
    else:
        console.show(
            f"Wrote {file}: the model predicts {target!r} ({why}).\n"
            + "".join(f"  {label:<12}{text}\n" for label, text in _proposed(summary, target))
            + f"  check it    its comments describe each column\n"
            f"  run it      modelcycle run {console.quoted(file)}"
            + ("" if source else f" --data {console.quoted(data)}")
        )
    return console.DONE


def _proposed(summary: DataSummary, target: str) -> list[tuple[str, str]]:
    """Return what the file proposes in comments, and what a run does by itself with personal columns."""
    keys = [f"{key}: {clip(', '.join(names), MAX_PROPOSED)}" for key, names, _ in suggestions(summary, target)]
    lines = [("proposed" if not number else "", key) for number, key in enumerate(keys)]
    if keys:
        lines.append(("", "these are comments in the file: remove the # of each that is right"))
    personal = personal_columns(summary, target)
    kept = [name for name, kind in personal.items() if kind.startswith(KEPT_KINDS)]
    dropped = [name for name in personal if name not in kept]
    said = [f"{clip(', '.join(names), MAX_PROPOSED)}: {what}" for names, what in (
        (dropped, "a run does not store what they hold"), (kept, "a run keeps it, and says so"),
    ) if names]  # fmt: skip
    lines += [("personal" if not number else "", sentence) for number, sentence in enumerate(said)]
    return [*lines, *([("", "`privacy` in the file changes that")] if said else [])]


def _check_new(file: Path) -> None:
    if file.exists():
        raise BadInput(
            "the file exists, and is not overwritten", str(file), "choose another with --out, or delete it first"
        )
