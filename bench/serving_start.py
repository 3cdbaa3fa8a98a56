"""Measure the function that answers predictions by itself: python -m bench.serving_start

Its own runtime client (awslambdaric) runs it, against a fake of Lambda's APIs, of Firehose, S3 and DynamoDB in this
process; an empty function runs the same way in turn. Printed are, as differences and ratios within this run:

- the cold start: from the start of the process to the first answer, also as processor time, which other work on the
  machine does not change; and how many times that is with the check of the version's signature
- a warm answer of one row, from the request to the posted answer, with capture on
- rows per second of requests with 1,000 rows, compared with requests of one row

Needs the development environment (`make test` creates it).
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from bench.commands import DATA, ROOT
from bench.in_memory import Lifecycle
from infra.local.deployment.layers import BASE_PYTHON, install_layer, install_runtime
from tests.fake_lambda import FakeLambda
from tests.fakes import MemoryKeys

MODEL = "adult-income"
TRAINING_ROWS = 6_000
WARM_UP = 50
EVENT: dict[str, Any] = json.loads((ROOT / "events" / "predict.json").read_text())
EMPTY = 'def handler(event, context):\n    return {"statusCode": 200, "body": "{}"}\n'


def main() -> None:
    """Measure, and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=15)
    parser.add_argument("--requests", type=int, default=1_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = list(csv.DictReader(io.StringIO(gzip.decompress(DATA.read_bytes()).decode())))
        lifecycle = trained(rows[:TRAINING_ROWS])
        instances = requests_of(lifecycle, rows[:1_000])
        functions = {"predict": predict_variables(folder), "empty": empty_variables(folder)}
        checking = {"signed": functions["predict"] | {"SIGNING_KEY": "arn:aws:kms:us-east-1:1:key/signing"}}
        starts = cold_starts(lifecycle, functions | checking, event(instances[:1]), arguments.starts)
        warm = answers(lifecycle, functions, event(instances[:1]), arguments.requests)
        many = answers(lifecycle, {"predict": functions["predict"]}, event(instances), 20)["predict"]
        if lifecycle.keys.calls.count("verify") < arguments.starts:  # type: ignore[attr-defined]
            sys.exit("the signature was not checked")
    print_results(starts, warm, many)


def trained(rows: list[dict[str, Any]]) -> Lifecycle:
    """Return a model that is live, trained in memory."""
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    lifecycle = Lifecycle(MODEL, keys=MemoryKeys())
    lifecycle.upload("adult.csv", text.getvalue())
    end = lifecycle.run(target="income", training={"trials": 4})
    if end.outcome != "deployed":
        sys.exit(f"the model is not live: {end.outcome}: {end.reasons}")
    return lifecycle


def requests_of(lifecycle: Lifecycle, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows of the data as the model's requests have them."""
    registry = lifecycle.registry
    version = registry.versions.get(MODEL, 1)
    signature = json.loads(lifecycle.artifacts.read(version.signature))
    types = {field["name"]: field["type"] for field in signature["fields"]}
    return [{name: float(row[name]) if kind == "number" else row[name] for name, kind in types.items()} for row in rows]


def event(instances: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a request as API Gateway gives it to the function."""
    path = f"/models/{MODEL}/predict"
    return EVENT | {
        "path": path, "resource": "/models/{name}/predict", "httpMethod": "POST", "pathParameters": {"name": MODEL},
        "body": json.dumps({"instances": instances}), "isBase64Encoded": False,
    }  # fmt: skip


def predict_variables(home: Path) -> dict[str, str]:
    """Return the variables of a process of `predict`: its layers as the local cloud installs them, compiled."""
    layers = [install_layer(ROOT / "layers" / name, home) for name in ("serving", "modelcycle")]
    folders = [*(folder for layer in layers for folder in layer.folders), install_runtime(home)]
    return {
        "PYTHONPATH": ":".join(map(str, [ROOT / "functions" / "predict", *folders])),
        "DATA_BUCKET": "data", "ARTIFACT_BUCKET": "artifacts", "REGISTRY_TABLE": "registry", "EVENT_BUS": "bus",
        "CAPTURE_STREAM": "captures", "CODE_VERSION": "bench", "POWERTOOLS_METRICS_NAMESPACE": "ModelCycle",
        "PYTHONPYCACHEPREFIX": str(home / "pycache"),
    }  # fmt: skip


def empty_variables(home: Path) -> dict[str, str]:
    """Return the variables of a process of a function that does nothing."""
    folder = home / "empty"
    folder.mkdir()
    (folder / "app.py").write_text(EMPTY)
    return {"PYTHONPATH": f"{folder}:{install_runtime(home)}", "PYTHONPYCACHEPREFIX": str(home / "pycache")}


@contextmanager
def running(lifecycle: Lifecycle, variables: dict[str, str]) -> Iterator[tuple[FakeLambda, int]]:
    """Start a process of a function; yield what calls it, and its id."""
    objects = {f"/{lifecycle.artifacts.bucket}/{key}": body for key, body in lifecycle.artifacts.objects.items()}
    fake = FakeLambda(table=lifecycle.registry.versions.table, objects=objects, keys=lifecycle.keys)  # type: ignore[arg-type]
    environment = {
        **variables, "AWS_LAMBDA_RUNTIME_API": fake.address, "AWS_ENDPOINT_URL": f"http://{fake.address}",
        "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_LAMBDA_FUNCTION_NAME": "function", "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13", "PATH": os.defpath,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769",
    }  # fmt: skip
    process = subprocess.Popen(
        [BASE_PYTHON, "-s", "-S", "-m", "awslambdaric", "app.handler"], env=environment, stdout=subprocess.DEVNULL
    )
    try:
        yield fake, process.pid
    finally:
        process.kill()
        process.wait()
        fake.close()


class Start(NamedTuple):
    """Milliseconds from the start of a process to its first answer."""

    elapsed: float
    processor: float


def cold_starts(
    lifecycle: Lifecycle, functions: dict[str, dict[str, str]], request: dict[str, Any], starts: int
) -> dict[str, list[Start]]:
    """Start each function in turn."""
    measured: dict[str, list[Start]] = {which: [] for which in functions}
    for number in range(starts + 1):
        for which, variables in functions.items():
            started = time.perf_counter()
            with running(lifecycle, variables) as (fake, pid):
                check(fake.invoke(request)[1])
                taken = Start((time.perf_counter() - started) * 1000, processor_milliseconds(pid))
            if number:  # the first start compiles the packages
                measured[which].append(taken)
    return measured


def processor_milliseconds(pid: int) -> float:
    """Return the processor time of a process, that of threads which have ended included (proc_pid_stat(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


def answers(
    lifecycle: Lifecycle, functions: dict[str, dict[str, str]], request: dict[str, Any], requests: int
) -> dict[str, float]:
    """Return the median milliseconds of warm answers; the functions are asked in turn."""
    milliseconds: dict[str, list[float]] = {which: [] for which in functions}
    with ExitStack() as stack:
        fakes = {which: stack.enter_context(running(lifecycle, variables))[0] for which, variables in functions.items()}
        for number in range(requests + WARM_UP):
            for which, fake in fakes.items():
                fake.wait_until_ready()
                started = time.perf_counter()
                check(fake.invoke(request)[1])
                if number >= WARM_UP:
                    milliseconds[which].append((time.perf_counter() - started) * 1000)
    return {which: statistics.median(taken) for which, taken in milliseconds.items()}


def check(response: dict[str, Any]) -> None:
    """End the bench if a request fails."""
    if response.get("statusCode") != 200:
        sys.exit(f"a request failed: {response}")


def print_results(starts: dict[str, list[Start]], warm: dict[str, float], many: float) -> None:
    """Print differences and ratios; absolute times are those of this machine under its present load."""
    for label, field in (("cold start", "elapsed"), ("  processor", "processor")):
        cold = {
            which: statistics.median(getattr(start, field) for start in measured) for which, measured in starts.items()
        }
        more = cold["predict"] - cold["empty"]
        print(f"{label:<14} predict {cold['predict']:.0f} ms, empty {cold['empty']:.0f} ms: {more:.0f} ms more")
        print(f"{'':<14} with the check of the signature: {cold['signed'] / cold['predict']:.2f} times")
    ratio = warm["predict"] / warm["empty"]
    print(f"{'warm answer':<14} predict {warm['predict']:.2f} ms, empty {warm['empty']:.2f} ms: {ratio:.2f} times")
    by_one, by_thousand = 1000 / warm["predict"], 1_000_000 / many
    print(f"{'1,000 rows':<14} {by_thousand:,.0f} rows/s, one by one {by_one:,.0f}: {by_thousand / by_one:.0f} times")


if __name__ == "__main__":
    main()
