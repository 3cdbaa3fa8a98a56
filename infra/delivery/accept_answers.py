"""Accepts that new code answers otherwise than on record.

`python -m infra.delivery.accept_answers STACK MODEL VERSION WHY`, with `local` for the local cloud's stack.

It takes the answers of one version off the record. The check of new code then leaves that model out, and says so, until
a run of the model stages the version again, with the code that serves by then.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime

from infra.delivery.smoke import Session, aws_stack
from modelcycle.faults import BadInput, Fault, Unknown
from modelcycle.registry import DynamoTable, Registry

LOCAL = "local"  # in place of a stack's name: the local cloud


def accept_answers(session: Session, outputs: Mapping[str, str], model: str, version: int, why: str) -> str:
    """Take a version's answers off the record; return the key of what says who did it, when and why.

    That object has the answers too: to put them back, upload its `record` under its `key`.

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
    s3.put_object(Bucket=bucket, Key=accepted, Body=json.dumps(trace, ensure_ascii=False).encode(), IfNoneMatch="*")
    s3.delete_object(Bucket=bucket, Key=key)
    return f"s3://{bucket}/{accepted}"


def main(arguments: list[str]) -> int:
    """Accept the answers that the command line names; return the exit status."""
    try:
        name, model, number, why = arguments
        version = int(number)
    except ValueError:
        print("give a stack (or `local`), a model, the number of its version, and why", file=sys.stderr)
        return 2
    try:
        if name == LOCAL:
            from infra.local import cloud

            here = cloud.connect()
            kept = accept_answers(here.admin, here.outputs, model, version, why)
        else:
            stack = aws_stack(name)
            kept = accept_answers(stack.session, stack.outputs, model, version, why)
    except Fault as fault:
        print(f"{fault.what} ({fault.where}): {fault.remedy}", file=sys.stderr)
        return 1
    print(f"{model}:{version} has no answers on record now; who, when, why and the answers are in {kept}")
    print("deploy the new code, then run the model again: that records the new answers")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
