"""The screens and the JSON of `models`, `show`, `monitor`, `status` and of decisions."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import cli.open_place
import cli.signing
from cli.health import Health
from cli.main import main
from cli.screens import status
from cli.screens.monitored import monitored_text
from modelcycle.messages import Drift, Monitored
from modelcycle.registry import Standing, Version, Write
from tests.memory_place import ARTIFACT, AT, Cloud

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
            Write("MODEL#m", f"VERSION#{number:08d}", version(number).model_dump(mode="json")),
            Write("MODEL#m", f"STATE#{number:08d}", standing.model_dump(mode="json")),
        )
    made.table.write(Write("MODEL#m", "MONITOR", monitored(state="drifted", drifted=["age", "sex"]).wire()))
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


def test_the_monitor_shows_the_most_drifted_column_first() -> None:
    columns = [
        Drift(column="age", psi=0.1, missing_before=0, missing_now=0, drifted=False),
        Drift(column="[sex]", psi=0.5, missing_before=0.01, missing_now=0.2, drifted=True),
        Drift(column="absent", psi=None, missing_before=0, missing_now=1, drifted=False, detail="in no request"),
    ]
    result = monitored(state="degraded", drifted=["[sex]"], degraded=True, estimated=0.8)
    screen = monitored_text(result, {"columns": [drift.model_dump() | {"more": 1} for drift in columns]})
    assert screen.splitlines()[:2] == [
        "m:2: degraded: many columns have drifted",
        "  compared      500 predictions, 2026-01-01 00:00 UTC to 2026-01-02 00:00 UTC",
    ]
    rows = [line.split() for line in screen.splitlines()[-3:]]
    assert rows[0] == ["[sex]", "0.500", "1.0%", "20.0%", "drifted"]
    assert rows[-1][0] in ("absent", "age")


@pytest.mark.parametrize("state", ["no data", "not live", "ok"])
def test_the_monitor_has_no_table_if_nothing_was_compared(state: str) -> None:
    assert len(monitored_text(monitored(state=state), {}).splitlines()) == 2


def test_status_shows_problems_first_with_their_fixes() -> None:
    health = Health("local", True, [("the last run of m failed", "modelcycle show m --run r1")], [("cloud", "up")])
    assert status.health_text(health).splitlines() == [
        "!  the last run of m failed",
        "   modelcycle show m --run r1",
        "   cloud         up",
    ]
