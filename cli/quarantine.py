"""`quarantine`: what a run kept back and why, as a table and as CSV; and its replay after a fix."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from cli import console, start
from cli.execution import Execution
from cli.options import Options
from cli.place import Place
from cli.run import show_run
from cli.runs import run_record
from cli.screens.quarantine import quarantine_text
from modelcycle.faults import BadInput, Unknown
from modelcycle.messages import Artifact
from modelcycle.registry import RunRecord
from modelcycle.spec import parse
from modelcycle.sql_literal import literal
from modelcycle.store import read_json

HEAD = ("scope", "file", "row", "column", "reason", "text", "content", "correction")
EMPTY = "(missing)"  # a correction that makes the cell missing for good
DELIMITERS = ",;\t|"


class Kept(NamedTuple):
    """A broken line, a row or a cell that was kept back; `content` is the SHA-256 of its file."""

    scope: str
    file: str
    row: int
    column: str
    reason: str
    text: str
    content: str


def quarantine(
    model: str, run_id: str | None, options: Options, *, as_csv: bool, replay: bool, file: Path | None
) -> int:
    """Show what the last run kept back, or write it, or replay its corrections.

    Parameters
    ----------
    run_id : another run
    as_csv : print it as CSV, with an empty column `correction`
    replay : run again
    file : to write the CSV to; or to read corrections from, which are uploaded
    """
    if as_csv and replay:
        raise BadInput("--csv and --replay exclude each other", "the command line", "correct the CSV first")
    if file is not None and not (as_csv or replay):
        raise BadInput("--file needs --csv or --replay", "the command line", "add one of them")
    place = options.open_place()
    place.check_model(model)
    if replay:
        return _replay(place, model, file, options)
    record = _record(place, model, run_id)
    results = _results(place, record)
    kept = _read(place, results)
    totals = _totals(results)
    if as_csv:
        _write_csv(file, kept)
        name = file or "FILE"
        console.say(f"{len(kept):,} kept back: fill in the column `correction` of {name}, then")
        console.say(f"modelcycle quarantine {model} --replay --file {name}")
    elif options.as_json:
        console.print_json(
            {"model": model, "run_id": record.run.run_id, **totals, "kept_back": [item._asdict() for item in kept]}
        )
    else:
        console.show(quarantine_text(model, record.run.run_id, kept, totals))
    return console.DONE


def _record(place: Place, model: str, run_id: str | None) -> RunRecord:
    if run_id is not None:
        return run_record(place, model, run_id)
    records = place.registry.runs.latest(model)
    if not records:
        raise Unknown(f"{model} has no run", model, "modelcycle run PIPELINE.yaml --data FILE")
    return records[0]


def _results(place: Place, record: RunRecord) -> dict[str, Any]:
    """Return the results of collect and preprocess, as far as the run came."""
    execution = Execution(place, record.run.execution)
    try:
        execution.refresh()
    except place.states.exceptions.ExecutionDoesNotExist:
        raise Unknown(
            f"Step Functions has deleted the steps of run {record.run.run_id}", record.run.model,
            "run again: modelcycle run PIPELINE.yaml",
        ) from None  # fmt: skip
    return execution.results


def _totals(results: dict[str, Any]) -> dict[str, int]:
    """Return the account of the rows: what came in is kept, quarantined or dropped."""
    collected, preprocessed = results.get("collect") or {}, results.get("preprocess") or {}
    return {
        "rows_in": collected.get("rows", 0) + collected.get("quarantined", 0),
        "kept": preprocessed.get("kept", 0),
        "quarantined_lines": collected.get("quarantined", 0),
        "quarantined_rows": preprocessed.get("quarantined", 0),
        "dropped": preprocessed.get("duplicates", 0),
        "quarantined_cells": preprocessed.get("cells", 0),
    }


def _read(place: Place, results: dict[str, Any]) -> list[Kept]:
    """Return everything that was kept back, in the order of files and rows."""
    import duckdb

    collected, preprocessed = results.get("collect"), results.get("preprocess")
    if collected is None:
        return []
    artifacts = place.artifacts
    manifest = read_json(artifacts, Artifact.model_validate(collected["manifest"]))
    contents = {entry["key"]: entry["sha256"] for entry in manifest["objects"]}
    kept: list[Kept] = []
    with TemporaryDirectory() as folder, duckdb.connect() as engine:
        for result, columns in (
            (collected, "'line', file, line, '', reason, text"),
            (preprocessed, 'scope, file, "row", "column", reason, text'),
        ):
            if result is None or result.get("quarantine") is None:
                continue
            path = artifacts.fetch(Artifact.model_validate(result["quarantine"]), Path(folder))
            query = f"SELECT {columns} FROM read_parquet({literal(path)}) ORDER BY 2, 3, 4"  # noqa: S608
            kept += [
                Kept(scope, file, row, column, reason, text or "", contents.get(file, ""))
                for scope, file, row, column, reason, text in engine.execute(query).fetchall()
            ]
    return kept


def _write_csv(path: Path | None, kept: list[Kept]) -> None:
    """Write CSV to a new file, or to standard output."""
    if path is not None and path.exists():
        raise BadInput("the file exists", str(path), "choose another name, or remove it")
    with path.open("w", newline="", encoding="utf-8") if path else contextlib.nullcontext(sys.stdout) as file:
        writer = csv.writer(file)
        writer.writerow(HEAD)
        writer.writerows([*item, ""] for item in kept)


def _replay(place: Place, model: str, path: Path | None, options: Options) -> int:
    """Upload the corrections of a CSV file; S3's event starts a run, which is followed."""
    corrections = read_corrections(path) if path is not None else []
    collected = _results(place, _record(place, model, None)).get("collect") if corrections else None
    if collected is not None:
        artifacts = place.artifacts
        manifest = read_json(artifacts, Artifact.model_validate(collected["manifest"]))
        corrections = fitting(corrections, manifest, str(path))
    bucket = place.output("DataBucket")
    try:
        text = place.s3.get_object(Bucket=bucket, Key=f"pipelines/{model}.yaml")["Body"].read()
    except place.s3.exceptions.NoSuchKey:
        raise Unknown(f"{model} has no pipeline file", model, "modelcycle run PIPELINE.yaml --data FILE") from None
    pipeline = parse(text, f"pipelines/{model}.yaml")
    if not corrections:
        console.say("no correction is filled in: the run reads the uploaded files again, as the pipeline file now says")
        started = start.by_request(place, pipeline, text)
    else:
        body = "".join(json.dumps(correction, ensure_ascii=False) + "\n" for correction in corrections)
        digest = hashlib.sha256(body.encode()).hexdigest()[:12]
        with TemporaryDirectory() as folder:
            # names sort by time: of two corrections of one cell, the later one counts
            upload = Path(folder) / f"_corrections-{datetime.now(UTC):%Y%m%dT%H%M%S}-{digest}.jsonl"
            upload.write_text(body, encoding="utf-8")
            started = start.by_upload(place, pipeline, text, upload)
    return show_run(place, started.model, started.execution, options.as_json, started.folded)


