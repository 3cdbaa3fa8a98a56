"""Every request through the real handler: answered, or refused with one clear sentence."""

from __future__ import annotations

import base64
import dataclasses
import importlib.util
import io
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from modelcycle.faults import Transient
from modelcycle.model.answer import MOST_ROWS
from modelcycle.predict import Capture, Live
from modelcycle.registry import Registry
from tests.fakes import MemoryStore, MemoryTable
from tests.trained import COLOUR, HOURS, ID, MODEL, SEX, body, cycle, train

ROW = {HOURS: 47.5, COLOUR: "red"}
PREDICT = f"/models/{MODEL}/predict"


class Firehose:
    """What it was given; `refuses` makes records fail, `raises` the call."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self.refuses = self.raises = False

    def put_record_batch(self, *, DeliveryStreamName: str, Records: list[dict[str, bytes]]) -> dict[str, Any]:  # noqa: N803
        if self.raises:
            raise TimeoutError
        assert len(Records) <= 500 and all(len(record["Data"]) <= 1000 * 1024 for record in Records)
        assert sum(len(record["Data"]) for record in Records) <= 4 * 2**20
        if self.refuses:
            return {"FailedPutCount": len(Records), "RequestResponses": [{"ErrorCode": "x"} for _ in Records]}
        for record in Records:
            assert record["Data"].endswith(b"\n")
            self.lines += [json.loads(line) for line in record["Data"].splitlines()]
        return {"FailedPutCount": 0, "RequestResponses": [{"RecordId": "1"} for _ in Records]}


class Api:
    """The function behind API Gateway, its registry in memory."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        place = Path(__file__).parents[2] / "functions" / "predict" / "app.py"
        spec = importlib.util.spec_from_file_location("predict_app", place)
        assert spec and spec.loader
        self.app = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.app)
        self.store, self.registry, self.firehose, self.now = MemoryStore(), Registry(MemoryTable()), Firehose(), 0.0
        self.live = Live(self.registry, self.store, clock=lambda: self.now)
        self.log = io.StringIO()
        self.app.logger.registered_handler.setStream(self.log)
        adapters = (self.live, Capture(self.firehose, "captures"))
        monkeypatch.setattr(self.app, "adapters", lambda: adapters)

    def call(self, path: str, sent: Any = None, method: str = "POST", **event: Any) -> tuple[int, Any, dict[str, Any]]:
        event = {
            "httpMethod": method, "path": path, "resource": path, "body": sent, "isBase64Encoded": False,
            "headers": {"Content-Type": "application/json"}, "multiValueHeaders": {}, "queryStringParameters": None,
            "multiValueQueryStringParameters": None, "pathParameters": None, "stageVariables": None,
            "requestContext": {"requestId": "request-1", "stage": "prod", "httpMethod": method, "path": path},
        } | event  # fmt: skip
        context = SimpleNamespace(
            function_name="predict", memory_limit_in_mb=1769, invoked_function_arn="arn", aws_request_id="1"
        )
        found = self.app.handler(event, context)
        headers = {name: values[0] for name, values in found["multiValueHeaders"].items()}
        return found["statusCode"], json.loads(found["body"]), headers

    def go_live(self, seed: int = 0, task: Any = "binary", weight: int = 100) -> int:
        here = cycle(train(task, seed=seed), self.store, self.registry, f"r{seed}{task}")
        self.registry.runs.table.write(*self.registry.runs._model(MODEL))
        return here.go_live(weight, content=f"{seed}{task}").version


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    return Api(monkeypatch)


