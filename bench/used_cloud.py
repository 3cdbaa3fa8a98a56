"""Measure what a local cloud costs after many predictions, compared with a new one: python -m bench.used_cloud

Needs the development environment (`make test` creates it) and Linux. A model is trained on two clouds of the bench's
own; one of them then answers many predictions, one row per request. Printed are:

- the time of a prediction before and after, and on both clouds in turn (other load on the machine affects both)
- memory of the emulator, bytes written and processor time of the idle cloud, size of the saved state
- the time of a start after a kill

`--through api` sends signed requests to API Gateway of the local cloud. `--through emulator` calls the function in
AWS's runtime interface emulator, without API Gateway and Lambda of the local cloud: that measures the function and the
services that it calls.
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
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

from bench.commands import DATA, PIPELINE, ROOT, cloud_variables, modelcycle
from infra.local import cloud as local
from infra.local.deployment.layers import BASE_PYTHON, install_layer, install_runtime
from infra.local.emulator.status import RunningEmulator, running_emulator
from infra.local.ports import free_port

MODEL = "adult-income"
EVENT = json.loads((ROOT / "events" / "predict.json").read_text())
WARM_UP = 50  # predictions before a measurement
SETTLE_SECONDS = 15.0  # until everything is saved and the cloud is idle
RUNTIME_EMULATOR = "lib/*/site-packages/samcli/local/rapid/aws-lambda-rie-x86_64"
INVOKE_PATH = "/2015-03-31/functions/function/invocations"


class Route(Protocol):
    """A way to a cloud's model."""

    def predict(self) -> float:
        """Send one row; return the seconds until the answer."""

    def close(self) -> None:
        """Close the connection; the next prediction opens another."""


class ApiRoute:
    """Signed requests to API Gateway, over one connection."""

    def __init__(self, cloud: local.LocalCloud) -> None:
        self._cloud = cloud
        self._url = f"{cloud.outputs['ApiUrl'].rstrip('/')}/models/{MODEL}/predict"
        parts = urlsplit(self._url)
        self._path = parts.path
        self._connection = http.client.HTTPConnection("127.0.0.1", parts.port, timeout=60)
        self._body = EVENT["body"].encode()

    def predict(self) -> float:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials

        request = AWSRequest("POST", self._url, data=self._body, headers={"content-type": "application/json"})
        SigV4Auth(Credentials(*self._cloud.operator.credentials()), "execute-api", "us-east-1").add_auth(request)
        started = time.perf_counter()
        self._connection.request("POST", self._path, self._body, dict(request.headers))
        response = self._connection.getresponse()
        answer = response.read()
        seconds = time.perf_counter() - started
        if response.status != 200:
            raise RuntimeError(f"status {response.status}: {answer[:400]!r}")
        return seconds

    def close(self) -> None:
        self._connection.close()


