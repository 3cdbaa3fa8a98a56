"""A second erasure finds the versions that learned from a person, though the first one has deleted their tables."""

from __future__ import annotations

import sys

import pytest

from cli.screens.erasures import receipt_text
from modelcycle.registry import LearnedFromErased
from tests.erased_model import MODEL, PERSON, ErasedModel, rows, text

OTHER, TESTED = "P-000005", "P-000004"  # rows of the version's only file; the second is a test row


PLAN = sys.modules["modelcycle.erase.plan_erasure"]  # the package exports a function of this name


@pytest.fixture(autouse=True)
def few_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PLAN, "MAX_BATCHES", 2)


def erase(model: ErasedModel, erasure: str, person: str) -> LearnedFromErased | None:
    model.erasure = erasure
    model.ask({"person": person})
    assert model.run()["state"] == "done"
    return model.registry.erasures.learned(MODEL).get(1)


def erased_twice(person: str) -> tuple[ErasedModel, LearnedFromErased]:
    model = ErasedModel()
    first = erase(model, "e-1", PERSON)
    assert first is not None and (first.erasures, first.by_lineage) == (["e-1"], [])
    marked = erase(model, "e-2", person)
    assert marked is not None
    return model, marked


def test_the_files_of_a_version_tell_that_it_learned_from_rows_which_are_in_its_tables_no_longer() -> None:
    model, marked = erased_twice(OTHER)
    assert (marked.erasures, marked.by_lineage) == (["e-1", "e-2"], ["e-2"])
    receipt = model.receipt()
    assert (receipt["versions_that_learned"], receipt["versions_by_lineage"]) == ([1], [1])
    assert "by lineage          version 1: its tables are gone" in receipt_text(MODEL, receipt)
    third = erase(model, "e-3", "P-000006")  # two erasures lie between its files and what is there now
    assert third is not None and third.by_lineage == ["e-2", "e-3"]


def test_rows_that_can_be_looked_at_need_no_lineage() -> None:
    model, marked = erased_twice(TESTED)
    assert (marked.erasures, marked.by_lineage) == (["e-1", "e-2"], [])
    assert model.receipt()["versions_by_lineage"] == []


def test_a_later_file_of_the_same_name_is_no_descendant() -> None:
    model = ErasedModel()
    erase(model, "e-1", PERSON)
    for key in [key for key in model.data.stored if key.startswith(("raw/", "score/", "scored/", "captures/"))]:
        del model.data.stored[key]
    model.data.upload(f"raw/{MODEL}/people.csv", text([["P-999999", "Ann 1", "Basel", "51.5", "no"], *rows()[4:6]]))
    marked = erase(model, "e-2", "P-999999")
    assert marked is not None and marked.erasures == ["e-1"]
    assert model.receipt()["versions_that_learned"] == []


def test_what_an_erasure_that_has_failed_wrote_anew_counts_too() -> None:
    model = ErasedModel()
    model.ask()
    work = f"_erasing/model={MODEL}/e-1/"
    model.run()
    stones = model.artifacts.stored.pop(f"{MODEL}/erasures/e-1/tombstones.json")[-1].body or b""
    listed = stones[stones.index(b"[") : stones.rindex(b"]") + 1]
    model.artifacts.upload(f"{work}tombstones/{'a' * 64}.json", listed)
    marked = erase(model, "e-2", OTHER)
    assert marked is not None and marked.by_lineage == ["e-2"]