def test_rows_are_answered_and_kept(api: Api) -> None:
    api.go_live()
    status, told, headers = api.call(PREDICT, body(ROW, {HOURS: None, COLOUR: None, SEX: "Male", ID: 7}))
    assert status == 200 and headers["Content-Type"] == "application/json"
    assert list(told) == ["model", "version", "prediction_ids", "predictions", "probabilities"]
    assert told["model"] == MODEL and told["version"] == 1 and told["predictions"][0] == "yes"
    assert set(told["probabilities"][0]) == {"no", "yes"} and sum(told["probabilities"][1].values()) == pytest.approx(1)
    assert len(set(told["prediction_ids"])) == 2
    first, second = api.firehose.lines
    assert list(first) == ["prediction_id", "at", "model", "version", "instance", "prediction", "probabilities"]
    assert first["instance"] == ROW and second["instance"][SEX] == "Male"
    assert [line["prediction_id"] for line in api.firehose.lines] == told["prediction_ids"]


def test_a_value_has_no_probabilities(api: Api) -> None:
    api.go_live(task="regression")
    status, told, _ = api.call(PREDICT, body(ROW))
    assert status == 200 and told["probabilities"] is None and isinstance(told["predictions"][0], float)


def test_a_class_named_in_unicode(api: Api) -> None:
    api.go_live(task="multiclass")
    assert "ç/ü" in api.call(PREDICT, body(ROW))[1]["probabilities"][0]


BAD: list[tuple[str, Any, int, str]] = [
    ("a missing field", body({HOURS: 1}), 400, "the column is missing"),
    ("an unknown field", body(ROW | {"age": 1}), 400, "knows no such column"),
    ("a wrong type", body(ROW | {HOURS: "forty"}), 400, "a number is expected, got 'forty'"),
    ("an empty list", body(), 400, "a list of one or more rows is expected"),
    ("no instances", "{}", 400, "the field is missing"),
    ("another field", json.dumps({"instances": [ROW], "rows": 1}), 400, "no such field"),
    ("no object", "[]", 400, "an object is expected"),
    ("null", "null", 400, "an object is expected"),
    ("rows that are none", body(3), 400, "an object {column: value} is expected"),
    ("no list", '{"instances": {}}', 400, "a list of one or more rows is expected"),
    ("no JSON", "age=3", 400, "the body is not JSON"),
    ("half of JSON", '{"instances": [', 400, "the body is not JSON"),
    ("an empty body", "", 400, "the body is empty"),
    ("no body", None, 400, "the body is empty"),
    ("NaN", '{"instances": [{"hours / week": NaN}]}', 400, "NaN is no JSON number"),
    ("infinity", '{"instances": [{"hours / week": -Infinity}]}', 400, "-Infinity is no JSON number"),
    ("a number past all floats", '{"instances": [{"hours / week": 1e999}]}', 400, "a number is too large"),
    ("a number of 5,000 digits", '{"instances": [{"hours / week": ' + "9" * 5000 + "}]}", 400, "too large"),
    ("an integer past all floats", body({HOURS: 10**390, COLOUR: "red"}), 400, "the number is too large"),
    ("a key twice", '{"instances": [], "instances": []}', 400, "a key stands twice"),
    ("a deep nest", "[" * 100_000, 400, "nested too deeply"),
    ("half a surrogate", '{"instances": [{"hours / week": 1, "=co\\"lour.": "\\ud800"}]}', 400, "surrogate"),
    ("too many rows", body(*[{}] * (MOST_ROWS + 1)), 413, "1,001 rows, 1,000 at most"),
    ("too many bytes", body({"x": "y" * (3 * 2**20)}), 413, "bytes"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "sent", "status", "said"), BAD, ids=[bad[0] for bad in BAD])
def test_bad_requests_get_one_clear_sentence(api: Api, name: str, sent: Any, status: int, said: str) -> None:
    api.go_live()
    got, told, headers = api.call(PREDICT, sent)
    assert got == told["status"] == status and headers["Content-Type"] == "application/problem+json"
    assert said in told["detail"] and "Traceback" not in json.dumps(told) and len(told["detail"]) < 300
    assert {"type", "title", "status", "detail"} <= set(told) and not api.firehose.lines


def test_a_wrong_field_is_named_by_pointer(api: Api) -> None:
    api.go_live()
    _, told, _ = api.call(PREDICT, body(ROW, ROW | {HOURS: [1]}))
    assert told["errors"] == [{"pointer": "/instances/1/hours ~1 week", "detail": "a number is expected, got [1]"}]


