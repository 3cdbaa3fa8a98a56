"""Starting a run: the pipeline file and the rows go into the data bucket, and the execution that follows is found."""

from __future__ import annotations

import difflib
import getpass
import json
import time
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from cli.data_file import csv_column_names
from cli.place import Place
from modelcycle.faults import BadInput, Fault, NoData, TargetMissing
from modelcycle.spec import Pipeline, parse

LONGEST_WAIT = 60.0  # seconds from an upload to its claim in the registry
LARGEST_UPLOAD = 100 * 2**20  # bytes of one object; the local cloud keeps every object in memory


class Started(NamedTuple):
    """`folded` names the run that was under way and will see the upload too."""

    model: str
    execution: str
    folded: str | None = None


def read_pipeline(path: Path) -> tuple[Pipeline, bytes]:
    """The pipeline and the very bytes of its file.

    Raises
    ------
    NoData, BadPipeline
    """
    if not path.is_file():
        raise NoData("there is no such pipeline file", str(path), "`modelcycle init --data FILE` writes one")
    text = path.read_bytes()
    return parse(text, str(path)), text


def check_upload(path: Path, pipeline: Pipeline) -> None:
    """What can be told of a file before anything is started: a file in the bucket stops every run until it is mended.

    Raises
    ------
    NoData, UnreadableFile, BadData, ColumnsDiffer, BadInput : no step would read it
    TargetMissing : a CSV file's header has no target
    """
    names = csv_column_names(path)
    if names is not None and pipeline.target not in names:
        lower = {other.lower(): other for other in reversed(names)}
        near = difflib.get_close_matches(pipeline.target.lower(), lower, n=1)
        raise TargetMissing(
            f"the target {pipeline.target!r} is not a column", str(path),
            (f"did you mean {lower[near[0]]!r}? " if near else "") + f"the columns are: {', '.join(names[:40])}",
        )  # fmt: skip
    if path.stat().st_size > LARGEST_UPLOAD:
        raise BadInput(
            f"the file has {path.stat().st_size / 2**20:,.0f} MB; one object holds at most {LARGEST_UPLOAD // 2**20}",
            str(path), "cut it into several files with the same header, or give it as Parquet or *.csv.gz",
        )  # fmt: skip


def by_upload(place: Place, pipeline: Pipeline, text: bytes, path: Path, replace: bool = False) -> Started:
    """Upload the rows; S3's event starts the lifecycle by itself.

    Parameters
    ----------
    replace : the other files go; the bucket keeps their versions
    """
    bucket, key = place.output("DataBucket"), f"raw/{pipeline.name}/{path.name}"
    _put_pipeline(place, pipeline, text)
    if replace:
        for page in place.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"raw/{pipeline.name}/"):
            for found in page.get("Contents", []):
                if found["Key"] != key:
                    place.s3.delete_object(Bucket=bucket, Key=found["Key"])
    claims = place.registry.leases.uploads
    known = claims(pipeline.name, key)
    with path.open("rb") as body:
        place.s3.put_object(Bucket=bucket, Key=key, Body=body)
    deadline = time.monotonic() + LONGEST_WAIT
    while time.monotonic() < deadline:
        for name, upload in claims(pipeline.name, key).items():
            if name not in known:
                folded = upload.run_id if upload.folded else None
                execution = _execution_of(place, pipeline.name, folded) if folded else upload.execution
                return Started(pipeline.name, execution, folded)
        time.sleep(0.2)
    raise Fault(
        f"the upload started no run within {LONGEST_WAIT:.0f} s", f"s3://{bucket}/{key}",
        "`modelcycle status` says how the place is; the file is there and the next run reads it",
    )  # fmt: skip


def by_request(place: Place, pipeline: Pipeline, text: bytes) -> Started:
    """Start the lifecycle over the files that are there."""
    _put_pipeline(place, pipeline, text)
    found = place.s3.list_objects_v2(Bucket=place.output("DataBucket"), Prefix=f"raw/{pipeline.name}/", MaxKeys=1)
    if not found.get("KeyCount"):
        raise NoData(
            f"{pipeline.name} has no rows yet", f"s3://{place.output('DataBucket')}/raw/{pipeline.name}/",
            "give them with --data FILE",
        )  # fmt: skip
    message = {
        "source": "modelcycle", "detail-type": "RunRequested",
        "detail": {"model": pipeline.name, "by": getpass.getuser()},
    }  # fmt: skip
    answer = place.states.start_execution(
        stateMachineArn=place.output("LifecycleArn"),
        name=f"{pipeline.name}-{uuid4().hex[:12]}",
        input=json.dumps(message),
    )
    return Started(pipeline.name, answer["executionArn"])


def _put_pipeline(place: Place, pipeline: Pipeline, text: bytes) -> None:
    """The file beside the data; the same bytes make no new version."""
    bucket, key = place.output("DataBucket"), f"pipelines/{pipeline.name}.yaml"
    try:
        if place.s3.get_object(Bucket=bucket, Key=key)["Body"].read() == text:
            return
    except place.s3.exceptions.ClientError as error:
        if error.response["Error"]["Code"] not in ("NoSuchKey", "404"):
            raise
    place.s3.put_object(Bucket=bucket, Key=key, Body=text, ContentType="application/yaml")


def _execution_of(place: Place, model: str, run_id: str) -> str:
    record = place.registry.runs.get(model, run_id)
    if record is None:
        raise Fault(f"the run {run_id} is not on record", model, f"`modelcycle runs {model}` lists the runs")
    return record.run.execution
