"""Measure the memory of training: python -m bench.training_memory [ROWS ...]

For each size, a table of `bench.data` of twenty columns is prepared; then a trial of each algorithm, and the model of
the last one, are fitted in a process of their own. The memory is the largest resident set, Python and all libraries
included; `bytes` is its growth since the first size for each value (rows times columns). What follows from it is in
`modelcycle.model.training_need`.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.data import STEPS, WIDE_COLUMNS, prepare, wide_table
from bench.folder_store import FolderStore
from bench.own_process import apart, peak_megabytes
from modelcycle import messages
from modelcycle.registry import Results
from modelcycle.train import plan_trials, run_trial, select_model
from tests.fakes import MemoryTable

SIZES = (100_000, 300_000, 900_000)  # rows
ALGORITHMS = ("linear", "random_forest", "extra_trees", "hist_gradient_boosting")
FEW = {"linear": {"max_iter": 20}}  # iterations take time, not memory
FEW_TREES = {"max_iter": 20, "n_estimators": 10}


def main(sizes: list[int]) -> None:
    """Measure each size, and print a line for each algorithm."""
    os.environ |= {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "2048", "OMP_NUM_THREADS": "1"}
    print(f"{'':<24}{'rows':>12}{'columns':>9}{'values':>14}{'peak':>10}{'bytes':>8}")
    first: dict[str, tuple[int, float]] = {}
    for rows in sizes or SIZES:
        folder = Path(tempfile.mkdtemp(prefix="modelcycle-training-"))
        os.environ["TMPDIR"] = str(folder)
        try:
            prepare(folder, rows, wide_table(WIDE_COLUMNS), STEPS)
            for name in (*ALGORITHMS, "select_model"):
                peak = apart(_fit, folder, name)
                values = rows * (WIDE_COLUMNS - 1)
                first_values, first_peak = first.setdefault(name, (values, peak))
                growth = (peak - first_peak) * 2**20 / (values - first_values) if values > first_values else 0
                print(f"{name:<24}{rows:>12,}{WIDE_COLUMNS:>9}{values:>14,}{peak:>7.0f} MB{growth:>8.0f}", flush=True)
        finally:
            shutil.rmtree(folder)


def _fit(folder: Path, name: str) -> float:
    """Return the largest resident set of a trial of an algorithm, or of the model of the last trial, in MB."""
    run = messages.Run.model_validate_json((folder / "run.json").read_text())
    earlier = {
        "preprocess": messages.Preprocessed.model_validate_json((folder / "preprocess.json").read_text()),
        "engineer_features": messages.EngineeredFeatures.model_validate_json(
            (folder / "engineer features.json").read_text()
        ),
    }
    ports: dict[str, Any] = {
        "artifacts": FolderStore(folder / "artifacts"), "results": Results(MemoryTable()), "code": "bench"
    }  # fmt: skip
    last = folder / "trial.json"
    if name == "select_model":
        trials = [messages.TrialResult.model_validate_json(last.read_text())]
        select_model(messages.SelectModelRequest(run=run, trials=trials, **earlier), **ports)
        return peak_megabytes()
    plan = plan_trials(messages.PlanTrialsRequest(run=run, **earlier), artifacts=ports["artifacts"])
    trial = next(trial for trial in plan.trials if trial.algorithm == name)
    few = {key: value for key, value in FEW_TREES.items() if key in trial.parameters} | FEW.get(name, {})
    trial = trial.model_copy(update={"parameters": trial.parameters | few})
    result = run_trial(messages.RunTrialRequest(run=run, trial=trial, folds=plan.folds, **earlier), **ports)
    if result.failed:
        raise RuntimeError(f"{name} was not fitted: {result.failed}")
    last.write_text(result.model_dump_json())
    return peak_megabytes()


if __name__ == "__main__":
    main([int(size.replace("_", "")) for size in sys.argv[1:]])
