"""What people get of an incident: a sentence by the topic, JSON by the webhook, whatever a column is called."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ministack.services.eventbridge import _render_input_template

from infra.local.deployment.translate import read_template
from modelcycle.messages import Broken
from modelcycle.registry import Registry
from modelcycle.registry.events import plain_line
from tests.fakes import MemoryTable
from tests.permission_tables import ROOT

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TEMPLATE = read_template(ROOT / "infra" / "incidents.yaml")
ANNOUNCED = {"IncidentOpened", "IncidentStillOpen", "IncidentClosed", "RetrainingPaused"}


def rendered(rule: str, event: dict[str, Any]) -> Any:
    """Return what the target of a rule gets, read as JSON."""
    (target,) = TEMPLATE["Resources"][rule]["Properties"]["Targets"]
    transformer = target["InputTransformer"]
    values = {}
    for name, path in transformer["InputPathsMap"].items():
        found: Any = event
        for part in path.removeprefix("$.").split("."):
            found = found[part]
        values[name] = found
    return json.loads(_render_input_template(transformer["InputTemplate"], values))


def opened(column: str) -> dict[str, Any]:
    """Return the event of an incident about a column, as the relay hands it on."""
    table = MemoryTable()
    wrong = [Broken(column=column, cause="other units", detail=f"{column} is about 12 times as large")]
    Registry(table).incidents.update("m", 3, "hour", (NOW - timedelta(hours=1), NOW), [], wrong, (3,))
    (event,) = [write.body for write in table.written if write.kind == "event"]
    return {"detail-type": event["kind"], "detail": {"id": event["id"], "model": "m"} | event["detail"]}


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=40))
def test_any_text_fits_into_json_that_is_not_escaped(text: str) -> None:
    line = plain_line(text)
    assert json.loads(f'"{line}"') == line
    assert "\n" not in line


@pytest.mark.parametrize("column", ['the "kind"', "a\\b\n\x00c", "größe", "<text>", "${x}", "it's"])
def test_the_topic_gets_a_sentence_and_the_webhook_json(column: str) -> None:
    event = opened(column)
    sentence = rendered("Incident", event)
    assert sentence.startswith("m:3, incident 1: live values are wrong (")
    body = rendered("ToWebhook", event)
    assert (body["text"], body["kind"]) == (sentence, "IncidentOpened")
    assert body["detail"]["subjects"] == [column]


def test_both_rules_carry_the_same_events() -> None:
    for rule in ("Incident", "ToWebhook"):
        assert set(TEMPLATE["Resources"][rule]["Properties"]["EventPattern"]["detail-type"]) == ANNOUNCED


def test_everything_of_the_webhook_is_left_out_with_it() -> None:
    webhook = {"ToWebhook", "Webhook", "WebhookConnection", "ToWebhookRole"}
    found = {name for name, made in TEMPLATE["Resources"].items() if made.get("Condition") == "HasWebhook"}
    assert found == webhook
