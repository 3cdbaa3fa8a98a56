"""Compare the lifecycle with a plain script that does the same work: python -m bench.lifecycle

Needs the development environment (`make test` creates it). Adult, 12 trials, the same rows in the same parts. The
script fits the trials one after the other in one process. The lifecycle runs on a local cloud of the bench's own: first
with cold functions, then with warm ones, under another name so that no result is reused. Both sides compute with one
thread per process. Compare figures of one run only.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

from bench.commands import DATA, PIPELINE, ROOT, TIMEOUT, cloud_variables, modelcycle

TRIALS = 12
TRAINING_ROWS = 24_000  # about; fewer than the number from which forests use a sample


def main() -> None:
    """Run both sides and print their seconds."""
    with tempfile.TemporaryDirectory(prefix="modelcycle-bench-") as name:
        folder = Path(name)
        environment = cloud_variables(folder / "cloud") | {
            "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": f"{ROOT}:{ROOT / 'layers/modelcycle'}",
        }  # fmt: skip
        plain = run_plain_script(environment)
        try:
            started = time.perf_counter()
            modelcycle(environment, "up")
            up_seconds = time.perf_counter() - started
            runs = {name: run_lifecycle(environment, folder, f"adult-{name}") for name in ("cold", "warm")}
        finally:
            modelcycle(environment, "down")
    print_results(plain, up_seconds, runs)


def run_plain_script(environment: dict[str, str]) -> dict[str, Any]:
    """Return what `bench/plain.py` prints, for the trials that the lifecycle draws too."""
    from modelcycle.train.plan_trials import draw_trials

    algorithms = ["hist_gradient_boosting", "random_forest", "extra_trees", "linear"]
    drawn = islice(draw_trials(algorithms, "binary", TRAINING_ROWS, seed=0), TRIALS)
    trials = [{"algorithm": name, "parameters": parameters, "seed": seed} for name, parameters, seed in drawn]
    result = subprocess.run(
        [sys.executable, "-W", "ignore", str(ROOT / "bench" / "plain.py"), str(DATA)],
        env=environment,
        input=json.dumps(trials),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=TIMEOUT,
    )
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def run_lifecycle(environment: dict[str, str], folder: Path, model: str) -> dict[str, Any]:
    """Return the JSON of `modelcycle run` under a name, with the `total` seconds."""
    pipeline = folder / f"{model}.yaml"
    pipeline.write_text(PIPELINE.read_text().replace("name: adult-income", f"name: {model}"))
    started = time.perf_counter()
    answer: dict[str, Any] = json.loads(modelcycle(environment, "run", str(pipeline), "--data", str(DATA), "--json"))
    return answer | {"total": time.perf_counter() - started}


def print_results(plain: dict[str, Any], up_seconds: float, runs: dict[str, dict[str, Any]]) -> None:
    """Print the seconds of each side by part, and their ratio."""
    print(f"plain script          {plain['total']:6.1f} s   test error {plain['error']:.2%}   rows {plain['rows']}")
    for part, seconds in plain["parts"].items():
        print(f"  {part:<20}{seconds:6.1f} s")
    print(f"local cloud, up       {up_seconds:6.1f} s")
    for name, run in runs.items():
        steps = {step["name"]: step["seconds"] or 0.0 for step in run["steps"]}
        between_steps = run["total"] - sum(steps.values())
        error = 1 - run["metrics"]["accuracy"]
        print(f"lifecycle, {name:<11}{run['total']:6.1f} s   test error {error:.2%}   {run['status']}")
        for step, seconds in steps.items():
            print(f"  {step:<20}{seconds:6.1f} s")
        share = between_steps / run["total"]
        print(f"  {'between the steps':<20}{between_steps:6.1f} s   {share:.0%} of the total")
        print(f"  ratio to the plain script {run['total'] / plain['total']:.2f}")


if __name__ == "__main__":
    main()
