"""Tables as `preprocess` writes them, for the tests of training; and a run over such a table."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from modelcycle.cells.column import Column
from modelcycle.cells.reading import ColumnType
from modelcycle.messages import (
    EngineeredFeatures,
    EngineerFeaturesRequest,
    PlanTrialsRequest,
    Preprocessed,
    Run,
    RunTrialRequest,
    SelectModelRequest,
    Trigger,
)
from modelcycle.model.columns import Columns, TableSchema, Texts
from modelcycle.registry import Results
from modelcycle.spec import Pipeline
from tests.fakes import MemoryStore, MemoryTable

DATA = Path(__file__).parents[2] / "examples" / "data"


class Table(NamedTuple):
    """Typed columns with their schema, before the split."""

    schema: TableSchema
    columns: Columns


def table(raw: dict[str, list[Any]], target: str, task: str, classes: list[str] | None = None) -> Table:
    """A table of Python values, None for missing; their Python types give the columns' types."""
    values: dict[str, Any] = {}
    schemas = []
    for name, column in raw.items():
        kind = _kind(column)
        distinct = len({value for value in column if value is not None})
        missing = sum(value is None for value in column) / len(column)
        schemas.append(
            Column(
                name=name, type=kind, format="iso" if kind == "datetime" else "", distinct=distinct, missing=missing,
                true=["true"] if kind == "boolean" else [], false=["false"] if kind == "boolean" else [],
            )
        )  # fmt: skip
        if kind == "text":
            values[name] = Texts.of(column)
        elif kind == "datetime":
            values[name] = np.array([math.nan if value is None else value.timestamp() for value in column])
        else:
            values[name] = np.array([math.nan if value is None else value for value in column], dtype=np.float32)
    target_schema = schemas.pop(list(raw).index(target))
    column = raw[target]
    del values[target]
    if task == "regression":
        coded = np.array(column, dtype=np.float64)
    else:
        classes = classes or sorted({str(value) for value in column})
        coded = np.array([classes.index(str(value)) for value in column], dtype=np.int32)
    schema = TableSchema(
        columns=schemas, target=target_schema, task=task, classes=classes or [], missing_values=["", "?"]  # type: ignore[arg-type]
    )  # fmt: skip
    return Table(schema, Columns(values, coded))


def _kind(column: list[Any]) -> ColumnType:
    present = next((value for value in column if value is not None), None)
    if isinstance(present, bool):
        return "boolean"
    if isinstance(present, datetime):
        return "datetime"
    return "text" if isinstance(present, str) else "number"


