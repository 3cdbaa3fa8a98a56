"""Personal columns of requests: nothing of them is captured but pseudonyms, by which outcomes find them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from modelcycle.faults import Transient
from modelcycle.model.signature import Signature
from modelcycle.predict.capture_lines import MASKED
from modelcycle.predict.personal_values import FIRST_DELAY, PersonalValues
from modelcycle.pseudonyms import pseudonym, pseudonym_key
from tests.fakes import MemoryKeys
from tests.prediction_api import PREDICT, ROW, Api
from tests.trained import COLOUR, HOURS, ID, MODEL, SEX, body


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    return Api(monkeypatch)


def treated(api: Api, **personal: str) -> None:
    """Make the version in memory treat columns, as its run has decided."""
    live = api.live_models.get(MODEL)
    for version in live.loaded.values():
        signature: Signature = version.signature.model_copy(update={"personal": personal})
        object.__setattr__(version, "signature", signature)


def test_captures_hold_a_pseudonym_or_nothing(api: Api) -> None:
    api.go_live()
    treated(api, **{ID: "pseudonymise", SEX: "drop"})
    rows = [{HOURS: 47.0, COLOUR: "red", ID: 7.0, SEX: "diverse-q"}, {HOURS: 3, COLOUR: None, ID: None, SEX: None}]
    assert api.call(PREDICT, body(*rows))[0] == 200
    first, second = api.firehose.lines
    expected = pseudonym(pseudonym_key(MemoryKeys(), MODEL), "7")
    assert first["instance"] == rows[0] | {ID: expected, SEX: MASKED}
    assert first["masked"] == [SEX]
    assert second["instance"] == rows[1]
    assert "diverse-q" not in json.dumps(api.firehose.lines) + api.log.getvalue()


def test_without_the_key_service_values_are_hidden_and_it_is_asked_again_later(api: Api) -> None:
    api.go_live()
    treated(api, **{ID: "pseudonymise"})
    keys, now = MemoryKeys(), [0.0]
    keys.outage = Transient("KMS does not answer")
    api.recorder.personal = PersonalValues(lambda: keys, clock=lambda: now[0])
    for moment in (0.0, FIRST_DELAY / 2, FIRST_DELAY):
        if moment == FIRST_DELAY:
            keys.outage = None
        now[0] = moment
        assert api.call(PREDICT, body(ROW | {ID: "K-77"}))[0] == 200
    masked = [line["instance"][ID] for line in api.firehose.lines]
    assert masked == [MASKED, MASKED, pseudonym(pseudonym_key(MemoryKeys(), MODEL), "K-77")]
    assert keys.calls == ["mac"]
    assert api.call(PREDICT, body(ROW | {ID: "K-78"}))[0] == 200
    assert keys.calls == ["mac"], "one key for all requests of a process"


@pytest.mark.parametrize("value", ["007", 7, 7.5, True, "x y", "\u00e9", "e\u0301"])
def test_a_value_of_a_request_has_the_pseudonym_of_a_file(value: Any) -> None:
    import duckdb

    from modelcycle.pseudonyms import pseudonym_sql, set_pseudonym_key

    key = b"k" * 32
    with duckdb.connect() as engine:
        set_pseudonym_key(engine, key)
        text = str(value).lower() if isinstance(value, bool) else str(value)
        (made,) = engine.execute(f"SELECT {pseudonym_sql('t')} FROM (SELECT $1::VARCHAR AS t)", [text]).fetchone()
    assert made == pseudonym(key, value)
