"""A person accepts that new code answers otherwise than on record; that leaves a trace, and only that change passes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from moto import mock_aws

from infra.delivery import accept_answers as module
from infra.delivery.accept_answers import accept_answers, main
from modelcycle.check_code import Places, check_predict
from modelcycle.faults import BadInput, Unknown
from modelcycle.registry import DynamoTable, Registry, Route
from modelcycle.registry.table import Write
from modelcycle.store import S3Store, put_json
from tests.unit.test_check_code import ASKED, RECORD, Function, Reports, answer_to
from tests.unit.test_cli_show import version

OTHERWISE: dict[str, Any] = {
    **answer_to(RECORD, 3), "predictions": ["nein"] * 3, "probabilities": [{"nein": 0.7, "ja": 0.3}] * 3
}  # fmt: skip


@dataclass
class Stack:
    """A stack whose model `m` has the live version 3."""

    session: Any
    outputs: dict[str, str]

    def __post_init__(self) -> None:
        self.session.client("s3").create_bucket(Bucket="artifacts")
        dynamodb = self.session.client("dynamodb")
        dynamodb.create_table(
            TableName="registry", BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
        )  # fmt: skip
        table = DynamoTable(dynamodb, "registry")
        self.registry, self.store = Registry(table), S3Store(self.session.client("s3"), "artifacts")
        table.write(
            Write("MODELS", "m", {}),
            Write("VERSION#m", "VERSION#00000003", version(3).model_dump(mode="json")),
            Write("ROUTE#m", "ROUTE", Route(weights={3: 100}).model_dump(mode="json")),
        )
        self.key = version(3).answers_key

    def check(self, before: dict[str, Any] | None = None) -> tuple[str, list[str]]:
        """Check code that answers otherwise, and perhaps the code before it too."""
        new, live = Function(OTHERWISE), Function(before or answer_to(RECORD, 3), "6")
        checked = check_predict(ASKED, Places(self.store, self.registry, new, live, Reports()))  # type: ignore[arg-type]
        return checked.verdict, checked.notes


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        stack = Stack(
            boto3.Session(region_name="us-east-1"), {"ArtifactBucket": "artifacts", "RegistryTable": "registry"}
        )
        monkeypatch.setattr(module, "find_account", lambda: None)
        monkeypatch.setattr(module, "deployed_stack", lambda account, name: stack)
        yield stack


def test_accepted_answers_let_new_code_pass_leave_a_trace_and_are_put_back(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    put_json(stack.store, stack.key, RECORD)
    assert stack.check()[0] == "refused"
    assert main(["modelcycle-prod", "m", "3", "missing ages were read as 0"]) == 0
    verdict, notes = stack.check()
    assert verdict == "passed"
    assert "version 3 has no answers on record" in notes[0]
    (kept,) = (listed.key for listed in stack.store.list("m/staging/"))
    assert kept in capsys.readouterr().out
    trace = json.loads(stack.store.latest(kept)[0])
    assert (trace["why"], trace["record"], trace["key"]) == ("missing ages were read as 0", RECORD, stack.key)
    assert trace["by"].startswith("arn:aws:") and trace["at"]
    (entry,) = stack.registry.audit.all("m")
    assert (entry.decision, entry.by, entry.why) == ("accept other answers", trace["by"], trace["why"])
    assert entry.evidence["answers"]["uri"] == f"s3://artifacts/{kept}"
    assert main(["modelcycle-prod", "m", "3", "--deployed"]) == 0
    assert json.loads(stack.store.latest(stack.key)[0]) == RECORD
    put_json(stack.store, stack.key, {})  # as a later delivery of staging does
    assert stack.check(before=OTHERWISE)[0] == "passed"
    assert stack.check()[0] == "refused"


def test_what_cannot_be_accepted_is_said_and_changes_nothing(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Unknown, match="m:3 has no answers on record"):
        accept_answers(stack.session, stack.outputs, "m", 3, "why")
    put_json(stack.store, stack.key, RECORD)
    with pytest.raises(BadInput, match="no reason"):
        accept_answers(stack.session, stack.outputs, "m", 3, " ")
    assert main(["modelcycle-prod", "m", "4", "why"]) == main(["modelcycle-prod", "m", "3", "--deployed"]) == 1
    assert main(["modelcycle-prod", "m", "x", "why"]) == main(["modelcycle-prod", "m"]) == 2
    assert "Traceback" not in capsys.readouterr().err
    assert [listed.key for listed in stack.store.list("m/")] == [stack.key]
