"""`score`: scores the rows of a file by batch scoring, and brings the results beside it."""

from __future__ import annotations

import json
import time
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cli import console
from cli.data_file import check_data_file
from cli.options import Options
from cli.own_ids import restore_ids, written
from cli.place import Place
from cli.polling import attempts, pause
from cli.result_file import check_result_path, default_result_path, unread_rows, write_results
from cli.screens.scored import scored_text
from cli.start import check_upload_size
from modelcycle import faults
from modelcycle.faults import BadInput, Fault, NotAllowed, Raced
from modelcycle.messages import FinishedScoring, PlannedScoring
from modelcycle.model.signature import Signature
from modelcycle.reasons import reason_text
from modelcycle.spec import parse

START_TIMEOUT = 60.0  # seconds from an upload to its execution
MAX_LISTED_ROWS = 1000  # of those that were not scored, and of those with unread values, in the output of --json


def score(model: str, data: Path, to: Path | None, options: Options) -> int:
    """Upload a file, wait for its scores, and write them to a file on this machine.

    Parameters
    ----------
    to : the results; CSV, Parquet or JSON lines by its ending, by default `NAME.scored.csv` beside the data

    Returns
    -------
    DONE_IN_PART if a row was not scored

    Raises
    ------
    BadInput, NotAllowed, Unknown : nothing was uploaded; they say why
    Fault : the job failed; the reason that is on record beside the object
    """
    check_data_file(data)
    target = to or default_result_path(data)
    check_result_path(target, data)
    check_upload_size(data)
    place = options.open_place()
    if place.registry.routes.get(model).champion is None:
        place.check_model(model)
        raise NotAllowed(f"no version of {model} is live", place.title, f"`modelcycle show {model}` says why")
    started, before = time.monotonic(), written(data)
    execution, etag = _upload(place, model, data)
    finished = _wait(place, execution, data, etag)
    seconds = time.monotonic() - started
    with TemporaryDirectory(prefix="modelcycle-", dir=target.parent) as folder:
        manifest = json.loads(_download(place, finished.files[-1].uri, Path(folder)).read_bytes())
        parts = [_download(place, artifact.uri, Path(folder)) for artifact in finished.files[:-1]]
        treated = manifest.get("treated") or {}
        own = _restore(place, finished, manifest, data, parts) if treated and written(data) == before else []
        write_results(parts, manifest["columns"], manifest["numbers"], target)
        told = unread_rows(parts, manifest["columns"], MAX_LISTED_ROWS)
    if options.as_json:
        console.print_json(
            finished.wire() | {"seconds": round(seconds, 3), "out": str(target), "columns": manifest["columns"],
                               "told": told, "treated": treated, "own_ids": own}
        )  # fmt: skip
    else:
        console.show(scored_text(finished, told, seconds, str(target), treated, own))
    return console.DONE_IN_PART if finished.unread else console.DONE


def _upload(place: Place, model: str, data: Path) -> tuple[str, str]:
    """Upload the file; return the execution that S3's event starts, and the object's etag.

    Raises
    ------
    Fault : there is none within START_TIMEOUT
    """
    bucket, key, machine = place.output("DataBucket"), f"score/{model}/{data.name}", place.output("BatchScoringArn")
    earlier = {execution["executionArn"] for execution in _executions(place, machine)}
    with data.open("rb") as body:
        etag = place.s3.put_object(Bucket=bucket, Key=key, Body=body)["ETag"].strip('"')
    console.say(f"uploaded to s3://{bucket}/{key}")
    known: set[str] = set(earlier)
    for _ in attempts(place, START_TIMEOUT):
        for execution in _executions(place, machine):
            arn = execution["executionArn"]
            if arn in known:
                continue
            known.add(arn)
            started_by = json.loads(place.states.describe_execution(executionArn=arn).get("input") or "{}")
            detail = (started_by.get("detail") or {}).get("object") or {}
            if detail.get("key") == key and str(detail.get("etag", "")).strip('"') == etag:
                return str(arn), etag
    raise Fault(
        f"the upload started no scoring job within {START_TIMEOUT:.0f} s", f"s3://{bucket}/{key}",
        "run `modelcycle status`; then give the file again",
    )  # fmt: skip