def read_corrections(path: Path) -> list[dict[str, Any]]:
    """Return the corrections that a person has filled in.

    Raises
    ------
    BadInput : the file is not one of `--csv`, or a corrected line does not have the values of its file
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error):
        raise BadInput("the corrections cannot be read", str(path), "`--csv --file FILE` writes such a file") from None
    corrections = []
    for number, row in enumerate(rows, start=2):
        correction = (row.get("correction") or "").strip()
        if not correction:
            continue
        try:
            place = {"content": row["content"], "at": int(row["row"])}
            if row["scope"] == "line":
                corrections.append(place | {"scope": "line"} | _line(row["text"], correction))
            else:
                text = None if correction == EMPTY else correction
                corrections.append(place | {"scope": "cell", "column": row["column"], "text": text})
        except (KeyError, TypeError, ValueError):
            raise BadInput(
                "the row is not one of a quarantine", f"{path}, line {number}",
                f"keep the columns {', '.join(HEAD)}; write only into `correction`",
            ) from None  # fmt: skip
    return corrections


def fitting(corrections: list[dict[str, Any]], manifest: Mapping[str, Any], where: str) -> list[dict[str, Any]]:
    """Return the corrections of files that the last run has read: one that does not fit would end every later run.

    Raises
    ------
    BadInput : a correction is of a column that the data do not have, or none is of these files
    """
    contents = {entry["sha256"] for entry in manifest["objects"]}
    found = [correction for correction in corrections if correction["content"] in contents]
    for correction in found:
        if correction["scope"] == "cell" and correction["column"] not in manifest["columns"]:
            raise BadInput(
                f"{correction['column']!r} is not a column of the data", where,
                "keep the rows as --csv wrote them; write only into `correction`",
            )  # fmt: skip
    left = len(corrections) - len(found)
    if not found:
        raise BadInput(
            f"none of the {left:,} corrections is of a file that the last run has read: the files were replaced since",
            where, "write what is kept back now: modelcycle quarantine MODEL --csv --file FILE",
        )  # fmt: skip
    if left:
        console.say(f"{left:,} corrections left out: their files were replaced since")
    return found


def _line(text: str, correction: str) -> dict[str, Any]:
    """Return a corrected line: an object of JSON lines, or the values of a CSV line.

    The delimiter is the one that the broken line has most often, else the one of the corrected line.

    >>> _line("31;Gent, B;yes;no", "31;Gent, B;yes")
    {'fields': ['31', 'Gent, B', 'yes']}
    >>> _line("{", '{"age": 31, "town": null}')
    {'values': {'age': '31', 'town': None}}
    """
    if correction.startswith("{"):
        values = json.loads(correction)
        return {
            "values": {
                key: value if value is None or isinstance(value, str) else json.dumps(value)
                for key, value in values.items()
            }
        }
    counts = Counter({delimiter: correction.count(delimiter) for delimiter in DELIMITERS})
    broken = Counter({delimiter: text.count(delimiter) for delimiter in DELIMITERS if correction.count(delimiter)})
    delimiter = (broken if any(broken.values()) else counts).most_common(1)[0][0]
    return {"fields": next(csv.reader([correction], delimiter=delimiter))}
