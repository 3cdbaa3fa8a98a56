"""Compare the search with FLAML: python -m bench.automl [TABLE ...]

Needs the development environment (`make test` creates it). Public tables from packages, none of them a dependency of
the product: `bench/requirements.txt` is installed into `build/automl` first. A quarter of each table is held out; the
other rows are a CSV file, from which both sides start.

Ours goes through the steps themselves, from `collect` to `select_model`, and fits the recipe on all rows where a run
would; trials run in as many processes as there are cores. It is measured by the ONNX graph. Then FLAML gets the same
cores, and the seconds of BUDGET, of which ours may use no more. Compare figures of one run only.

The figure of a table is the AUC of two classes, the log loss of more, or the root mean squared error. The standard
error is that of the difference between the two sides, from bootstrap samples of the held-out rows.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bench.automl_ours import train_and_score
from bench.commands import ROOT

BUDGET = 30.0  # seconds of each side on each table
RESAMPLES = 200
ENVIRONMENT = ROOT / "build" / "automl"
PEER = ROOT / "bench" / "automl_peer.py"


class Side(NamedTuple):
    """What one side did on a table: its scores of the held-out rows, seconds, and one row's latency."""

    scores: Any
    seconds: float
    latency_us: float


def main(names: list[str]) -> None:
    """Run all tables, or those of these names, and print a line for each."""
    python = _peer_environment()
    listed: list[str] = json.loads(_run([python, str(PEER), "list"]))
    print(f"{'table':<16}{'rows':>8}{'cols':>6}  {'metric':<9}{'ours':>10}{'flaml':>10}{'± se':>9}  {'ahead':<7}"
          f"{'seconds':>8}{'flaml':>7}{'one row':>9}{'flaml':>9}")  # fmt: skip
    close = ahead = 0
    for name in names or listed:
        with tempfile.TemporaryDirectory(prefix="modelcycle-automl-") as folder:
            close_here, ahead_here = _compare(name, python, Path(folder))
        close, ahead = close + close_here, ahead + ahead_here
    print(f"within one standard error or better: {close}   clearly ahead: {ahead}   of {len(names or listed)}")


def _compare(name: str, python: str, folder: Path) -> tuple[bool, bool]:
    about = json.loads(_run([python, str(PEER), "write", name, str(folder)]))
    ours = Side(*train_and_score(folder, about, BUDGET))
    answer = json.loads(_run([python, str(PEER), "flaml", str(folder), str(BUDGET)]))
    theirs = Side(np.load(folder / "flaml.npy"), answer["seconds"], answer["latency_us"])
    target = np.load(folder / "target.npy")
    mine, other, error = _figures(about["task"], target, ours.scores, theirs.scores)
    sign = 1 if about["task"] == "binary" else -1
    lead = sign * (mine - other)
    verdict = "ours" if lead > error else "flaml" if lead < -error else "equal"
    metric = {"binary": "AUC", "multiclass": "log loss", "regression": "RMSE"}[about["task"]]
    figures = f"{metric:<9}{mine:>10.4g}{other:>10.4g}{error:>9.2g}  {verdict:<7}"
    speed = f"{ours.seconds:>8.0f}{theirs.seconds:>7.0f}{ours.latency_us:>6.0f} us{theirs.latency_us:>6.0f} us"
    print(f"{name:<16}{about['rows']:>8,}{about['columns']:>6}  {figures}{speed}", flush=True)
    return lead >= -error, lead > error


def _figures(task: str, target: Any, ours: Any, theirs: Any) -> tuple[float, float, float]:
    """Return the figure of both sides, and the standard error of their difference."""
    random = np.random.default_rng(0)
    differences = []
    for _ in range(RESAMPLES):
        rows = random.integers(0, len(target), len(target))
        if task == "binary" and len(np.unique(target[rows])) < 2:
            continue
        differences.append(_figure(task, target[rows], ours[rows]) - _figure(task, target[rows], theirs[rows]))
    return _figure(task, target, ours), _figure(task, target, theirs), float(np.std(differences))


def _figure(task: str, target: Any, scores: Any) -> float:
    from sklearn import metrics

    if task == "binary":
        return float(metrics.roc_auc_score(target, scores[:, 1]))
    if task == "multiclass":
        probabilities = np.clip(scores[np.arange(len(target)), target], 1e-6, 1)
        return float(-np.log(probabilities).mean())
    return float(metrics.root_mean_squared_error(target, scores[:, 0]))


def _peer_environment() -> str:
    """Return the Python of an environment with FLAML and the packages of the tables; create it if there is none."""
    python = ENVIRONMENT / "bin" / "python"
    uv = Path(sys.executable).with_name("uv")
    if not python.exists():
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, ENVIRONMENT], check=True)
    requirements = ROOT / "bench" / "requirements.txt"
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python, "-r", requirements], check=True)
    return str(python)


def _run(command: list[str]) -> str:
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return done.stdout.strip().splitlines()[-1]


if __name__ == "__main__":
    main(sys.argv[1:])
