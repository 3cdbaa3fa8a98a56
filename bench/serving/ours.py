"""Our side: a live version on a local cloud, through its API, under AWS's emulator of the runtime, and in AWS's order.

The runtime interface emulator (RIE) is the one of the AWS SAM CLI. It runs one environment of Lambda: one request at a
time. It gives an answer only after the runtime has asked for the next event: its figures have what follows an answer.
On AWS the answer leaves before; a fake of Lambda's APIs, which keeps that order, measures from the event given to the
runtime to the answer posted.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from bench.commands import ROOT
from bench.serving.load import Load, Measured
from infra.local.clients import REGION
from infra.local.cloud import LocalCloud
from infra.local.fork_plans import ForkPlan, read_plans
from infra.local.invocation import rie
from infra.local.invocation.deployed_functions import credentials_of, deployed_functions
from modelcycle.registry import DynamoTable, Registry
from modelcycle.store import S3Store, read_json
from tests.fake_lambda import FakeLambda

EMPTY = "def handler(event, context):\n    return {'statusCode': 200, 'body': '{}'}\n"


def recipe_parameters(cloud: LocalCloud, model: str) -> dict[str, Any]:
    """Return the parameters of the live version's boosting, for the peers to fit the same."""
    version = Registry(DynamoTable(cloud.admin.client("dynamodb"), cloud.outputs["RegistryTable"])).versions.get(
        model, 1
    )
    artifacts = S3Store(cloud.admin.client("s3"), cloud.outputs["ArtifactBucket"])
    best: dict[str, Any] = read_json(artifacts, version.lineage)["model"]["best"]
    assert best["algorithm"] == "hist_gradient_boosting", best
    return {name: value for name, value in best["parameters"].items() if name != "encoding"}


def api_load(cloud: LocalCloud, model: str, rows: list[dict[str, Any]], connections: int, seconds: float) -> Load:
    """Return signed requests to the API of the local cloud; one signature is valid for minutes, here as there."""
    url = f"{cloud.outputs['ApiUrl']}/models/{model}/predict"
    body = json.dumps({"instances": rows[:1]})
    request = AWSRequest("POST", url, data=body, headers={"content-type": "application/json"})
    SigV4Auth(Credentials(*cloud.operator.credentials()), "execute-api", REGION).add_auth(request)
    host, _, path = url.removeprefix("http://").partition("/")
    name, _, port = host.partition(":")
    headers = {key: value for key, value in request.headers.items() if key.lower() not in ("host", "content-length")}
    return Load([(name, int(port))], f"/{path}", headers, [body], connections, seconds)


def invoke_load(ports: list[int], events: list[str], connections: int, seconds: float) -> Load:
    """Return invocations of functions under the emulator, each of which answers one at a time."""
    addresses = [("127.0.0.1", port) for port in ports]
    return Load(addresses, rie.INVOKE_PATH, {}, events, connections, seconds, exclusive=True)


def events_of(model: str, rows: list[dict[str, Any]], per_request: int = 1) -> list[str]:
    """Return API Gateway's events for requests with these rows."""
    event = json.loads((ROOT / "events" / "predict.json").read_text())
    event |= {"path": f"/models/{model}/predict", "pathParameters": {"name": model}}
    chunks = [rows[start : start + per_request] for start in range(0, len(rows), per_request)]
    return [json.dumps(event | {"body": json.dumps({"instances": chunk})}) for chunk in chunks]


@contextmanager
def under_rie(code: Path, home: Path, variables: dict[str, str]) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Run a function with the layers of `predict` under the emulator; yield its port and process.

    Parameters
    ----------
    code : folder with `app.py`
    home : of the local cloud, whose layers it gets
    variables : of the function
    """
    plan = serving_plan(home)
    with rie.under_rie(runtime_client(plan), code, environment_of(plan, code, variables)) as running:
        yield running


@contextmanager
def in_order(code: Path, home: Path, variables: dict[str, str]) -> Iterator[tuple[FakeLambda, int]]:
    """Run a function as `under_rie` does, but called by a fake of Lambda's APIs; yield the fake, and the process id."""
    plan, fake = serving_plan(home), FakeLambda()
    environment = environment_of(plan, code, variables) | {
        "AWS_LAMBDA_RUNTIME_API": fake.address, "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
    }  # fmt: skip
    process = subprocess.Popen(
        runtime_client(plan), env=environment, cwd=code, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield fake, process.pid
    finally:
        process.kill()
        process.wait()
        fake.close()


def call_in_order(fake: FakeLambda, events: list[str], seconds: float) -> Measured:
    """Call a function with the events, again and again, until the time is over."""
    requests = [json.loads(event) for event in events]
    fake.seconds.clear()
    measured, started = Measured(), time.perf_counter()
    for request in itertools.cycle(requests):
        _, answer = fake.invoke(request)
        if answer.get("statusCode") != 200:
            measured.failed, measured.example = measured.failed + 1, str(answer)[:300]
        measured.seconds = time.perf_counter() - started
        if measured.seconds > seconds:
            break
    measured.milliseconds = [taken * 1000 for taken in fake.seconds]
    return measured


def environment_of(plan: ForkPlan, code: Path, variables: dict[str, str]) -> dict[str, str]:
    """Return the variables of a function's process."""
    environment = {
        "PATH": os.environ["PATH"], "LAMBDA_TASK_ROOT": str(code), "AWS_LAMBDA_FUNCTION_NAME": "bench",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769", **plan.environment(), **variables,
    }  # fmt: skip
    return environment | {"PYTHONPATH": f"{code}:{plan.path}"}


def runtime_client(plan: ForkPlan) -> list[str]:
    """Return the command that runs a function."""
    return [plan.python, "-s", "-S", "-m", "awslambdaric", "app.handler"]


def invoke(port: int, event: str) -> dict[str, Any]:
    """Return the answer of a function under the emulator."""
    answer: dict[str, Any] = rie.invoke(port, event)
    return answer


def predict_variables(cloud: LocalCloud) -> dict[str, str]:
    """Return the variables of the deployed function, and the credentials of its role."""
    function = deployed_functions(cloud.admin)["Predict"]
    return function.variables | credentials_of(function, cloud.admin) | {
        "AWS_ENDPOINT_URL": cloud.endpoint, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION,
    }  # fmt: skip


def serving_plan(home: Path) -> ForkPlan:
    """Return where the layers of the serving functions are."""
    return next(plan for plan in read_plans(home) if str(home / "layers" / "serving") in plan.path)
