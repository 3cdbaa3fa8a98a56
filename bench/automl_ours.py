"""Our side of `automl.py`: the steps from `collect` to `select_model` over a file, with ports in memory."""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from modelcycle.cells.reading import missing_texts_of
from modelcycle.collect import collect
from modelcycle.engineer_features import engineer_features
from modelcycle.messages import (
    EngineerFeaturesRequest,
    PlanTrialsRequest,
    PreprocessRequest,
    Run,
    RunRequest,
    RunTrialRequest,
    SelectModelRequest,
    TrialResult,
    Trigger,
)
from modelcycle.model import pipeline
from modelcycle.model.columns import Columns, TableSchema, concatenate
from modelcycle.model.plan import FeaturePlan
from modelcycle.model.recipe import fit_recipe
from modelcycle.model.scoring import Scorer
from modelcycle.model.signature import Signature
from modelcycle.preprocess import preprocess
from modelcycle.registry import Results
from modelcycle.train import plan_trials, run_trial, select_model
from tests.fakes import MemoryStore, MemoryTable

CODE = "bench"
NAME = "table"
CORES = 2
LATENCY_ROWS = 200
SEARCH_SHARE = 0.5  # of the budget: the rest is for reading, the fit of the winner, and its export

_store: MemoryStore  # of the process; a process of the pool begins with a copy


def train_and_score(folder: Path, about: dict[str, Any], budget: float) -> tuple[Any, float, float]:
    """Train on train.csv; return the scores (n, classes) of test.csv, the seconds, and one row's microseconds.

    Parameters
    ----------
    about : of `automl_peer.write`
    budget : seconds
    """
    global _store
    os.environ["OMP_NUM_THREADS"] = "1"
    started = time.perf_counter()
    data = MemoryStore("data")
    artifacts = _store = MemoryStore()
    results = Results(MemoryTable())
    leases: Any = _Unleased()
    ports: dict[str, Any] = {"artifacts": artifacts, "results": results, "code": CODE}
    data.upload(f"raw/{NAME}/train.csv", folder / "train.csv")
    spec = {
        "name": NAME, "target": about["target"], "task": about["task"], "training": {"seconds": budget * SEARCH_SHARE},
    }  # fmt: skip
    run = Run(
        model=NAME, run_id="r1", execution="bench", started_at=datetime.now(UTC), trigger=Trigger(kind="request"),
        pipeline=artifacts.put("pipeline.json", json.dumps(spec).encode()),
    )  # fmt: skip
    collected = collect(RunRequest(run=run), data=data, leases=leases, **ports)
    preprocessed = preprocess(PreprocessRequest(run=run, collect=collected), **ports)
    engineered = engineer_features(EngineerFeaturesRequest(run=run, preprocess=preprocessed), **ports)
    inputs: dict[str, Any] = {"run": run, "preprocess": preprocessed, "engineer_features": engineered}
    planned = plan_trials(PlanTrialsRequest(**inputs), artifacts=artifacts)
    requests = [
        RunTrialRequest(**inputs, trial=trial, folds=planned.folds, ends_at=planned.ends_at) for trial in planned.trials
    ]
    trials = []
    with ProcessPoolExecutor(CORES, mp_context=get_context("fork")) as pool:
        for trial, written in pool.map(_run_trial, requests):
            trials.append(trial)
            for key, body in written.items():
                artifacts.put(key, body)
    _say(trials)
    selected = select_model(SelectModelRequest(**inputs, trials=trials), **ports)
    plan = FeaturePlan.model_validate_json(artifacts.read(engineered.plan))
    signature = Signature.model_validate_json(artifacts.read(selected.signature))
    onnx = artifacts.read(selected.onnx)
    if planned.refit:
        onnx = _refit(artifacts, preprocessed, selected.recipe, plan, signature)
    seconds = time.perf_counter() - started
    rows = _test_rows(folder, TableSchema.model_validate_json(artifacts.read(preprocessed.table)), signature)
    scorer = Scorer(signature, onnx)
    scores = np.concatenate([scorer.scores(part) for part in rows])
    order = [signature.classes.index(name) for name in about["classes"]]
    latency = _latency(scorer, rows[0])
    return (scores[:, order] if order else scores), seconds, latency


class _Unleased:
    def mark_as_read(self, run: Run, objects: list[tuple[str, str]]) -> None:
        """Record nothing: the run has no lease."""


def _run_trial(request: RunTrialRequest) -> tuple[TrialResult, dict[str, bytes]]:
    before = set(_store.objects)
    result = run_trial(request, artifacts=_store, results=Results(MemoryTable()), code=CODE)
    return result, {key: body for key, body in _store.objects.items() if key not in before}


def _say(trials: list[TrialResult]) -> None:
    if os.environ.get("VERBOSE"):
        for trial in sorted(trials, key=lambda trial: trial.loss):
            print(f"    {trial.loss:.5g} {trial.seconds:5.1f} s {_about(trial)}")


def _about(trial: TrialResult) -> str:
    return f"{trial.trial.algorithm} {trial.trial.parameters} {trial.failed}"


def _refit(artifacts: Any, preprocessed: Any, recipe: Any, plan: FeaturePlan, signature: Signature) -> bytes:
    parts = [Columns.from_bytes(artifacts.read(part)) for part in (preprocessed.train, preprocessed.validation)]
    test = Columns.from_bytes(artifacts.read(preprocessed.test_features))
    labels = Columns.from_bytes(artifacts.read(preprocessed.test_labels)).target
    rows = concatenate([*parts, Columns(test.values, labels)])
    return fit_recipe(recipe, plan, signature, pipeline.frame(signature, rows), rows.target).to_onnx(signature)


def _test_rows(folder: Path, schema: TableSchema, signature: Signature) -> list[Columns]:
    import pandas as pd

    texts = pd.read_csv(folder / "test.csv", dtype=str, keep_default_na=False)
    instances = []
    for values in zip(*(texts[field.name] for field in signature.fields), strict=True):
        row: dict[str, Any] = {}
        for field, value in zip(signature.fields, values, strict=True):
            missing = value.strip() in missing_texts_of(field, schema.missing_values)
            row[field.name] = None if missing else float(value) if field.type == "number" else value
        instances.append(row)
    return [signature.read(instances[start : start + 20_000]) for start in range(0, len(instances), 20_000)]


def _latency(scorer: Scorer, rows: Columns) -> float:
    """Return the microseconds of one row, encoding included."""
    single = [rows.take(np.array([position])) for position in range(min(LATENCY_ROWS, rows.rows))]
    scorer.scores(single[0])
    started = time.perf_counter()
    for row in single:
        scorer.scores(row)
    return (time.perf_counter() - started) / len(single) * 1e6
