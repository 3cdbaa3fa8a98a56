"""`reveal`: values are shown to whoever says why, after the audit trail has it; what is wrong shows nothing."""

from __future__ import annotations

import csv
import json
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli import encrypted_rows, signing
from cli import reveal as command
from cli.console import DONE_IN_PART
from cli.options import Options
from cli.screens.versions import _decisions
from modelcycle.faults import BadInput, BadRequest, Fault, NotAllowed, Transient, Unknown
from modelcycle.personal.encryption import encrypt, encryption_key
from modelcycle.pseudonyms import pseudonym, pseudonym_key
from modelcycle.registry import Registry, Write, keys
from modelcycle.reveal import reveal
from modelcycle.reveal.reveal_request import MAX_CELLS, parse_reveal
from modelcycle.store import put_json
from tests.contract.functions import functions
from tests.fakes import MemoryKeys, MemoryStore, MemoryTable
from tests.unit.data_steps import Workspace
from tests.unit.planted_people import csv_of, people

ANN = "arn:aws:iam::123456789012:user/ann"
KEYS = MemoryKeys()
VALUES = ["078-05-1120", "219-09-9999", "Ünïcødé"]


class Place:
    """A registry that knows the model `m`, and the stack's keys."""

    def __init__(self) -> None:
        self.table = MemoryTable()
        self.registry = Registry(self.table)
        self.keys = KEYS
        self.table.write(Write(*keys.model_entry("m"), body={}))

    def ask(self, body: dict[str, Any], model: str = "m", request: str = "r-1", service: Any = KEYS) -> dict[str, Any]:
        asked = parse_reveal(json.dumps(body), model, ANN, request)
        return reveal(asked, registry=self.registry, service=service)

    def entries(self) -> list[Any]:
        return self.registry.audit.all("m")


def sealed(*values: str, column: str = "ssn", model: str = "m") -> list[str]:
    key = encryption_key(KEYS, model)
    return [encrypt(key, value, column) for value in values]


def test_who_says_why_sees_values_and_the_trail_has_no_value() -> None:
    place = Place()
    body = {"why": "complaint 77", "cells": {"ssn": sealed(*VALUES), "mail": sealed("a@b.org", column="mail")}}
    assert place.ask(body)["values"] == {"ssn": VALUES, "mail": ["a@b.org"]}
    (entry,) = place.entries()
    assert (entry.decision, entry.by, entry.why) == ("reveal", ANN, "complaint 77")
    assert entry.evidence == {"cells": {"ssn": 3, "mail": 1}} and entry.number == 1
    kept = json.dumps([record.body for record in place.table.records.values()])
    assert not [value for value in [*VALUES, "a@b.org", *body["cells"]["ssn"]] if value in kept]  # type: ignore[index]


def test_show_lists_who_has_seen_values() -> None:
    place = Place()
    place.ask({"why": "complaint 77", "cells": {"ssn": sealed(*VALUES)}})
    (line,) = [line for line in _decisions(place.registry.audit.decisions("m")) if "reveal" in line]
    assert "personal data" in line and "ann" in line and "complaint 77" in line


def test_a_request_that_comes_twice_has_one_entry_and_another_one_its_own() -> None:
    place = Place()
    body = {"why": "w", "cells": {"ssn": sealed(VALUES[0])}}
    assert place.ask(body) == place.ask(body)
    assert len(place.entries()) == 1
    place.ask(body, request="r-2")
    assert len(place.entries()) == 2


def test_the_pseudonym_of_a_value_is_that_of_the_rows_and_on_record() -> None:
    place = Place()
    made = place.ask({"why": "w", "values": ["K-7", "7.0"]})["pseudonyms"]
    assert made == [pseudonym(pseudonym_key(KEYS, "m"), value) for value in ("K-7", "7")]
    assert place.entries()[0].evidence["pseudonyms"] == 2


