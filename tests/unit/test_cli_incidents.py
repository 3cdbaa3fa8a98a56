"""`incidents`, `retrain`, and what `show` says of the governor."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cli import open_place
from cli.main import main
from cli.screens.incidents import decisions_text, incidents_text, model_incidents_text
from modelcycle.messages import Broken, Signal
from modelcycle.registry import RetrainingDecision, incidents
from tests.memory_place import ARN, Cloud

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Retrain:
    """The function that decides, with the answer of a test."""

    def __init__(self, answer: dict[str, Any], failed: bool = False) -> None:
        self.answer, self.failed, self.events = answer, failed, list[dict[str, Any]]()

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
        assert FunctionName == "arn:retrain"
        self.events.append(json.loads(Payload))
        return {"Payload": io.BytesIO(json.dumps(self.answer).encode())} | (
            {"FunctionError": "Unhandled"} if self.failed else {}
        )


class Sts:
    """Tells who calls."""

    def get_caller_identity(self) -> dict[str, str]:
        return {"Arn": "arn:aws:iam::123456789012:user/ann"}


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    made = Cloud()
    made.place.outputs["RetrainFunction"] = "arn:retrain"
    monkeypatch.setattr(incidents, "AT_ONCE", {"broken data", "drift"})  # one window opens them
    monkeypatch.setattr(open_place, "open_place", lambda *arguments, **options: made.place)
    made.ended("deployed", version=1)
    return made


def answers(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, failed: bool = False, **answer: Any) -> Retrain:
    function = Retrain({"schema": 1, "kind": "RetrainingRequested"} | answer, failed)
    monkeypatch.setattr(cloud, "client", lambda service, **settings: {"lambda": function, "sts": Sts()}.get(service))
    return function


def look(cloud: Cloud, hour: int, state: str, name: str = "age", *broken: Broken) -> None:
    signal = Signal.model_validate({"kind": "input drift", "subject": name, "state": state, "detail": "PSI 0.31"})
    window = NOON + (hour - 1) * HOUR, NOON + hour * HOUR
    cloud.place.registry.incidents.update("m", 1, "hour", window, [signal], broken, (1,))


def test_open_incidents_of_all_models_are_listed(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["incidents"]) == 0
    assert "No incident is open." in capsys.readouterr().out
    look(cloud, 0, "alarm")
    assert main(["incidents"]) == 0
    shown = capsys.readouterr().out
    assert "1 incident open" in shown
    assert "m:1" in shown
    assert "live data have drifted (age)" in shown
    assert main(["incidents", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["incidents"][0]["subjects"] == ["age"]


def test_a_models_incidents_say_why_they_closed_and_what_retraining_did(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    for hour, state in enumerate(("alarm", "ok", "ok", "alarm")):
        look(cloud, hour, state)
    look(cloud, 4, "alarm", "age", Broken(column='a "b"\nc', cause="other units", detail="about 12 times as large"))
    decided(cloud, "refused", "live values are wrong")
    assert main(["incidents", "m"]) == 0
    shown = capsys.readouterr().out
    assert "m: 2 incidents open" in shown
    assert 'a "b" c: about 12 times as large' in shown
    assert "it was not seen again in 2 windows" in shown
    assert "live values are wrong" in shown
    assert main(["incidents", "m", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [one["state"] for one in document["incidents"]] == ["open", "open", "closed"]
    assert document["retraining"][0]["decision"] == "refused"


def decided(cloud: Cloud, decision: str, why: str, times: int = 1, at: datetime = NOON) -> None:
    for number in range(times):
        moment = at + timedelta(seconds=number)
        made = RetrainingDecision.model_validate(
            {
                "request_id": f"{moment.timestamp()}",
                "kind": "ModelDegraded",
                "at": moment,
                "decision": decision,
                "why": why,
            }
        )
        cloud.place.registry.retrainings.put("m", made, None)


def test_a_storm_is_one_line(cloud: Cloud) -> None:
    decided(cloud, "started", "the model is degraded")
    decided(cloud, "folded", "run r is in progress", 99, NOON + HOUR)
    lines = decisions_text(cloud.place.registry.retrainings.latest("m"), NOON + 2 * HOUR)
    assert "folded (99 times)" in lines[1]
    assert lines[1].count("\n") == 2


def test_nothing_is_said_of_a_governor_that_was_never_asked() -> None:
    assert decisions_text([]) == []
    assert model_incidents_text("m", [], []) == "m: no incident is open"
    assert incidents_text([]) == "No incident is open."


def test_show_tells_the_last_decisions(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    decided(cloud, "refused", "cooling down until 2026-03-02")
    assert main(["show", "m"]) == 0
    assert "cooling down until 2026-03-02" in capsys.readouterr().out
    assert main(["show", "m", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["retraining"][0]["why"].startswith("cooling down")


@pytest.mark.parametrize(("done", "status", "said"), [
    ("folded", 3, "was not asked to run again"), ("refused", 3, "is not trained now"),
    ("resumed", 0, "the pause is over"),
])  # fmt: skip
def test_a_person_reads_why_no_run_was_started(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], done: str, status: int, said: str
) -> None:
    function = answers(cloud, monkeypatch, done=done, why="because")
    command = ["retrain", "m", "--why", "new prices"] + (["--resume"] if done == "resumed" else [])
    assert main(command) == status
    shown = capsys.readouterr().out
    assert said in shown
    assert done == "resumed" or "because" in shown
    (event,) = function.events
    assert event["detail-type"] == ("RetrainingResumed" if done == "resumed" else "RetrainingRequested")
    assert event["detail"]["reason"] == "new prices"
    assert event["detail"]["by"]


def test_a_run_that_was_started_is_followed(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers(cloud, monkeypatch, done="started", why="a person asked for it", execution=ARN)
    followed: list[str] = []
    monkeypatch.setattr(
        "cli.retrain.show_run", lambda place, model, execution, as_json: followed.append(execution) or 0
    )
    assert main(["retrain", "m"]) == 0
    assert followed == [ARN]


def test_a_failing_function_is_one_sentence(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers(cloud, monkeypatch, failed=True, errorMessage="the registry is busy")
    assert main(["retrain", "m"]) == 1
    assert "the registry is busy" in capsys.readouterr().err
    assert main(["retrain", "nobody"]) == 2
    assert "there is no model nobody" in capsys.readouterr().err
