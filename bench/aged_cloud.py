"""Measure what a prediction costs on a fresh local cloud and on one that has served many: python bench/aged_cloud.py

Needs the development environment (`make test` sets it up). The predict function runs alone in AWS's runtime interface
emulator, with the layers and variables that the local cloud gives it, so that only the function and the services it
calls are measured. One trained model, one row a request, on a cloud of the bench's own in a temporary folder.

Prints p50 before and after, their ratio, and the bytes that the idle cloud writes in a minute (Linux: /proc/PID/io).
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "examples" / "data" / "adult.csv.gz"
EVENT = ROOT / "events" / "predict.json"
EMULATORS = (ROOT / "build" / "sam").glob("lib/*/site-packages/samcli/local/rapid/aws-lambda-rie-x86_64")
INVOKE = "/2015-03-31/functions/function/invocations"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--predictions", type=int, default=20_000, help="between the two measurements")
    options.add_argument("--sample", type=int, default=500, help="predictions of each measurement")
    options.add_argument("--idle", type=float, default=60.0, help="seconds for which the idle cloud is observed")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="modelcycle-bench-") as folder:
        os.environ |= {"MODELCYCLE_HOME": str(Path(folder, "cloud")), "MODELCYCLE_PORT": str(_free_port())}
        _modelcycle("run", "pipelines/adult-income.yaml", "--data", str(DATA))
        try:
            _measure(chosen.predictions, chosen.sample, chosen.idle)
        finally:
            _modelcycle("down")


def _measure(predictions: int, sample: int, idle: float) -> None:
    from infra.local import cloud

    home = Path(os.environ["MODELCYCLE_HOME"])
    place = cloud.connect(home=home)
    event = json.loads(EVENT.read_text())
    with _predict_function(place, home) as invoke:
        _times(invoke, event, 100)
        before = _times(invoke, event, sample)
        _times(invoke, event, predictions)
        after = _times(invoke, event, sample)
    first, second = (statistics.median(times) * 1000 for times in (before, after))
    print(f"p50 of a prediction, fresh cloud           {first:7.2f} ms")
    print(f"p50 after {predictions:,} predictions {second:16.2f} ms")
    print(f"ratio                                      {second / first:7.2f}")
    pid = cloud.status(home=home).pid
    assert pid
    time.sleep(5)  # the last save
    written = _bytes_written(pid)
    time.sleep(idle)
    print(f"bytes written in {idle:.0f} idle seconds           {_bytes_written(pid) - written:7,}")


@contextmanager
def _predict_function(place: Any, home: Path) -> Iterator[http.client.HTTPConnection]:
    """The predict function in the runtime interface emulator, as root of the local cloud; yields a connection to it."""
    from infra.local.package import install_layer, install_runtime

    admin = place.admin
    functions = admin.client("lambda").get_paginator("list_functions").paginate()
    (configuration,) = [
        function
        for page in functions
        for function in page["Functions"]
        if function["FunctionName"].startswith("modelcycle-Predict")
    ]
    layers = [install_layer(ROOT / "layers" / name, home) for name in ("serving", "modelcycle")]
    folders = [
        ROOT / "functions" / "predict",
        *(path for layer in layers for path in layer.folders),
        install_runtime(home),
    ]
    key, secret = admin.credentials()
    port, api_port = _free_port(), _free_port()
    environment = {
        **configuration["Environment"]["Variables"],
        "PATH": os.environ["PATH"], "PYTHONPATH": ":".join(map(str, folders)), "AWS_ENDPOINT_URL": place.endpoint,
        "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1", "AWS_LAMBDA_FUNCTION_NAME": "predict", "LAMBDA_TASK_ROOT": str(folders[0]),
    }  # fmt: skip
    python = getattr(sys, "_base_executable", sys.executable)
    command = [
        str(next(EMULATORS)), "--runtime-interface-emulator-address", f"127.0.0.1:{port}",
        "--runtime-api-address", f"127.0.0.1:{api_port}", "--log-level", "error",
        python, "-s", "-S", "-m", "awslambdaric", "app.handler",
    ]  # fmt: skip
    with subprocess.Popen(
        command, cwd=folders[0], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:  # fmt: skip
        try:
            for _ in range(100):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
            yield http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def _times(connection: http.client.HTTPConnection, event: dict[str, Any], count: int) -> list[float]:
    """Seconds of each of `count` invocations, one after the other."""
    times = []
    for number in range(count):
        event["requestContext"]["requestId"] = f"{time.time_ns()}-{number}"
        body = json.dumps(event)
        started = time.perf_counter()
        connection.request("POST", INVOKE, body)
        answer = json.loads(connection.getresponse().read())
        times.append(time.perf_counter() - started)
        assert answer.get("statusCode") == 200, answer
    return times


def _bytes_written(pid: int) -> int:
    """Bytes that a process has caused to be written to storage (man 5 proc)."""
    fields = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return int(fields["write_bytes"])


def _modelcycle(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "cli.main", *arguments], cwd=ROOT, check=True, timeout=600)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
