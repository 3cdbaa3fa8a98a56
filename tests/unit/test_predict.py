"""Rows are answered by the versions that the route names, and captured for the monitor."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.prediction_api import PREDICT, ROW, Api
from tests.trained import COLOUR, HOURS, ID, MODEL, SEX, body, train


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    return Api(monkeypatch)


def test_rows_are_answered_and_captured(api: Api) -> None:
    api.go_live()
    status, response, headers = api.call(PREDICT, body(ROW, {HOURS: None, COLOUR: None, SEX: "Male", ID: 7}))
    assert status == 200 and headers["Content-Type"] == "application/json"
    assert list(response) == ["model", "version", "prediction_ids", "predictions", "probabilities"]
    assert response["model"] == MODEL and response["version"] == 1 and response["predictions"][0] == "yes"
    assert set(response["probabilities"][0]) == {"no", "yes"} and sum(
        response["probabilities"][1].values()
    ) == pytest.approx(1)
    assert len(set(response["prediction_ids"])) == 2
    first, second = api.firehose.lines
    fields = ["prediction_id", "at", "model", "version", "ms", "of", "prediction", "probabilities", "instance"]
    assert list(first) == fields
    assert first["of"] == second["of"] == 2 and first["ms"] > 0
    assert first["instance"] == ROW and second["instance"][SEX] == "Male"
    assert [line["prediction_id"] for line in api.firehose.lines] == response["prediction_ids"]


def test_a_regression_model_gives_no_probabilities(api: Api) -> None:
    api.go_live(task="regression")
    status, response, _ = api.call(PREDICT, body(ROW))
    assert status == 200 and response["probabilities"] is None and isinstance(response["predictions"][0], float)


def test_a_class_name_may_be_any_unicode(api: Api) -> None:
    api.go_live(task="multiclass")
    assert "ç/ü" in api.call(PREDICT, body(ROW))[1]["probabilities"][0]


def test_no_value_of_a_row_is_logged(api: Api) -> None:
    api.go_live()
    api.call(PREDICT, body({HOURS: 47.125, COLOUR: "chartreuse"}))
    api.call(PREDICT, body({HOURS: "chartreuse", COLOUR: "chartreuse"}))
    logged = api.log.getvalue()
    assert "47.125" not in logged and "chartreuse" not in logged and '"correlation_id":"request-1"' in logged


def test_a_failed_capture_is_counted_and_never_fails_the_answer(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    api.go_live()
    for failure in ("rejects", "raises"):
        setattr(api.firehose, failure, True)
        assert api.call(PREDICT, body(ROW, ROW, ROW))[0] == 200
        assert '"NotCaptured":[3.0]' in capsys.readouterr().out.replace(" ", "")


def test_a_thousand_rows_are_captured_and_a_row_above_firehoses_limit_is_not(api: Api) -> None:
    api.go_live()
    assert api.call(PREDICT, body(*[ROW | {ID: number} for number in range(1000)]))[0] == 200
    assert len(api.firehose.lines) == 1000
    api.firehose.lines = []
    assert api.call(PREDICT, body(ROW, ROW | {ID: "x" * 1_100_000}))[0] == 200
    assert len(api.firehose.lines) == 1


def test_the_same_key_and_row_give_the_same_prediction_id(api: Api) -> None:
    api.go_live()

    def ids(key: str, *rows: Any) -> list[str]:
        prediction_ids: list[str] = api.call(PREDICT, body(*rows), headers={"Idempotency-Key": key})[1][
            "prediction_ids"
        ]
        return prediction_ids

    assert ids("k", ROW) == ids("k", ROW) != ids("l", ROW)
    assert len(set(ids("k", ROW, ROW))) == 2


def test_an_entity_stays_on_its_version_and_weights_hold(api: Api) -> None:
    api.go_live()
    api.go_live(seed=50, weight=30)
    rows = [{HOURS: float(n), COLOUR: "red", ID: f"c{n % 400}"} for n in range(800)]
    _, response, _ = api.call(PREDICT, body(*rows))
    assert response["version"] == 1 and set(response["versions"]) == {1, 2}
    assert response["versions"][:400] == response["versions"][400:]
    assert 0.2 < sum(version == 2 for version in response["versions"][:400]) / 400 < 0.4
    captured = {line["prediction_id"]: line["version"] for line in api.firehose.lines}
    assert [captured[prediction_id] for prediction_id in response["prediction_ids"]] == response["versions"]
    api.registry.routes.promote(MODEL, 2, 60, "rollout")
    api.now += 2
    later = api.call(PREDICT, body(*rows))[1]["versions"]
    assert all(after == 2 for before, after in zip(response["versions"], later, strict=True) if before == 2)


def test_each_version_gives_its_own_scores(api: Api) -> None:
    api.go_live()
    rows = [{HOURS: 30.0 + n / 10, COLOUR: "red", ID: f"c{n}"} for n in range(200)]
    old = api.call(PREDICT, body(*rows))[1]["probabilities"]
    api.go_live(seed=50, weight=50)
    api.now += 2
    mixed = api.call(PREDICT, body(*rows))[1]
    api.registry.routes.promote(MODEL, 2, 100, "rollout")
    api.now += 2
    new = api.call(PREDICT, body(*rows))[1]["probabilities"]
    expected = [(old if version == 1 else new)[row] for row, version in enumerate(mixed["versions"])]
    assert mixed["probabilities"] == expected and old != new


def test_a_rollback_takes_effect_within_two_seconds_and_loads_nothing(api: Api) -> None:
    api.go_live()
    api.go_live(seed=50)
    assert api.call(PREDICT, body(ROW))[1]["version"] == 2
    api.registry.routes.roll_back(MODEL, "ada")
    api.now = 1.9
    assert api.call(PREDICT, body(ROW))[1]["version"] == 2
    api.store.objects.clear()
    api.now = 2.0
    assert api.call(PREDICT, body(ROW))[1]["version"] == 1


# what a cold start must not wait for: packages of other steps, clients before a request, schemas of the pipeline file
NOT_FOR_THE_IMPORT = {
    "boto3", "botocore.session", "onnxruntime", "yaml", "modelcycle.reading", "modelcycle.contract",
    "modelcycle.spec.parsing", "modelcycle.spec.pipeline", "modelcycle.spec.rules", "modelcycle.spec.sources",
}  # fmt: skip
NOT_FOR_AN_ANSWER = {
    "pandas", "sklearn", "scipy", "duckdb", "fairlearn", "yaml", "modelcycle.spec.pipeline", "modelcycle.reading",
}  # fmt: skip


def test_an_answer_needs_only_what_serves(tmp_path: Path) -> None:
    """Answers a request in a new process and lists what it has imported of what it must not import."""
    trained = train("binary")
    (tmp_path / "model.onnx").write_bytes(trained.onnx)
    (tmp_path / "signature.json").write_text(trained.signature.model_dump_json())
    script = f"""
import sys, pathlib
import app
at_import = sorted({NOT_FOR_THE_IMPORT!r} & set(sys.modules))
from modelcycle.model.answer import LoadedVersion, answer
from modelcycle.model.scoring import Scorer
from modelcycle.model.signature import Signature
from modelcycle.registry import Route
folder = pathlib.Path({str(tmp_path)!r})
signature = Signature.model_validate_json((folder / 'signature.json').read_text())
loaded = LoadedVersion(1, signature, Scorer(signature, (folder / 'model.onnx').read_bytes()))
answered = answer({body(ROW)}, Route(weights={{1: 100}}), {{1: loaded}}, 'key')
print(answered.predictions, at_import, sorted({NOT_FOR_AN_ANSWER!r} & set(sys.modules)))
"""
    root = Path(__file__).parents[2]
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, cwd=root / "functions" / "predict",
        env={"PYTHONPATH": str(root / "layers" / "modelcycle")},
    )  # fmt: skip
    assert ran.stdout == "['yes'] [] []\n", ran.stderr
