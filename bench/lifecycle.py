"""The whole life of a model against a plain script that does the same work: python bench/lifecycle.py

Needs the development environment (`make test` sets it up). Adult, 12 trials, the same rows in the same parts. The
script fits one trial after the other in one process; the lifecycle runs its functions on a local cloud of the bench's
own, in a temporary folder and on a free port: once with cold functions, once warm (under another name, so that nothing
is taken over). Each figure is of this one run; both sides compute on one thread a process.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "examples" / "data" / "adult.csv.gz"
PIPELINE = ROOT / "pipelines" / "adult-income.yaml"
TRIALS = 12
TRAINING_ROWS = 24_000  # about; below the size from which forests take a sample


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="modelcycle-bench-") as folder:
        home = Path(folder)
        environment = os.environ | {
            "MODELCYCLE_HOME": str(home / "cloud"), "MODELCYCLE_PORT": str(_free_port()),
            "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": f"{ROOT}:{ROOT / 'layers/modelcycle'}",
        }  # fmt: skip
        plain = _plain(environment)
        try:
            began = time.perf_counter()
            _modelcycle(environment, "up")
            up = time.perf_counter() - began
            runs = {name: _run(environment, home, f"adult-{name}") for name in ("cold", "warm")}
        finally:
            _modelcycle(environment, "down")
    _show(plain, up, runs)


def _plain(environment: dict[str, str]) -> dict[str, Any]:
    from modelcycle.train.plan_trials import draw_trials

    algorithms = ["hist_gradient_boosting", "random_forest", "linear"]
    drawn = islice(draw_trials(algorithms, "binary", TRAINING_ROWS, seed=0), TRIALS)
    trials = [{"algorithm": name, "parameters": parameters, "seed": seed} for name, parameters, seed in drawn]
    command = [sys.executable, "-W", "ignore", str(ROOT / "bench" / "plain.py"), str(DATA)]
    done = subprocess.run(
        command, env=environment, input=json.dumps(trials), check=True, stdout=subprocess.PIPE, text=True, timeout=600
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _run(environment: dict[str, str], home: Path, name: str) -> dict[str, Any]:
    pipeline = home / f"{name}.yaml"
    pipeline.write_text(PIPELINE.read_text().replace("name: adult-income", f"name: {name}"))
    began = time.perf_counter()
    answer: dict[str, Any] = json.loads(_modelcycle(environment, "run", str(pipeline), "--data", str(DATA), "--json"))
    return answer | {"total": time.perf_counter() - began}


def _modelcycle(environment: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "-m", "cli.main", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True, timeout=600
    )
    return done.stdout


def _show(plain: dict[str, Any], up: float, runs: dict[str, dict[str, Any]]) -> None:
    print(f"plain script          {plain['total']:6.1f} s   test error {plain['error']:.2%}   rows {plain['rows']}")
    for part, seconds in plain["parts"].items():
        print(f"  {part:<20}{seconds:6.1f} s")
    print(f"local cloud, up       {up:6.1f} s")
    for name, run in runs.items():
        steps = {step["name"]: step["seconds"] or 0.0 for step in run["steps"]}
        between = run["total"] - sum(steps.values())
        error = 1 - run["metrics"]["accuracy"]
        print(f"lifecycle, {name:<11}{run['total']:6.1f} s   test error {error:.2%}   {run['status']}")
        for step, seconds in steps.items():
            print(f"  {step:<20}{seconds:6.1f} s")
        print(f"  {'between the steps':<20}{between:6.1f} s   {between / run['total']:.0%} of the total")
        print(f"  ratio to the plain script {run['total'] / plain['total']:.2f}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
