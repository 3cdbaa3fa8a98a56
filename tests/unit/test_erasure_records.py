"""Records of the registry that quote a person lose the quote, in one transaction with the audit entry that says so."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from cli.verification.chain import check_chain, check_governed
from cli.verification.findings import Findings
from cli.verification.records import Records
from modelcycle.column_types.decided import quoted
from modelcycle.erase.records import RECORDS, Sentences
from modelcycle.erase.traces import Traces
from modelcycle.faults import Fault
from modelcycle.registry import Entry, Registry, RetrainingDecision, Write, keys
from modelcycle.registry.chain import digest, name_of_record
from modelcycle.registry.events import event_write, plain_line
from modelcycle.registry.keys import Key
from modelcycle.registry.table import Record
from tests.erased_model import AT, CITY, ERASURE, EXECUTION, INCOME, MODEL, NAME, PERSON, ErasedModel
from tests.versioned_store import Killed

RESULT = keys.step_result(MODEL, "preprocess", "f" * 64)
DECISION = keys.retraining_decision(MODEL, AT, "q1")
QUOTED = {"outcome": "kept", "notes": [f"income: numbers such as '{INCOME}' are read as 1,234.56"], "levels": [CITY]}


PLAN = sys.modules["modelcycle.erase.plan_erasure"]  # the package exports a function of this name


@pytest.fixture(autouse=True)
def few_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PLAN, "MAX_BATCHES", 2)


def model_with_quotes(*, in_trail: bool = False) -> ErasedModel:
    model = ErasedModel()
    registry = model.registry
    registry.results.keep(MODEL, "preprocess", RESULT.sk, QUOTED)
    decision = RetrainingDecision(
        request_id="q1", kind="ModelDegraded", at=AT, decision="refused", why=f"city: '{CITY}' in 7 of 900 rows is new"
    )  # fmt: skip
    quiet = decision.model_copy(update={"why": "city: a text is new"})
    registry.retrainings.put(MODEL, decision if in_trail else quiet, None)
    if not in_trail:  # the record alone quotes it: as if its reason were not the entry's
        for key in (DECISION, keys.retraining_request(MODEL, "q1")):
            record = model.table.get(*key)
            assert record is not None
            unit = registry.unit_of_work(MODEL)
            body = record.body | {"why": decision.why}
            unit.put(Write(*key, body, record.revision, record.kind, record.expires))
            unit.audit(f"TEST#{key.sk}", Entry(subject="x", decision="x", by="x"))
            unit.commit()
    model.table.write(event_write("IncidentOpened", MODEL, text=f"drift: {NAME!r} is new"))
    return model


def erased(model: ErasedModel) -> ErasedModel:
    model.ask(why="request 7")
    assert model.run()["state"] == "done"
    return model


def record_of(model: ErasedModel, key: Key) -> Record:
    found = model.table.get(*key)
    assert found is not None
    return found


def wrong_in_the_trail(registry: Registry) -> list[Any]:
    """Return what `verify` says of the chain and of the governed records."""
    trail = {record.sk: record.body for record in registry.table.query(*keys.audit_entries(MODEL))}
    governed = {
        name_of_record(record.key): digest(record.body)
        for pk in keys.partitions(MODEL) for record in registry.table.query(pk) if keys.is_governed(record.key)
    }  # fmt: skip
    head = registry.table.get(*keys.audit_head(MODEL))
    assert head is not None
    findings, records = Findings(), Records(governed=governed, entries=trail, head=head.body)
    check_chain(MODEL, records, findings)
    check_governed(records, findings)
    return findings.faults


def test_records_lose_the_quote_and_keep_everything_else() -> None:
    model = model_with_quotes()
    assert len([name for name in model.found() if "#" in name]) == 4
    before = record_of(model, DECISION)
    erased(model)
    assert model.found() == []
    assert record_of(model, RESULT).body == {
        "outcome": "kept", "notes": ["income: numbers such as '(erased)' are read as 1,234.56"], "levels": ["(erased)"]
    }  # fmt: skip
    after = record_of(model, DECISION)
    assert after.body == before.body | {"why": "city: '(erased)' in 7 of 900 rows is new"}
    assert (after.expires, after.kind) == (before.expires, "record") and before.expires
    (event,) = (record for record in model.table.query(f"EVENT#{MODEL}") if "IncidentOpened" in json.dumps(record.body))
    assert event.kind == "event" and event.expires and "(erased)" in json.dumps(event.body)
    assert model.receipt()["classes"][RECORDS] == {"objects": 4, "rows": 0, "old": 0}
    assert model.receipt()["held"] == {}


def test_the_audit_trail_vouches_for_the_new_text_and_verify_finds_nothing_wrong() -> None:
    model = model_with_quotes()
    assert wrong_in_the_trail(model.registry) == []
    erased(model)
    assert wrong_in_the_trail(model.registry) == []
    (entry,) = (entry for entry in model.registry.audit.all(MODEL) if entry.decision == "reworded")
    assert (entry.subject, entry.by, entry.why) == (f"erasure {ERASURE}", "ann", "request 7")
    assert entry.records[name_of_record(DECISION)] == digest(record_of(model, DECISION).body)
    assert name_of_record(RESULT) in entry.evidence["records"] and name_of_record(RESULT) not in entry.records


def test_what_the_trail_quotes_stays_and_is_told() -> None:
    model = erased(model_with_quotes(in_trail=True))
    left = model.found()
    assert left == [f"AUDIT#{MODEL} AUDIT#REQUEST#q1"]
    assert "never changes" in model.receipt()["held"]["registry/AUDIT"]


def test_a_look_counts_the_records_and_changes_none() -> None:
    model = model_with_quotes()
    records = dict(model.table.records)
    model.ask()
    assert model.run("find")["state"] == "found"
    preview = json.loads(model.artifacts.latest(f"{MODEL}/erasures/{ERASURE}/preview.json")[0])
    assert preview["classes"][RECORDS]["objects"] == 4
    assert dict(model.table.records) == records


def test_somebody_of_whom_only_a_record_knows_is_found_and_erased() -> None:
    model = ErasedModel()
    model.registry.results.keep(MODEL, "preprocess", "e" * 64, {"notes": ["person: 'Q-123456' has 7 rows"]})
    model.ask({"person": "Q-123456"})
    model.run("find")
    assert json.loads(model.artifacts.latest(f"{MODEL}/erasures/{ERASURE}/preview.json")[0])["objects"] == 1
    assert model.run()["state"] == "done"
    assert record_of(model, keys.step_result(MODEL, "preprocess", "e" * 64)).body["notes"] == [
        "person: '(erased)' has 7 rows"
    ]


@pytest.mark.parametrize("before", [True, False])
def test_killed_before_or_after_the_records_are_written_it_ends_the_same(
    before: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = model_with_quotes()
    model.ask(why="request 7")
    write, killed = model.table.write, []

    def write_or_die(*writes: Any) -> None:
        is_the_one = not killed and any(one.pk == RESULT.pk for one in writes)
        if is_the_one:
            killed.append(1)
        if not (is_the_one and before):
            write(*writes)
        if is_the_one:
            raise Killed

    monkeypatch.setattr(model.table, "write", write_or_die)
    with pytest.raises(Killed):
        model.run()
    assert model.run(execution=f"{EXECUTION}-again")["state"] == "done"
    assert model.found() == [] and wrong_in_the_trail(model.registry) == []
    assert model.receipt()["classes"][RECORDS]["objects"] == 4
    assert [entry.decision for entry in model.registry.audit.all(MODEL)].count("reworded") == 1


def test_another_writer_at_the_same_time_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_with_quotes()
    write, raced = model.table.write, []

    def write_after_another(*writes: Any) -> None:
        if not raced and any(one.pk == RESULT.pk for one in writes):
            raced.append(1)
            record = record_of(model, RESULT)
            write(Write(*RESULT, record.body | {"more": f"{CITY} has 7 rows now"}, record.revision))
        write(*writes)

    monkeypatch.setattr(model.table, "write", write_after_another)
    erased(model)
    assert raced and record_of(model, RESULT).body["more"] == "(erased) has 7 rows now"
    assert model.found() == []


def test_what_the_product_reads_by_is_no_quote() -> None:
    texts = {PERSON, "deployed", "input drift", "20260101T000000000-abcd", "2026-01-02", "20260102"}
    body = {
        "state": "deployed", "kind": "input drift", "run_id": "20260101T000000000-abcd", "by": PERSON,
        "uri": f"s3://artifacts/m/runs/20260101T000000000-abcd/{PERSON}.json", "at": "2026-01-02T03:04:05.000001+00:00",
        "sha256": "20260102" * 8, "count": 20260102,
    }  # fmt: skip
    assert Sentences(Traces(frozenset(texts))).cleaned(body) == (body, False)


def test_two_levels_that_are_erased_keep_their_counts() -> None:
    sentences = Sentences(Traces(frozenset({"Zwolle", "Zug West"})))
    cleaned, _ = sentences.cleaned({"counts": {"Zwolle": 3, "Basel": 9, "Zug West": 4}})
    assert cleaned == {"counts": {"(erased)": 3, "Basel": 9, "(erased) (2)": 4}}


def test_a_short_reason_is_a_quote_too() -> None:
    sentences = Sentences(Traces(frozenset({"zebulon"})))
    assert sentences.cleaned({"why": "asked by zebulon"})[0] == {"why": "asked by (erased)"}


def test_levels_in_small_letters_are_no_words_of_ours() -> None:
    sentences = Sentences(Traces(frozenset({"zwolle", "ann smith"})))
    body = {"levels": {"zwolle": 3, "basel": 4}, "group": "zwolle", "warned": ["ann smith"], "kind": "zwolle"}
    assert sentences.cleaned(body)[0] == {
        "levels": {"(erased)": 3, "basel": 4}, "group": "(erased)", "warned": ["(erased)"], "kind": "zwolle"
    }  # fmt: skip
    event = {"detail": {"zwolle": "zwolle"}, "message": {"zwolle": 1}}
    assert sentences.cleaned(event) == (event, False), "fields of an event keep their names"


@pytest.mark.parametrize("text", ['O\'Brien "X"', "Ann  Lee", "Basel\nZug", "a\\b \"c\" 'd'", "Zug\u200bWest"])
def test_a_text_is_recognized_as_notes_faults_and_messages_write_it(text: str) -> None:
    written = [quoted(text), str(Fault(f"{text} is new")), plain_line(f"city: {text} is new"), f"'{text}' is new"]
    cleaned, _ = Sentences(Traces(frozenset({text}))).cleaned({"notes": written})
    assert all("(erased)" in note for note in cleaned["notes"]) and "rien" not in str(cleaned)


def test_large_records_are_written_in_transactions_that_dynamodb_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_with_quotes()
    for number in range(6):
        body = {"notes": [CITY, "x" * 900_000]}
        model.registry.results.keep(MODEL, "preprocess", f"{number}" * 64, body)
    write, sizes = model.table.write, []

    def measured(*writes: Any) -> None:
        sizes.append(sum(len(json.dumps(one.body)) for one in writes))
        write(*writes)

    monkeypatch.setattr(model.table, "write", measured)
    erased(model)
    assert model.found() == [] and wrong_in_the_trail(model.registry) == []
    assert 1_000_000 < max(sizes) < 4_000_000


def test_somebody_who_is_called_as_a_kind_of_records_stops_nothing() -> None:
    model = model_with_quotes(in_trail=True)
    model.ask({"person": PERSON}, {"person": "Audit"})
    assert model.run()["state"] == "done" and "registry/AUDIT" in model.receipt()["held"]


def test_a_long_text_is_recognized_where_a_sentence_has_cut_it() -> None:
    letter = "I was not told that my father's account was closed in May, and want it opened again at once"
    sentences = Sentences(Traces(frozenset({letter})))
    for limit in (30, 40, 80):
        body, changed = sentences.cleaned({"note": f"{letter[: limit - 3] + '...'!r} is new"})
        assert changed and letter[:20] not in body["note"]
