"""Personal columns: found, treated before anything is stored, and never quoted."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelcycle.faults import BadData, BadPipeline, Fault, NotAllowed
from modelcycle.messages import Preprocessed
from modelcycle.personal.encryption import decrypt, encryption_key
from modelcycle.pseudonyms import pseudonym, pseudonym_key, pseudonym_sql, set_pseudonym_key
from tests.unit.data_steps import Workspace
from tests.unit.planted_people import csv_of, found_in, people, secrets_of

PERSONAL = ("Kontakt", "Full Name", "fon", "zahlung")


def workspace_of(rows: list[dict[str, str]], **pipeline: Any) -> tuple[Workspace, Preprocessed]:
    workspace = Workspace()
    workspace.data.upload("raw/m/a.csv", csv_of(rows))
    return workspace, workspace.preprocess(workspace.run(target="left", **pipeline))


def test_what_nobody_has_listed_is_found_and_stored_nowhere() -> None:
    rows = people(400)
    workspace, _ = workspace_of(rows)
    collected = workspace.collect(workspace.run("r2", target="left"))
    kinds = ["e-mail addresses", "names", "telephone numbers", "payment card numbers"]
    assert [note.split(" (")[0] for note in collected.notes] == [
        f"{name}: {kind}" for name, kind in zip(PERSONAL, kinds, strict=True)
    ]
    assert found_in(workspace.artifacts.objects, secrets_of(rows, PERSONAL)) == []
    assert found_in(workspace.artifacts.objects, ["Ulm"])  # the search finds what is there


def test_an_identifier_becomes_a_pseudonym_that_is_the_same_everywhere() -> None:
    rows = [{**row, "Kontakt": f"p{number % 80}@example.org"} for number, row in enumerate(people(400))]
    workspace, result = workspace_of(rows, group_by=["Kontakt"])
    schema = workspace.schema(result)
    assert schema.personal == {"Kontakt": "pseudonymise", "Full Name": "drop", "fon": "drop", "zahlung": "drop"}
    assert schema.column("Kontakt").distinct == 80
    assert result.cases == 80
    levels = workspace.columns(result.train).values["Kontakt"].levels  # type: ignore[union-attr]
    key = pseudonym_key(workspace.keys, "m")  # type: ignore[arg-type]
    assert {*levels} <= {pseudonym(key, row["Kontakt"]) for row in rows}
    assert found_in(workspace.artifacts.objects, secrets_of(rows, PERSONAL)) == []


@pytest.mark.parametrize("treatment", ["drop", "mask", "pseudonymise", "encrypt"])
def test_a_listed_column_is_treated_whatever_it_holds(treatment: str) -> None:
    rows = people(200)
    workspace, result = workspace_of(rows, privacy={"columns": {"city": treatment}})
    names = [column.name for column in workspace.schema(result).columns]
    assert "city" not in names
    assert "age" in names
    assert found_in(workspace.artifacts.objects, ["Ulm", "Bonn", "Kiel"]) == []


def test_kept_is_kept_and_no_more_is_said() -> None:
    columns = dict.fromkeys(PERSONAL, "keep")
    workspace, result = workspace_of(people(200), privacy={"columns": columns})
    assert workspace.schema(result).personal == {}
    assert "personal" not in json.loads(workspace.artifacts.read(result.contract))  # type: ignore[arg-type]


def test_tell_keeps_and_fail_fails() -> None:
    workspace, result = workspace_of(people(200), privacy={"detected": "tell"})
    assert "Kontakt" in [column.name for column in workspace.schema(result).columns]
    with pytest.raises(BadData, match=r"Kontakt \(e-mail addresses\), Full Name \(names\)") as fault:
        workspace_of(people(200), privacy={"detected": "fail"})
    assert "example.org" not in str(fault.value)


def test_without_a_key_nothing_is_pseudonymised_by_chance() -> None:
    workspace = Workspace(keys=None)
    workspace.data.upload("raw/m/a.csv", csv_of(people(100)))
    with pytest.raises(BadPipeline, match="needs a key of the stack"):
        workspace.collect(workspace.run(target="left", privacy={"columns": {"Kontakt": "pseudonymise"}}))
    collected = workspace.collect(workspace.run("r2", target="left", id_columns=["Kontakt"]))
    assert "kept" in collected.notes[0]


def test_broken_lines_and_unread_cells_quote_no_personal_value() -> None:
    rows = people(300)
    lost = rows[7] | {"Full Name": "Obadiah Crumplehorn", "Kontakt": "obadiah@crumplehorn.example"}
    body = csv_of(rows) + (",".join([*lost.values(), "one", "more"]) + "\n").encode()
    unread = {**rows[8], "age": "wed", "left": "", "Kontakt": "broken cell@x.example.org"}
    body += csv_of([unread]).split(b"\n", 1)[1]
    workspace = Workspace()
    workspace.data.upload("raw/m/a.csv", body)
    result = workspace.preprocess(workspace.run(target="left"))
    collected = workspace.collect(workspace.run("r2", target="left"))
    assert collected.quarantine is not None
    [(_, line, text, _)] = workspace.parquet(collected.quarantine)
    assert line == 302
    assert "withheld" in text
    assert result.quarantined == 1
    secrets = [*secrets_of(rows, PERSONAL), "Crumplehorn", "crumplehorn", "x.example.org"]
    assert found_in(workspace.artifacts.objects, secrets) == []


def test_columns_that_the_pipeline_needs_cannot_be_taken_away() -> None:
    for keys, what in [
        ({"privacy": {"columns": {"left": "drop"}}}, "target needs the values of 'left'; drop takes them away"),
        ({"privacy": {"columns": {"a": "mask"}}, "id_columns": ["a"]}, "id_columns tells rows apart by 'a'"),
        ({"privacy": {"columns": {"a": "encrypt"}}, "sensitive_columns": ["a"]}, "sensitive_columns needs the values"),
    ]:
        with pytest.raises((ValueError, Fault), match=what):
            Workspace().run(target="left", **keys)


def test_a_column_that_is_not_there_is_an_error() -> None:
    with pytest.raises(BadPipeline, match=r"privacy.columns names 'e-mail', which is not a column"):
        workspace_of(people(60), privacy={"columns": {"e-mail": "drop"}})


def test_who_has_the_key_can_read_an_encrypted_column_and_nobody_else() -> None:
    rows = people(60)
    workspace = Workspace()
    workspace.data.upload("raw/m/a.csv", csv_of(rows))
    run = workspace.run(target="left", privacy={"columns": {"Full Name": "encrypt"}})
    collected = workspace.collect(run)
    cells = [row[2] for row in workspace.rows(collected)]
    assert workspace.keys is not None
    key = encryption_key(workspace.keys, "m")
    assert [decrypt(key, cell, "Full Name") for cell in cells] == [row["Full Name"] for row in rows]
    for other, column in ((encryption_key(workspace.keys, "m2"), "Full Name"), (key, "city")):
        with pytest.raises(NotAllowed, match="cannot be decrypted"):
            decrypt(other, cells[0], column)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")))
def test_a_pseudonym_is_the_same_in_a_file_and_in_a_request(text: str) -> None:
    key = b"k" * 32
    with duckdb.connect() as engine:
        set_pseudonym_key(engine, key)
        (made,) = engine.execute(f"SELECT {pseudonym_sql('t')} FROM (SELECT $1::VARCHAR AS t)", [text]).fetchone()
    assert made == pseudonym(key, text)
