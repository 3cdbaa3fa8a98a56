"""Starts a run: uploads the pipeline file and the rows, and finds the execution that this starts."""

from __future__ import annotations

import getpass
import hashlib
import json
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from cli.author_tags import put_as_author
from cli.data_file import csv_column_names
from cli.place import Place
from cli.polling import attempts
from cli.schedules import has_schedules, set_schedules
from modelcycle.faults import BadInput, Fault, NoData
from modelcycle.reading.pipeline_columns import check_pipeline_columns
from modelcycle.spec import Pipeline, S3Source, parse

UPLOAD_CLAIM_TIMEOUT = 60.0  # seconds from an upload to its claim in the registry
MAX_UPLOAD_BYTES = 100 * 2**20  # the local cloud keeps every object in memory


class Started(NamedTuple):
    """A started run.

    Parameters
    ----------
    execution : ARN
    folded : id of the run in progress to which the upload was joined, or None
    proved : whether the data bucket has taken the tags that say who starts it
    """

    model: str
    execution: str
    folded: str | None = None
    proved: bool = True


def read_pipeline(path: Path) -> tuple[Pipeline, bytes]:
    """Return the pipeline and the bytes of its file.

    Raises
    ------
    NoData, BadPipeline
    """
    if not path.is_file():
        raise NoData("there is no such pipeline file", str(path), "`modelcycle init --data FILE` writes one")
    text = path.read_bytes()
    return parse(text, str(path)), text


def check_upload(path: Path, pipeline: Pipeline, file: Path) -> None:
    """Check what can be known of a file before its upload: an unreadable file in the bucket stops every run.

    Parameters
    ----------
    file : the pipeline file

    Raises
    ------
    NoData, UnreadableFile, BadData, ColumnsDiffer : `collect` could not read it
    BadInput : it is too large
    TargetMissing, BadPipeline : the header of a CSV file lacks columns that the pipeline file names
    """
    names = csv_column_names(path, pipeline.csv)
    if names is not None and not pipeline.join:  # else they may be those of another table
        check_pipeline_columns(pipeline, names, str(file))
    check_upload_size(path)


def check_not_erased(place: Place, model: str, path: Path) -> None:
    """Check that a file is not, byte by byte, one out of which an erasure has taken somebody's rows.

    Raises
    ------
    BadInput : it is; the upload would bring these rows back
    """
    former = place.registry.erasures.former_hashes(model, place.output("DataBucket"), f"raw/{model}/")
    if not former:
        return
    with path.open("rb") as file:
        is_former = hashlib.file_digest(file, "sha256").hexdigest() in former
    if is_former:
        raise BadInput(
            f"the file is as it was before an erasure: it would bring back rows that were erased from {model}",
            str(path),
            f"take the rows out of it; `modelcycle run {model}.yaml` without --data learns from what the erasure left",
        )  # fmt: skip


def check_upload_size(path: Path) -> None:
    """Check that a file may be uploaded.

    Raises
    ------
    BadInput : it is too large
    """
    size = path.stat().st_size
    if size > MAX_UPLOAD_BYTES:
        raise BadInput(
            f"the file has {size / 2**20:,.0f} MB; the limit for one file is {MAX_UPLOAD_BYTES // 2**20} MB", str(path),
            "split it into several files with the same header, or convert it to Parquet or *.csv.gz",
        )  # fmt: skip


def by_upload(place: Place, pipeline: Pipeline, text: bytes, path: Path, replace: bool = False) -> Started:
    """Upload the rows; S3's event starts the lifecycle.

    Parameters
    ----------
    text : of the pipeline file
    path : of the data file
    replace : delete the model's other files; the bucket keeps their versions

    Raises
    ------
    Fault : no run has claimed the upload within UPLOAD_CLAIM_TIMEOUT
    """
    bucket, key = place.output("DataBucket"), f"raw/{pipeline.name}/{path.name}"
    _put_pipeline(place, pipeline, text)
    if replace:
        for page in place.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"raw/{pipeline.name}/"):
            for item in page.get("Contents", []):
                if item["Key"] != key:
                    place.s3.delete_object(Bucket=bucket, Key=item["Key"])
    claims = place.registry.leases.uploads
    known = claims(pipeline.name, key)
    with path.open("rb") as body:
        proved = put_as_author(place, bucket, key, body)
    for _ in attempts(place, UPLOAD_CLAIM_TIMEOUT):
        for name, upload in claims(pipeline.name, key).items():
            if name not in known:
                folded = upload.run_id if upload.folded else None
                execution = _execution_of(place, pipeline.name, folded) if folded else upload.execution
                return Started(pipeline.name, execution, folded, proved)
    raise Fault(
        f"the upload started no run within {UPLOAD_CLAIM_TIMEOUT:.0f} s", f"s3://{bucket}/{key}",
        "run `modelcycle status`; the file is uploaded, and the next run reads it",
    )  # fmt: skip


def by_request(place: Place, pipeline: Pipeline, text: bytes) -> Started:
    """Start the lifecycle on the files that are already uploaded, or on the rows that its source gives.

    Parameters
    ----------
    text : of the pipeline file

    Raises
    ------
    NoData : there is none
    """
    _put_pipeline(place, pipeline, text)
    bucket, prefix = place.output("DataBucket"), f"raw/{pipeline.name}/"
    uploaded = isinstance(pipeline.source, S3Source) and not pipeline.source.is_elsewhere
    if uploaded and not place.s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1).get("KeyCount"):
        raise NoData(f"{pipeline.name} has no rows yet", f"s3://{bucket}/{prefix}", "add them with --data FILE")
    message = {
        "source": "modelcycle", "detail-type": "RunRequested",
        "detail": {"model": pipeline.name, "by": getpass.getuser(), "author": place.identity},
    }  # fmt: skip
    name = f"{pipeline.name}-{uuid4().hex[:12]}"
    # with an object of the execution's name they prove that it was they who asked
    proved = put_as_author(place, bucket, f"requests/{pipeline.name}/{name}", b"", only_as_proof=True)
    answer = place.states.start_execution(
        stateMachineArn=place.output("LifecycleArn"),
        name=name,
        input=json.dumps(message),
    )
    return Started(pipeline.name, answer["executionArn"], proved=proved)


def _put_pipeline(place: Place, pipeline: Pipeline, text: bytes) -> None:
    """Upload the pipeline file, unless the bucket has the same bytes: an upload makes a new version.

    The schedules of its sources and of its retraining are made, changed or deleted with it.
    """
    bucket, key = place.output("DataBucket"), f"pipelines/{pipeline.name}.yaml"
    try:
        earlier = place.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except place.s3.exceptions.ClientError as error:
        if error.response["Error"]["Code"] not in ("NoSuchKey", "404"):
            raise
        earlier = b""
    if has_schedules(pipeline) or b"every" in earlier:
        set_schedules(place, pipeline)
    if earlier != text:
        place.s3.put_object(Bucket=bucket, Key=key, Body=text, ContentType="application/yaml")


def _execution_of(place: Place, model: str, run_id: str) -> str:
    record = place.registry.runs.get(model, run_id)
    if record is None:
        raise Fault(f"there is no run {run_id}", model, f"`modelcycle runs {model}` lists the runs")
    return record.run.execution
