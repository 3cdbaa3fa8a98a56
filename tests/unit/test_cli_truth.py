"""Screens and JSON tell the truth: shares, times, reasons, whether a place is up, and what a list leaves out."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import cli.open_place
import cli.signing
from cli.main import main
from cli.monitor import run_look
from cli.screens.predictions import predictions_text
from modelcycle.faults import Fault
from modelcycle.messages import Watched
from modelcycle.registry import Entry, Write
from tests.memory_place import ARN, ARTIFACT, AT, Cloud
from tests.unit.test_cli_show import monitored, version

ROLLOUT = "arn:aws:states:us-east-1:1:execution:rollout:m-v2-r1"


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    made = Cloud()
    made.ended("deployed", version=2)
    made.passed(("Deploy", {"deploy": {}}))
    made.states.executions[ROLLOUT] = {"status": "RUNNING"}
    for number in (1, 2):
        standing = {"state": "live", "at": AT.isoformat(), "by": "run r1", "why": "rollout, step 1 of 3"}
        made.table.write(
            Write("VERSION#m", f"VERSION#{number:08d}", version(number).model_dump(mode="json")),
            Write("STATE#m", f"STATE#{number:08d}", standing),
        )
    made.table.write(Write("MONITOR#m", "MONITOR", monitored().wire()))
    monkeypatch.setattr(cli.open_place, "open_place", lambda *names, **settings: made.place)
    monkeypatch.setattr("cli.rollout.FIRST_TRAFFIC_TIMEOUT", 0.5)
    return made


def decided(cloud: Cloud, decision: str, number: int, why: str, minutes: int = 0) -> None:
    at = AT + timedelta(minutes=minutes)
    entry = Entry(at=at, subject=f"version {number}", decision=decision, by="arn:aws:iam::0:user/ada", why=why)
    cloud.place.registry.audit.add("m", f"{at.isoformat()}#{decision}", entry)


@pytest.mark.parametrize("named", ["m", "m:2"])
def test_the_reason_of_a_promotion_and_an_approval_is_on_the_screen(
    cloud: Cloud, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    cloud.live(v1=90, v2=10)
    decided(cloud, "approve", 2, "the auditors are happy")
    decided(cloud, "promote", 2, "the fair begins", minutes=3)
    decided(cloud, "reject", 3, "another version's", minutes=4)
    monkeypatch.setattr("cli.show.read_json", lambda store, artifact: {"columns": []})
    assert main(["show", named]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    start = next(number for number, line in enumerate(lines) if line[:1] == ["decided"])
    table = lines[start:]
    assert table[0] == ["decided", "decision", "about", "by", "why"]
    rows = [line[line.index("promote") :] if "promote" in line else line for line in table]
    assert ["promote", "2", "ada", "the", "fair", "begins"] in rows
    assert any(line[-5:] == ["ada", "the", "auditors", "are", "happy"] and "approve" in line for line in table)
    assert any("reject" in line for line in table) is (named == "m")
    assert main(["show", named, "--json"]) == 0
    whys = [entry["why"] for entry in json.loads(capsys.readouterr().out)["decisions"]]
    assert whys[-2:] == ["the fair begins", "the auditors are happy"]


TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def times(value: Any) -> list[str]:
    """Return every text in a JSON value that begins like a date."""
    if isinstance(value, dict):
        return [found for inner in value.values() for found in times(inner)]
    if isinstance(value, list):
        return [found for inner in value for found in times(inner)]
    return [value] if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\d", value) else []


@pytest.mark.parametrize(
    "words", [["models"], ["show", "m"], ["show", "m:2"], ["runs", "m"], ["show", "m", "--run", "r1"], ["monitor", "m"]]
)
def test_every_time_in_json_has_one_form(
    cloud: Cloud, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    cloud.live(v1=90, v2=10)
    decided(cloud, "promote", 2, "")
    monkeypatch.setattr("cli.show.read_json", lambda store, artifact: {})
    seen = Watched(model="m", windows=[monitored(announced_at=AT)])
    monkeypatch.setattr("cli.monitor.run_look", lambda *words: seen)
    assert main([*words, "--json"]) == 0
    found = times(json.loads(capsys.readouterr().out))
    assert found or "--run" in words
    assert [text for text in found if not TIME.fullmatch(text)] == []


def test_a_look_by_hand_holds_what_was_answered_just_before(cloud: Cloud) -> None:
    cloud.place.outputs["MonitoringArn"] = "arn:m"
    answered = datetime.now(UTC)
    run_look(cloud.place, "m")
    assert answered < datetime.fromisoformat(cloud.states.started[-1]["at"]) <= answered + timedelta(seconds=5)
    run_look(cloud.place, "m", AT)
    assert cloud.states.started[-1] == {"model": "m", "at": AT.isoformat()}


CANARY = [
    ({"v1": 90, "v2": 10}, "RUNNING", "m:2 has 10 % of the traffic after 4.5 s; its rollout continues by itself."),
    ({"v1": 50, "v2": 50}, "SUCCEEDED", "m:2 has 50 % of the traffic after 4.5 s; its rollout has ended."),
    ({"v2": 100}, "SUCCEEDED", "m:2 is live after 4.5 s."),
]


@pytest.mark.parametrize(("weights", "status", "head"), CANARY)
def test_a_canary_is_not_called_live(
    cloud: Cloud, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, weights: dict[str, int],
    status: str, head: str,
) -> None:  # fmt: skip
    cloud.live(**weights)
    cloud.states.executions[ROLLOUT] = {"status": status}
    monkeypatch.setattr("cli.run.next_steps", lambda place, end: [])
    assert main(["runs", "m", "--follow", "r1"]) == 0
    screen = capsys.readouterr().out.splitlines()
    assert screen[0] == head
    assert ("  other traffic   version 1 (90 %)" in screen) is (weights == {"v1": 90, "v2": 10})


def test_a_version_that_was_replaced_since_is_called_neither_live_nor_failed(
    cloud: Cloud, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.live(v2=100)
    route = cloud.table.get("ROUTE#m", "ROUTE")
    move = {"number": 2, "kind": "promoted", "at": (AT + timedelta(hours=1)).isoformat(), "by": "run r2", "why": "",
            "before": {2: 100}, "after": {3: 100}}  # fmt: skip
    cloud.table.write(
        Write("ROUTE#m", "ROUTE", route.body | {"weights": {3: 100}, "moves": 2}, route.revision),
        Write("ROUTE#m", "MOVE#00000002", move),
    )
    cloud.states.executions[ROLLOUT] = {"status": "SUCCEEDED"}
    monkeypatch.setattr("cli.run.next_steps", lambda place, end: [])
    assert main(["runs", "m", "--follow", "r1"]) == 0
    assert capsys.readouterr().out == "m:2 went live after 4.5 s; live now: version 3 (100 %).\n"


@pytest.mark.parametrize(("weights", "sentence"), [
    ({"v1": 90, "v2": 10}, "m:2 went live."), ({"v1": 100}, "m:2 was registered, but its rollout gave it no traffic"),
])  # fmt: skip
def test_a_run_is_shown_with_what_its_version_got(
    cloud: Cloud, capsys: pytest.CaptureFixture[str], weights: dict[str, int], sentence: str
) -> None:
    cloud.live(**weights)
    assert main(["show", "m", "--run", "r1"]) == 0
    assert sentence in capsys.readouterr().out.splitlines()[-1]


@pytest.mark.parametrize("words", [
    ["rollback", "nobody"], ["approve", "nobody:1"], ["reject", "nobody:1"], ["promote", "nobody:1"],
    ["show", "nobody"], ["show", "nobody:1"], ["show", "nobody", "--run", "r1"], ["runs", "nobody"],
    ["monitor", "nobody"],
])  # fmt: skip
@pytest.mark.usefixtures("cloud")
def test_an_unknown_model_is_named(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli.signing, "call", lambda *request: pytest.fail("a decision about an unknown model was sent"))
    assert main(words) == 2
    assert "there is no model nobody" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["aws", "localstack"])
@pytest.mark.parametrize("error", [Fault("there are no AWS credentials", "", "set AWS_PROFILE"), OSError("nobody")])
def test_a_place_that_does_not_answer_is_not_up(
    place: str, error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unreachable(*names: Any, **settings: Any) -> None:
        raise error

    monkeypatch.setattr(cli.open_place, "open_place", unreachable)
    monkeypatch.setenv("LOCALSTACK_HOST", "127.0.0.1:9")  # nobody, whatever runs on this machine
    assert main(["status", "--place", place, "--json"]) == 1
    printed = json.loads(capsys.readouterr().out)
    assert printed["up"] is False and printed["facts"] == {}
    assert [set(fault) for fault in printed["faults"]] == [{"detail", "remedy"}]


def test_a_list_says_how_much_it_leaves_out(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    cloud.live(v1=90, v2=10)
    standing = {"state": "retired", "at": AT.isoformat(), "by": "run r1"}
    run = cloud.table.get("RUN#m", "RUN#r1").body
    for number in range(3, 71):
        move = {"number": number, "kind": "promoted", "at": AT.isoformat(), "by": "x", "why": "", "before": {},
                "after": {1: 100}}  # fmt: skip
        cloud.table.write(
            Write("VERSION#m", f"VERSION#{number:08d}", version(number).model_dump(mode="json")),
            Write("STATE#m", f"STATE#{number:08d}", standing), Write("ROUTE#m", f"MOVE#{number:08d}", move),
            Write("RUN#m", f"RUN#s{number}", run | {"run": run["run"] | {"run_id": f"s{number}"}}),
        )  # fmt: skip
        decided(cloud, "promote", 1, "", minutes=number)
    assert main(["show", "m", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [len(printed[name]) for name in ("versions", "moves", "decisions")] == [70, 69, 68]
    assert main(["show", "m"]) == 0
    screen = capsys.readouterr().out
    for cut in (70 - 20, 68 - 5):
        assert f"    and {cut} more; --json prints all" in screen
    assert f"    and {69 - 5} more: modelcycle history m" in screen
    assert main(["runs", "m", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["runs"]) == 69
    assert main(["runs", "m"]) == 0
    assert "    and 49 more; --json prints all" in capsys.readouterr().out


def test_a_version_is_shown_even_if_its_documents_are_gone(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    cloud.live(v1=100)
    assert cloud.place.s3.objects == {}
    assert main(["show", "m:1", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["version"], printed["lineage"]) == (1, None)
    assert main(["show", "m:1"]) == 0
    assert f"The feature plan is gone: {ARTIFACT.uri}" in capsys.readouterr().out


def test_times_are_written_in_utc(capsys: pytest.CaptureFixture[str]) -> None:
    from cli import console

    console.print_json({"at": datetime(2026, 1, 1, 12, tzinfo=UTC).astimezone(), "other": ARN})
    assert json.loads(capsys.readouterr().out)["at"] == "2026-01-01T12:00:00Z"


@pytest.mark.parametrize(("versions", "by"), [
    ({}, "by m:1"), ({"versions": [2, 2, 2]}, "by m:2"), ({"versions": [1, 2, 1]}, "by m:1 (2), m:2 (1)"),
])  # fmt: skip
def test_the_versions_that_answered_are_named(versions: dict[str, Any], by: str) -> None:
    answer = {"model": "m", "version": 1, "predictions": ["a", "b", "c"], "probabilities": None} | versions
    assert predictions_text(answer, [{"x": "1"}] * 3, ["x"], [1, 2, 3]).endswith(by)


def test_a_champion_whose_files_are_gone_does_not_hide_how_a_run_ended(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.live(v1=90, v2=10)
    assert cloud.s3.objects == {}
    assert main(["runs", "m", "--follow", "r1"]) == 0
    screen = capsys.readouterr().out
    assert screen.startswith("m:2 has 10 %") and "modelcycle show m" in screen and "curl" not in screen
