"""What a month costs: prices, facts of the template, measured and documented figures, the table and the page."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cli.open_place
from cli.cost import page
from cli.costs.assumptions import Assumptions, runs_a_month
from cli.costs.estimate import Estimate, estimate, wire
from cli.costs.measured import Figures, measure
from cli.costs.prices import price_table
from cli.costs.stack_facts import ENVIRONMENTS, ROOT, stack_facts
from cli.main import main
from cli.start import read_pipeline
from modelcycle.faults import BadInput
from modelcycle.spec import Pipeline
from tests.memory_place import ARN, AT, Cloud

CHURN = Pipeline(name="churn-7", target="left")
TRIAL = "arn:aws:lambda:us-east-1:1:function:RunTrial:live"


def made(pipeline: Pipeline = CHURN, figures: Figures | None = None, **assumed: Any) -> Estimate:
    return estimate(pipeline, Assumptions(**assumed), figures or Figures())


def dollars(one: Estimate, name: str, environment: str = "prod") -> float:
    month = next(month for month in one.months if month.environment == environment)
    return sum(item.dollars for item in month.items if item.name == name)


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No local cloud was ever started; a pipeline file."""
    monkeypatch.setenv("MODELCYCLE_HOME", str(tmp_path / "home"))
    path = tmp_path / "churn.yaml"
    path.write_text("name: churn-7\ntarget: left\n")
    return path


# the price table


def test_prices_have_a_day_a_region_and_a_page_of_aws() -> None:
    table = price_table()
    assert date(2026, 1, 1) < table.read <= datetime.now(UTC).date()
    assert table.region == "us-east-1"
    assert all(price.page.startswith("https://aws.amazon.com/") for price in table.prices.values())


def test_every_price_and_every_documented_figure_is_used_by_a_line() -> None:
    secret = {"type": "sql", "secret": "s", "table": "t"}
    pipeline = Pipeline.model_validate(
        {"name": "m", "target": "y", "source": secret, "rollout": {"steps": [10, 100], "wait_minutes": 60}}
    )
    all_of_it = [
        made(
            pipeline,
            settings={"Stream": "both", "Access": access, "Firewall": "own"},
            records=1,
            batch_rows=1e6,
            rows=2,
        )
        for access in ("iam", "jwt")
    ]
    months = [month for one in all_of_it for month in one.months]
    prices = {charge.price for month in months for item in month.items for charge in item.charges}
    # the template has no key yet; a made-up template below has
    assert price_table().prices.keys() - prices <= {"key", "key_request"}
    figures = {name for month in months for item in month.items for name in item.figures}
    assert figures == price_table().documented.keys()


