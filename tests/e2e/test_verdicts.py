"""What goes live by itself and what a person is asked about; and on which rows a champion is judged."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.main import main
from infra.local.cloud import LocalCloud
from tests.e2e.conftest import CloudSite
from tests.e2e.observed_model import UNHURRIED, ObservedModel, wait_for

RUN_SECONDS = 150


def loans(count: int, seed: int, unknown: float = 0.0, capital: bool = False) -> str:
    """Loans as CSV text: a share of the incomes is n/a; the classes are default and ok, or Default and OK.

    The age alone beats the baseline: a model that cannot read the incomes passes every gate but the comparison.
    """
    draw = random.Random(seed)
    lines = ["income,age,status"]
    for _ in range(count):
        income, age = draw.lognormvariate(10.4, 0.5), draw.randint(20, 70)
        risk = 0.1 + (age < 40) * 0.5 + (income < 28_000) * 0.35
        status = "default" if draw.random() < risk else "ok"
        if capital:
            status = {"default": "Default", "ok": "OK"}[status]
        lines.append(f"{'n/a' if draw.random() < unknown else f'{income:.2f}'},{age},{status}")
    return "\n".join(lines) + "\n"


def orders(count: int, seed: int) -> str:
    """Orders as CSV text, with an identifier."""
    draw = random.Random(seed)
    lines = ["order_id,x0,x1,x2,outcome"]
    for number in range(count):
        x = [draw.gauss(0, 1) for _ in range(3)]
        won = sum(x) + draw.gauss(0, 1) > 0
        lines.append(f"ORD-{number:06},{','.join(f'{value:.4f}' for value in x)},{'win' if won else 'loss'}")
    return "\n".join(lines) + "\n"


class JudgedModel(ObservedModel):
    """A model of a table that the test writes."""

    def put(self, target: str, more: str = "") -> None:
        body = f"name: {self.name}\ntarget: {target}\ntraining: {{trials: 2}}\n{UNHURRIED}{more}".encode()
        bucket = self.cloud.outputs["DataBucket"]
        self.client("s3").put_object(Bucket=bucket, Key=f"pipelines/{self.name}.yaml", Body=body)

    def add(self, file: str, text: str) -> None:
        key = f"raw/{self.name}/{file}"
        self.client("s3").put_object(Bucket=self.cloud.outputs["DataBucket"], Key=key, Body=text.encode())

    def results(self, execution: str) -> dict[str, Any]:
        """Return what the states of an execution returned."""
        output = self.client("stepfunctions").describe_execution(executionArn=execution)["output"]
        results: dict[str, Any] = json.loads(output)
        return results

    def array(self, artifact: dict[str, Any], name: str) -> np.ndarray:
        bucket, _, key = artifact["uri"].removeprefix("s3://").partition("/")
        body = self.cloud.admin.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        with np.load(io.BytesIO(body), allow_pickle=False) as stored:
            array: np.ndarray = stored[name]
            return array


@pytest.fixture(scope="module")
def models(cloud: LocalCloud) -> dict[str, JudgedModel]:
    """Three models whose first version is live; their runs were side by side."""
    models = {name: JudgedModel(cloud, name) for name in ("loans", "capital-loans", "orders")}
    for name, model in models.items():
        model.put("outcome" if name == "orders" else "status")
        model.add("01-january.csv", orders(3000, 1) if name == "orders" else loans(1500, 1))
    for model in models.values():
        assert model.wait_for_runs(seconds=RUN_SECONDS)[0].state == "deployed", model.runs()[0].reason
        assert model.wait_until_live() == 1
    return models


@pytest.fixture
def run(project: CloudSite, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command in this process; returns what it printed."""
    monkeypatch.setenv("MODELCYCLE_HOME", str(project.home))
    monkeypatch.setenv("MODELCYCLE_PORT", str(project.port))

    def run(*words: str) -> str:
        assert main(list(words)) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    return run


def test_a_file_with_unreadable_cells_does_not_go_live_until_a_person_approves(
    models: dict[str, JudgedModel], run: Callable[..., str], tmp_path: Path
) -> None:
    model = models["loans"]
    pipeline, february = tmp_path / "loans.yaml", tmp_path / "02-february.csv"
    pipeline.write_text(f"name: loans\ntarget: status\ntraining: {{trials: 2}}\n{UNHURRIED}")
    february.write_text(loans(400, 2, unknown=0.1))
    screen = run("run", str(pipeline), "--data", str(february))
    newest = model.runs()[0]
    reason = "% of the rows, 0.0 % before; written as 'n/a'"
    assert newest.state == "awaiting_approval" and "income is missing in" in newest.reason and reason in newest.reason
    assert "loans:2 waits for approval; version 1 stays live." in screen
    assert reason in " ".join(screen.split()) and "modelcycle approve loans:2" in screen
    assert model.weights() == {1: 100}
    assert model.registry.standings.get("loans", 2).why == newest.reason
    assert reason in " ".join(run("show", "loans:2").split())
    run("approve", "loans:2", "--why", "the n/a are known")
    wait_for(lambda: model.weights() == {2: 100}, 60)
    assert model.registry.standings.get("loans", 2).state == "live"


def test_a_file_with_other_classes_does_not_go_live(models: dict[str, JudgedModel]) -> None:
    model = models["capital-loans"]
    model.add("03-march.csv", loans(500, 3, capital=True))
    newest = model.wait_for_runs(2, seconds=RUN_SECONDS)[0]
    assert newest.state == "awaiting_approval", newest.reason
    assert "the data have the classes Default, OK, default, ok; version 1 has default, ok" in newest.reason
    assert model.weights() == {1: 100}


def test_after_another_split_the_champion_is_judged_on_rows_that_it_has_not_learned_from(
    models: dict[str, JudgedModel],
) -> None:
    model = models["orders"]
    model.put("outcome", "drop_columns: [order_id]\n")
    model.add("01-january.csv", orders(3000, 1))  # the same file once more
    newest, first = model.wait_for_runs(2, seconds=RUN_SECONDS)
    before, now = model.results(first.run.execution), model.results(newest.run.execution)
    found = now["find_unseen"]
    assert (found["champion"], found["uncompared"]) == (1, [])
    parts = [model.array(results["preprocess"]["parts"], "parts") for results in (before, now)]
    judged_on = np.flatnonzero(parts[1] == 2)[model.array(found["positions"], "positions")]
    assert len(judged_on) == found["rows"] >= 30
    assert found["rows"] + found["seen"] == (parts[1] == 2).sum()
    assert set(parts[0][judged_on]) == {2}
    scores = model.array(now["score_candidate"]["champion_scores"], "scores")
    assert len(scores) == len(judged_on)
    assert now["validate"]["champion"] is not None
