"""Personal ids in results and outcomes: stored as the rows of a run hold them; the local file gives them back."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from cli.own_ids import restore_ids
from cli.screens.scored import scored_text
from modelcycle.accept_feedback import accept_feedback, personal_fields
from modelcycle.faults import Fault, Tampered, Transient
from modelcycle.messages import FinishedScoring
from modelcycle.personal.encryption import decrypt, encryption_key
from modelcycle.pseudonyms import pseudonym, pseudonym_key
from modelcycle.registry import Write, keys
from modelcycle.spec.sources import Csv
from tests.fakes import UNSIGNED, MemoryKeys
from tests.trained import HOURS, ID, MODEL, SEX, train
from tests.unit.data_steps import AT
from tests.unit.planted_people import found_in
from tests.unit.scoring_job import HEAD, ROWS, Job, csv_text

KEYS = MemoryKeys(signs=False)
PLAIN = [f"Kq-770{number}" for number in range(6)]
OWN_ROWS = [[*row[:-1], plain] for row, plain in zip(ROWS, PLAIN, strict=True)]
FILE = csv_text(HEAD, *OWN_ROWS)


def job_with(**personal: str) -> Job:
    """Return a job whose live version treats columns so."""
    trained = copy.copy(train("binary"))
    object.__setattr__(trained, "signature", trained.signature.model_copy(update={"personal": personal}))
    job = Job(trained, keys=KEYS)
    job.table.write(Write(*keys.model_entry(MODEL), body={}))
    return job


def own(value: str) -> str:
    made: str = pseudonym(pseudonym_key(KEYS, MODEL), value)
    return made


def test_results_and_shards_hold_pseudonyms_and_the_manifest_says_so() -> None:
    job = job_with(**{ID: "pseudonymise"})
    finished = job.score("rows.csv", FILE)
    assert [line[ID] for line in job.lines(finished)] == [own(value) for value in PLAIN]
    assert [line["row"] for line in job.lines(finished)] == ["1", "2", "3", "4", "5", "6"]
    assert job.manifest(finished)["treated"] == {ID: "pseudonymise"}
    assert "`row` joins them to your file; privacy: {results: keep}" in finished.notes[0]
    stored = job.artifacts.objects | {k: b for k, b in job.data.objects.items() if not k.startswith("score/")}
    assert found_in({k: b for k, b in stored.items() if "_scoring" in k or "scored" in k}, PLAIN) == []


@pytest.mark.parametrize(
    ("treatment", "first"), [("drop", ""), ("mask", "Xx-####"), ("encrypt", "enc_"), ("keep", PLAIN[0])]
)
def test_each_treatment_of_an_id_holds_in_results(treatment: str, first: str) -> None:
    job = job_with(**{ID: treatment})
    finished = job.score("rows.csv", FILE)
    found = job.lines(finished)[0][ID]
    assert found.startswith(first) and (treatment != "drop" or not found)
    if treatment == "encrypt":
        assert decrypt(encryption_key(KEYS, MODEL), found, ID) == PLAIN[0]
    assert bool(job.manifest(finished)["treated"]) == (treatment != "keep")


def test_the_pipeline_file_keeps_values_and_one_with_a_fault_does_not() -> None:
    job = job_with(**{ID: "pseudonymise"})
    first = job.score("rows.csv", FILE)
    job.data.objects[f"pipelines/{MODEL}.yaml"] = f"name: {MODEL}\ntarget: t\nprivacy: {{results: keep}}\n".encode()
    kept = job.again("rows.csv")
    assert kept.job != first.job, "another choice is another job"
    assert [line[ID] for line in job.lines(kept)] == PLAIN
    job.data.objects[f"pipelines/{MODEL}.yaml"] = b"privacy: {results: keep}\n"
    assert job.again("rows.csv").job == first.job


def test_a_column_that_no_version_treats_needs_no_key() -> None:
    job = job_with()
    job.keys = UNSIGNED
    assert [line[ID] for line in job.lines(job.score("rows.csv", FILE))] == PLAIN
    personal = job_with(**{ID: "pseudonymise"})
    personal.keys = UNSIGNED
    with pytest.raises(Fault, match="no such key"):
        personal.score("rows.csv", FILE)
    assert not [key for key in personal.data.objects if key.startswith("scored/")]


def test_the_local_file_gives_its_ids_to_the_local_results(tmp_path: Path) -> None:
    text = csv_text(HEAD, *OWN_ROWS[:2]) + "broken\n" + csv_text(*OWN_ROWS[2:])
    job = job_with(**{ID: "pseudonymise"})
    finished = job.score("rows.csv", text)
    before = job.lines(finished)
    data = tmp_path / "rows.csv"
    data.write_text(text)
    parts = []
    for number, artifact in enumerate(finished.files[:-1]):
        parts.append(tmp_path / f"results-{number}.csv")
        parts[-1].write_bytes(job.data.read(artifact))
    manifest = job.manifest(finished)
    restore_ids(parts, manifest["columns"], {ID: ID}, data, Csv(), [HOURS])
    assert data.read_text() == text, "the file of the user stays"
    lines = job.lines(finished.model_copy(update={"files": [*_put(job, parts), finished.files[-1]]}))
    assert [line[ID] for line in lines] == [*PLAIN[:2], "", *PLAIN[2:]], "a broken line counts"
    others = [{name: cell for name, cell in line.items() if name != ID} for line in lines]
    assert others == [{name: cell for name, cell in line.items() if name != ID} for line in before]


def _put(job: Job, parts: list[Path]) -> list[Any]:
    return [job.data.put(f"own/{part.name}", part.read_bytes()) for part in parts]


def test_the_screen_says_where_which_ids_stand() -> None:
    finished = FinishedScoring(
        model="m", key="score/m/a.csv", job="j", version=3, rows=2, unread=0, results="scored/m/a.csv/j/x.csv",
        manifest="scored/m/a.csv/j/manifest.json",
    )  # fmt: skip
    text = scored_text(finished, [], 1.0, "a", {"mail": "pseudonymise"}, ["mail"])
    assert "mail: the values of your file here; pseudonymised in what is kept" in text
    assert "has changed" in scored_text(finished, [], 1.0, "a", {"mail": "pseudonymise"}, [])


def send(job: Job, *rows: dict[str, Any], key: str = "", service: Any = KEYS) -> list[dict[str, Any]]:
    """Send outcomes; return what is stored of all so far."""
    request = {"outcomes": list(rows)}
    accept_feedback(
        MODEL, request, key, AT, data=job.data, artifacts=job.artifacts, registry=job.registry, keys=service
    )  # fmt: skip
    kept = [body for name, body in job.data.objects.items() if name.startswith(f"feedback/{MODEL}/api/")]
    return [json.loads(line) for body in kept for line in body.splitlines()]


def test_outcomes_over_http_are_stored_with_pseudonyms_and_without_other_personal_fields() -> None:
    job = job_with(**{ID: "pseudonymise", SEX: "drop"})
    sent = [
        {ID: "c1", SEX: "Male", "outcome": "yes", "at": "2026-01-02"}, {ID.upper(): 7, "outcome": "no", "note": 1},
        {"prediction_id": "p", "outcome": "no", ID: None},
    ]  # fmt: skip
    assert send(job, *sent) == [
        {ID: own("c1"), "outcome": "yes", "at": "2026-01-02"}, {ID.upper(): own("7"), "outcome": "no", "note": 1},
        {"prediction_id": "p", "outcome": "no", ID: None},
    ]  # fmt: skip
    assert send(job, *sent) == send(job, *sent), "the same request is kept once"
    assert len([name for name in job.data.objects if "/api/" in name]) == 1


def test_a_repeated_request_with_its_key_is_one_after_a_version_without_personal_columns() -> None:
    job = job_with(**{ID: "pseudonymise"})
    send(job, {ID: "c1", "outcome": "yes"}, key="k")
    names = [name for name in job.data.objects if "/api/" in name]
    plain = json.dumps({ID: "c1", "outcome": "yes"}, sort_keys=True) + "\n"
    other = job_with()
    send(other, {ID: "c1", "outcome": "yes"}, key="k")
    (unkeyed,) = [name for name in other.data.objects if "/api/" in name]
    assert unkeyed not in names, "the name of the object is no plain hash of personal values"
    assert plain.encode() in other.data.objects.values()
    job.cycle.go_live(content="other")
    send(job, {ID: "c1", "outcome": "yes"}, key="k")
    assert [name for name in job.data.objects if "/api/" in name] == names


def test_the_name_of_an_object_tells_nothing_of_fields_that_were_left_out() -> None:
    job = job_with(**{SEX: "drop"})
    for value in ("Male", "Female"):
        send(job, {"prediction_id": "p", SEX: value, "outcome": "yes"}, key="k")
    assert len([name for name in job.data.objects if "/api/" in name]) == 1, (
        "whoever tries out values sees no other name"
    )


def test_where_a_version_was_tampered_with_nobody_knows_what_is_personal_and_nothing_is_kept() -> None:
    job = job_with(**{ID: "pseudonymise"})
    champion = job.registry.routes.get(MODEL).champion
    assert champion is not None
    signature = job.registry.versions.get(MODEL, champion).signature
    (name,) = [name for name in job.artifacts.objects if signature.uri.endswith(f"/{name}")]
    job.artifacts.objects[name] = b'{"personal": {}}'
    personal_fields._known.clear()
    with pytest.raises(Tampered):
        send(job, {ID: "c1", "outcome": "yes"})
    assert not [name for name in job.data.objects if name.startswith("feedback/")]


def test_without_the_key_service_nothing_is_kept_and_outcomes_by_prediction_need_none() -> None:
    job, down = job_with(**{ID: "pseudonymise"}), MemoryKeys()
    down.outage = Transient("KMS does not answer")
    with pytest.raises(Transient):
        send(job, {ID: "c1", "outcome": "yes"}, service=down)
    assert not [name for name in job.data.objects if name.startswith("feedback/")]
    assert send(job, {"prediction_id": "p", "outcome": "yes"}, service=down)
    assert down.calls == [], "the key service is not asked for an outcome that names its prediction"
