"""A small table ordered by time: the judged model gives the figures, the one that has learned from all rows serves."""

from __future__ import annotations

import json

import numpy as np
import pytest

from infra.local.cloud import LocalCloud
from modelcycle.messages import CheckedRefit, Preprocessed, SelectedModel
from modelcycle.model.columns import Columns
from modelcycle.model.scoring import Scorer, Scores
from modelcycle.model.signature import Signature
from modelcycle.store import S3Store
from tests.e2e.observed_model import UNHURRIED, ObservedModel
from tests.e2e.signed_request import predict

HOURS = 500


def series() -> str:
    """A table with a line for each hour: the load depends on wind and hour, and rises slowly."""
    random = np.random.default_rng(0)
    lines = ["measured at,hour / day,wind,load"]
    for hour in range(HOURS):
        wind = random.normal()
        load = 20 + 5 * wind + 8 * np.sin(hour / 24 * 2 * np.pi) + 0.004 * hour + random.normal(0, 2)
        lines.append(f"2025-01-{1 + hour // 24:02}T{hour % 24:02}:00:00,{hour % 24},{wind:.3f},{load:.3f}")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def load(cloud: LocalCloud) -> ObservedModel:
    model = ObservedModel(cloud, "load")
    s3, bucket = model.client("s3"), cloud.outputs["DataBucket"]
    pipeline = "name: load\ntarget: load\ntime_column: measured at\ntraining: {trials: 2}\n" + UNHURRIED
    s3.put_object(Bucket=bucket, Key="pipelines/load.yaml", Body=pipeline.encode())
    s3.put_object(Bucket=bucket, Key="raw/load/first.csv", Body=series().encode())
    model.wait_for_runs()
    model.wait_until_live()
    return model


def test_the_live_version_has_learned_from_all_rows_and_its_figures_are_those_of_its_twin(load: ObservedModel) -> None:
    version = load.registry.versions.get("load", 1)
    assert version.learned == HOURS and version.twin is not None and version.twin.sha256 != version.onnx.sha256
    arn = load.runs()[-1].run.execution
    results = json.loads(load.client("stepfunctions").describe_execution(executionArn=arn)["output"])
    preprocessed = Preprocessed.model_validate(results["preprocess"])
    selected, refit = (
        SelectedModel.model_validate(results["select_model"]), CheckedRefit.model_validate(results["refit"]),
    )  # fmt: skip
    assert refit.done and refit.scores is not None and version.twin == selected.onnx
    store = S3Store(load.client("s3"), load.cloud.outputs["ArtifactBucket"])
    signature = Signature.model_validate_json(store.read(version.signature))
    test = Columns.from_bytes(store.read(preprocessed.test_features))
    target = Columns.from_bytes(store.read(preprocessed.test_labels)).target
    of_twin = Scorer(signature, store.read(version.twin)).scores(test)[:, 0]
    assert version.metrics["rmse"] == pytest.approx(float(np.sqrt(np.mean(np.square(of_twin - target)))), rel=1e-5)
    answer = predict(load.cloud, "load", signature.instances(test.take(np.arange(20))))
    of_refit = Scores.from_bytes(store.read(refit.scores)).scores[:20, 0]
    np.testing.assert_allclose(answer["predictions"], of_refit, rtol=1e-5)
    assert not np.allclose(answer["predictions"], of_twin[:20], rtol=1e-3)
