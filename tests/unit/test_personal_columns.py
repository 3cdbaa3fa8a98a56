"""Personal columns: found, treated before anything is stored, and never quoted."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelcycle.collect import collect
from modelcycle.faults import BadData, BadPipeline, Fault, NotAllowed
from modelcycle.messages import CollectRequest, Preprocessed
from modelcycle.messages.personal import PersonalColumn
from modelcycle.personal import detect
from modelcycle.personal.encryption import decrypt, encryption_key
from modelcycle.pseudonyms import pseudonym, pseudonym_key, pseudonym_sql, set_pseudonym_key
from tests.unit.clinic import rows as rows_of_clinic
from tests.unit.clinic import text
from tests.unit.data_steps import Workspace
from tests.unit.planted_people import csv_of, found_in, people, secrets_of
from tests.unit.test_contract import held, live

PERSONAL = ("Kontakt", "Full Name", "fon", "zahlung")


def workspace_of(rows: list[dict[str, str]], **pipeline: Any) -> tuple[Workspace, Preprocessed]:
    workspace = Workspace()
    workspace.data.upload("raw/m/a.csv", csv_of(rows))
    return workspace, workspace.preprocess(workspace.run(target="left", **pipeline))


def test_what_nobody_has_listed_is_found_and_stored_nowhere() -> None:
    rows = people(150)
    workspace, _ = workspace_of(rows)
    collected = workspace.collect(workspace.run("r2", target="left"))
    kinds = ["e-mail addresses", "names", "telephone numbers", "payment card numbers"]
    assert [note.split(" (")[0] for note in collected.notes] == [
        f"{name}: {kind}" for name, kind in zip(PERSONAL, kinds, strict=True)
    ]
    assert found_in(workspace.artifacts.objects, secrets_of(rows, PERSONAL)) == []
    assert found_in(workspace.artifacts.objects, ["Ulm"])  # the search finds what is there


def test_an_identifier_becomes_a_pseudonym_that_is_the_same_everywhere() -> None:
    rows = [{**row, "Kontakt": f"p{number % 30}@example.org"} for number, row in enumerate(people(150))]
    workspace, result = workspace_of(rows, group_by=["Kontakt"])
    schema = workspace.schema(result)
    assert schema.personal == {"Kontakt": "pseudonymise", "Full Name": "drop", "fon": "drop", "zahlung": "drop"}
    assert schema.column("Kontakt").distinct == 30
    assert result.cases == 30
    levels = workspace.columns(result.train).values["Kontakt"].levels  # type: ignore[union-attr]
    key = pseudonym_key(workspace.keys, "m")  # type: ignore[arg-type]
    assert {*levels} <= {pseudonym(key, row["Kontakt"]) for row in rows}
    assert found_in(workspace.artifacts.objects, secrets_of(rows, PERSONAL)) == []


@pytest.mark.parametrize("treatment", ["drop", "mask", "pseudonymise", "encrypt"])
def test_a_listed_column_is_treated_whatever_it_holds(treatment: str) -> None:
    rows = people(80)
    workspace, result = workspace_of(rows, privacy={"columns": {"city": treatment}})
    names = [column.name for column in workspace.schema(result).columns]
    assert "city" not in names
    assert "age" in names
    assert found_in(workspace.artifacts.objects, ["Ulm", "Bonn", "Kiel"]) == []


def test_kept_is_kept_and_no_more_is_said() -> None:
    columns = dict.fromkeys(PERSONAL, "keep")
    workspace, result = workspace_of(people(80), privacy={"columns": columns})
    assert workspace.schema(result).personal == {}
    assert "personal" not in json.loads(workspace.artifacts.read(result.contract))  # type: ignore[arg-type]


def test_tell_keeps_and_fail_fails() -> None:
    workspace, result = workspace_of(people(80), privacy={"detected": "tell"})
    assert "Kontakt" in [column.name for column in workspace.schema(result).columns]
    with pytest.raises(BadData, match=r"Kontakt \(e-mail addresses\), Full Name \(names\)") as fault:
        workspace_of(people(80), privacy={"detected": "fail"})
    assert "example.org" not in str(fault.value)


def test_without_a_key_nothing_is_pseudonymised_by_chance() -> None:
    workspace = Workspace(keys=None)
    workspace.data.upload("raw/m/a.csv", csv_of(people(100)))
    with pytest.raises(BadPipeline, match="needs a key of the stack"):
        workspace.collect(workspace.run(target="left", privacy={"columns": {"Kontakt": "pseudonymise"}}))
    collected = workspace.collect(workspace.run("r2", target="left", id_columns=["Kontakt"]))
    assert "kept" in collected.notes[0]


def test_broken_lines_and_unread_cells_quote_no_personal_value() -> None:
    rows = people(120)
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
    assert line == 122
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


@settings(deadline=None, max_examples=15)
@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")))
def test_a_pseudonym_is_the_same_in_a_file_and_in_a_request(text: str) -> None:
    key = b"k" * 32
    with duckdb.connect() as engine:
        set_pseudonym_key(engine, key)
        (made,) = engine.execute(f"SELECT {pseudonym_sql('t')} FROM (SELECT $1::VARCHAR AS t)", [text]).fetchone()
    assert made == pseudonym(key, text)


def with_people(count: int, seed: int) -> list[dict[str, Any]]:
    table = rows_of_clinic(count, seed)
    return [
        row | {name: person[name] for name in ("Kontakt", "Full Name")}
        for row, person in zip(table, people(count, seed), strict=True)
    ]


def test_a_column_stays_personal_when_a_later_batch_looks_otherwise() -> None:
    workspace = live(text(with_people(300, 0)))
    later = [row | {"Kontakt": "walk-in Nr. 7", "Full Name": "unknown person 12"} for row in with_people(300, 1)]
    result, report = held(workspace, text(later))
    assert workspace.schema(result).personal == {"Kontakt": "drop", "Full Name": "drop"}
    assert report.violations == []
    assert found_in(workspace.artifacts.objects, ["walk-in", "unknown person"]) == []


def test_a_column_that_a_live_version_reads_may_become_personal() -> None:
    table = with_people(300, 0)
    workspace = live(text(table), privacy={"detected": "tell"})
    kept = len(workspace.artifacts.objects)
    result, report = held(workspace, text(with_people(300, 1)))
    assert workspace.schema(result).personal == {"Kontakt": "drop", "Full Name": "drop"}
    assert report.of_level("fail") == []
    new = dict(list(workspace.artifacts.objects.items())[kept:])
    assert found_in(new, secrets_of(with_people(300, 1), ("Kontakt", "Full Name"))) == []


def test_a_file_whose_personal_column_has_another_name_is_refused_without_a_value() -> None:
    workspace = live(text(with_people(300, 0)))
    renamed = [
        {("état" if name == "state" else name): value for name, value in row.items()} for row in with_people(99, 1)
    ]
    secrets = secrets_of(with_people(99, 1), ("Kontakt", "Full Name"))
    with pytest.raises(Fault) as fault:
        held(workspace, text(renamed))
    assert [value for value in secrets if value in str(fault.value)] == []
    assert found_in(workspace.artifacts.objects, secrets) == []


@pytest.mark.parametrize(
    ("header", "texts", "kind"),
    [
        ("携帯電話", ["090-1234-5678", "080-2345-6789", "070-3456-7890"], "telephone numbers"),
        ("kolumna7", ["+48 22 123 45 67", "+48 601 234 567", "+48 12 345 67 89"], "telephone numbers"),
        ("sid", ["4111111111111111", "5500005555555559", "340000000000009"], "payment card numbers"),
        ("k", ["DE89370400440532013000", "GB82 WEST 1234 5698 7654 32", "FR1420041010050500013M02606"],
         "bank account numbers"),
        ("x", ["529.982.247-25", "111.444.777-35", "390.533.447-05"], "national identity numbers"),
        ("src", ["10.0.0.1", "2001:db8::1", "192.168.1.20"], "IP addresses"),
        ("loc", ["12 Main Street", "Hauptstraße 5", "14 rue de la Paix"], "addresses"),
        ("geb", ["2001-02-03"], None), ("Geburtsdatum", ["03.02.2001", "04.12.1987"], "dates of birth"),
        ("Name", ["Braund, Mr. Owen", "Heikkinen, Miss. Laina", "Allen, Mr. William"], "names"),
        ("姓名", ["王伟", "李娜", "张敏"], "names"), ("имя", ["Иван", "Пётр", "Мария"], "names"),
        ("comment", ["x"] + [f"write to a{n}@b.org when the parcel number {n} has come" for n in range(4)],
         "texts with e-mail addresses"),
        # what is none of these
        ("name", ["Widget A", "Widget B", "Gadget"], None), ("city", ["San Jose", "Florence", "Rome"], None),
        ("phone_price", ["899", "1299", "450"], None), ("mobile", ["yes", "no"], None), ("cell", ["A1", "B2"], None),
        ("price", ["1,200.50", "+3.20", "-4.00"], None), ("lat", ["+52.520008", "+48.856613"], None),
        ("ts_ms", [str(1_700_000_000_000 + 7777 * n) for n in range(50)], None),
        ("order_id", [f"{n:08d}" for n in range(100)], None), ("release", ["1.2.3.4", "1.2.4.0", "2.0.0.1"], None),
        ("ean", ["4006381333931", "5901234123457", "8711253001202"], None), ("zip", ["10115", "90210"], None),
        ("time", ["12:30:01", "13:45:59"], None), ("Birth Weight", ["3.5", "2.9"], None), ("x", [], None),
        ("constant", ["7"] * 9, None), ("infinite", ["inf", "-inf", "1e308"], None), ("gone", ["n/a", "", "-"], None),
    ],
)  # fmt: skip
def test_what_a_column_holds(header: str, texts: list[str], kind: str | None) -> None:
    found = detect(header, texts)
    assert (found.kind if found else None) == kind


@pytest.mark.parametrize("treatment", ["drop", "pseudonymise"])
def test_rows_are_made_again_as_they_were_treated_then(treatment: Any) -> None:
    rows = people(80)
    workspace = Workspace(keys=None)
    workspace.data.upload("raw/m/a.csv", csv_of(rows))
    then = {"city": PersonalColumn(treatment=treatment), "Kontakt": PersonalColumn(treatment="drop")}
    registry = workspace.registry

    def again() -> Any:
        return collect(
            CollectRequest(run=workspace.run(target="left")), data=workspace.data, artifacts=workspace.artifacts,
            leases=registry.leases, results=registry.results, code="1", personal_as=then,
        )  # fmt: skip

    if treatment == "pseudonymise":
        with pytest.raises(NotAllowed, match=r"the rows hold pseudonymised values \(city\)"):
            again()
        return
    cells = workspace.rows(again())
    assert [(row[1], row[2], row[6]) for row in cells] == [(None, rows[n]["Full Name"], None) for n in range(80)]


def test_a_file_without_a_header_is_refused_without_a_value() -> None:
    workspace = Workspace()
    workspace.data.upload("raw/m/a.csv", csv_of(people(60)).split(b"\n", 1)[1])
    with pytest.raises(BadData, match="has the file no header") as fault:
        workspace.collect(workspace.run(target="left", source={"type": "s3", "csv": {"skip": 0}}))
    assert "example.org" not in str(fault.value)
