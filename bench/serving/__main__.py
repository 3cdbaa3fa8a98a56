"""Compare serving with other model servers in Python: python -m bench.serving [SECONDS]

Needs the development environment (`make test` creates it) and the SAM CLI (`make build/sam/stamp`), for AWS's runtime
interface emulator. The peers are installed into `build/serving`; one that cannot be is left out, with a line.

The model is Adult, of one recipe: ours as it went live on a local cloud of the bench's own, with capture on, and the
peers' by scikit-learn. Each side gets one process for each core, then 1, 8 and 32 connections, of which each sends the
next row when the last is answered. An environment of Lambda answers one request at a time: ours wait for their turn.
In AWS's order there is one process and one connection, and the time is that until the answer is posted.
`per core` is requests per second of processor time that the server took, all its processes together. Compare figures
of one run only. No function can be faster than an empty one: decision 42 says why ten times below MLflow is not
possible under the emulator.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from bench.commands import DATA, PIPELINE, ROOT, cloud_variables, modelcycle
from bench.serving import ours, peers
from bench.serving.load import Load, Measured
from bench.serving.processor_time import processor_seconds
from infra.local import cloud as local

CONNECTIONS = (1, 8, 32)
PROCESSES = 2
WARM_UP_SECONDS = 1.0
MODEL = "adult-income"


def main(seconds: float) -> None:
    """Measure all sides and print a line for each number of connections."""
    with tempfile.TemporaryDirectory(prefix="modelcycle-serving-") as name:
        folder = Path(name)
        variables = cloud_variables(folder / "cloud")
        modelcycle(variables, "run", str(PIPELINE), "--data", str(DATA), "--json")
        try:
            cloud = local.connect(home=folder / "cloud")
            parameters = ours.recipe_parameters(cloud, MODEL)
            models = {
                environment: peers.fit(environment, parameters, DATA, folder / "models")
                for environment in dict.fromkeys(peer.environment for peer in peers.PEERS)
                if peers.install(environment)
            }
            if not models:
                raise SystemExit("no peer could be installed: nothing to compare with")
            rows = json.loads((next(iter(models.values())) / "rows.json").read_text())
            print(f"{'':<28}{'connections':>12}{'p50':>10}{'p95':>10}{'p99':>10}{'per second':>12}{'per core':>10}")
            mine = measure_ours(cloud, folder, rows, seconds)
            theirs = measure_peers(models, rows, seconds)
        finally:
            modelcycle(variables, "down")
    print_ratios(mine, theirs)


def measure_ours(cloud: Any, folder: Path, rows: list[dict[str, Any]], seconds: float) -> dict[tuple[str, int], Any]:
    """Measure an empty function, `predict`, and the API, with capture on."""
    complete = [complete_row(row) for row in rows]
    figures: dict[tuple[str, int], Any] = {}
    empty = folder / "empty"
    empty.mkdir()
    (empty / "app.py").write_text(ours.EMPTY)
    variables = ours.predict_variables(cloud)
    for label, code in (("empty function, RIE", empty), ("ours, RIE", ROOT / "functions" / "predict")):
        with ExitStack() as stack:
            started = [stack.enter_context(ours.under_rie(code, folder / "cloud", variables)) for _ in range(PROCESSES)]
            ports, pids = [port for port, _ in started], [process.pid for _, process in started]
            events = ours.events_of(MODEL, complete)
            for port in ports:
                answer = ours.invoke(port, events[0])
                assert answer["statusCode"] == 200, answer
            for connections in CONNECTIONS:
                load = ours.invoke_load(ports, events, connections, seconds)
                figures[label, connections] = report(label, load, pids)
    for label, code in (("empty function, AWS's order", empty), ("ours, AWS's order", ROOT / "functions" / "predict")):
        with ours.in_order(code, folder / "cloud", variables) as (fake, pid):
            ours.call_in_order(fake, events, WARM_UP_SECONDS)
            before = processor_seconds([pid])
            measured = ours.call_in_order(fake, events, seconds)
            figures[label, 1] = print_line(label, 1, measured, processor_seconds([pid]) - before)
    emulator = local.status(home=folder / "cloud").pid
    assert emulator is not None
    for connections in CONNECTIONS:
        load = ours.api_load(cloud, MODEL, complete, connections, seconds)
        figures["ours, local API", connections] = report("ours, local API", load, [emulator])
    return figures


def complete_row(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row with the columns that our clients may send, and whole numbers as such."""
    return {name: (int(value) if isinstance(value, float) else value or None) for name, value in row.items()}


