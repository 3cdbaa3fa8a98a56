"""Starts a run of each model whose pipeline file has changed: `python -m infra.delivery.pipelines STACK`.

Data start their runs by themselves. A pipeline file that is new, or of a model without rows, is only uploaded: the
first rows start its run.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from infra.delivery.deployed import Session, deployed_stack
from infra.deployment.account import find_account
from infra.deployment.command import run
from modelcycle.spec import parse

MARK, WANTED = "run", "wanted"  # metadata of a pipeline file
ROOT = Path(__file__).resolve().parents[2]


def start_changed(
    files: Iterable[Path], session: Session, outputs: Mapping[str, str], say: Callable[[str], None]
) -> list[str]:
    """Upload the pipeline files that have changed, and start a run of each of their models that has rows.

    A file is uploaded with the mark that its run is wanted, and marked again once that is started. A delivery that is
    killed in between is so continued by the next, under the same name of the execution.

    Returns
    -------
    the models of which a run was started

    Raises
    ------
    Fault : a file is no pipeline file; then nothing has been uploaded
    """
    read = [(parse(path.read_bytes(), path.name).name, path.read_bytes()) for path in sorted(files)]
    s3, states, bucket = session.client("s3"), session.client("stepfunctions"), outputs["DataBucket"]
    started = []
    for model, body in read:
        key = f"pipelines/{model}.yaml"
        there = _stored(s3, bucket, key)
        if there is None or there.body != body:
            s3.put_object(Bucket=bucket, Key=key, Body=body, Metadata={MARK: WANTED})
            there = _stored(s3, bucket, key)
        if there is None or there.mark != WANTED:
            say(f"{model}: unchanged")
            continue
        if not any(_has_objects(s3, bucket, f"{area}/{model}/") for area in ("raw", "landed")):
            say(f"{model}: changed; it has no rows yet: the first ones start a run")
            continue
        detail = {"model": model, "by": "delivery"}
        with contextlib.suppress(states.exceptions.ExecutionAlreadyExists):
            states.start_execution(
                stateMachineArn=outputs["LifecycleArn"],
                name=f"{model}-{hashlib.sha256(there.upload.encode()).hexdigest()[:12]}",
                input=json.dumps({"source": "modelcycle", "detail-type": "RunRequested", "detail": detail}),
            )
        s3.put_object(Bucket=bucket, Key=key, Body=body, Metadata={MARK: "started"})
        started.append(model)
        say(f"{model}: changed; a run was started")
    return started


class _Stored(NamedTuple):
    """A pipeline file in the bucket: its content, its mark, and what identifies this upload of it."""

    body: bytes
    mark: str
    upload: str


def _stored(s3: Any, bucket: str, key: str) -> _Stored | None:
    try:
        found = s3.get_object(Bucket=bucket, Key=key)
    except s3.exceptions.NoSuchKey:
        return None
    upload = f"{found.get('VersionId')} {found['ETag']} {found['LastModified'].isoformat()}"
    return _Stored(found["Body"].read(), found.get("Metadata", {}).get(MARK, ""), upload)


def _has_objects(s3: Any, bucket: str, prefix: str) -> bool:
    return bool(s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1).get("KeyCount"))


def main(arguments: list[str]) -> int:
    """Start the runs of the stack that the command line names; return the exit status.

    Raises
    ------
    Fault : a file is no pipeline file, there is no such stack, or nobody is logged in
    """
    (name,) = arguments
    stack = deployed_stack(find_account(), name)
    start_changed((ROOT / "pipelines").glob("*.yaml"), stack.session, stack.outputs, print)
    return 0


if __name__ == "__main__":
    sys.exit(run(lambda: main(sys.argv[1:])))