# what the template says


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """A template with other names than ours: sizes by parameter and map, alarms by condition, a nested stack."""
    (tmp_path / "template.yaml").write_text("""
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Parameters:
  Environment: {Type: String, AllowedValues: [dev, staging, prod]}
  Place: {Type: String, Default: local}
  Megabytes: {Type: Number, Default: 3008, MinValue: 128, MaxValue: 10240}
  Keep: {Type: Number, Default: 7}
  Seal: {Type: String, Default: "no", AllowedValues: ["yes", "no"]}
Mappings: {Sizes: {prod: {Small: 1024}, dev: {Small: 256}, staging: {Small: 512}}}
Conditions:
  Prod: !Equals [!Ref Environment, prod]
  OnAws: !Equals [!Ref Place, aws]
Globals: {Function: {MemorySize: !Ref Megabytes, Tracing: PassThrough}}
Resources:
  Shared: {Type: AWS::Serverless::Function, Properties: {Runtime: python3.13}}
  Own:
    Type: AWS::Serverless::Function
    Properties: {MemorySize: !FindInMap [Sizes, !Ref Environment, Small]}
  Budget: {Type: AWS::Budgets::Budget, Condition: Prod, Properties: {}}
  Inner:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: infra/inner.yaml
      Parameters: {Days: !Ref Keep, Prod: !If [Prod, "yes", "no"], Seal: !Ref Seal, Arn: !GetAtt Own.Arn}
""")
    (tmp_path / "infra").mkdir()
    (tmp_path / "infra" / "inner.yaml").write_text("""
AWSTemplateFormatVersion: "2010-09-09"
Parameters: {Days: {Type: Number}, Prod: {Type: String}, Seal: {Type: String}, Arn: {Type: String}}
Conditions:
  IsProd: !Equals [!Ref Prod, "yes"]
  Sealed: !Equals [!Ref Seal, "yes"]
Resources:
  Log: {Type: AWS::Logs::LogGroup, Properties: {RetentionInDays: !Ref Days}}
  One: {Type: AWS::CloudWatch::Alarm, Properties: {MetricName: x}}
  Two:
    Type: AWS::CloudWatch::Alarm
    Condition: IsProd
    Properties:
      Metrics:
        - {Id: a, MetricStat: {}}
        - {Id: b, MetricStat: {}}
        - {Id: c, Expression: a + b}
  Key: {Type: AWS::KMS::Key, Condition: Sealed, Properties: {}}
  Look: {Type: AWS::Scheduler::Schedule, Properties: {ScheduleExpression: "cron(0 12 * * ? *)"}}
""")
    (tmp_path / "Makefile").write_text("SETTINGS_prod := Keep=90 Seal=yes\n")
    return tmp_path


def test_sizes_alarms_and_conditions_are_those_of_the_environment(stack: Path) -> None:
    dev, prod = (stack_facts(environment, root=stack) for environment in ("dev", "prod"))
    assert dev.memory == {"Shared": 3008, "Own": 256}
    assert prod.memory == {"Shared": 3008, "Own": 1024}
    assert (dev.alarms, prod.alarms) == (1, 3)  # an alarm over two metrics is billed as two
    assert (dev.log_days, prod.log_days) == (7, 90)
    assert (dev.keys, prod.keys) == (0, 1)
    assert (dev.other, prod.other) == ([], ["AWS::Budgets::Budget"])
    assert dev.looks is None
    assert not dev.traced


def test_a_parameter_given_by_hand_goes_before_those_of_make_deploy(stack: Path) -> None:
    assert stack_facts("prod", (("Seal", "no"),), stack).keys == 0
    assert stack_facts("prod", (("Megabytes", "10240"),), stack).memory["Shared"] == 10_240


def test_our_own_template_may_have_a_key_and_more_memory() -> None:
    usual, more = stack_facts("prod"), stack_facts("prod", (("DataKey", "own"), ("DataMemory", "6144")))
    assert (usual.keys, more.keys, usual.data_keys, more.data_keys) == (2, 3, 0, 1)
    assert (usual.memory["Collect"], more.memory["Collect"]) == (2048, 6144)


@pytest.mark.parametrize(
    "pair", [("Nope", "1"), ("Seal", "maybe"), ("Megabytes", "10241"), ("Megabytes", "nan"), ("Megabytes", "2 GB"),
     ("Keep", "30.5"), ("Keep", "1e3"), ("Keep", "inf"), ("Keep", ""), ("Keep", "\u0663")]
)  # fmt: skip
def test_a_parameter_or_value_that_the_template_does_not_have_is_refused(stack: Path, pair: tuple[str, str]) -> None:
    with pytest.raises(BadInput, match=f"{pair[0]}"):
        stack_facts("dev", (pair,), stack)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_our_own_template_has_functions_alarms_and_logs_that_end(environment: str) -> None:
    facts = stack_facts(environment)
    text = (ROOT / "infra" / "alarms.yaml").read_text()
    assert 0 < facts.alarms <= text.count("Type: AWS::CloudWatch::Alarm") * 5
    assert {"Predict", "Candidate"} <= facts.memory.keys()
    assert facts.log_days
    assert facts.partitions
    assert facts.looks == 730