def measure_peers(models: dict[str, Path], rows: list[dict[str, Any]], seconds: float) -> dict[tuple[str, int], Any]:
    """Measure every peer that starts."""
    figures: dict[tuple[str, int], Any] = {}
    for peer in peers.PEERS:
        if peer.environment not in models:
            continue
        try:
            with peers.serving(peer, models[peer.environment], rows, PROCESSES) as (port, pid):
                for connections in CONNECTIONS:
                    load = peer.load(port, rows, connections, seconds)
                    figures[peer.name, connections] = report(peer.name, load, [pid])
        except RuntimeError as error:
            print(f"{peer.name:<28}left out: {error}")
    return figures


def report(label: str, load: Load, pids: list[int]) -> dict[str, float]:
    """Send the load, print its line and return its figures."""
    send(Load(**(asdict(load) | {"seconds": WARM_UP_SECONDS})))
    before = processor_seconds(pids)
    measured = send(load)
    used = processor_seconds(pids) - before
    return print_line(label, load.connections, measured, used)


def print_line(label: str, connections: int, measured: Measured, used: float) -> dict[str, float]:
    """Print the line of a load that took `used` seconds of processor time; return its figures."""
    if measured.failed or not measured.milliseconds:
        raise SystemExit(f"{label}: {measured.failed} requests failed: {measured.example}")
    p50, p95, p99 = np.quantile(measured.milliseconds, [0.5, 0.95, 0.99])
    answers = len(measured.milliseconds)
    figures = {"p50": p50, "per_second": answers / measured.seconds, "per_core": answers / max(used, 1e-9)}
    print(f"{label:<28}{connections:>12}{p50:>7.2f} ms{p95:>7.2f} ms{p99:>7.2f} ms"
          f"{figures['per_second']:>12,.0f}{figures['per_core']:>10,.0f}", flush=True)  # fmt: skip
    return figures


def send(load: Load) -> Measured:
    """Run the load in a process of its own."""
    command = [sys.executable, "-m", "bench.serving.load"]
    ended = subprocess.run(
        command, input=json.dumps(asdict(load)), cwd=ROOT, check=True, capture_output=True, text=True
    )
    return Measured(**json.loads(ended.stdout))


def print_ratios(mine: dict[tuple[str, int], Any], theirs: dict[tuple[str, int], Any]) -> None:
    """Print how many times lower or higher our figures are than those of MLflow and of the best peer."""
    for connections in CONNECTIONS:
        here = {name: figures for (name, count), figures in theirs.items() if count == connections}
        for label in ("ours, AWS's order", "ours, RIE", "ours, local API"):
            figures = mine.get((label, connections))
            if figures is None:
                continue
            best_p50 = min(peer["p50"] for peer in here.values()) / figures["p50"]
            best_core = figures["per_core"] / max(peer["per_core"] for peer in here.values())
            mlflow = here.get("mlflow models serve")
            versus = f"p50 {mlflow['p50'] / figures['p50']:.1f}x below MLflow, " if mlflow else ""
            print(f"{label}, {connections} connections: {versus}{best_p50:.1f}x below the best peer;"
                  f" {best_core:.1f}x its requests per core")  # fmt: skip
        for place in ("AWS's order", "RIE"):
            if (f"ours, {place}", connections) in mine:
                times = (
                    mine[f"ours, {place}", connections]["p50"] / mine[f"empty function, {place}", connections]["p50"]
                )
                print(f"{place}, {connections} connections: {times:.1f}x the time of an empty function")


if __name__ == "__main__":
    started = time.perf_counter()
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0)
    print(f"{time.perf_counter() - started:.0f} s")
