"""The screens and the JSON of `models`, `show`, `monitor`, `status` and of decisions."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import cli.open_place
import cli.signing
from cli.contract import contract
from cli.health.health import Health
from cli.main import main
from cli.screens import status
from cli.screens.verdict import verdict_text
from cli.screens.versions import version_text
from modelcycle.faults import NotAllowed
from modelcycle.messages import Artifact, Chain, Monitored, Validated
from modelcycle.registry import Entry, Move, Route, Standing, Version, Write, keys
from modelcycle.spec import Capture
from tests.memory_place import ARN, ARTIFACT, AT, Cloud

WINDOW = (AT, AT + timedelta(hours=24))


def monitored(**changes: Any) -> Monitored:
    result = {
        "model": "m",
        "version": 2,
        "window": WINDOW,
        "rows": 500,
        "state": "ok",
        "drifted": [],
        "degraded": False,
    }
    return Monitored.model_validate(result | changes)


def version(number: int) -> Version:
    names = ("onnx", "skops", "signature", "plan", "profile", "lineage", "card", "validation", "pipeline")
    return Version(
        model="m", version=number, run_id="r1", created_at=AT, task="binary", metric="accuracy",
        metrics={"accuracy": 0.87, "log_loss": 0.3}, interval=(0.86, 0.88), data="9c41aa" * 10, code="4ad1bb" * 10,
        opset=21,
        **dict.fromkeys(names, ARTIFACT),
    )  # fmt: skip


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """A model whose version 1 has 90 % of the traffic and version 2 the rest."""
    made = Cloud()
    made.ended("deployed", version=2)
    made.live(v1=90, v2=10)
    for number in (1, 2):
        standing = Standing(state="live", at=AT, by="run r1")
        made.table.write(
            Write("VERSION#m", f"VERSION#{number:08d}", version(number).model_dump(mode="json")),
            Write("STATE#m", f"STATE#{number:08d}", standing.model_dump(mode="json")),
        )
    made.table.write(Write("MONITOR#m", "MONITOR", monitored(state="drifted", drifted=["age", "sex"]).wire()))
    monkeypatch.setattr(cli.open_place, "open_place", lambda *names, **settings: made.place)
    return made


@pytest.mark.usefixtures("cloud")
def test_models_has_a_line_for_each_version_with_traffic(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["model", "live", "since", "last", "run", "drift", "quality"]
    assert [line.split()[:3] for line in lines[1:]] == [["m", "1", "(90"], ["2", "(10", "%)"]]
    assert "2 columns" in lines[1]
    assert "0.870 accuracy" in lines[1]


@pytest.mark.usefixtures("cloud")
def test_show_gives_the_keys_that_never_change(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "m", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed.keys() >= {"model", "champion", "route", "versions"}
    assert (printed["champion"], printed["route"]) == (1, {"1": 90, "2": 10})
    assert [version["version"] for version in printed["versions"]] == [2, 1]
    assert main(["show", "m"]) == 0
    screen = capsys.readouterr().out
    assert "m: live 1 (90 %), 2 (10 %)" in screen
    assert "accuracy 0.870 ± 0.010   9c41aa9c   4ad1bb4a" in screen


@pytest.mark.usefixtures("cloud")
def test_what_does_not_exist_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["show", "n"], ["show", "m:9"], ["show", "m", "--run", "r9"], ["runs", "n"], ["monitor", "n"]):
        assert main(words) == 2
        assert capsys.readouterr().err.startswith("error    ")


@pytest.mark.usefixtures("cloud")
def test_a_decision_is_posted_and_its_answer_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    posted: list[Any] = []

    def call(place: Any, method: str, path: str, body: Any) -> dict[str, Any]:
        posted.append((method, path, body))
        note = "bob rolled m back: this is the same rollback" if body["decision"] == "rollback" else ""
        answer = {"schema": 1, "model": "m", "decision": body["decision"], "version": 1, "route": {"1": 100}}
        return answer | {"note": note}

    monkeypatch.setattr(cli.signing, "call", call)
    assert main(["rollback", "m", "--why", "it was wrong"]) == 0
    assert main(["promote", "m:1"]) == 0
    asked_at = posted[0][2].pop("asked_at")
    assert datetime.now(UTC) - datetime.fromisoformat(asked_at) < timedelta(seconds=30)
    assert posted == [
        ("POST", "/models/m/decisions", {"decision": "rollback", "version": None, "why": "it was wrong"}),
        ("POST", "/models/m/decisions", {"decision": "promote", "version": 1, "why": ""}),
    ]
    screen = capsys.readouterr().out
    assert "m:1 was not changed.\n  live now      version 1 (100 %)\n  note          bob rolled m back" in screen
    assert "m:1 is promoted; its rollout has started." in screen


def test_a_decision_at_localstack_says_that_nobody_is_recorded(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = {"schema": 1, "model": "m", "decision": "approve", "version": 1, "route": {"1": 100}, "note": ""}
    monkeypatch.setattr(cli.signing, "call", lambda *_: answer)
    assert main(["approve", "m:1"]) == 0
    assert "nor recorded" not in capsys.readouterr().err
    cloud.place.name = "localstack"
    assert main(["approve", "m:1"]) == 0
    assert "who decides is not checked, nor recorded" in capsys.readouterr().err


def test_status_shows_problems_first_with_their_fixes() -> None:
    health = Health("local", True, [("the last run of m failed", "modelcycle show m --run r1")], [("cloud", "up")])
    assert status.health_text(health).splitlines() == [
        "!  the last run of m failed",
        "   modelcycle show m --run r1",
        "   cloud         up",
    ]


REPORT: dict[str, Any] = {
    "verdict": "passed", "task": "binary", "metric": "roc_auc", "interval": {"level": 0.95, "low": 0.7, "high": 0.9},
    "gates": [{"name": "gates.beats_baseline", "holds": True, "detail": "baseline 0.5: significantly better"}],
    "metrics": {
        "candidate": {"accuracy": 0.87, "roc_auc": 0.8}, "baseline": {"accuracy": 0.76, "roc_auc": 0.5},
        "champion": {"accuracy": 0.86, "roc_auc": 0.79}, "candidate_on_compared": {"accuracy": 0.88, "roc_auc": 0.81},
    },
    "compared": 400,
    "comparisons": {
        "baseline": {"advantage": 0.05, "interval": [0.04, 0.06], "p": 1e-9, "verdict": "better"}, "champion": None,
        "new_rows": {"advantage": -0.02, "interval": [-0.037, 0.003], "p": 0.023, "verdict": "worse", "rows": 135},
    },
    "parity": {"rows": 500, "max_difference": 1e-7, "flips": 0},
    "groups": {"sex": {"groups": {}, "differences": {"accuracy": 0.04}}},
    "confusion": {"classes": ["no", "yes"], "counts": [[300, 20], [30, 1150]]},
    "intervals": {"accuracy": [0.86, 0.88]},
    "slices": {"worst": [
        {"column": "region", "group": "north", "rows": 1200, "effect": 0.1, "loss": 0.3, "accuracy": 0.6,
         "rest_accuracy": 0.9},
    ], "champion": {"version": 1, "slices": [
        {"column": "job", "group": "(missing)", "rows": 300, "candidate": 0.5, "champion": 0.7, "lost": True},
        {"column": "job", "group": "clerk", "rows": 200, "candidate": 0.6, "champion": 0.7, "lost": False},
    ]}},
    "evidence": {
        "rows": 1000, "importance": [{"column": "age", "increase": 0.12, "error": 0.01}],
        "missing_values": [{"share": 0.1, "increase": 0.2, "error": 0.02}], "partial_dependence": {"age": [1, 2]},
    },
}  # fmt: skip


def test_the_evidence_of_a_verdict_is_shown_in_tables() -> None:
    lines = [line.split() for line in verdict_text(REPORT).splitlines()]
    for words in (
        "holds gates.beats_baseline baseline 0.5: significantly better",
        "roc auc 0.800 0.700 to 0.900 0.500 0.810 0.790",
        "accuracy 0.870 0.860 to 0.880 0.760 0.880 0.860",
        "metric candidate 95 % interval baseline on 400 compared rows champion there",
        "job = (missing) 300 rows 0.500 0.700",
        "against baseline better: loss of a row lower by 0.050 (0.040 to 0.060), p < 0.001",
        "on new rows worse: loss of a row higher by 0.020 (-0.003 to 0.037), p = 0.023, on 135 rows",
        "region = north 1,200 rows accuracy 0.600 0.900", "sex accuracy 0.040", "age 0.120 ± 0.010",
        "10% of the cells 0.200 ± 0.020",
        "true class predicted no predicted yes", "yes 30 1,150",
    ):  # fmt: skip
        assert words.split() in lines, words
    assert "clerk" not in verdict_text(REPORT)


@pytest.mark.parametrize("absent", REPORT)
def test_what_a_report_does_not_have_is_not_shown(absent: str) -> None:
    without = {key: value for key, value in REPORT.items() if key != absent}
    assert len(verdict_text(without)) <= len(verdict_text(REPORT))
    verdict_text(without | {absent: None})


def test_a_report_without_a_champion_has_no_empty_columns() -> None:
    metrics = {"candidate": {"rmse": 2.0}, "baseline": {"rmse": 3.0}, "champion": None, "candidate_on_compared": None}
    assert verdict_text({"metrics": metrics, "slices": {"worst": [], "champion": None}}).splitlines() == [
        "", "    metric   candidate   95 % interval   baseline", "    rmse     2.000                       3.000",
    ]  # fmt: skip


def test_show_run_prints_the_evidence_and_a_run_that_ended_early_has_none(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.passed(("Collect", {"error": {"Error": "NoData", "Cause": "there is no file"}}))
    assert main(["show", "m", "--run", "r1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["report"] is None
    body = json.dumps(REPORT).encode()
    cloud.s3.objects["report.json"] = body
    stored = Artifact(uri="s3://artifacts/report.json", sha256=hashlib.sha256(body).hexdigest(), bytes=len(body))
    validated = Validated(
        verdict="passed", reasons=[], metric="roc_auc", metrics={"roc_auc": 0.8}, baseline={}, champion=None,
        interval=(0.7, 0.9), report=stored,
    )  # fmt: skip
    cloud.passed(("Validate", {"validate": validated.wire()}))
    assert main(["show", "m", "--run", "r1"]) == 0
    assert "gates.beats_baseline" in capsys.readouterr().out
    assert main(["show", "m", "--run", "r1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["report"] == REPORT
    del cloud.s3.objects["report.json"]
    assert main(["show", "m", "--run", "r1"]) == 0
    assert "roc auc 0.800" in capsys.readouterr().out


def test_a_version_says_what_it_learned_from_what_judged_it_and_its_chain() -> None:
    standing, route = Standing(state="live", at=AT, by="run r1"), Route(weights={2: 100})
    refitted = version(2).model_copy(
        update={"twin": ARTIFACT, "learned": 8645, "chain": Chain(advantage=-0.0123, variance=1e-6, since=1)}
    )
    rows = {"split": [6431, 1148, 1066], "compared": 900}
    screen = version_text(refitted, standing, route, None, [], {"rows": rows})
    assert "learned from   8,645 rows: all rows, test rows included" in screen
    assert "judged         its twin, the same recipe without the test rows, on 1,066 test rows; 900 of them" in screen
    assert "chain          worse by 0.012 than version 1" in screen
    old = version_text(version(1), standing, route, None, [], None)
    assert "learned from" not in old and "judged" not in old and "chain" not in old


def test_a_version_that_cannot_be_made_again_offers_no_command_for_it() -> None:
    standing, route = Standing(state="live", at=AT, by="run r1"), Route(weights={1: 100})
    plain = version_text(version(1), standing, route, None, [], {})
    assert "make it again  modelcycle reproduce m:1" in plain
    keyed = {"data": {"objects": {"personal": {"dni": {"treatment": "encrypt"}}}}}
    for screen in (
        version_text(version(1), standing, route, None, [], keyed),
        version_text(version(1), standing, route, None, [], {}, erased=True),
    ):
        assert "make it again  not possible: " in screen and "modelcycle reproduce" not in screen


def test_a_version_says_which_requests_are_captured_and_what_of_them() -> None:
    standing, route = Standing(state="live", at=AT, by="run r1"), Route(weights={1: 100})
    made = version(1)
    assert "captured" not in version_text(made, standing, route, None, [])
    masked = made.model_copy(update={"capture": Capture(sample=0.25, mask=["sex", "postcode"])})
    screen = version_text(masked, standing, route, None, [])
    assert "captured       0.25 of the requests, without the values of sex, postcode" in screen


def decided(cloud: Cloud, decision: str, number: int, minutes: int, why: str = "") -> None:
    at = AT + timedelta(minutes=minutes)
    entry = Entry(at=at, subject=f"version {number}", decision=decision, by="arn:aws:iam::0:user/ada", why=why)
    cloud.place.registry.audit.add("m", f"{at.isoformat()}#{decision}", entry)


def recorded(cloud: Cloud, **changes: Any) -> None:
    """Change the record of the run."""
    record = cloud.table.get("RUN#m", "RUN#r1")
    assert record is not None
    cloud.table.write(Write("RUN#m", "RUN#r1", record.body | changes, record.revision))


@pytest.mark.parametrize(("decision", "done"), [("approve", "approved"), ("reject", "rejected")])
def test_a_run_that_left_its_version_to_a_person_says_what_they_decided(
    cloud: Cloud, capsys: pytest.CaptureFixture[str], decision: str, done: str
) -> None:
    recorded(cloud, state="awaiting_approval", reason="age is missing in these rows")
    decided(cloud, decision, 2, -60)  # about an earlier run
    decided(cloud, decision, 3, 1)
    assert main(["show", "m", "--run", "r1"]) == 0
    screen = capsys.readouterr().out
    assert "m:2 waits for approval; version 1 is live now." in screen and "modelcycle approve m:2" in screen
    decided(cloud, decision, 2, 5, why="the auditors said so")
    decided(cloud, "promote", 2, 7)
    assert main(["show", "m", "--run", "r1"]) == 0
    assert capsys.readouterr().out.splitlines()[-5:] == [
        f"m:2 waited for approval, and was {done} later.", "  why             age is missing in these rows",
        f"  {done}        by ada, 2026-01-01 00:05 UTC", "  because         the auditors said so",
        "  live now        version 1 (90 %), 2 (10 %)",
    ]  # fmt: skip
    assert main(["show", "m", "--run", "r1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["decision"]["decision"] == decision


@pytest.mark.parametrize("registered", [True, False])
def test_the_evidence_outlives_the_execution(
    cloud: Cloud, capsys: pytest.CaptureFixture[str], registered: bool
) -> None:
    if not registered:
        recorded(cloud, state="refused", reason="not better", version=None)
    del cloud.states.executions[ARN]
    body = json.dumps(REPORT).encode()
    key = "of-version-2.json" if registered else "m/runs/r1/validate/report.json"
    cloud.s3.objects[key] = body
    if registered:
        stored = Artifact(uri=f"s3://artifacts/{key}", sha256=hashlib.sha256(body).hexdigest(), bytes=len(body))
        record = cloud.table.get("VERSION#m", "VERSION#00000002")
        assert record is not None
        changed = record.body | {"validation": stored.model_dump(mode="json")}
        cloud.table.write(Write("VERSION#m", "VERSION#00000002", changed, record.revision))
    assert main(["show", "m", "--run", "r1"]) == 0
    screen = capsys.readouterr().out
    assert "its steps are no longer on record" in screen and "gates.beats_baseline" in screen
    assert main(["show", "m", "--run", "r1", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["report"], printed["metric"], printed["compared"]) == (REPORT, "roc_auc", 400)
    assert printed["metrics"] == REPORT["metrics"]["candidate"]
    del cloud.s3.objects[key]
    assert main(["show", "m", "--run", "r1", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["report"], printed["metrics"]) == (None, {})


def test_another_runs_report_is_not_shown_for_a_run_that_found_the_same_version(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    del cloud.states.executions[ARN]
    record = cloud.table.get("VERSION#m", "VERSION#00000002")
    assert record is not None
    cloud.table.write(Write("VERSION#m", "VERSION#00000002", record.body | {"run_id": "r0"}, record.revision))
    cloud.s3.objects["x"] = json.dumps(REPORT).encode()
    assert main(["show", "m", "--run", "r1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["report"] is None


def test_the_line_of_the_rollout_says_what_traffic_it_led_to(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    cloud.passed(("Deploy", {"deploy": {}}))
    assert main(["show", "m", "--run", "r1"]) == 0
    assert "    deploy             live: version 1 (90 %), 2 (10 %)" in capsys.readouterr().out
    for number, rollout, before, after in (
        (2, "m-v2-r1", {1: 100}, {1: 90, 2: 10}), (3, "m-v2-r1", {1: 90, 2: 10}, {2: 100}),
        (4, "m-v3-r2", {2: 100}, {2: 50, 3: 50}),
    ):  # fmt: skip
        move = Move(
            number=number, kind="promoted", by="run", why="", before=before, after=after, rollout=rollout,
            at=AT + timedelta(minutes=number),
        )  # fmt: skip
        cloud.table.write(Write("ROUTE#m", f"MOVE#{number:08d}", move.model_dump(mode="json")))
    assert main(["show", "m", "--run", "r1"]) == 0
    assert "    deploy             live: version 2 (100 %)" in capsys.readouterr().out
    recorded(cloud, version=7)
    assert main(["show", "m", "--run", "r1"]) == 0
    assert "    deploy             its version has no traffic" in capsys.readouterr().out


@pytest.mark.parametrize(("decide", "part"), [
    ("{metric: f1}", "f1 0.500"), ("{costs: {false_negative: 10, false_positive: 1}}", "cost of a row 0.213"),
    ("{}", ""),
])  # fmt: skip
def test_show_run_has_what_the_pipeline_file_decides_by(
    cloud: Cloud, capsys: pytest.CaptureFixture[str], decide: str, part: str
) -> None:
    def put(key: str, body: bytes) -> Artifact:
        cloud.s3.objects[key] = body
        return Artifact(uri=f"s3://artifacts/{key}", sha256=hashlib.sha256(body).hexdigest(), bytes=len(body))

    text = f"name: m\ntarget: y\ntask: binary\ntraining: {{decide: {decide}}}\n".encode()
    record = cloud.table.get("RUN#m", "RUN#r1")
    assert record is not None
    recorded(cloud, run=record.body["run"] | {"pipeline": put("pipeline.yaml", text).model_dump(mode="json")})
    validated = Validated(
        verdict="passed", reasons=[], metric="accuracy", metrics={"accuracy": 0.87, "f1": 0.5}, baseline={},
        champion=None, interval=(0.8, 0.9), report=put("report.json", json.dumps(REPORT).encode()),
    )  # fmt: skip
    chosen = {"select_model": {"recipe": {"threshold": 0.2 if part else None}}}
    cloud.passed(("Validate", chosen | {"validate": validated.wire()}))
    assert main(["show", "m", "--run", "r1"]) == 0
    line = capsys.readouterr().out.partition("m:2 ")[0]
    assert part in line and ("f1" in line or "cost" in line) is bool(part)
    del cloud.s3.objects["pipeline.yaml"]
    assert main(["show", "m", "--run", "r1"]) == 0
    assert "accuracy 0.870" in capsys.readouterr().out


def test_where_nothing_is_live_show_names_the_freeze_that_a_version_waits_for(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    route = cloud.table.get(*keys.route("m"))
    assert route is not None
    cloud.table.write(Write(*route.key, Route().model_dump(mode="json"), route.revision))
    state = cloud.table.get("STATE#m", f"STATE#{2:08d}")
    assert state is not None
    staged = Standing(state="staged", at=AT, by="run r1")
    cloud.table.write(Write(*state.key, staged.model_dump(mode="json"), state.revision))
    why = "the sales: no version gets more traffic until Monday"
    cloud.place.registry.audit.add("m", "f", Entry(subject="version 2", decision="frozen", by="policy p", why=why))
    with pytest.raises(NotAllowed) as raised:
        contract(cloud.place, "m")
    assert raised.value.remedy == "`modelcycle show m` says why"
    assert main(["show", "m"]) == 0
    shown = capsys.readouterr().out
    assert "no version is live" in shown and "the rollout of version 2 waited" in shown and why in shown