def _executions(place: Place, machine: str) -> list[dict[str, Any]]:
    """Return the newest executions of the state machine."""
    found: list[dict[str, Any]] = place.states.list_executions(stateMachineArn=machine, maxResults=100)["executions"]
    return sorted(found, key=lambda execution: _start(execution), reverse=True)


def _start(execution: dict[str, Any]) -> datetime:
    start: datetime = execution["startDate"]
    return start


def _wait(place: Place, execution: str, data: Path, etag: str) -> FinishedScoring:
    """Follow a job to its end; say what was read as soon as it is known.

    Parameters
    ----------
    etag : of the object that was uploaded

    Raises
    ------
    Raced : it scores another object, which was uploaded under the same key before it began
    Fault : it ended without results
    """
    is_told = False
    while True:
        described = place.states.describe_execution(executionArn=execution)
        if not is_told:
            plan = _plan(place, execution)
            if plan is not None:
                is_told = True
                if plan.etag and plan.etag != etag:
                    raise Raced(
                        f"another {data.name} was uploaded at the same time, and is scored instead of this one",
                        str(data), "give the file again, under a name that nobody else uses",
                    )  # fmt: skip
                for note in plan.notes:
                    console.say(note)
                shards = f"{len(plan.shards)} shards" if len(plan.shards) != 1 else "1 shard"
                console.say(f"read {plan.rows:,} rows; version {plan.version} scores them in {shards}")
        if described["status"] == "SUCCEEDED":
            output = json.loads(described["output"])
            if "finished" not in output:
                raise BadInput(f"the file was not scored: {output['plan']['skipped']}", str(data), "rename it")
            return FinishedScoring.model_validate(output["finished"])
        if described["status"] not in ("RUNNING", "PENDING_REDRIVE"):
            error = {"Error": described.get("error") or described["status"], "Cause": described.get("cause") or ""}
            what, where, remedy = Fault.parse(reason_text(error))
            key = json.loads(described["input"])["detail"]["object"]["key"]
            raise _class_of(str(error["Error"]))(what, where.replace(key, str(data)), remedy)
        pause(place)


def _restore(
    place: Place, finished: FinishedScoring, manifest: dict[str, Any], data: Path, parts: list[Path]
) -> list[str]:
    """Write the ids of the file into its results; return which columns these are."""
    version = place.registry.versions.get(finished.model, finished.version)
    signature = Signature.model_validate_json(place.artifacts.read(version.signature))
    pipeline = parse(place.artifacts.read(version.pipeline))
    whole = [*(field.name for field in signature.fields), *signature.ignored]
    # the id columns stand after `row`, in the order of `ids`; their names may have got a number
    named = dict(zip(manifest["ids"], manifest["columns"][1:], strict=False))
    ids = {name: named[name] for name in manifest["treated"]}
    restore_ids(parts, manifest["columns"], ids, data, pipeline.csv, whole)
    return list(ids)


def _class_of(name: str) -> type[Fault]:
    """Return the class of a fault by its name: a wrong file has another exit status than a failed function."""
    found = getattr(faults, name, Fault)
    return found if isinstance(found, type) and issubclass(found, Fault) else Fault


def _plan(place: Place, execution: str) -> PlannedScoring | None:
    """Return the plan as soon as its state has ended."""
    history = place.states.get_execution_history(executionArn=execution, maxResults=100)["events"]
    for event in history:
        left = event.get("stateExitedEventDetails") or {}
        if left.get("name") == "Plan" and "plan" in json.loads(left.get("output") or "{}"):
            return PlannedScoring.model_validate(json.loads(left["output"])["plan"])
    return None


def _download(place: Place, uri: str, folder: Path) -> Path:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    path = folder / key.rpartition("/")[2]
    with path.open("wb") as file:
        for chunk in place.s3.get_object(Bucket=bucket, Key=key)["Body"].iter_chunks(2**20):
            file.write(chunk)
    return path
