"""Accepts that new code answers otherwise than on record.

`python -m infra.delivery.accept_answers STACK MODEL VERSION WHY`, with `local` for the local cloud's stack; and once
the new code serves, the same with `--deployed` in place of WHY.

The first takes the answers of one version off the record, so that the check of new code leaves that model out, and
says so. The second puts them back: from then on code passes that answers as the version before it; another change is
refused.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime

from infra.delivery.deployed import Session, deployed_stack
from infra.deployment.account import find_account
from infra.deployment.command import run
from modelcycle.faults import BadInput, Unknown
from modelcycle.messages import Artifact
from modelcycle.registry import DynamoTable, Entry, Registry, keys
from modelcycle.store import S3Store, put_json

DEPLOYED = "--deployed"
LOCAL = "local"  # in place of a stack's name: the local cloud


def accept_answers(session: Session, outputs: Mapping[str, str], model: str, version: int, why: str) -> str:
    """Take a version's answers off the record; return the key of what says who did it, when and why.

    That object has the answers too.

    Raises
    ------
    BadInput : no reason was given
    Unknown : there is no such version, or it has no answers on record
    """
    if not why.strip():
        raise BadInput("no reason was given", "WHY", "say why the answers may change; it is kept")
    registry = Registry(DynamoTable(session.client("dynamodb"), outputs["RegistryTable"]))
    s3, bucket = session.client("s3"), outputs["ArtifactBucket"]
    key = registry.versions.get(model, version).answers_key
    try:
        record = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except s3.exceptions.NoSuchKey:
        raise Unknown(
            f"{model}:{version} has no answers on record", f"s3://{bucket}/{key}", "nothing is to do"
        ) from None
    at = datetime.now(UTC)
    accepted = f"{key.removesuffix('answers.json')}accepted-{at:%Y%m%dT%H%M%SZ}.json"
    trace = {
        "key": key, "at": at.isoformat(), "by": session.client("sts").get_caller_identity()["Arn"], "why": why,
        "record": json.loads(record),
    }  # fmt: skip
    body = json.dumps(trace, ensure_ascii=False).encode()
    s3.put_object(Bucket=bucket, Key=accepted, Body=body, IfNoneMatch="*")
    kept = Artifact(uri=f"s3://{bucket}/{accepted}", sha256=hashlib.sha256(body).hexdigest(), bytes=len(body))
    registry.audit.add(
        model, keys.decision_about_answers(version, at),
        Entry(
            at=at, subject=f"version {version}", decision="accept other answers", by=trace["by"], why=why,
            evidence={"answers": kept.model_dump()},
        ),
    )  # fmt: skip
    s3.delete_object(Bucket=bucket, Key=key)
    return f"s3://{bucket}/{accepted}"


def put_back(session: Session, outputs: Mapping[str, str], model: str, version: int) -> str:
    """Put the answers of a version back that were taken off the record last; return the key of what says so.

    Raises
    ------
    Unknown : there is no such version, or its answers were never taken off
    """
    registry = Registry(DynamoTable(session.client("dynamodb"), outputs["RegistryTable"]))
    store = S3Store(session.client("s3"), outputs["ArtifactBucket"])
    key = registry.versions.get(model, version).answers_key
    taken = [listed.key for listed in store.list(f"{key.removesuffix('answers.json')}accepted-")]
    if not taken:
        raise Unknown(f"no answers of {model}:{version} were taken off the record", key, "nothing is to do")
    put_json(store, key, json.loads(store.latest(taken[-1])[0])["record"])
    return taken[-1]


def main(arguments: list[str]) -> int:
    """Accept the answers that the command line names; return the exit status."""
    try:
        name, model, number, why = arguments
        version = int(number)
    except ValueError:
        print("give a stack (or `local`), a model, the number of its version, and why", file=sys.stderr)
        return 2
    return run(lambda: _accept_or_put_back(name, model, version, why))


def _accept_or_put_back(name: str, model: str, version: int, why: str) -> int:
    if name == LOCAL:
        from infra.local import cloud

        here = cloud.connect()
        session: Session = here.admin
        outputs: Mapping[str, str] = here.outputs
    else:
        stack = deployed_stack(find_account(), name)
        session, outputs = stack.session, stack.outputs
    if why == DEPLOYED:
        print(f"{model}:{version} has the answers on record again of {put_back(session, outputs, model, version)}")
        return 0
    kept = accept_answers(session, outputs, model, version, why)
    print(f"{model}:{version} has no answers on record now; who, when, why and the answers are in {kept}")
    print("deploy the new code; once it serves, put the answers back: the same command, with DEPLOYED=yes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
