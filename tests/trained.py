"""Small trained models for the tests of serving, as training writes them, made by scikit-learn and skl2onnx.

They have three text columns and a number with missing values, so that every kind of input occurs, and unusual names.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from modelcycle.cells.column import Column
from modelcycle.messages import (
    Artifact,
    CheckedRefit,
    EngineeredFeatures,
    FoundUnseen,
    Member,
    Preprocessed,
    Recipe,
    Registered,
    Run,
    ScoreCandidateRequest,
    ScoredCandidate,
    SelectedModel,
    StageRequest,
    Trial,
    Trigger,
    Validated,
    ValidateRequest,
)
from modelcycle.model.columns import Columns, TableSchema, Texts
from modelcycle.model.fields import Field
from modelcycle.model.npz import to_npz
from modelcycle.model.plan import Input
from modelcycle.model.signature import Signature
from modelcycle.registry import Registry, Version
from modelcycle.spec import Pipeline, Task
from modelcycle.store import Store, put_json

MODEL = "odd-names"
HOURS, COLOUR, SEX, ID = "hours / week", '=co"lour.', "sex", "customer id"
CLASSES: dict[str, list[str]] = {"binary": ["no", "yes"], "multiclass": ["a", "b", "ç/ü"], "regression": []}


@dataclass(frozen=True)
class Trained:
    """A model, and the rows that it was trained and validated on."""

    task: Task
    onnx: bytes
    signature: Signature
    table: TableSchema
    train: Columns
    validation: Columns
    test: Columns
    probes: Columns
    reference: dict[str, np.ndarray]
    baseline: dict[str, Any]


def rows_of(task: Task, count: int, seed: int) -> Columns:
    """Rows whose target depends on the columns, with missing values."""
    random = np.random.default_rng(seed)
    hours = random.normal(40, 10, count).astype(np.float32)
    colour = random.integers(0, 3, count)
    signal = (hours - 40) / 10 + (colour == 1) * 2 + random.normal(0, 0.7, count)
    if task == "binary":
        target: Any = (signal > 0.7).astype(np.int32)
    elif task == "multiclass":
        target = np.digitize(signal, [-0.3, 1.2]).astype(np.int32)
    else:
        target = (signal * 3 + 20).astype(np.float64)
    hours[random.random(count) < 0.1] = np.nan
    codes = np.where(random.random(count) < 0.1, -1, colour).astype(np.int32)
    values: dict[str, Any] = {
        HOURS: hours,
        COLOUR: Texts(codes, ["blue", "red", "ünï"]),
        SEX: Texts(random.integers(0, 2, count).astype(np.int32), ["Female", "Male"]),
        ID: Texts(np.arange(count, dtype=np.int32), [f"c{number}" for number in range(count)]),
    }
    return Columns(values, target)


@functools.cache
def train(task: Task, seed: int = 0, trees: int = 20, noise: bool = False) -> Trained:
    """Fit and export; `noise` shuffles the target, for a model without skill."""
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline as SklearnPipeline
    from sklearn.preprocessing import OrdinalEncoder

    parts = {name: rows_of(task, count, seed + number) for number, (name, count) in enumerate(
        {"train": 1500, "validation": 400, "test": 600}.items())}  # fmt: skip
    signature = Signature(
        model=MODEL, task=task, target="target", classes=CLASSES[task],
        fields=[
            Field(name=HOURS, type="number", example=40.0),
            Field(name=COLOUR, type="text", example="red", levels=["blue", "red", "ünï"]),
        ],
        ignored=[SEX, ID], missing_values=["", "?"], id_columns=[ID],
        inputs=[
            Input(name="x0", column=HOURS, kind="number"),
            Input(name="x1", column=COLOUR, kind="text"),
        ],
    )  # fmt: skip
    import pandas as pd

    def frame(columns: Columns) -> Any:
        return pd.DataFrame({name: values.ravel() for name, values in signature.encode(columns).items()})

    encoder = OrdinalEncoder(min_frequency=2, handle_unknown="use_encoded_value", unknown_value=-1)
    settings: dict[str, Any] = {"n_estimators": trees, "max_depth": 6, "min_samples_leaf": 5, "random_state": 0}
    estimator: Any = (RandomForestRegressor if task == "regression" else RandomForestClassifier)(**settings)
    fitted = SklearnPipeline([
        ("columns", ColumnTransformer([("n", SimpleImputer(strategy="median"), ["x0"]), ("t", encoder, ["x1"])])),
        ("model", estimator),
    ])  # fmt: skip
    target = parts["train"].target
    assert target is not None
    fitted.fit(frame(parts["train"]), np.random.default_rng(7).permutation(target) if noise else target)
    options = {} if task == "regression" else {id(fitted): {"zipmap": False}}
    graph = to_onnx(
        fitted, initial_types=[("x0", FloatTensorType([None, 1])), ("x1", StringTensorType([None, 1]))],
        options=options, target_opset=17,
    )  # fmt: skip
    _rename_output(graph, 0 if task == "regression" else 1, "value" if task == "regression" else "probabilities")
    probes = Columns({
        HOURS: np.array([np.nan, 1e30, -1e30, 0], dtype=np.float32),
        COLOUR: Texts.of([None, "never seen", "red", "ünï"]),
        SEX: Texts.of([None, None, "Male", "Female"]), ID: Texts.of([None] * 4),
    })  # fmt: skip
    predict = fitted.predict if task == "regression" else fitted.predict_proba
    reference = {name: predict(frame(columns)).reshape(columns.rows, -1)
                 for name, columns in (("validation", parts["validation"]), ("probes", probes))}  # fmt: skip
    baseline: dict[str, Any] = (
        {"mean": float(target.mean())}
        if task == "regression"
        else {"classes": CLASSES[task],
              "probabilities": (np.bincount(target, minlength=len(CLASSES[task])) / len(target)).tolist()}
    )  # fmt: skip
    table = TableSchema(
        columns=[Column(name=HOURS, type="number")] + [Column(name=n, type="text") for n in (COLOUR, SEX, ID)],
        target=Column(name="target", type="number" if task == "regression" else "text"),
        task=task, classes=CLASSES[task], missing_values=["", "?"],
    )  # fmt: skip
    return Trained(task, graph.SerializeToString(), signature, table, parts["train"], parts["validation"],
                   parts["test"], probes, reference, baseline)  # fmt: skip


def _rename_output(model: Any, position: int, name: str) -> None:
    output = model.graph.output[position]
    for node in model.graph.node:
        for tensors in (node.output, node.input):
            for index, tensor in enumerate(tensors):
                if tensor == output.name:
                    tensors[index] = name
    output.name = name


VALIDATED = Validated(
    verdict="passed", reasons=[], metric="accuracy", metrics={}, baseline={}, champion=None, interval=(0, 1),
    report=Artifact(uri="s3://artifacts/report", sha256="0" * 64, bytes=1),
)  # fmt: skip


@dataclass
class Cycle:
    """A run before `score_candidate`, with the artifacts of all earlier steps in a store."""

    store: Store
    registry: Registry
    run: Run
    trained: Trained
    preprocess: Preprocessed
    engineer_features: EngineeredFeatures
    select_model: SelectedModel

    @property
    def find_unseen(self) -> FoundUnseen:
        """The champion, compared on all test rows."""
        champion = self.registry.routes.get(MODEL).champion
        cases = self.store.put(self.run.key("find_unseen", "cases.npz"), to_npz(learned=np.zeros(0, dtype=np.uint64)))
        if champion is None:
            return FoundUnseen(champion=None, cases=cases)
        if self.store.missing(self.registry.versions.get(MODEL, champion).essentials):
            return FoundUnseen(champion=champion, champion_lost=True, cases=cases)
        rows = self.trained.test.rows
        positions = self.store.put(self.run.key("find_unseen", "positions.npz"), to_npz(positions=np.arange(rows)))
        return FoundUnseen(
            champion=champion, rows=rows, positions=positions, cases=cases, features=self.preprocess.test_features,
        )  # fmt: skip

    @property
    def score_candidate(self) -> ScoreCandidateRequest:
        return ScoreCandidateRequest(
            run=self.run, preprocess=self.preprocess, engineer_features=self.engineer_features,
            select_model=self.select_model, find_unseen=self.find_unseen,
        )  # fmt: skip

    def validate(self, scored: ScoredCandidate) -> ValidateRequest:
        return ValidateRequest(**dict(self.score_candidate), score_candidate=scored)

    def stage(self, scored: ScoredCandidate, version: int) -> StageRequest:
        return StageRequest(
            run=self.run, preprocess=self.preprocess, score_candidate=scored, validate_=VALIDATED,
            refit=CheckedRefit(done=False), register_=Registered(version=version, created=True),
        )  # fmt: skip

    def draft(self) -> Version:
        """The candidate as a version without a number, as `register` makes it."""
        unused = self.select_model.baseline
        return Version(
            model=MODEL, version=0, run_id=self.run.run_id, created_at=self.run.started_at, task=self.trained.task,
            onnx=self.select_model.onnx, skops=unused, signature=self.engineer_features.signature, plan=unused,
            profile=unused, lineage=unused, card=unused, validation=unused, pipeline=self.run.pipeline,
            metric="accuracy", metrics={}, interval=(0, 1), data="d" * 64, code="c", opset=17,
            capture=Pipeline.model_validate_json(self.store.read(self.run.pipeline)).capture,
        )  # fmt: skip

    def register(self, content: str = "content") -> Version:
        return self.registry.versions.register(self.draft(), content)[0]

    def go_live(self, weight: int = 100, content: str = "content") -> Version:
        version = self.register(content)
        self.registry.standings.move(MODEL, version.version, "staged", "run r")
        self.registry.routes.promote(MODEL, version.version, weight, "test")
        return version


def cycle(trained: Trained, store: Store, registry: Registry, run_id: str = "r1", **pipeline: Any) -> Cycle:
    settings = Pipeline.model_validate({"name": MODEL, "target": "target", "sensitive_columns": [SEX],
                                        "id_columns": [ID]} | pipeline)  # fmt: skip
    at = datetime(2026, 1, 1, tzinfo=UTC)
    pipeline_file = store.put(f"{MODEL}/runs/{run_id}/claim/pipeline.json", settings.model_dump_json().encode())
    run = Run(model=MODEL, run_id=run_id, execution=f"arn:{run_id}", started_at=at,
              trigger=Trigger(kind="request"), pipeline=pipeline_file)  # fmt: skip

    def put(step: str, name: str, body: bytes) -> Artifact:
        return store.put(run.key(step, name), body)

    unused = put("collect", "nothing", b"{}")
    test = trained.test
    preprocess = Preprocessed(
        table=put("preprocess", "table.json", trained.table.model_dump_json().encode()),
        profile=unused, train=put("preprocess", "train.npz", trained.train.to_bytes()),
        validation=put("preprocess", "validation.npz", trained.validation.to_bytes()),
        test_features=store.put(run.holdout_key("features"), Columns(test.values).to_bytes()),
        test_labels=store.put(run.holdout_key("labels"), Columns({}, test.target).to_bytes()),
        quarantine=None, task=trained.task, rows=2500, kept=2500, quarantined=0, duplicates=0, split=(1500, 400, 600),
    )  # fmt: skip
    features = EngineeredFeatures(
        plan=unused, used=2, columns=4, left_out=[],
        signature=put("engineer_features", "signature.json", trained.signature.model_dump_json().encode()),
    )  # fmt: skip
    best = Trial(number=0, algorithm="random_forest", parameters={}, seed=0)
    selected = SelectedModel(
        onnx=put("select_model", "model.onnx", trained.onnx), skops=unused, signature=features.signature,
        recipe=Recipe(members=[Member(trial=best)]),
        baseline=put_json(store, run.key("select_model", "baseline.json"), trained.baseline),
        reference=put("select_model", "reference.npz", to_npz(**trained.reference)),
        probes=put("select_model", "probes.npz", trained.probes.to_bytes()),
        best=best, loss=0.3, trials=1, opset=17,
    )  # fmt: skip
    return Cycle(store, registry, run, trained, preprocess, features, selected)


def probabilities(confidence: float, seed: int, accuracy: float = 0.85, target: Any = None) -> np.ndarray:
    """Scores (n, 2) that give the true class `confidence` in a share `accuracy` of the rows.

    The rows are those of a binary target; by default the test rows of `train`.
    """
    target = train("binary").test.target if target is None else target
    correct = np.random.default_rng(seed).random(len(target)) < accuracy
    of_true_class = np.where(correct, confidence, 1 - confidence)
    positive = np.where(target == 1, of_true_class, 1 - of_true_class)
    return np.column_stack([1 - positive, positive]).astype(np.float32)


def body(*instances: Any) -> str:
    return json.dumps({"instances": list(instances)})
