"""What a local cloud costs after many predictions, against a young one: python bench/old_cloud.py --predictions 100000

Needs the development environment (`make test` sets it up). A small model goes live on a cloud of the bench's own, in a
temporary folder and on a free port; then it is asked again and again, one row a request, over one connection. Printed
are ratios of the last requests to the first ones, what an idle minute writes and computes, and what a kill loses.
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
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "layers" / "modelcycle")]

from infra.local import cloud as local  # noqa: E402 (found by the lines above)
from infra.local import emulator  # noqa: E402

MODEL = "plums"
ASKED = 1_000  # requests of each measurement
INSTANCE = {"=weight (g)": 30.5, "größe": 9, 'the "kind"': "Mirabelle", "picked.on": "2025-07-01"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--predictions", type=int, default=20_000)
    parser.add_argument("--idle", type=float, default=60.0, help="seconds that the idle cloud is watched")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="modelcycle-bench-") as folder:
        old, young = Path(folder) / "old", Path(folder) / "young"
        try:
            _measure(old, young, told.predictions, told.idle)
        finally:
            for home in (old, young):
                local.down(home=home, force=True)


def _measure(old: Path, young: Path, predictions: int, idle: float) -> None:
    ask = _cloud_with_a_model(old)
    first = [ask() for _ in range(ASKED)]
    memory = _memory(old)
    _idle(old, "before", idle)
    ask.connection.close()  # the cloud has closed it meanwhile; it opens again by itself
    for _ in range(max(0, predictions - ASKED)):
        ask()
    _idle(old, "after", idle)
    print(f"memory, after to before   {_memory(old) / memory:.2f}")
    print(f"the state on disk         {sum(f.stat().st_size for f in (old / 'services').iterdir()) / 2**20:.1f} MiB")
    ask.connection.close()
    # Asked in turn: what else the machine does is the same for both.
    other = _cloud_with_a_model(young)
    turns = [(ask(), other()) for _ in range(ASKED)]
    print(f"predictions               {predictions:,}; the first took {_quantile(first, 0.5) * 1000:.1f} ms (p50)")
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        of_old, of_young = (_quantile([turn[which] for turn in turns], share) for which in (0, 1))
        print(f"{name}, old to young cloud  {of_old / of_young:.2f}")
    began = time.monotonic()
    os.kill(_running(old).pid, signal.SIGKILL)
    local.up(home=old, port=ask.port)
    print(f"up again after a kill     {time.monotonic() - began:.1f} s")


def _idle(home: Path, name: str, seconds: float) -> None:
    """An idle minute begins when the last save of what was done is over."""
    time.sleep(15)
    process, since, computed = _running(home).pid, time.time(), _processor(home)
    time.sleep(seconds)
    assert _running(home).pid == process
    share = (_processor(home) - computed) / seconds
    print(f"idle, {name:<6}              {_written(home, since)} bytes written, {share:.2%} of a core")


class Asker:
    """One connection to the model's API; each call is one signed request and gives its seconds."""

    def __init__(self, cloud: local.Cloud) -> None:
        from botocore.credentials import Credentials

        self.url = f"{cloud.outputs['ApiUrl'].rstrip('/')}/models/{MODEL}/predict"
        parts = urlsplit(self.url)
        self.path, self.port = parts.path, int(parts.port or 0)
        self.credentials = Credentials(*cloud.session().credentials())
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        self.body = json.dumps({"instances": [INSTANCE | {"washed/peeled": "yes"}]}).encode()

    def __call__(self) -> float:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        request = AWSRequest("POST", self.url, data=self.body, headers={"content-type": "application/json"})
        SigV4Auth(self.credentials, "execute-api", "us-east-1").add_auth(request)
        began = time.perf_counter()
        self.connection.request("POST", self.path, self.body, dict(request.headers))
        answer = self.connection.getresponse()
        said = answer.read()
        took = time.perf_counter() - began
        if answer.status != 200:
            raise RuntimeError(f"{answer.status}: {said[:400]!r}")
        return took


def _cloud_with_a_model(home: Path) -> Asker:
    from tests.contract.rows import rows

    pipeline, data = home.with_suffix(".yaml"), home.with_suffix(".csv")
    pipeline.write_text(f'name: {MODEL}\ntarget: "is it, sour?"\ntraining: {{trials: 3}}\n')
    data.write_text(rows(600))
    environment = os.environ | {"MODELCYCLE_HOME": str(home), "MODELCYCLE_PORT": str(_free_port())}
    command = [sys.executable, "-m", "cli.main", "run", str(pipeline), "--data", str(data)]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, timeout=600)
    ask = Asker(local.connect(home=home))
    for _ in range(50):
        ask()
    return ask


def _running(home: Path) -> Any:
    found = emulator.find(home)
    assert found, "the cloud has ended"
    return found


def _written(home: Path, since: float) -> int:
    """Bytes of all files of the cloud that were written since a POSIX time."""
    found = [path.lstat() for path in home.rglob("*") if path.is_file() and not path.is_symlink()]
    return sum(one.st_size for one in found if one.st_mtime >= since)


def _processor(home: Path) -> float:
    told = Path(f"/proc/{_running(home).pid}/stat").read_text().rpartition(")")[2].split()
    return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


def _memory(home: Path) -> float:
    return float(Path(f"/proc/{_running(home).pid}/statm").read_text().split()[1])


def _quantile(values: list[float], share: float) -> float:
    return statistics.quantiles(values, n=100)[round(share * 100) - 1]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
