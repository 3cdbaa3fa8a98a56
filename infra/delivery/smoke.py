"""The smoke run of a stack: a small model through the whole lifecycle, and predictions of it over HTTP.

`python -m infra.delivery.smoke STACK` asks a stack on AWS.
"""

from __future__ import annotations

import csv
import io
import json
import random
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from infra.delivery.deployed import Deployed, deployed_stack
from infra.deployment.account import find_account
from infra.deployment.command import run
from modelcycle.registry import DynamoTable, Registry, RunRecord

MODEL = "delivery-smoke"
ROWS = 400
ASKED_ROWS = 5
RUN_SECONDS = 900.0  # an environment on AWS starts cold for each step
LIVE_SECONDS = 120.0  # of the rollout, after the run
POLL_SECONDS = 1.0
PIPELINE = f"""name: {MODEL}
target: late
training: {{trials: 2}}
staging: {{concurrency: [], p99_ms: 1000}}
"""


class SmokeFailed(Exception):
    """The stack did not do what it should; the text says what."""


@dataclass(frozen=True)
class Smoke:
    """What the smoke run found: the run's end, the version that is live, and how many rows it has answered."""

    outcome: str
    version: int
    rows: int
    seconds: float


def smoke(stack: Deployed, say: Callable[[str], None] = lambda line: None) -> Smoke:
    """Upload a small table, wait until its run has ended, and ask the live version for predictions.

    A second smoke run of a stack finds the first one's version. Where a new version waits for a person, the one
    before it answers.

    Raises
    ------
    SmokeFailed : the run failed or did not end, nothing is live, or an answer is not one
    """
    started = time.monotonic()
    registry = Registry(DynamoTable(stack.session.client("dynamodb"), stack.outputs["RegistryTable"]))
    earlier = {record.run.run_id for record in registry.runs.latest(MODEL)}
    s3, bucket = stack.session.client("s3"), stack.outputs["DataBucket"]
    s3.put_object(Bucket=bucket, Key=f"pipelines/{MODEL}.yaml", Body=PIPELINE.encode())
    s3.put_object(Bucket=bucket, Key=f"raw/{MODEL}/rows.csv", Body=_table().encode())
    say(f"uploaded {ROWS} rows to raw/{MODEL}/")

    def ended() -> RunRecord | None:
        new = [record for record in registry.runs.latest(MODEL) if record.run.run_id not in earlier]
        return new[0] if new and new[0].state != "running" else None

    record = _wait_for(ended, RUN_SECONDS, f"no run of {MODEL} has ended")
    if record.state == "failed":
        raise SmokeFailed(f"the run {record.run.run_id} failed: {record.reason}")
    version = _wait_for(
        lambda: registry.routes.get(MODEL).champion, LIVE_SECONDS,
        f"no version of {MODEL} is live: its run ended as {record.state}: {record.reason}",
    )  # fmt: skip
    say(f"the run ended as {record.state}; version {version} is live")
    rows = _predict(stack)
    return Smoke(record.state, version, rows, time.monotonic() - started)


def _table() -> str:
    """Return a small table; the same one each time."""
    draw, text = random.Random(17), io.StringIO()  # noqa: S311 (rows of an example)
    write = csv.writer(text)
    write.writerow(["parcel", "distance (km)", "weight", "carrier", "late"])
    for number in range(ROWS):
        distance, weight = draw.expovariate(1 / 80), draw.uniform(0.1, 30)
        carrier = draw.choice(["blue", "red", "green"])
        odds = distance / 60 + weight / 20 - (1 if carrier == "blue" else 0) - 1 + draw.gauss(0, 0.8)
        write.writerow([f"p{number}", f"{distance:.1f}", f"{weight:.2f}", carrier, "yes" if odds > 0 else "no"])
    return text.getvalue()


def _predict(stack: Deployed) -> int:
    """Ask for predictions over HTTP; return how many rows were answered."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    instances = [
        {"distance (km)": 12.0 * row, "weight": 3.5, "carrier": "red", "parcel": f"n{row}"} for row in range(ASKED_ROWS)
    ]
    url, body = f"{stack.outputs['ApiUrl']}/models/{MODEL}/predict", json.dumps({"instances": instances}).encode()
    request = AWSRequest("POST", url, data=body, headers={"content-type": "application/json"})
    SigV4Auth(Credentials(*stack.credentials), "execute-api", stack.region).add_auth(request)
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, dict(request.headers), method="POST")) as reply:  # noqa: S310 (the stack's own address)
            answer = json.load(reply)
    except OSError as error:
        told = error.read().decode("utf-8", "replace")[:300] if hasattr(error, "read") else ""
        raise SmokeFailed(f"the API does not answer: {error} {told}".rstrip()) from None
    predictions = answer.get("predictions")
    if not isinstance(predictions, list) or len(predictions) != ASKED_ROWS or not set(predictions) <= {"yes", "no"}:
        raise SmokeFailed(f"the API answers {json.dumps(answer)[:300]}")
    return len(predictions)


def _wait_for(get: Callable[[], Any], seconds: float, otherwise: str) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = get()
        if value is not None:
            return value
        time.sleep(POLL_SECONDS)
    raise SmokeFailed(f"{otherwise} after {seconds:.0f} seconds")


def main(arguments: list[str]) -> int:
    """Ask the stack that the command line names; return the exit status.

    Raises
    ------
    DeploymentFault : there is no such stack, or nobody is logged in
    """
    (name,) = arguments
    stack = deployed_stack(find_account(), name)
    try:
        done = smoke(stack, print)
    except SmokeFailed as failure:
        print(f"{name} does not work: {failure}", file=sys.stderr)
        return 1
    print(f"{name} works: {done.rows} rows answered by version {done.version}, after {done.seconds:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(run(lambda: main(sys.argv[1:])))