# the estimate


def test_a_stream_costs_its_shard_by_the_hour_in_each_environment() -> None:
    streamed = made(settings={"Stream": "kinesis"})
    assert dollars(made(), "Stream of records") == 0
    assert dollars(streamed, "Stream of records", "dev") == pytest.approx(730 * 0.015)


def test_a_firewall_costs_its_rules_and_requests_in_each_environment_that_has_one() -> None:
    assert dollars(made(), "Firewall") == 0
    one = made(predictions=2, settings={"Firewall": "own"})
    requests = 2 * 730 * 3600
    assert dollars(one, "Firewall") == pytest.approx(5 + 4 + requests * 0.6e-6)
    of_the_account = made(settings={"Firewall": "arn:aws:wafv2:eu-central-1:123456789012:regional/webacl/ours/1"})
    assert dollars(of_the_account, "Firewall") == 0


def test_requests_cost_what_the_price_table_says() -> None:
    one = made(predictions=2, share=0.25)
    requests = 2 * 730 * 3600
    assert dollars(one, "API Gateway") == pytest.approx(requests * 3.5e-6)
    assert dollars(one, "API Gateway", "staging") == pytest.approx(requests * 3.5e-6 / 4)


def test_requests_that_are_not_captured_cost_no_firehose() -> None:
    silent = Pipeline.model_validate({"name": "m", "target": "y", "capture": {"sample": 0}})
    assert dollars(made(), "Firehose: captures") > 0
    assert dollars(made(silent), "Firehose: captures") == 0


def test_a_rollout_in_steps_is_judged_and_one_in_one_step_is_not() -> None:
    stepped = Pipeline.model_validate(
        {"name": "m", "target": "y", "rollout": {"steps": [10, 100], "wait_minutes": 1440}}
    )
    assert dollars(made(), "Lambda: rollouts") == 0
    seconds = 4 * 60 * price_table().documented["judge_gb_seconds"].amount
    assert dollars(made(stepped, runs=4), "Lambda: rollouts") == pytest.approx(seconds * 1.66667e-5 + 240 * 2e-7)


def test_runs_follow_the_shortest_schedule_of_the_sources() -> None:
    source = {"type": "sql", "secret": "s", "table": "t", "every": "6 hours"}
    runs, why = runs_a_month(Pipeline.model_validate({"name": "m", "target": "y", "source": source}))
    assert runs == pytest.approx(730 / 6)
    assert "6 hours" in why


@given(
    runs=st.floats(0, 1e5), predictions=st.floats(0, 1e5), rows=st.integers(1, 1000), batch_rows=st.floats(0, 1e12),
    share=st.floats(0, 1),
)  # fmt: skip
def test_a_total_is_the_sum_of_its_charges_and_more_use_never_costs_less(
    runs: float, predictions: float, rows: int, batch_rows: float, share: float
) -> None:
    use = {"runs": runs, "predictions": predictions, "rows": rows, "batch_rows": batch_rows, "share": share}
    less, more = made(**use), made(**use | {"runs": runs + 1, "predictions": predictions * 2 + 1})
    prices = price_table().prices
    for month, larger in zip(less.months, more.months, strict=True):
        charges = [charge for item in month.items for charge in item.charges]
        total = sum(charge.quantity * prices[charge.price].dollars / prices[charge.price].per for charge in charges)
        assert month.dollars == pytest.approx(total)
        assert min(charge.quantity for charge in charges) >= 0
        assert larger.dollars > month.dollars
    json.dumps(wire(less), allow_nan=False)


# what was measured


