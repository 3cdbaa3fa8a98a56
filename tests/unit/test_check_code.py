"""New code passes if it answers as on record, and is refused with a sentence if it does not."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from modelcycle.check_code import Places, check_decide, check_predict
from modelcycle.deployments import CodeDeploy
from modelcycle.faults import BadMessage, Transient, Unknown
from modelcycle.invocations import Invoked
from modelcycle.messages import CheckCodeRequest, CodeChecked
from modelcycle.predict import http_api
from modelcycle.proxy_requests import CHECK, is_check, proxy_request
from modelcycle.registry import Registry, Route
from modelcycle.registry.table import Write
from tests.fakes import MemoryStore, MemoryTable
from tests.prediction_api import PREDICT, Api
from tests.trained import COLOUR, HOURS, MODEL
from tests.unit.test_cli_show import ARTIFACT, version

ROWS: list[dict[str, Any]] = [
    {"instance": {"größe": 1.0}, "prediction": "ja", "probabilities": {"nein": 0.2, "ja": 0.8}, "tie": False},
    {"instance": {"größe": None}, "prediction": "ja", "probabilities": {"nein": 0.5, "ja": 0.5}, "tie": True},
    {"instance": {"größe": 3.0}, "prediction": "nein", "probabilities": {"nein": 0.9, "ja": 0.1}, "tie": False},
]
RECORD: dict[str, Any] = {"tolerance": 1e-5, "unit": 1.0, "rows": ROWS, "too_large": 0}
NUMBERS: dict[str, Any] = {
    "tolerance": 1e-5, "unit": 100.0, "too_large": 0,
    "rows": [{"instance": {"x": 1}, "prediction": 2000.0, "probabilities": None, "tie": False}],
}  # fmt: skip
ASKED = CheckCodeRequest.from_event({"DeploymentId": "d-1", "LifecycleEventHookExecutionId": "h-1"})


def answer_to(record: dict[str, Any], version: int = 2) -> dict[str, Any]:
    rows = record["rows"]
    return {
        "model": "m", "version": version, "predictions": [row["prediction"] for row in rows],
        "probabilities": [row["probabilities"] for row in rows] if rows[0]["probabilities"] else None,
    }  # fmt: skip


@dataclass
class Function:
    """A function that answers what it is told to."""

    body: Any
    version: str = "7"
    status: int = 200
    failure: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    versions: dict[str, Function] = field(default_factory=dict)

    def at(self, version: str) -> Function:
        return self.versions[version]

    def invoke(self, event: bytes) -> Invoked:
        request = json.loads(event)
        self.asked.append(request)
        if self.failure:
            return Invoked(None, self.failure, version=self.version)
        if request["path"] == "/v2/health/live":
            return Invoked({"statusCode": 200, "body": '{"live": true}'}, version=self.version)
        body = self.body(request) if callable(self.body) else self.body
        return Invoked({"statusCode": self.status, "body": json.dumps(body)}, version=self.version)


@dataclass
class Reports:
    version: str = ""
    previous: str = ""
    told: list[tuple[str, str, bool]] = field(default_factory=list)

    def target(self, deployment: str) -> str:
        return self.version

    def before(self, deployment: str) -> str:
        return self.previous

    def report(self, deployment: str, hook: str, passed: bool) -> None:
        self.told.append((deployment, hook, passed))


class Objects(MemoryStore):
    """A bucket of which the current object under a key can be read."""

    def latest(self, key: str) -> tuple[bytes, str | None]:
        if key not in self.objects:
            raise Unknown("there is no such object", key, "")
        return self.objects[key], None


class Cloud:
    """A registry with a live model `m`, whose version 2 has answers on record."""

    def __init__(self, record: dict[str, Any] | None = RECORD) -> None:
        self.table, self.store = MemoryTable(), Objects()
        self.registry = Registry(self.table)
        self.model("m", 2)
        if record is not None:
            self.put(record)
        self.new, self.live = Function(answer_to(record or RECORD)), Function(answer_to(record or RECORD), "6")
        self.reports = Reports()

    def put(self, record: dict[str, Any]) -> None:
        self.store.put(self.registry.versions.get("m", 2).answers_key, json.dumps(record).encode())

    def model(self, name: str, version: int | None) -> None:
        self.table.write(Write("MODELS", name, {}))
        if version is not None:
            self.register(name, version)
            self.table.write(Write(f"ROUTE#{name}", "ROUTE", Route(weights={version: 100}).model_dump(mode="json")))

    def register(self, name: str, number: int, onnx: str = "a" * 64) -> None:
        artifact = ARTIFACT.model_copy(update={"sha256": onnx})
        record = version(number).model_copy(update={"model": name, "onnx": artifact})
        self.table.write(Write(f"VERSION#{name}", f"VERSION#{number:08d}", record.model_dump(mode="json")))

    @property
    def places(self) -> Places:
        return Places(self.store, self.registry, self.new, self.live, self.reports)  # type: ignore[arg-type]

    def check(self, **settings: Any) -> CodeChecked:
        return check_predict(ASKED, self.places, **settings)


def test_code_that_answers_as_on_record_passes_and_the_deployment_is_told() -> None:
    cloud = Cloud()
    checked = cloud.check()
    assert (checked.verdict, checked.models, checked.rows, checked.notes) == ("passed", 1, 3, [])
    assert cloud.reports.told == [("d-1", "h-1", True)]
    assert not cloud.live.asked, "the live code is asked only for a comparison"
    assert [row["größe"] for row in json.loads(cloud.new.asked[1]["body"])["instances"]] == [1.0, None, 3.0]


@pytest.mark.parametrize(("change", "passes"), [
    (lambda body: body["probabilities"][0].update(ja=0.8000001), True),  # rounding
    (lambda body: body["probabilities"][0].update(ja=0.81), False),
    (lambda body: body["probabilities"][0].update(ja=float("nan")), False),
    (lambda body: body["probabilities"][0].update(ja=True), False),
    (lambda body: body["probabilities"][0].update(vielleicht=0.0), False),
    (lambda body: body["predictions"].__setitem__(0, "nein"), False),
    (lambda body: body["predictions"].__setitem__(1, "nein"), True),  # a tie
    (lambda body: body["predictions"].__setitem__(1, "vielleicht"), False),
    (lambda body: body["predictions"].reverse(), False),
    (lambda body: body["predictions"].pop(), False),
    (lambda body: body.update(probabilities=None), False),
    (lambda body: body.update(version=3), False),  # a version that is not live
    (lambda body: body.update(versions=[2, 3, 2]), True),  # a rollout
    (lambda body: body.clear(), False),
])  # fmt: skip
def test_an_answer_that_differs_beyond_rounding_is_refused(
    change: Callable[[dict[str, Any]], Any], passes: bool
) -> None:
    cloud = Cloud()
    cloud.new.body = copy.deepcopy(cloud.new.body)
    change(cloud.new.body)
    checked = cloud.check()
    assert checked.verdict == ("passed" if passes else "refused"), checked.reasons
    assert cloud.reports.told == [("d-1", "h-1", passes)]


@pytest.mark.parametrize(("value", "passes"), [(2000.0, True), (2000.01, True), (2001.0, False), ("2000", False)])
def test_numbers_are_compared_in_the_unit_of_their_differences(value: Any, passes: bool) -> None:
    cloud = Cloud(NUMBERS)
    cloud.new.body = {**answer_to(NUMBERS), "predictions": [value]}
    assert cloud.check().verdict == ("passed" if passes else "refused")


@pytest.mark.parametrize("function", [
    Function(None, failure="Runtime.ImportModuleError"), Function({"detail": "no"}, status=500), Function([1, 2]),
    Function("text"),
])  # fmt: skip
def test_code_that_fails_is_refused(function: Function) -> None:
    cloud = Cloud()
    cloud.new = function
    checked = cloud.check()
    assert checked.verdict == "refused"
    assert checked.reasons


def test_what_the_live_code_answers_likewise_does_not_stop_its_successor() -> None:
    cloud = Cloud()
    cloud.new.body = cloud.live.body = {**answer_to(RECORD), "predictions": ["nein", "nein", "nein"]}
    checked = cloud.check()
    assert checked.verdict == "passed"
    assert "so does the code before it" in checked.notes[0]


@pytest.mark.parametrize("told_by", ["CodeDeploy", "the local cloud"])
@pytest.mark.parametrize("moved", [False, True], ids=["before traffic", "after traffic"])
@pytest.mark.parametrize("broken", ["a version whose artifact is gone", "a wrong answer"])
def test_what_passed_before_traffic_passes_after_it(told_by: str, moved: bool, broken: str) -> None:
    cloud = Cloud()
    if broken == "a wrong answer":
        cloud.new.body = {**answer_to(RECORD), "predictions": ["nein", "nein", "nein"]}
    else:
        cloud.new.body, cloud.new.status = {"type": "about:blank", "detail": "there is no such object"}, 503
    old = Function(cloud.new.body, "6", cloud.new.status)
    cloud.live = Function(cloud.new.body, "7" if moved else "6", cloud.new.status, versions={"6": old})
    event = {"DeploymentId": "d-1"}
    if told_by == "CodeDeploy":
        event["LifecycleEventHookExecutionId"], cloud.reports.previous = "h-1", "6"
    else:
        event["VersionBefore"] = "6"
    asked = CheckCodeRequest.from_event(event)
    checked = check_predict(asked, cloud.places)
    assert (checked.verdict, checked.reasons) == ("passed", [])
    assert "so does the code before it" in checked.notes[0]
    old.body, old.status = answer_to(RECORD), 200  # the new code is the reason
    assert check_predict(asked, cloud.places).verdict == "refused"


def test_code_that_is_its_own_control_is_refused() -> None:
    cloud = Cloud()  # the version before is unknown, and the traffic has moved
    cloud.new.body = cloud.live.body = {**answer_to(RECORD), "predictions": ["nein", "nein", "nein"]}
    cloud.live.version = cloud.new.version
    assert cloud.check().verdict == "refused"


def test_rows_that_are_too_large_for_a_request_are_said() -> None:
    checked = Cloud(RECORD | {"too_large": 4}).check()
    assert (checked.verdict, checked.rows) == ("passed", 3)
    assert checked.notes == ["m was asked for 3 rows only: more are too large for a request"]
    cloud = Cloud()
    cloud.store.objects.clear()
    cloud.put(RECORD | {"rows": [], "too_large": 4})
    assert "m was not asked: each of its test rows is too large for a request" in cloud.check().notes


def test_what_was_not_asked_is_said() -> None:
    cloud = Cloud(record=None)
    cloud.model("not-live", None)
    checked = cloud.check()
    assert checked.verdict == "passed"
    assert "version 2 has no answers on record" in checked.notes[0]
    assert checked.notes[1:] == ["no live model could be asked"]


def test_answers_of_another_model_with_the_same_number_are_not_compared() -> None:
    cloud = Cloud()
    cloud.table.records.clear()  # a new registry, which gives numbers from 1 again, over the same bucket
    cloud.table.write(Write("MODELS", "m", {}))
    cloud.register("m", 2, onnx="b" * 64)
    cloud.table.write(Write("ROUTE#m", "ROUTE", Route(weights={2: 100}).model_dump(mode="json")))
    cloud.new.body = {**answer_to(RECORD), "predictions": ["nein", "nein", "nein"]}
    checked = cloud.check()
    assert checked.verdict == "passed"
    assert "version 2 has no answers on record" in checked.notes[0]


def test_the_clock_starts_before_the_first_request() -> None:
    cloud, now = Cloud(), [0.0]
    answer = cloud.new.invoke

    def slow(event: bytes) -> Invoked:
        now[0] += 151
        return answer(event)

    cloud.new.invoke = slow  # type: ignore[method-assign]
    assert "m was not asked: 150 seconds were over" in cloud.check(clock=lambda: now[0]).notes


def test_what_cannot_be_checked_is_refused_and_reported() -> None:
    cloud = Cloud()

    def unanswered(event: bytes) -> Invoked:
        raise Transient("Lambda did not answer", "predict", "try again")

    cloud.new.invoke = unanswered  # type: ignore[method-assign]
    checked = cloud.check()
    assert checked.verdict == "refused"
    assert "Lambda did not answer" in checked.reasons[0]
    assert cloud.reports.told == [("d-1", "h-1", False)]


def test_a_check_without_a_hook_reports_to_nobody() -> None:
    cloud = Cloud()
    check_predict(CheckCodeRequest.from_event({"DeploymentId": "local"}), cloud.places)
    assert cloud.reports.told == []
    with pytest.raises(BadMessage):
        CheckCodeRequest.from_event({"DeploymentId": ""})


def refusals(request: dict[str, Any]) -> dict[str, Any]:
    return {"status": 404 if "version" in json.loads(request["body"]) else 400}


def test_decide_has_to_refuse_what_nobody_may_decide() -> None:
    cloud = Cloud()
    statuses = iter([400, 404, 400, 200, 400, 404])

    class Decide(Function):
        def invoke(self, event: bytes) -> Invoked:
            self.status = next(statuses)
            return super().invoke(event)

    cloud.new = Decide(refusals)
    assert check_decide(ASKED, cloud.places).verdict == "passed"
    assert "one about no version: it answers 200 instead of 404" in check_decide(ASKED, cloud.places).reasons
    cloud.new = Decide({"message": "no problem document"})
    assert len(check_decide(ASKED, cloud.places).reasons) == 2
    assert [told[2] for told in cloud.reports.told] == [True, False, False]


def test_a_request_of_a_check_is_known_and_no_client_can_send_one() -> None:
    event = json.loads(proxy_request("GET", "/v2", "/v2", {}, "1", stage=CHECK))
    assert is_check(event)
    assert not is_check(json.loads(proxy_request("GET", "/v2", "/v2", {}, "1")))
    assert not is_check({"headers": {"stage": CHECK}, "body": json.dumps({"requestContext": {"stage": CHECK}})})
    assert not is_check({})
    assert http_api.is_check is is_check


class RealPredict:
    """The function itself, called as Lambda calls it."""

    def __init__(self, api: Api) -> None:
        self.api = api

    def at(self, version: str) -> RealPredict:
        return self

    def invoke(self, event: bytes) -> Invoked:
        return Invoked(self.api.handle(json.loads(event)), version="7")


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_the_function_itself_is_asked_and_nothing_of_it_is_captured(task: str, monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api(monkeypatch)
    number = api.go_live(task=task)
    rows = [{HOURS: 30.0 + row, COLOUR: "red"} for row in range(5)]
    _, answered, _ = api.call(PREDICT, json.dumps({"instances": rows}))
    api.firehose.lines.clear()
    record = RECORD | {
        "rows": [
            {
                "instance": row, "prediction": answered["predictions"][index], "tie": False,
                "probabilities": answered["probabilities"][index] if answered["probabilities"] else None,
            }
            for index, row in enumerate(rows)
        ]
    }  # fmt: skip
    objects, reports = Objects(), Reports()
    objects.put(api.registry.versions.get(MODEL, number).answers_key, json.dumps(record).encode())
    function = RealPredict(api)
    checked = check_predict(ASKED, Places(objects, api.registry, function, function, reports))  # type: ignore[arg-type]
    assert (checked.verdict, checked.rows) == ("passed", 5), checked.reasons
    assert api.firehose.lines == []


@pytest.mark.parametrize(("target", "verdict"), [("7", "passed"), ("", "passed"), ("8", "refused")])
def test_only_the_version_that_is_being_deployed_can_pass(target: str, verdict: str) -> None:
    cloud = Cloud()
    cloud.reports.version = target
    assert cloud.check().verdict == verdict
    cloud.new = Function(refusals)
    cloud.new.status = 400
    told = check_decide(ASKED, cloud.places).reasons
    assert any("version 8 is being deployed" in reason for reason in told) == (verdict == "refused")


@pytest.mark.parametrize("revision", [
    {"revisionType": "AppSpecContent", "appSpecContent": {"content": json.dumps({"version": 0.0, "Resources": [
        {"Predict": {"Type": "AWS::Lambda::Function", "Properties": {
            "Name": "f", "Alias": "live", "CurrentVersion": "6", "TargetVersion": "7",
        }}},
    ]})}},
    {"revisionType": "String", "string": {"content": "Resources:\n- F:\n    Properties:\n      TargetVersion: 7\n"}},
    {"revisionType": "S3"},
])  # fmt: skip
def test_codedeploy_is_asked_and_told_as_its_api_has_it(revision: dict[str, Any]) -> None:
    client = boto3.client("codedeploy", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    with Stubber(client) as stub:
        stub.add_response("get_deployment", {"deploymentInfo": {"revision": revision}}, {"deploymentId": "d-1"})
        stub.add_response("get_deployment", {"deploymentInfo": {"revision": revision}}, {"deploymentId": "d-1"})
        for status in ("Succeeded", "Failed"):
            told = {"deploymentId": "d-1", "lifecycleEventHookExecutionId": "h-1", "status": status}
            stub.add_response("put_lifecycle_event_hook_execution_status", {}, told)
        deployments = CodeDeploy(client)
        assert deployments.target("d-1") == ("" if revision["revisionType"] == "S3" else "7")
        assert deployments.before("d-1") == ("6" if "appSpecContent" in revision else "")
        deployments.report("d-1", "h-1", True)
        deployments.report("d-1", "h-1", False)
        stub.assert_no_pending_responses()
