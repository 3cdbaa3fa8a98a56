"""Sources on the command line: a pipeline file from a table, schedules, and what a pull says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from cli import init_source
from cli.collect import pulled_text
from cli.execution import Step
from cli.init import init_source as init
from cli.main import main
from cli.options import Options
from cli.run import run
from cli.schedules import set_schedules
from cli.screens.steps import line
from modelcycle.faults import BadInput
from modelcycle.messages import Pulled, PulledFile, RetrainRequest
from modelcycle.spec import Pipeline, parse
from tests.unit.pulled_rows import sqlite_database

OPTIONS = Options("local", "dev", as_json=True)


class NotFound(Exception):
    pass


class Scheduler:
    """EventBridge Scheduler in memory."""

    class exceptions:  # noqa: N801 (as boto3 names it)
        ResourceNotFoundException = NotFound

    def __init__(self) -> None:
        self.schedules: dict[str, dict[str, Any]] = {}
        self.calls: list[str] = []

    def get_schedule(self, Name: str) -> dict[str, Any]:  # noqa: N803
        assert re.fullmatch(r"[0-9a-zA-Z_.-]{1,64}", Name)  # as AWS asks
        if Name not in self.schedules:
            raise NotFound
        return self.schedules[Name]

    def create_schedule(self, **request: Any) -> None:
        self.calls.append("create")
        self.schedules[request["Name"]] = request

    def update_schedule(self, **request: Any) -> None:
        self.calls.append("update")
        self.schedules[request["Name"]] = request

    def delete_schedule(self, Name: str) -> None:  # noqa: N803
        self.calls.append("delete")
        del self.schedules[Name]


class Place:
    def __init__(self) -> None:
        self.scheduler = Scheduler()

    def client(self, service: str) -> Scheduler:
        assert service == "scheduler"
        return self.scheduler

    def output(self, name: str) -> str:
        return {"SchedulePrefix": "modelcycle-"}.get(name, f"arn:{name}")


def pipeline(**source: Any) -> Pipeline:
    return Pipeline(name="orders", target="y", source={"type": "sql", "secret": "s", "table": "t", **source})


def test_the_schedule_follows_the_pipeline_file() -> None:
    place: Any = Place()
    for every in (None, "2 hours", "2 hours", "30 minutes", None, None):
        set_schedules(place, pipeline(every=every))
        if every == "30 minutes":
            (schedule,) = place.scheduler.schedules.values()
            assert (schedule["Name"], schedule["ScheduleExpression"]) == ("modelcycle-orders", "rate(30 minutes)")
            event = json.loads(schedule["Target"]["Input"])
            assert (event["detail-type"], event["detail"]["model"]) == ("RunScheduled", "orders")
    assert place.scheduler.calls == ["create", "update", "delete"]


def test_a_retraining_has_a_schedule_of_its_own_which_asks_the_governor() -> None:
    place: Any = Place()
    for every in ("7 days", "60 minutes", None):
        made = Pipeline(name="orders", target="y", retraining={"every": every})
        set_schedules(place, made)
        if every == "7 days":
            (schedule,) = place.scheduler.schedules.values()
            assert (schedule["Name"], schedule["ScheduleExpression"]) == ("modelcycle-orders.retrain", "rate(7 days)")
            assert schedule["Target"]["Arn"] == "arn:RetrainFunction"
            request = RetrainRequest.from_event(json.loads(schedule["Target"]["Input"]) | {"id": "0"})
            assert (request.kind, request.model, request.reason) == ("RetrainingScheduled", "orders", "every 7 days")
    assert place.scheduler.calls == ["create", "update", "delete"]


@pytest.mark.parametrize("stack", ["modelcycle", "s" * 45])
def test_the_longest_model_names_have_schedules_of_their_own(stack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place: Any = Place()
    monkeypatch.setattr(place, "output", lambda name: f"{stack}-" if name == "SchedulePrefix" else f"arn:{name}")
    source = {"type": "sql", "secret": "s", "table": "t", "every": "1 day"}
    for name in ("a" * 48, "a" * 47 + "b"):
        made = Pipeline(name=name, target="y", source=source, retraining={"every": "7 days"})
        set_schedules(place, made)
        set_schedules(place, made)  # finds its own again
    names = list(place.scheduler.schedules)
    assert len(names) == 4 and all(name.startswith(f"{stack}-") for name in names)
    assert place.scheduler.calls == ["create"] * 4


@pytest.mark.parametrize("every", ["59 minutes", "1 minute", "0 days", "weekly"])
def test_a_retraining_is_not_asked_for_more_than_once_an_hour(every: str) -> None:
    with pytest.raises(ValidationError):
        Pipeline(name="orders", target="y", retraining={"every": every})


def test_a_pipeline_file_is_made_from_a_table_and_holds_no_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    database = sqlite_database(tmp_path / "shop.db")
    rows = [(number, number % 7, ["yes", "no"][number % 2]) for number in range(300)]
    database.create("orders", "id integer, x integer, late text", rows)
    stored: dict[str, str] = {}
    monkeypatch.setattr(init_source, "store_url", lambda options, secret, url: stored.update({secret: url}))
    monkeypatch.chdir(tmp_path)
    assert init("sqlite:///shop.db", "orders", "late", None, tmp_path / "orders.yaml", OPTIONS) == 0
    text = (tmp_path / "orders.yaml").read_text()
    made = parse(text)
    assert (made.name, made.target) == ("orders", "late")
    assert made.source.model_dump(exclude_defaults=True) == {
        "type": "sql",
        "secret": "orders-source",
        "table": "orders",
    }
    assert stored == {"orders-source": f"sqlite:///{tmp_path}/shop.db"}
    assert "shop.db" not in text
    with pytest.raises(BadInput, match="exists"):
        init("sqlite:///shop.db", "orders", "late", None, tmp_path / "orders.yaml", OPTIONS)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["init"], "either a file or a database"),
        (["init", "--data", "a.csv", "--source", "sqlite:///a.db"], "either a file or a database"),
        (["init", "--source", "sqlite:///a.db"], "--source needs a table"),
        (["init", "--source", "sqlite:///nowhere.db", "--table", "t"], "there is no file"),
        (["init", "--source", "hello", "--table", "t"], "the URL of a database"),
    ],
)
def test_wrong_use_is_one_sentence(arguments: list[str], part: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert part in capsys.readouterr().err


def test_rows_cannot_be_uploaded_to_a_model_with_a_source(tmp_path: Path) -> None:
    (tmp_path / "orders.yaml").write_text("name: orders\ntarget: y\nsource: {type: sql, secret: s, table: t}\n")
    (tmp_path / "rows.csv").write_text("x,y\n1,2\n")
    with pytest.raises(BadInput, match="come from its source"):
        run(tmp_path / "orders.yaml", tmp_path / "rows.csv", False, OPTIONS)


def test_a_pull_says_rows_files_watermark_and_what_was_left_out() -> None:
    file = PulledFile(source="main", key="landed/orders/main/ab-cd.parquet", rows=1200, watermark="2024-01-31")
    text = pulled_text("orders", Pulled(files=[file], rows=1200, detail="3 rows have no day; left out: photo: bytes"))
    for part in ("1,200 new rows in 1 new file", "ab-cd.parquet", "up to 2024-01-31", "3 rows have no day"):
        assert part in text
    assert pulled_text("orders", Pulled(files=[], rows=0)) == "orders: nothing new"


def test_the_line_of_a_pull_shows_what_is_new() -> None:
    from datetime import UTC, datetime

    at = datetime(2026, 1, 1, tzinfo=UTC)
    file = PulledFile(source="main", key="k", rows=7, watermark="499").model_dump(mode="json")
    for files, part in (([file], "7 new rows"), ([], "nothing new")):
        results = {"pull": {"files": files, "rows": 7 if files else 0}}
        assert part in line(Step("pull", at, at, "done", results), 100)