class Measured(Cloud):
    """A place with one run of `m` that fitted two trials, a load test, and two looks of the monitor."""

    def __init__(self, train: str = "done") -> None:
        super().__init__()
        self.place.outputs["MonitoringArn"] = "arn:monitoring"
        self.ended("deployed", version=1)
        trained = {"trials": [{}, {}], "plan_trials": {}, "select_model": {"cached": train == "cached"}}
        self.passed(("Claim", {}), ("Collect", {"collect": {"bytes": 777}}), ("Train", trained), ("SelectModel", {}))
        self.states.events[ARN] += self._calls(TRIAL, 4.0, 100)
        looks = self._calls(TRIAL.replace("RunTrial", "Monitor"), 1.5, 0)
        self.states.events |= {"look1": looks[::-1], "look2": looks[::-1]}
        self.s3.objects |= {
            "m/runs/r1/train/model.onnx": b"x" * 300, "m/runs/r1/collect/rows": b"x" * 200, "m/runs/r2/other": b"x",
            "m/staging/00000001/r1/report.json": json.dumps(
                {"load": {"levels": [{"concurrency": 1, "answered": 9, "round_trip_ms": {"p50": 7.25}}]}}
            ).encode(),
        }  # fmt: skip
        self.s3.list_objects_v2 = self._list  # type: ignore[method-assign]
        self.states.list_executions = self._looks  # type: ignore[attr-defined]

    @staticmethod
    def _calls(function: str, seconds: float, first: int) -> list[dict[str, Any]]:
        return [
            {"id": first + number, "type": f"Task{kind}", "timestamp": AT + timedelta(seconds=at),
             f"task{kind}EventDetails": {"resource": function}}
            for number, (kind, at) in enumerate([("Scheduled", 0.0), ("Succeeded", seconds)], start=1)
        ]  # fmt: skip

    def _list(self, *, Prefix: str, **rest: Any) -> dict[str, Any]:  # noqa: N803
        found = sorted(key for key in self.s3.objects if key.startswith(Prefix))
        return {
            "Contents": [
                {"Key": key, "ETag": '"e"', "Size": len(self.s3.objects[key]), "LastModified": AT} for key in found
            ]
        }

    def _looks(self, **request: Any) -> dict[str, Any]:
        return {"executions": [{"executionArn": "look1"}, {"executionArn": "look2"}]}

    def client(self, service: str, **settings: Any) -> Any:
        return self if service == "lambda" else super().client(service)

    def get_function_configuration(self, *, FunctionName: str) -> dict[str, Any]:  # noqa: N803
        return {"MemorySize": 4096}


def test_seconds_bytes_and_transitions_are_those_of_the_runs() -> None:
    figures = measure(Measured().place, "m")
    assert figures.notes == []
    assert {name: figure.amount for name, figure in figures.measured.items()} == {
        "run_gb_seconds": 16, "run_calls": 1, "run_transitions": 6,  # four states, and one for each of two trials
        "run_bytes": 500, "run_objects": 2, "upload_bytes": 777, "predict_ms": 7.25, "look_gb_seconds": 6,
    }  # fmt: skip
    assert figures.figure("run_gb_seconds").kind == "measured"
    assert figures.figure("log_bytes").kind == "documented"
    one = made(figures=figures, runs=10)
    assert dollars(one, "Lambda: runs") == pytest.approx(160 * 1.66667e-5 + 10 * 2e-7)


def test_transitions_of_trials_count_once_where_the_history_has_them() -> None:
    cloud = Measured()
    cloud.states.events[ARN] += [
        {"id": 200 + number, "timestamp": AT, "stateEnteredEventDetails": {"name": "RunTrial"}} for number in range(2)
    ]
    # in the order of a real history, iterations are entered before the Map is left
    events = sorted(cloud.states.events[ARN], key=lambda event: event["id"] < 200 or -1)
    cloud.states.events[ARN] = [event | {"id": number} for number, event in enumerate(events, start=1)]
    assert measure(cloud.place, "m")["run_transitions"] == 6


def test_a_run_that_reused_its_model_is_no_measure() -> None:
    figures = measure(Measured(train="cached").place, "m")
    assert "run_gb_seconds" not in figures.measured
    assert figures["run_gb_seconds"] == price_table().documented["run_gb_seconds"].amount
    assert any("reuse" in note for note in figures.notes)