def test_nothing_is_shown_if_the_entry_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place()

    def fail(*writes: Any) -> None:
        raise Transient("DynamoDB does not answer")

    monkeypatch.setattr(place.table, "write", fail)
    with pytest.raises(Transient):
        place.ask({"why": "w", "cells": {"ssn": sealed(VALUES[0])}})


@pytest.mark.parametrize(
    "cells",
    [
        ["078-05-1120"], ["enc_x"], sealed("a", column="mail"), sealed("a", model="n"),
        [sealed("a")[0][:-6] + "AAAAAA"],
    ],
)  # fmt: skip
def test_a_cell_of_another_column_model_or_key_is_named_by_its_place(cells: list[str]) -> None:
    place = Place()
    with pytest.raises(BadRequest) as caught:
        place.ask({"why": "w", "cells": {"ssn": [*sealed("good"), *cells]}})
    assert [error["pointer"] for error in caught.value.errors] == ["/cells/ssn/1"]
    assert "good" not in str(caught.value) and not place.entries()


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"cells": {"ssn": ["enc_x"]}}, "/why"), ({"why": "  ", "values": ["a"]}, "/why"), ({"why": "w"}, ""),
        ({"why": "w", "cells": {"ssn": []}}, ""), ({"why": "w", "cells": {"ssn": [7]}}, "/cells/ssn/0"),
        ({"why": "w", "values": ["x"] * (MAX_CELLS + 1)}, ""), ({"why": "w", "values": ["a"], "by": "bob"}, "/by"),
        ({"why": "sobre 53464097e.", "values": ["x", " 53464097E"]}, "/why"),
    ],
)  # fmt: skip
def test_a_wrong_request_is_named_and_nobody_else_can_be_named(body: dict[str, Any], pointer: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse_reveal(json.dumps(body), "m", ANN, "r")
    assert caught.value.errors[0]["pointer"] == pointer and caught.value.remedy


def test_the_function_answers_as_the_person_who_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    place, function = Place(), functions()["Reveal"]
    monkeypatch.setattr(function.module(), "adapters", lambda **config: place)
    event = json.loads((Path(__file__).parents[2] / "events" / "reveal.json").read_text())
    event |= {"path": "/models/m/reveal", "body": json.dumps({"why": "w", "cells": {"ssn": sealed(*VALUES)}})}
    answer = function(event)
    assert (answer["statusCode"], json.loads(answer["body"])["values"]) == (200, {"ssn": VALUES})
    assert place.entries()[0].by == event["requestContext"]["identity"]["userArn"]
    refused = function(event | {"body": "{"})
    assert refused["statusCode"] == 400
    with pytest.raises(Unknown):
        place.ask({"why": "w", "values": ["a"]}, model="nobody")


class Laptop:
    """What the command asks: a place whose API is the function."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.place, self.calls, self.artifacts = Place(), 0, MemoryStore()
        self.registry = self.place.registry
        monkeypatch.setattr(signing, "call", self.call)
        self.options: Any = Options.__new__(Options)
        monkeypatch.setattr(Options, "open_place", lambda _: self)
        object.__setattr__(self.options, "as_json", True)

    def check_model(self, model: str) -> None:
        pass

    def call(self, place: Any, method: str, path: str, body: Any) -> dict[str, Any]:
        self.calls += 1
        assert (method, path) == ("POST", "/models/m/reveal")
        return self.place.ask(body, request=f"r-{self.calls}")

    def reveal(self, data: Path | None = None, why: str = "w", **given: Any) -> int:
        asked = {"name": "m", "columns": ["ssn"], "value": None, "pseudonym_of": None, "to": None} | given
        return command.reveal(data=data, why=why, options=self.options, **asked)


def test_a_file_gets_its_values_beside_it_for_its_owner_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    laptop = Laptop(monkeypatch)
    monkeypatch.setattr(command, "MAX_CELLS", 2)
    cells = [*sealed(*VALUES), "", "n/a", *sealed(VALUES[0])]
    path = tmp_path / "rows.csv"
    path.write_text("".join(f"{row}\n" for row in ["id,ssn", *(f"{n},{cell}" for n, cell in enumerate(cells))]))
    assert laptop.reveal(path) == 0
    out = tmp_path / "rows.revealed.csv"
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert [row["ssn"] for row in rows] == [*VALUES, "", "n/a", VALUES[0]]
    assert [row["id"] for row in rows] == [str(number) for number in range(len(cells))]
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert laptop.calls == 2 and len(laptop.place.entries()) == 2, "equal cells are asked once"
    assert json.loads(capsys.readouterr().out) == {
        "model": "m",
        "cells": 4,
        "out": str(out),
        "rows_of": str(path),
        "unread": [],
    }


def test_cells_that_cannot_be_decrypted_stay_are_told_by_their_rows_and_hold_up_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    laptop = Laptop(monkeypatch)
    monkeypatch.setattr(command, "MAX_CELLS", 2)
    column = "s/s~n"
    (foreign,) = sealed("a", column=column, model="n")
    cells = [*sealed(*VALUES, column=column), VALUES[0], foreign, "enc_zukurz"]
    path = tmp_path / "rows.csv"
    path.write_text("".join(f"{cell}\n" for cell in [column, *cells]))
    assert laptop.reveal(path, columns=[column]) == DONE_IN_PART
    rows = list(csv.reader((tmp_path / "rows.revealed.csv").read_text().splitlines()))
    assert [row for (row,) in rows] == [column, *VALUES, VALUES[0], foreign, "enc_zukurz"]
    told = json.loads(capsys.readouterr().out)
    assert [(one["row"], one["column"]) for one in told["unread"]] == [("row 5", column), ("row 6", column)]
    assert "another column, model or stack" in told["unread"][0]["detail"] and "damaged" in told["unread"][1]["detail"]
    assert sum(entry.evidence["cells"][column] for entry in laptop.place.entries()) == len(VALUES)


def test_where_no_cell_can_be_decrypted_no_file_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    laptop = Laptop(monkeypatch)
    path = tmp_path / "rows.csv"
    path.write_text("".join(f"{cell}\n" for cell in ["ssn", *sealed("a", "b", model="n")]))
    with pytest.raises(BadInput, match="none of the encrypted cells can be shown") as caught:
        laptop.reveal(path)
    assert caught.value.where == str(path) and "of m and ssn" in caught.value.remedy
    assert [one.name for one in tmp_path.iterdir()] == ["rows.csv"] and not laptop.place.entries()


def test_what_is_wrong_with_one_value_is_said_for_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    laptop = Laptop(monkeypatch)
    made_of_people(laptop, monkeypatch)
    (cell,) = sealed("a")
    for value, column, words in ((cell, "correo", "another column"), (cell[:12], "ssn", "damaged")):
        with pytest.raises(BadInput, match=words) as caught:
            laptop.reveal(value=value, columns=[column])
        assert caught.value.where == "--value" and "encrypted: customer, Full Name" in caught.value.remedy
        assert "/cells" not in str(caught.value) and "{" not in str(caught.value)


def made_of_people(laptop: Laptop, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """Give the model a live version that was made of people; return their rows."""
    workspace, rows = Workspace(keys=KEYS), people(60)
    workspace.data.upload("raw/m/a.csv", csv_of(rows))
    run = workspace.run(target="left", privacy={"columns": {"customer": "encrypt", "Full Name": "encrypt"}})
    steps = {"steps": {"collect": workspace.collect(run).model_dump(mode="json")}}
    version = SimpleNamespace(model="m", version=3, lineage=put_json(workspace.artifacts, "lineage.json", steps))
    laptop.artifacts = workspace.artifacts
    monkeypatch.setattr(encrypted_rows, "named_or_live", lambda place, name: version)
    return rows


def test_the_rows_of_a_version_are_shown_without_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    laptop = Laptop(monkeypatch)
    rows = made_of_people(laptop, monkeypatch)
    monkeypatch.chdir(tmp_path)
    assert laptop.reveal(columns=["Full Name", "customer", "customer"]) == 0
    found = list(csv.DictReader((tmp_path / "m.revealed.csv").read_text().splitlines()))
    assert [row["Full Name"] for row in found] == [row["Full Name"] for row in rows]
    assert [row["customer"] for row in found] == [row["customer"] for row in rows]
    assert {row["file"] for row in found} == {"raw/m/a.csv"}
    assert [int(row["row"]) for row in found] == list(range(1, 61)), "as everywhere: the first row is 1"
    assert list(found[0]) == ["file", "row", "Full Name", "customer"]
    assert json.loads(capsys.readouterr().out)["rows_of"] == "m:3"
    for column, words in (("correo", "have no column correo"), ("age", "age is not encrypted")):
        with pytest.raises(BadInput, match=words) as caught:
            laptop.reveal(columns=[column])
        assert caught.value.where == "m:3" and "customer" in caught.value.remedy


def test_rows_that_retention_has_deleted_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    laptop = Laptop(monkeypatch)
    made_of_people(laptop, monkeypatch)
    for key in [key for key in laptop.artifacts.objects if "/rows-" in key]:
        del laptop.artifacts.objects[key]
    with pytest.raises(Unknown, match="the rows of m:3 are gone"):
        laptop.reveal(columns=["customer"])
    assert not laptop.place.entries()


def test_one_value_and_one_pseudonym_are_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    laptop = Laptop(monkeypatch)
    assert laptop.reveal(value=sealed(VALUES[0])[0]) == 0
    assert json.loads(capsys.readouterr().out)["value"] == VALUES[0]
    assert laptop.reveal(pseudonym_of="K-7", columns=[]) == 0
    assert json.loads(capsys.readouterr().out)["pseudonym"].startswith("ps_")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"columns": []}, "--column is missing"), ({"value": "x", "pseudonym_of": "y"}, "--data, --value"),
        ({"value": "x", "columns": []}, "--column is missing"), ({"value": "x", "why": " "}, "--why"),
        ({"value": "x", "columns": ["a", "b"]}, "one --column"),
        ({"pseudonym_of": "y"}, "--column does not go with --pseudonym-of"), ({"value": "x"}, "not encrypted"),
        ({"name": "m:3", "pseudonym_of": "y", "columns": []}, "a version goes only with its own rows"),
        ({"value": "enc_x", "to": Path("x")}, "--out goes only with rows"),
        ({"pseudonym_of": "53464097E", "columns": [], "why": "sobre 53464097e"}, "the reason holds a value"),
    ],
)  # fmt: skip
def test_what_is_asked_incompletely_is_said_before_anything_is_sent(
    given: dict[str, Any], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop = Laptop(monkeypatch)
    with pytest.raises(BadInput) as caught:
        laptop.reveal(**given)
    assert words in caught.value.what and caught.value.remedy and laptop.calls == 0


def test_without_the_right_one_sentence_says_which_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    laptop = Laptop(monkeypatch)

    def denied(*request: Any) -> dict[str, Any]:
        raise signing._fault(403, {"Message": "not authorized"}, "http://api/models/m/reveal")

    monkeypatch.setattr(signing, "call", denied)
    path = tmp_path / "rows.csv"
    path.write_text(f"ssn\n{sealed('a')[0]}\n")
    with pytest.raises(NotAllowed, match="you may not see encrypted values") as caught:
        laptop.reveal(path)
    assert "RevealPolicy" in caught.value.remedy
    assert [one.name for one in tmp_path.iterdir()] == ["rows.csv"]
    path.write_text("ssn\nplain\n")
    with pytest.raises(BadInput, match="no cell of ssn is encrypted"):
        laptop.reveal(path)
    assert not isinstance(caught.value, BadInput) and isinstance(caught.value, Fault)
