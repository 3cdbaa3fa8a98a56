"""What people get of an incident: a sentence by the topic, JSON by the webhook, whatever a column is called."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ministack.services.eventbridge import _render_input_template

from infra.local.deployment.translate import read_template
from modelcycle.messages import Broken
from modelcycle.model.window import ColumnCounts
from modelcycle.monitor.inputs.cause import broken_columns
from modelcycle.monitor.inputs.inputs import input_signals
from modelcycle.registry import Registry
from modelcycle.registry.events import plain_line
from tests.fakes import MemoryTable
from tests.permission_tables import ROOT
from tests.unit.judged_windows import LIMITS, numbers, summary, texts
from tests.unit.planted_people import people

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


ROWS = people(400)
NAMES = sorted({row["Kontakt"] for row in ROWS})
KNOWN = dict.fromkeys(NAMES[:200], 3)
CARDS = np.array([float(row["zahlung"]) for row in ROWS])


@pytest.mark.parametrize(
    "column",
    [
        texts(KNOWN, dict.fromkeys(NAMES[200:], 3)),
        texts(KNOWN, {name.upper(): 3 for name in NAMES[:200]}),
        texts(KNOWN, {NAMES[300]: 600}),
        texts(KNOWN, {NAMES[0]: 300, NAMES[300]: 300}),
        texts(KNOWN, KNOWN, missing=(0, 900)),
        numbers(CARDS, np.full(400, CARDS[7])),
        numbers(CARDS, np.where(np.arange(400) < 200, CARDS, CARDS.max() * 10)),
        numbers(CARDS, CARDS / 1000),
    ],
)  # fmt: skip
def test_no_message_holds_a_value_of_a_row(column: ColumnCounts) -> None:
    window = summary(column)
    found = input_signals(window, None, None, LIMITS)
    wrong = broken_columns(window, found)
    assert wrong or any(signal.state == "alarm" for signal in found)
    table = MemoryTable()
    incidents = Registry(table).incidents
    for hours in (0, 1, 30):
        end = NOW + timedelta(hours=hours)
        incidents.update("m", 3, "hour", (end - timedelta(hours=1), end), found, wrong, (3,), 600)
    told = json.dumps([write.body for write in table.written], ensure_ascii=False, default=str)
    assert '"kind": "IncidentOpened"' in told and '"kind": "IncidentStillOpen"' in told
    values = {*NAMES, *(name.upper() for name in NAMES), *(row["zahlung"] for row in ROWS)}
    assert not [value for value in values if value in told]


def test_both_rules_carry_the_same_events() -> None:
    for rule in ("Incident", "ToWebhook"):
        assert set(TEMPLATE["Resources"][rule]["Properties"]["EventPattern"]["detail-type"]) == ANNOUNCED


def test_everything_of_the_webhook_is_left_out_with_it() -> None:
    webhook = {"ToWebhook", "Webhook", "WebhookConnection", "ToWebhookRole"}
    found = {name for name, made in TEMPLATE["Resources"].items() if made.get("Condition") == "HasWebhook"}
    assert found == webhook