class RuntimeEmulatorRoute:
    """Calls of the function in AWS's runtime interface emulator on a port, over one connection."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._event: dict[str, Any] = json.loads(json.dumps(EVENT))
        self._calls = 0

    def predict(self) -> float:
        self._calls += 1
        self._event["requestContext"]["requestId"] = f"{time.time_ns()}-{self._calls}"
        body = json.dumps(self._event)
        started = time.perf_counter()
        self._connection.request("POST", INVOKE_PATH, body)
        answer = json.loads(self._connection.getresponse().read())
        seconds = time.perf_counter() - started
        if answer.get("statusCode") != 200:
            raise RuntimeError(f"the function answered {answer}")
        return seconds

    def close(self) -> None:
        self._connection.close()


@contextmanager
def runtime_emulator(cloud: local.LocalCloud, home: Path) -> Iterator[RuntimeEmulatorRoute]:
    """Run the predict function in the runtime interface emulator, with its layers, its variables, and root's key."""
    pages = cloud.admin.client("lambda").get_paginator("list_functions").paginate()
    (configuration,) = [
        function
        for page in pages
        for function in page["Functions"]
        if function["FunctionName"].startswith("modelcycle-Predict")
    ]
    code = ROOT / "functions" / "predict"
    layers = [install_layer(ROOT / "layers" / name, home) for name in ("serving", "modelcycle")]
    path = [code, *(folder for layer in layers for folder in layer.folders), install_runtime(home)]
    access_key, secret_key = cloud.admin.credentials()
    port = free_port()
    environment = {
        **configuration["Environment"]["Variables"],
        "PATH": os.environ["PATH"], "PYTHONPATH": ":".join(map(str, path)), "AWS_ENDPOINT_URL": cloud.endpoint,
        "AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": secret_key, "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1", "AWS_LAMBDA_FUNCTION_NAME": "predict", "LAMBDA_TASK_ROOT": str(code),
    }  # fmt: skip
    command = [
        str(next((ROOT / "build" / "sam").glob(RUNTIME_EMULATOR))),
        "--runtime-interface-emulator-address", f"127.0.0.1:{port}",
        "--runtime-api-address", f"127.0.0.1:{free_port()}", "--log-level", "error",
        BASE_PYTHON, "-s", "-S", "-m", "awslambdaric", "app.handler",
    ]  # fmt: skip
    with subprocess.Popen(
        command, cwd=code, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:  # fmt: skip
        try:
            _wait_for_port(port)
            yield RuntimeEmulatorRoute(port)
        finally:
            os.killpg(process.pid, signal.SIGKILL)


class Usage(NamedTuple):
    """What an emulator has used since its start: bytes caused to be written to storage, seconds of processor time."""

    written: int
    processor: float


class BenchCloud:
    """A local cloud with a live model, and a route to it.

    Parameters
    ----------
    home : folder of its state
    through : `api` or `emulator`
    resources : ends what the route needs
    """

    def __init__(self, home: Path, through: str, resources: ExitStack) -> None:
        self.home = home
        resources.callback(local.down, home=home, force=True)
        modelcycle(cloud_variables(home), "run", str(PIPELINE), "--data", str(DATA))
        cloud = local.connect(home=home)
        self.route: Route = (
            ApiRoute(cloud) if through == "api" else resources.enter_context(runtime_emulator(cloud, home))
        )
        self.predict(WARM_UP)

    @property
    def emulator(self) -> RunningEmulator:
        """The running emulator."""
        emulator = running_emulator(self.home.resolve())
        if emulator is None:
            raise RuntimeError(f"the cloud in {self.home} has ended")
        return emulator

    def predict(self, count: int) -> list[float]:
        """Return the seconds of each of `count` predictions, made one after the other."""
        return [self.route.predict() for _ in range(count)]

    def usage(self) -> Usage:
        """Return what the emulator has used (man 5 proc: io and stat)."""
        folder = Path(f"/proc/{self.emulator.pid}")
        io = dict(line.split(": ") for line in (folder / "io").read_text().splitlines())
        stat = (folder / "stat").read_text().rpartition(")")[2].split()
        user, system = int(stat[11]), int(stat[12])
        return Usage(int(io["write_bytes"]), (user + system) / os.sysconf("SC_CLK_TCK"))

    def memory(self) -> int:
        """Return the resident memory of the emulator, in pages."""
        return int(Path(f"/proc/{self.emulator.pid}/statm").read_text().split()[1])

    def state_bytes(self) -> int:
        """Return the size of the services' state on disk."""
        return sum(file.stat().st_size for file in (self.home / "services").iterdir())


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--through", choices=("api", "emulator"), default="api", help="the route of a prediction")
    parser.add_argument("--predictions", type=int, default=20_000, help="between the two measurements")
    parser.add_argument("--sample", type=int, default=1_000, help="predictions of each measurement")
    parser.add_argument("--idle", type=float, default=60.0, help="seconds for which the idle cloud is observed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="modelcycle-bench-") as folder, ExitStack() as resources:
        used = BenchCloud(Path(folder, "used"), options.through, resources)
        before = used.predict(options.sample)
        memory = used.memory()
        print_idle(used, "before", options.idle)
        used.predict(options.predictions)
        after = used.predict(options.sample)
        print_idle(used, "after", options.idle)
        print(f"memory, after to before            {used.memory() / memory:8.2f}")
        print(f"state on disk                      {used.state_bytes() / 2**20:8.1f} MiB")
        print(f"p50 before                         {quantile(before, 0.5) * 1000:8.2f} ms")
        print(f"p50 after {options.predictions:>9,} predictions    {quantile(after, 0.5) * 1000:8.2f} ms")
        print(f"p50, after to before               {quantile(after, 0.5) / quantile(before, 0.5):8.2f}")

        new = BenchCloud(Path(folder, "new"), options.through, resources)
        turns = [(used.route.predict(), new.route.predict()) for _ in range(options.sample)]
        for name, share in (("p50", 0.5), ("p99", 0.99)):
            of_used, of_new = (quantile([turn[cloud] for turn in turns], share) for cloud in (0, 1))
            print(f"{name}, used to new cloud             {of_used / of_new:8.2f}")

        port, started = used.emulator.port, time.monotonic()
        os.kill(used.emulator.pid, signal.SIGKILL)
        local.up(home=used.home, port=port)
        print(f"start after a kill                 {time.monotonic() - started:8.1f} s")


def print_idle(cloud: BenchCloud, name: str, seconds: float) -> None:
    """Observe an idle cloud, and print the bytes that it writes and its processor time."""
    cloud.route.close()  # the cloud would close it meanwhile
    time.sleep(SETTLE_SECONDS)
    before = cloud.usage()
    time.sleep(seconds)
    after = cloud.usage()
    share = (after.processor - before.processor) / seconds
    print(f"idle {seconds:.0f} s, {name:<6}  {after.written - before.written:12,} bytes written, {share:.2%} of a core")


def quantile(values: list[float], share: float) -> float:
    """Return a quantile, in whole percent."""
    return statistics.quantiles(values, n=100)[round(share * 100) - 1]


def _wait_for_port(port: int) -> None:
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError("the runtime interface emulator did not start")


if __name__ == "__main__":
    main()