def read_csv(name: str, target: str, task: str, classes: list[str] | None = None, limit: int | None = None) -> Table:
    """One of the example files, without its duplicates."""
    with gzip.open(DATA / f"{name}.csv.gz", "rt", encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    rows = list(dict.fromkeys(map(tuple, rows)))[:limit]
    raw: dict[str, list[Any]] = {}
    for column_name, column in zip(header, zip(*rows, strict=True), strict=True):
        texts = [None if text.strip() in ("", "?") else text.strip() for text in column]
        try:
            raw[column_name] = [None if text is None else float(text) for text in texts]
        except ValueError:
            raw[column_name] = list(texts)
    return table(raw, target, task, classes)


def split(table: Table) -> dict[str, Columns]:
    """Train, validation and test: 75, 12.5 and 12.5 percent by a hash of the row's position."""
    bucket = np.array([hashlib.md5(str(position).encode()).digest()[0] for position in range(table.columns.rows)])
    bounds = {"train": (0, 192), "validation": (192, 224), "test": (224, 256)}
    return {name: table.columns.take((bucket >= low) & (bucket < high)) for name, (low, high) in bounds.items()}


class Lifecycle(NamedTuple):
    """A run whose rows are preprocessed."""

    store: MemoryStore
    results: Results
    run: Run
    preprocessed: Preprocessed
    parts: dict[str, Columns]
    code: str = "1"

    def engineer(self) -> EngineeredFeatures:
        from modelcycle.engineer_features import engineer_features

        request = EngineerFeaturesRequest(run=self.run, preprocess=self.preprocessed)
        return engineer_features(request, artifacts=self.store, results=self.results, code=self.code)

    def train(self, engineered: EngineeredFeatures) -> Any:
        from modelcycle.train import plan_trials, run_trial, select_model

        inputs: dict[str, Any] = {
            "run": self.run, "preprocess": self.preprocessed, "engineer_features": engineered,
        }  # fmt: skip
        planned = plan_trials(PlanTrialsRequest(**inputs), artifacts=self.store)
        trials = [
            run_trial(
                RunTrialRequest(**inputs, trial=trial, folds=planned.folds, ends_at=planned.ends_at),
                artifacts=self.store, results=self.results, code=self.code,
            )
            for trial in planned.trials
        ]  # fmt: skip
        request = SelectModelRequest(**inputs, trials=trials)
        return trials, select_model(request, artifacts=self.store, results=self.results, code=self.code)


def fold_bytes(parts: dict[str, Columns], ordered: bool = False) -> bytes:
    """The folds of training and validation rows, as `preprocess` writes them: by the row's position."""
    sizes = [parts["train"].rows, parts["validation"].rows]
    rows = np.arange(sum(sizes))
    folds = (rows * 6 // len(rows) if ordered else rows % 5).astype(np.uint8)
    file = io.BytesIO()
    np.savez(file, train=folds[: sizes[0]], validation=folds[sizes[0] :])
    return file.getvalue()


def lifecycle(
    table: Table, *, name: str = "model", run_id: str = "r1", folds: bool = True, **pipeline: Any
) -> Lifecycle:
    """A run over a table; `pipeline` are keys of the pipeline file."""
    store, results = MemoryStore(), Results(MemoryTable())
    spec = Pipeline.model_validate({"name": name, "target": table.schema.target.name} | pipeline)
    run = Run(
        model=name, run_id=run_id, execution="arn:execution", started_at=datetime(2026, 1, 1, tzinfo=UTC),
        trigger=Trigger(kind="request"), pipeline=store.put("pipeline.json", spec.model_dump_json().encode()),
    )  # fmt: skip
    parts = split(table)
    test = Columns(parts["test"].values)
    labels = Columns({}, parts["test"].target)
    preprocessed = Preprocessed(
        table=store.put("table.json", table.schema.model_dump_json().encode()),
        profile=store.put("profile.json", b"{}"),
        train=store.put("train.npz", parts["train"].to_bytes()),
        validation=store.put("validation.npz", parts["validation"].to_bytes()),
        test_features=store.put("test.npz", test.to_bytes()),
        test_labels=store.put("labels.npz", labels.to_bytes()),
        folds=store.put("folds.npz", fold_bytes(parts, "time_column" in pipeline)) if folds else None,
        quarantine=None, task=table.schema.task, rows=table.columns.rows, kept=table.columns.rows, quarantined=0,
        duplicates=0, split=tuple(parts[name].rows for name in ("train", "validation", "test")),
    )  # fmt: skip
    return Lifecycle(store, results, run, preprocessed, parts)


def odd_table(task: str, rows: int = 1200, seed: int = 0) -> Table:
    """Every treatment of a column, with missing values, rare levels, and unusual names."""
    random = np.random.default_rng(seed)

    def with_missing(column: list[Any], share: float = 0.1) -> list[Any]:
        missing = random.random(rows) < share
        return [None if is_missing else value for value, is_missing in zip(column, missing, strict=True)]

    number = random.normal(size=rows)
    year = random.integers(2011, 2021, rows)
    colour = random.choice(["red", "Grün", 'bl"ue', "日本", "a, b", "-1"], rows)
    city = [f"city {int(number)}" for number in random.zipf(1.3, rows) % 300]
    review = [" ".join(random.choice(["good", "BAD", "fine,", "straße", "it's", "🚲", "Mr."], 4)) for _ in range(rows)]
    when = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=float(hours)) for hours in random.uniform(0, 9000, rows)]
    hidden = number + 0.2 * (year - 2015) + (colour == "red") + np.array(["BAD" in text for text in review])
    hidden += 0.7 * random.normal(size=rows)
    target: dict[str, list[Any]] = {
        "binary": ["yes" if value > 1 else "no" for value in hidden],
        "multiclass": ["abc"[int(np.digitize(value, [0, 1.5]))] for value in hidden],
        "regression": (1e6 + 1e4 * hidden).tolist(),
    }
    return table(
        {
            "hours / week": with_missing(number.tolist()),
            "=year": year.astype(float).tolist(),
            "in come": np.exp(random.normal(12, 3, rows)).tolist(),
            "at.second": (1.6e9 + 128 * random.integers(0, 40, rows)).astype(float).tolist(),
            "yes?": with_missing([bool(value) for value in random.integers(0, 2, rows)]),
            "col'our": with_missing(colour.tolist()),
            "city": with_missing(city),
            "was er sagte: ä": with_missing(review),
            "when": with_missing(when),
            "target": target[task],
        },
        "target",
        task,
    )