def test_a_body_in_base64(api: Api) -> None:
    api.go_live()
    assert api.call(PREDICT, base64.b64encode(body(ROW).encode()).decode(), isBase64Encoded=True)[0] == 200
    status, told, _ = api.call(PREDICT, base64.b64encode(b"\xff\xfe").decode(), isBase64Encoded=True)
    assert status == 400 and "UTF-8" in told["detail"]
    assert api.call(PREDICT, "%%%", isBase64Encoded=True)[0] == 400


def test_an_unknown_model_is_404_and_one_without_a_live_version_409(api: Api) -> None:
    for path in ("/models/nobody/predict", "/models/a%20b'; --/predict", "/models//predict", "/elsewhere"):
        status, told, _ = api.call(path, body(ROW))
        assert status == 404 and "there is no" in told["detail"]
    api.registry.table.write(*api.registry.runs._model(MODEL))
    status, told, _ = api.call(PREDICT, body(ROW))
    assert status == 409 and "no live version" in told["detail"]


def test_a_registry_that_does_not_answer_is_503(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(model: str) -> Any:
        raise Transient("DynamoDB did not answer")

    monkeypatch.setattr(api.registry.routes, "get", silent)
    status, told, headers = api.call(PREDICT, body(ROW))
    assert status == 503 and headers["Retry-After"] == "1" and "DynamoDB" in told["detail"]


def test_a_model_that_was_loaded_outlives_a_silent_registry_for_a_minute(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.go_live()
    api.call(PREDICT, body(ROW))

    def silent(model: str) -> Any:
        raise Transient("DynamoDB did not answer")

    monkeypatch.setattr(api.registry.routes, "get", silent)
    for now, status in ((1.0, 200), (30.0, 200), (59.0, 200), (61.0, 503)):
        api.now = now
        assert api.call(PREDICT, body(ROW))[0] == status


def test_an_error_from_inside_says_nothing_of_the_inside(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(model: str) -> Any:
        raise RuntimeError("secret 4711")

    monkeypatch.setattr(api.registry.routes, "get", broken)
    status, told, _ = api.call(PREDICT, body(ROW))
    assert status == 500 and "secret" not in json.dumps(told)
    logged = api.log.getvalue()
    assert "secret" not in logged and "RuntimeError" in logged


def test_a_missing_permission_is_named_in_the_log_and_not_in_the_answer(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(model: str) -> Any:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no dynamodb:GetItem"}}, "GetItem")

    monkeypatch.setattr(api.registry.routes, "get", denied)
    status, told, _ = api.call(PREDICT, body(ROW))
    assert status == 500 and "dynamodb" not in json.dumps(told) and "dynamodb:GetItem" in api.log.getvalue()


def test_no_value_of_a_row_is_logged(api: Api) -> None:
    api.go_live()
    api.call(PREDICT, body({HOURS: 47.125, COLOUR: "chartreuse"}))
    api.call(PREDICT, body({HOURS: "chartreuse", COLOUR: "chartreuse"}))
    logged = api.log.getvalue()
    assert "47.125" not in logged and "chartreuse" not in logged and '"correlation_id":"request-1"' in logged


def test_what_cannot_be_captured_is_counted_and_never_fails_the_answer(
    api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    api.go_live()
    for way in ("refuses", "raises"):
        setattr(api.firehose, way, True)
        assert api.call(PREDICT, body(ROW, ROW, ROW))[0] == 200
        assert '"NotCaptured":[3.0]' in capsys.readouterr().out.replace(" ", "")


def test_a_thousand_rows_and_a_row_past_firehoses_limit(api: Api) -> None:
    api.go_live()
    assert api.call(PREDICT, body(*[ROW | {ID: number} for number in range(1000)]))[0] == 200
    assert len(api.firehose.lines) == 1000
    api.firehose.lines = []
    assert api.call(PREDICT, body(ROW, ROW | {ID: "x" * 1_100_000}))[0] == 200
    assert len(api.firehose.lines) == 1


def test_the_same_key_and_row_give_the_same_prediction_id(api: Api) -> None:
    api.go_live()

    def ids(key: str, *rows: Any) -> list[str]:
        found: list[str] = api.call(PREDICT, body(*rows), headers={"Idempotency-Key": key})[1]["prediction_ids"]
        return found

    assert ids("k", ROW) == ids("k", ROW) != ids("l", ROW)
    assert len(set(ids("k", ROW, ROW))) == 2


def test_an_entity_stays_on_its_version_and_weights_hold(api: Api) -> None:
    api.go_live()
    api.go_live(seed=50, weight=30)
    rows = [{HOURS: float(n), COLOUR: "red", ID: f"c{n % 400}"} for n in range(800)]
    _, told, _ = api.call(PREDICT, body(*rows))
    assert told["version"] == 1 and set(told["versions"]) == {1, 2}
    assert told["versions"][:400] == told["versions"][400:]
    assert 0.2 < sum(version == 2 for version in told["versions"][:400]) / 400 < 0.4
    kept = {line["prediction_id"]: line["version"] for line in api.firehose.lines}
    assert [kept[prediction_id] for prediction_id in told["prediction_ids"]] == told["versions"]
    api.registry.routes.promote(MODEL, 2, 60, "rollout")
    api.now += 2
    later = api.call(PREDICT, body(*rows))[1]["versions"]
    assert all(after == 2 for before, after in zip(told["versions"], later, strict=True) if before == 2)


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


def test_a_rollback_is_everywhere_after_two_seconds_and_loads_nothing(api: Api) -> None:
    api.go_live()
    api.go_live(seed=50)
    assert api.call(PREDICT, body(ROW))[1]["version"] == 2
    api.registry.routes.roll_back(MODEL, "ada")
    api.now = 1.9
    assert api.call(PREDICT, body(ROW))[1]["version"] == 2
    api.store.objects.clear()
    api.now = 2.0
    assert api.call(PREDICT, body(ROW))[1]["version"] == 1


def test_rows_that_a_newcomer_cannot_read_are_answered_by_the_champion(api: Api) -> None:
    api.go_live()
    trained = train("binary", seed=50)
    wider = trained.signature.fields[0].model_copy(update={"name": "new column"})
    signature = trained.signature.model_copy(update={"fields": [*trained.signature.fields, wider]})
    here = cycle(dataclasses.replace(trained, signature=signature), api.store, api.registry, "wide")
    here.go_live(40, content="wide")
    status, told, _ = api.call(PREDICT, body(*[ROW | {ID: n} for n in range(50)]))
    assert status == 200 and told["version"] == 1 and "versions" not in told


def tensors(**columns: list[Any]) -> str:
    kinds = {str: "BYTES", bool: "BOOL", int: "INT64"}
    return json.dumps({"id": "42", "inputs": [
        {"name": name, "shape": [len(data), 1], "datatype": kinds.get(type(data[0]), "FP32"), "data": data}
        for name, data in columns.items()
    ]})  # fmt: skip


INFER = f"/v2/models/{MODEL}/infer"


def test_the_open_inference_protocol_gives_the_same_answer(api: Api) -> None:
    api.go_live()
    status, told, _ = api.call(INFER, tensors(**{HOURS: [47.5, 30.0], COLOUR: ["red", "blue"]}))
    assert status == 200 and (told["model_name"], told["model_version"], told["id"]) == (MODEL, "1", "42")
    outputs = {output["name"]: output for output in told["outputs"]}
    plain = api.call(PREDICT, body(ROW, {HOURS: 30.0, COLOUR: "blue"}))[1]
    assert outputs["prediction"]["data"] == plain["predictions"] and outputs["prediction"]["datatype"] == "BYTES"
    assert outputs["probabilities"]["shape"] == [2, 2]
    assert outputs["probabilities"]["data"] == [p for row in plain["probabilities"] for p in row.values()]
    assert json.loads(outputs["probabilities"]["parameters"]["classes"]) == ["no", "yes"]
    assert outputs["prediction_id"]["data"] == plain["prediction_ids"] and len(api.firehose.lines) == 4


def test_the_open_inference_protocol_describes_the_model(api: Api) -> None:
    api.go_live()
    assert api.call("/v2", method="GET")[1]["name"] == "modelcycle"
    assert api.call("/v2/health/live", method="GET")[1] == {"live": True}
    assert api.call("/v2/health/ready", method="GET")[0] == 200
    assert api.call(f"/v2/models/{MODEL}/ready", method="GET")[1] == {"name": MODEL, "ready": True}
    assert api.call("/v2/models/nobody/ready", method="GET")[0] == 404
    _, told, _ = api.call(f"/v2/models/{MODEL}", method="GET")
    assert told["inputs"][0] == {"name": HOURS, "datatype": "FP64", "shape": [-1, 1]}
    assert told["versions"] == ["1"] and told["outputs"][1]["shape"] == [-1, 2]


@pytest.mark.parametrize(
    ("change", "pointer", "said"),
    [
        ({"datatype": "FLOAT"}, "/inputs/0/datatype", "one of BOOL"),
        ({"shape": [3]}, "/inputs/0/shape", "[2] or [2, 1] is expected for 2 values"),
        ({"data": "MTIz"}, "/inputs/0/data", "binary data are not supported"),
        ({"name": 3}, "/inputs/0/name", "the column's name is expected"),
        ({"name": COLOUR}, "/inputs/1/name", "twice"),
        ({"data": [1.0, "x"]}, "/inputs/0/data/1", "a number is expected, got 'x'"),
        ({"data": [1.0], "shape": [1]}, "/inputs", "the same number of rows"),
        ({"name": "age"}, "/inputs/0/data/0", "knows no such column"),
    ],
)
def test_a_wrong_tensor_is_named(api: Api, change: dict[str, Any], pointer: str, said: str) -> None:
    api.go_live()
    sent = json.loads(tensors(**{HOURS: [1.5, 2.5], COLOUR: ["red", "blue"]}))
    sent["inputs"][0] |= change
    status, told, _ = api.call(INFER, json.dumps(sent))
    assert status == 400 and told["error"] == told["detail"]
    assert told["errors"][0]["pointer"] == pointer and said in told["errors"][0]["detail"]


@pytest.mark.parametrize("sent", ["[]", "{}", '{"inputs": []}', '{"inputs": [3]}', '{"inputs": {}}', "x", None])
def test_what_is_no_inference_request_is_refused(api: Api, sent: Any) -> None:
    api.go_live()
    assert api.call(INFER, sent)[0] == 400


def test_an_answer_needs_neither_pandas_nor_scikit_learn(tmp_path: Path) -> None:
    """A whole request in a process of its own, and what it has imported by then."""
    trained = train("binary")
    (tmp_path / "model.onnx").write_bytes(trained.onnx)
    (tmp_path / "signature.json").write_text(trained.signature.model_dump_json())
    script = f"""
import sys, pathlib
import app
assert 'onnxruntime' not in sys.modules and 'boto3' not in sys.modules
from modelcycle.model.answer import Served, answer
from modelcycle.model.scoring import Scorer
from modelcycle.model.signature import Signature
from modelcycle.registry import Route
folder = pathlib.Path({str(tmp_path)!r})
signature = Signature.model_validate_json((folder / 'signature.json').read_text())
served = Served(1, signature, Scorer(signature, (folder / 'model.onnx').read_bytes()))
found = answer({body(ROW)}, Route(weights={{1: 100}}), {{1: served}}, 'key')
print(found.predictions, sorted({{'pandas', 'sklearn', 'scipy', 'duckdb', 'fairlearn'}} & set(sys.modules)))
"""
    root = Path(__file__).parents[2]
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, cwd=root / "functions" / "predict",
        env={"PYTHONPATH": str(root / "layers" / "modelcycle")},
    )  # fmt: skip
    assert ran.stdout == "['yes'] []\n", ran.stderr
