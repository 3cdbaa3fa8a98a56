"""One contract for all functions of the template."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from aws_lambda_powertools import Logger
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from modelcycle.aws import adapters
from modelcycle.faults import BadMessage, Fault
from tests.contract.conftest import World
from tests.contract.functions import ROOT, functions
from tests.contract.rows import SECRET

ALL = sorted(functions())
STEPS = [
    "Claim", "Collect", "Preprocess", "EngineerFeatures", "PlanTrials", "RunTrial", "SelectModel", "FindUnseen",
    "ScoreCandidate", "Validate", "Refit", "CheckRefit", "Govern", "Register", "Stage", "Deploy", "Conclude",
    "PlanScoring", "ScoreShard", "FinishScoring",
]  # fmt: skip
SCORING = ("PlanScoring", "ScoreShard", "FinishScoring")
READERS = [name for name in STEPS if name not in ("Claim", "Register", "Conclude")]  # those that read objects
MAX_MESSAGE_BYTES = 32 * 1024  # an eighth of what a state may hold


@pytest.mark.parametrize("name", ALL)
def test_it_has_one_real_event(name: str) -> None:
    path = ROOT / "events" / f"{functions()[name].name}.json"
    assert path.is_file(), f"{path.relative_to(ROOT)} is missing: `sam local invoke {name} -e` needs it"
    json.loads(path.read_text())


@pytest.mark.parametrize(
    "name",
    [name for name in ALL if name not in ("Predict", "AcceptFeedback", "Candidate", "Decide", "Reveal", "Relay")],
)
@pytest.mark.parametrize("event", [{}, {"run": 7}, {"Records": []}, {"detail-type": "Weather", "detail": {}}])
def test_an_unknown_event_is_a_bad_message(world: World, name: str, event: Any) -> None:
    with pytest.raises(BadMessage) as caught:
        functions()[name](event)
    assert caught.value.what


@pytest.mark.parametrize("name", STEPS)
def test_its_requests_and_results_are_small(lived: World, name: str) -> None:
    for message in [*lived.given[name], *lived.answered[name]]:
        assert len(json.dumps(message)) < MAX_MESSAGE_BYTES


@pytest.mark.parametrize("name", STEPS)
def test_a_second_delivery_changes_nothing(lived: World, name: str) -> None:
    before = lived.registry()
    for event, answer in zip(lived.given[name], lived.answered[name], strict=True):
        again = json.loads(json.dumps(functions()[name](event)))
        assert _essence(again) == _essence(answer)
    assert lived.registry() == before


@pytest.mark.parametrize("name", STEPS)
def test_it_logs_the_run_and_no_value_of_a_row(lived: World, name: str) -> None:
    with logged(name) as lines:
        functions()[name](lived.given[name][0])
    records = [json.loads(line) for line in lines() if line.startswith("{") and '"level"' in line]
    assert records, f"{name} logs nothing"
    run_id = lived.answered["Claim"][0]["run"]["run_id"]
    for record in records:
        assert record["correlation_id"]
        if name not in SCORING:  # from the upload to the version that answers, each line has the run's id
            assert run_id in (record["correlation_id"], record.get("run_id"))
        assert record["model"] == "sour-plums"
        assert record["step"]
    assert SECRET not in json.dumps(records, ensure_ascii=False)


@pytest.mark.parametrize("name", READERS)
def test_an_object_that_is_gone_is_a_named_fault(lived: World, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with refused("GetObject", "NoSuchKey", monkeypatch), other_code(monkeypatch), pytest.raises(Fault) as caught:
        functions()[name](lived.given[name][0])
    assert caught.value.remedy


@pytest.mark.parametrize("name", READERS)
def test_a_missing_permission_is_named(lived: World, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        refused("GetObject", "AccessDenied", monkeypatch),
        other_code(monkeypatch),
        pytest.raises(ClientError) as caught,
    ):
        functions()[name](lived.given[name][0])
    assert "AccessDenied" in str(caught.value)
    assert "GetObject" in str(caught.value)


def _essence(answer: Any) -> Any:
    """A result without the fields that may differ in a second delivery: whether it was reused, and how long it took."""
    if isinstance(answer, dict):
        return {key: _essence(value) for key, value in answer.items() if key not in ("cached", "seconds", "created")}
    return answer


@contextmanager
def other_code(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run as other code, so that no earlier result is reused."""
    environment = adapters().environment
    monkeypatch.setattr(adapters(), "environment", environment.model_copy(update={"code_version": "other"}))
    yield
    monkeypatch.undo()


@contextmanager
def refused(operation: str, code: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let AWS refuse one operation."""
    real = BaseClient._make_api_call

    def call(self: BaseClient, name: str, arguments: Any) -> Any:
        if name == operation:
            raise getattr(self.exceptions, code, ClientError)({"Error": {"Code": code, "Message": code}}, name)
        return real(self, name, arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", call)
    yield
    monkeypatch.undo()


@contextmanager
def logged(name: str) -> Iterator[Any]:
    """Collect the lines that a function's Powertools logger writes."""
    logger = Logger(service=functions()[name].name)  # Powertools shares the handler of one service name
    stream = io.StringIO()
    handler: logging.StreamHandler[Any] = logger.registered_handler
    before = handler.setStream(stream)
    yield lambda: stream.getvalue().splitlines()
    handler.setStream(before)
