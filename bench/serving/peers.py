"""The peers: model servers in Python that people would otherwise use, each in an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.commands import ROOT
from bench.serving.load import Load
from infra.local.ports import free_port

HERE = Path(__file__).parent
ENVIRONMENTS = ROOT / "build" / "serving"
START_SECONDS = 120.0
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Peer:
    """A server.

    Parameters
    ----------
    environment : under build/serving, made from requirements-{environment}.txt
    command : the words that start it, from its environment's bin, the model's folder and a port
    path : of a prediction
    body : of a request, from its rows
    """

    name: str
    environment: str
    command: Callable[[Path, Path, int, int], list[str]]
    path: str
    body: Callable[[list[dict[str, Any]]], Any]

    def load(self, port: int, rows: list[dict[str, Any]], connections: int, seconds: float) -> Load:
        """Return requests of one row each."""
        bodies = [json.dumps(self.body([row])) for row in rows]
        return Load([("127.0.0.1", port)], self.path, JSON, bodies, connections, seconds)


def _tensors(rows: list[dict[str, Any]]) -> dict[str, Any]:
    inputs = [
        {
            "name": name, "shape": [len(rows), 1], "data": [row[name] for row in rows],
            "datatype": "BYTES" if isinstance(rows[0][name], str) else "FP64",
        }
        for name in rows[0]
    ]  # fmt: skip
    return {"parameters": {"content_type": "pd"}, "inputs": inputs, "outputs": [{"name": "predict_proba"}]}


PEERS = [
    Peer(
        "FastAPI + scikit-learn", "mlflow",
        lambda binaries, model, port, workers: [
            str(binaries / "uvicorn"), "--app-dir", str(HERE), "fastapi_app:app", "--port", str(port), "--workers",
            str(workers), "--no-access-log", "--log-level", "error",
        ],
        "/predict", lambda rows: {"instances": rows},
    ),
    Peer(
        "mlflow models serve", "mlflow",
        lambda binaries, model, port, workers: [
            str(binaries / "mlflow"), "models", "serve", "-m", str(model / "mlflow"), "-p", str(port), "--env-manager",
            "local", "--workers", str(workers),
        ],
        "/invocations", lambda rows: {"dataframe_records": rows},
    ),
    Peer(
        "BentoML", "bentoml",
        lambda binaries, model, port, workers: [
            str(binaries / "bentoml"), "serve", "bentoml_app:Adult", "--working-dir", str(HERE), "--port", str(port),
        ],
        "/predict", lambda rows: {"instances": rows},
    ),
    Peer(
        "MLServer", "mlserver",
        lambda binaries, model, port, workers: [str(binaries / "mlserver"), "start", str(model)],
        "/v2/models/adult/infer", _tensors,
    ),
]  # fmt: skip


def install(environment: str) -> Path | None:
    """Return the `bin` of a peer's environment; None, with a line that says so, if it cannot be installed."""
    folder = ENVIRONMENTS / environment
    done = folder / "installed"
    requirements = HERE / f"requirements-{environment}.txt"
    if not done.exists() or done.read_text() != requirements.read_text():
        uv = Path(sys.executable).with_name("uv")
        for command in (
            [str(uv), "venv", "-q", "--clear", "--python", sys.executable, str(folder)],
            [str(uv), "pip", "install", "-q", "--python", str(folder / "bin" / "python"), "-r", str(requirements)],
        ):
            ended = subprocess.run(command, check=False, capture_output=True, text=True)
            if ended.returncode:
                print(f"{environment}: not installed: {ended.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
                return None
        done.write_text(requirements.read_text())
    return folder / "bin"


def fit(environment: str, parameters: dict[str, Any], data: Path, out: Path) -> Path:
    """Fit and store the model in a peer's environment, with its own scikit-learn; return its folder."""
    folder = out / environment
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "parameters.json").write_text(json.dumps(parameters))
    (folder / "data.txt").write_text(str(data))
    python = ENVIRONMENTS / environment / "bin" / "python"
    command = [str(python), "-W", "ignore", str(HERE / "fit.py"), str(folder)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return folder


@contextmanager
def serving(peer: Peer, model: Path, rows: list[dict[str, Any]], workers: int) -> Iterator[tuple[int, int]]:
    """Start a server; yield its port and process id as soon as it answers a row."""
    port = free_port()
    if peer.environment == "mlserver":
        _write_settings(model, port)
    environment = os.environ | {
        "BENCH_MODEL": str(model), "BENCH_WORKERS": str(workers), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
        "PATH": f"{ENVIRONMENTS / peer.environment / 'bin'}:{os.environ['PATH']}", "BENTOML_DO_NOT_TRACK": "True",
    }  # fmt: skip
    process = subprocess.Popen(
        peer.command(ENVIRONMENTS / peer.environment / "bin", model, port, workers), env=environment, cwd=model,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        _wait_for(peer, port, rows, process)
        yield port, process.pid
    finally:
        os.killpg(process.pid, 15)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)


def _write_settings(model: Path, port: int) -> None:
    (model / "settings.json").write_text(
        json.dumps({
            "http_port": port, "grpc_port": free_port(), "metrics_port": free_port(), "debug": False,
            # its worker processes do not start ("no current event loop", 1.7.1): it scores in the process that listens
            "parallel_workers": 0, "host": "127.0.0.1",
        })
    )  # fmt: skip
    (model / "model-settings.json").write_text(
        json.dumps({
            "name": "adult", "implementation": "mlserver_sklearn.SKLearnModel",
            "parameters": {"uri": str(model / "model.joblib")},
        })
    )  # fmt: skip


def _wait_for(peer: Peer, port: int, rows: list[dict[str, Any]], process: subprocess.Popen[bytes]) -> None:
    end, reason = time.monotonic() + START_SECONDS, ""
    data = json.dumps(peer.body(rows[:1])).encode()
    while time.monotonic() < end and process.poll() is None:
        try:
            request = urllib.request.Request(f"http://127.0.0.1:{port}{peer.path}", data, JSON, method="POST")
            urllib.request.urlopen(request, timeout=10).read()
        except urllib.error.HTTPError as error:
            reason = error.read().decode()[:300]
            time.sleep(0.5)
        except OSError as error:
            reason = str(error)
            time.sleep(0.2)
        else:
            return
    raise RuntimeError(f"{peer.name} did not answer a row: {reason}")