def test_another_model_has_no_measures_and_that_is_said() -> None:
    figures = measure(Measured().place, "unseen")
    assert figures.measured.keys() == {"look_gb_seconds"}  # the monitor looks at all models
    assert any("no run of unseen" in note for note in figures.notes)


# the screen, JSON and the page


def test_without_a_place_the_screen_says_that_nothing_was_measured(
    nowhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cost", str(nowhere)]) == 0
    screen = capsys.readouterr().out
    assert "from documented figures alone" in screen
    assert "not measured: The local cloud" in screen
    assert "Prices that could not be confirmed: firehose gb" in screen
    assert all(f" {environment} " in screen for environment in ENVIRONMENTS)
    assert "Lambda: rollouts" not in screen  # a line that costs nothing anywhere


def test_what_was_measured_is_told_apart_from_what_is_documented(
    nowhere: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli.open_place, "open_place", lambda *arguments, **settings: Measured().place)
    nowhere.write_text("name: m\ntarget: y\n")
    assert main(["cost", str(nowhere)]) == 0
    measured, documented = capsys.readouterr().out.split("\nMeasured:\n")[1].split("\nDocumented figures")
    assert "16 GB-seconds a run: one run in local cloud" in measured
    assert "GB-seconds a run" not in documented
    assert "bytes of logs" in documented


def test_json_has_all_environments_whose_items_sum_to_the_total(
    nowhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cost", str(nowhere), "--json", "--runs", "3", "--predictions", "5", "--parameter", "Stream=sqs"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert list(document["environments"]) == list(ENVIRONMENTS)
    for month in document["environments"].values():
        assert month["dollars"] == pytest.approx(sum(item["dollars"] for item in month["items"]), abs=1e-3)
    assert document["assumptions"]["runs"] == 3
    assert {figure["kind"] for figure in document["figures"].values()} == {"documented"}
    assert document["not_measured"]


@pytest.mark.parametrize(
    ("text", "arguments", "status", "says"),
    [
        (None, [], 2, "there is no such pipeline file"),
        ("name: m\n", [], 2, "target is required"),
        ("name: [m\n", [], 2, "not valid YAML"),
        ("name: m\ntarget: y\ntargt: z\n", [], 2, "targt"),
        ("name: m\ntarget: y\n", ["--parameter", "Stream"], 2, "is no parameter"),
        ("name: m\ntarget: y\n", ["--parameter", "Strem=sqs"], 2, "no parameter Strem"),
        ("name: m\ntarget: y\n", ["--predictions", "inf"], 2, "not a finite number"),
        ("name: m\ntarget: y\n", ["--share", "nan"], 2, "--share"),
        ("name: m\ntarget: y\n", ["--parameter", "LogDays=30.5"], 2, "LogDays cannot be '30.5'"),
        ("name: m\ntarget: y\n", ["--json", "--markdown"], 2, "exclude each other"),
    ],
)
def test_a_mistake_is_said_in_one_sentence(
    nowhere: Path, capsys: pytest.CaptureFixture[str], text: str | None, arguments: list[str], status: int, says: str
) -> None:
    if text is None:
        nowhere.unlink()
    else:
        nowhere.write_text(text)
    assert main(["cost", str(nowhere), *arguments]) == status
    error = capsys.readouterr().err
    assert says in error.splitlines()[0]
    assert "Traceback" not in error


def test_the_page_of_costs_is_what_the_command_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    path = Path("pipelines/adult-income.yaml")
    pipeline, _ = read_pipeline(path)
    runs, source = runs_a_month(pipeline)
    now = page(path, estimate(pipeline, Assumptions(runs=runs, runs_from=source), Figures()))
    assert now == Path("docs/costs.md").read_text(), "the template or a price has changed: `make costs`"
