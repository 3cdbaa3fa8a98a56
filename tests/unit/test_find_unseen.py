"""The test rows on which a champion may be judged: none that it has learned from, each read as it reads rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from modelcycle.faults import BadMessage, Unknown
from modelcycle.find_unseen.learned_cases import LearnedCases, Memory
from modelcycle.messages import CaseRecipe
from modelcycle.model.columns import Texts
from modelcycle.model.fields import Field
from modelcycle.model.signature import Signature
from tests.unit.snapshots import NOT_KEPT, TARGET, TEST, TRAIN, VALIDATION, Given, Model, Row, recipe
from tests.unit.unseen_rows import (
    AGE,
    BEFORE,
    DAY,
    FIELDS,
    NEW_TO_IT,
    NOTE,
    OK,
    OTHER_PARTS,
    PARTS,
    ROWS,
    WHOLE,
    WORD,
    champion_and,
    changed,
    judged,
    make_rows,
    numbers,
)


def by_name(names: list[str]) -> list[Row]:
    return [{name: row[name] for name in names} for row in ROWS]


def test_without_a_champion_only_the_cases_are_kept() -> None:
    model = Model()
    found = model.find(BEFORE, "r1")
    assert (found.champion, found.rows, found.seen, found.uncompared) == (None, 0, 0, [])
    assert found.positions is None and found.features is None
    memory = model.memory(found)
    learned = sum(part != TEST for part in PARTS)
    assert len(memory.whole.hashes) == learned and memory.whole.recipe == WHOLE
    assert memory.by_fields is not None and len(memory.by_fields.hashes) == learned
    assert [column.name for column in memory.by_fields.recipe.columns] == [AGE, WORD, DAY, OK]


def test_equal_inputs_give_equal_bytes() -> None:
    found = [Model().find(BEFORE, run_id) for run_id in ("r1", "r2")]
    assert found[0].cases.sha256 == found[1].cases.sha256
    results = [champion_and(BEFORE)[1] for _ in range(2)]
    assert results[0] == results[1]


def test_the_same_split_judges_on_all_test_rows() -> None:
    model, found = champion_and(BEFORE)
    tests = sum(part == TEST for part in PARTS)
    assert (found.champion, found.rows, found.seen, found.uncompared) == (1, tests, 0, [])
    assert model.positions(found) == list(range(tests))


CHANGES = {
    "columns in another order": (by_name([TARGET, NOTE, OK, DAY, AGE, WORD]), {}),
    "a column more": ([{"new": str(n)} | row for n, row in enumerate(ROWS)], {}),
    "a column that it does not read is gone": (by_name([AGE, WORD, DAY, OK, TARGET]), {}),
    "a column that it does not read is written anew": (changed(ROWS, **{NOTE: lambda text: text + " (2)"}), {}),
    "numbers written otherwise": (changed(ROWS, **{AGE: lambda text: f" {float(text):.6f}"}), {}),
    "missing values written otherwise": (
        changed(ROWS, **{WORD: lambda text: text or "n/a"}), {"missing": ["", "?", "n/a"]}
    ),
    "a text is a missing value now": (ROWS, {"missing": ["", "?", "z"]}),
    "another recipe, and dropped columns": (ROWS, {"recipe": recipe({AGE: "text"}), "fields": FIELDS[:1]}),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_rows_that_it_learned_from_are_found_again_after(change: str) -> None:
    rows, settings = CHANGES[change]
    now = Given(**{"rows": rows, "parts": OTHER_PARTS, "recipe": WHOLE, "fields": FIELDS} | settings)
    model, found = champion_and(now)
    assert judged(model, found, now) == NEW_TO_IT and found.uncompared == []
    assert (found.rows, found.seen) == (len(NEW_TO_IT), OTHER_PARTS.count(TEST) - len(NEW_TO_IT))
    features = model.features(found)
    assert list(features.values) == [field.name for field in FIELDS]
    np.testing.assert_allclose(numbers(features, AGE), [np.float32(ROWS[n][AGE] or "") for n in NEW_TO_IT])


def test_copies_of_a_learned_row_do_not_judge_it() -> None:
    now = Given([*ROWS, *ROWS, *make_rows(100, seed=9)], [*[TEST] * 800, *[TEST] * 100], WHOLE, FIELDS)
    model, found = champion_and(now)
    unseen = [n for n in range(400) if PARTS[n] == TEST]
    assert judged(model, found, now) == [*unseen, *(n + 400 for n in unseen), *range(800, 900)]


def test_equal_rows_are_counted_if_they_are_different_observations() -> None:
    """A file that sorts first moves all rows; still, of 60 equal rows of which it learned 40, it is judged on 20."""
    rows: list[Row] = [{AGE: "1", WORD: "a", DAY: None, OK: None, NOTE: None, TARGET: "yes"}] * 60
    cases = recipe({AGE: "number", WORD: "text", TARGET: "text"}, kind="row")
    model = Model()
    model.go_live(Given(rows, [TRAIN] * 30 + [VALIDATION] * 10 + [TEST] * 20, cases, FIELDS))
    other = make_rows(50, seed=5)
    now = Given([*other, *rows], [TEST] * 110, cases, FIELDS)
    found = model.find(now, "r2")
    assert (found.rows, found.seen) == (70, 40)
    assert model.memory(found).by_fields is not None
    # the target belongs to the case
    flipped = Given([row | {TARGET: "no"} for row in rows], [TEST] * 60, cases, FIELDS)
    assert model.find(flipped, "r3").seen == 0


def test_rows_of_a_known_customer_do_not_judge_it() -> None:
    customers: list[str | None] = [f"c{n % 80}" if n % 7 else "" for n in range(400)]
    rows: list[Row] = [{"customer": customer} | row for customer, row in zip(customers, ROWS, strict=True)]
    known = {f"c{n}" for n in range(40)}
    parts = [TRAIN if customer in known or not customer else TEST for customer in customers]
    rest: Any = {column.name: column.type for column in WHOLE.columns}
    cases = recipe({"customer": "text"}, kind="group", rest=rest, day="%d.%m.%Y")
    model = Model()
    model.go_live(Given(rows, parts, cases, FIELDS))
    more: list[Row] = [
        {"customer": f"c{n % 100}" if n % 5 else None} | row for n, row in enumerate(make_rows(200, seed=3))
    ]
    now = Given([*rows, *more], [TEST] * 600, cases, FIELDS)
    found = model.find(now, "r2")
    expected = [
        n for n, row in enumerate(now.rows) if row["customer"] not in known and (row["customer"] or n >= len(rows))
    ]
    assert judged(model, found, now) == expected
    # without a column that it does not read, the customers are still known
    narrow = Given([{k: v for k, v in row.items() if k != NOTE} for row in now.rows], now.parts, cases, FIELDS)
    assert judged(model, model.find(narrow, "r3"), narrow) == expected
    # without the customers, nobody can tell
    anonymous = Given([{k: v for k, v in row.items() if k != "customer"} for row in now.rows], now.parts, WHOLE, FIELDS)
    assert model.find(anonymous, "r4").uncompared == [
        "the data have no column customer, by which the rows that version 1 has learned from are known"
    ]


VALUES = st.sampled_from(["1", "1.0", " 01", "2", "", "?", "x"])


@settings(max_examples=25, deadline=None)
@drawn(st.data())
def test_no_row_whose_case_was_learned_is_ever_judged(data: st.DataObject) -> None:
    """Whatever file comes next: rows repeated, in another order, spelled otherwise, in other parts."""
    cells = st.fixed_dictionaries({"a": VALUES, "b": VALUES, TARGET: st.sampled_from(["no", "yes"])})
    before = data.draw(st.lists(cells, min_size=40, max_size=60))
    after = data.draw(st.permutations(before + data.draw(st.lists(cells, min_size=40, max_size=60))))
    spelled = {"1": ["1.00", "+1", " 1 "], "2": ["2.0", "02"], "": ["?", " "], "x": [" x", "x "]}
    canonical = {"1.0": "1", " 01": "1", "?": ""}
    fields = [Field(name="a", type="number"), Field(name="b", type="text")]
    cases = recipe({"a": "number", "b": "text"})
    parts = data.draw(st.lists(st.sampled_from([TRAIN, VALIDATION, TEST, NOT_KEPT]), min_size=len(before),
                               max_size=len(before)))  # fmt: skip

    def case(row: Row) -> tuple[str, str]:
        a, b = (canonical.get(row[name] or "", row[name] or "") for name in ("a", "b"))
        return ("" if a == "x" else a), b

    learned = {case(row) for row, part in zip(before, parts, strict=True) if part < TEST}
    otherwise = [
        {name: data.draw(st.sampled_from(spelled.get(case_of, [row[name]])))
         if (case_of := canonical.get(row[name], row[name])) in spelled and name != TARGET else row[name]
         for name in ("b", TARGET, "a")}
        for row in after
    ]  # fmt: skip
    now = Given(otherwise, [TEST] * len(after), cases, fields)
    model, found = champion_and(now, Given(before, parts, cases, fields))
    assert found.seen == sum(case(row) in learned for row in after)
    if found.positions is not None:
        assert [n for n in judged(model, found, now) if case(after[n]) in learned] == []
        assert judged(model, found, now) == [n for n, row in enumerate(after) if case(row) not in learned]


def test_rows_are_read_as_the_champion_reads_them() -> None:
    rows: list[Row] = [
        {AGE: " 7 ", WORD: " a ", DAY: "02.01.1970", OK: "Ja", NOTE: "1", TARGET: "yes"},
        {AGE: "?", WORD: "-", DAY: "", OK: "nein", NOTE: "2", TARGET: "no"},
        *make_rows(198, seed=8),
    ]
    now = Given(rows, [TEST] * 200, recipe({AGE: "text"}), [], missing=["", "-"])
    model, found = champion_and(now)
    features = model.features(found)
    word, age, day = features.values[WORD], numbers(features, AGE), numbers(features, DAY)
    assert isinstance(word, Texts) and word.strings("-")[:2].tolist() == ["a", "-"]
    assert age.dtype == np.float32 and age[0] == 7 and np.isnan(age[1])
    assert day.dtype == np.float64 and day[0] == 86400 and np.isnan(day[1])
    assert numbers(features, OK)[:2].tolist() == [1.0, 0.0]
    assert found.features is not None and found.features.uri.startswith("s3://artifacts/holdout/features/m/")


def test_a_champion_that_reads_what_is_the_target_now_gets_no_row() -> None:
    """Its rows are stored with the test features, which more functions may read than the labels."""
    model = Model()
    signature = Signature(
        model="m", task="binary", target=NOTE, classes=["no", "yes"], ignored=[], inputs=[],
        fields=[*FIELDS, Field(name=TARGET, type="text")],
    )  # fmt: skip
    stored = model.store.put("signature", signature.model_dump_json().encode())
    draft = model.go_live(BEFORE).model_copy(update={"signature": stored})
    other = model.registry.versions.register(draft, "another")[0]
    model.registry.standings.move("m", other.version, "staged", "run r")
    model.registry.routes.promote("m", other.version, 100, "test")
    found = model.find(Given(ROWS, OTHER_PARTS, WHOLE, FIELDS), "r2")
    assert found.features is None and found.positions is None
    assert found.uncompared == [f"version 2 predicts {NOTE!r}, the new model {TARGET!r}"]


def test_a_version_without_cases_is_not_compared() -> None:
    _, found = champion_and(BEFORE, cases=None)
    assert (found.champion, found.champion_lost, found.features) == (1, False, None)
    assert "version 1 has no record of the rows that it has learned from" in found.uncompared[0]


@pytest.mark.parametrize("kept", ["cases", "twin"])
def test_a_version_whose_cases_or_twin_are_gone_is_not_compared_until_they_are_restored(kept: str) -> None:
    model = Model()
    version = model.go_live(BEFORE, twin=model.store.put("m/runs/r1/select_model/twin.onnx", b"twin"))
    key = getattr(version, kept).uri.removeprefix("s3://artifacts/")
    body = model.store.objects.pop(key)
    found = model.find(BEFORE, "r2")
    assert not found.champion_lost and len(found.uncompared) == 1 and found.uncompared[0].endswith("is gone")
    model.store.objects[key] = body
    assert model.find(BEFORE, "r2").uncompared == []


def test_a_champion_that_cannot_serve_is_lost_and_not_asked_about() -> None:
    model = Model()
    version = model.go_live(BEFORE)
    del model.store.objects[version.onnx.uri.removeprefix("s3://artifacts/")]
    found = model.find(BEFORE, "r2")
    assert found.champion_lost and found.uncompared == [] and found.features is None


def test_delivered_twice_or_killed_the_step_has_one_result_even_after_a_promotion() -> None:
    model = Model()
    model.go_live(BEFORE)
    now = Given(ROWS, OTHER_PARTS, WHOLE, FIELDS)
    put, killed = model.store.put, []

    def put_and_die(key: str, body: Any) -> Any:
        artifact = put(key, body)
        if "/r2/" in key and "find_unseen" in key and key not in killed:
            killed.append(key)
            raise KeyboardInterrupt
        return artifact

    model.store.put = put_and_die  # type: ignore[method-assign]
    for _ in range(3):  # after each object that it writes
        with pytest.raises(KeyboardInterrupt):
            model.find(now, "r2")
    first = model.find(now, "r2")
    assert len(killed) == 3 and not first.cached
    model.go_live(Given(ROWS, OTHER_PARTS, WHOLE, FIELDS[:1]), "r3")
    assert model.find(now, "r2") == first.model_copy(update={"cached": True})
    assert model.find(now, "r4").champion == 2
    undisturbed = Model()
    undisturbed.go_live(BEFORE)
    assert undisturbed.find(now, "r2") == first


def test_parts_of_other_rows_are_refused() -> None:
    model = Model()
    request = model.request(BEFORE, "r1")
    other = model.request(Given(ROWS[:300], PARTS[:300], WHOLE, FIELDS), "r2").preprocess
    from modelcycle.find_unseen import find_unseen

    for parts in (other.parts, None):
        wrong = request.model_copy(update={"preprocess": request.preprocess.model_copy(update={"parts": parts})})
        with pytest.raises(BadMessage, match="do not belong"):
            find_unseen(wrong, artifacts=model.store, registry=model.registry, code="c")


def test_of_very_many_cases_those_with_the_lowest_hashes_are_kept_and_the_others_judge_nothing() -> None:
    hashes = np.random.default_rng(0).integers(0, 2**64, 1000, dtype=np.uint64)
    kept = LearnedCases.of(CaseRecipe(kind="features", columns=[], missing_values=[]), hashes[:600], most=300)
    assert len(kept.hashes) == 300 and abs(kept.count / 600 - 1) < 0.2
    unseen = ~kept.has(hashes) & kept.knows(hashes)
    assert 100 < unseen.sum() < 300 and not unseen[:600].any()
    assert Memory.from_bytes(Memory(kept, None).to_bytes()).whole.limit == kept.limit


def test_a_deleted_version_is_a_named_fault() -> None:
    model = Model()
    model.go_live(BEFORE)
    model.registry.routes.table.records.pop(  # type: ignore[attr-defined]
        next(key for key in model.registry.routes.table.records if key[1].startswith("VERSION#"))  # type: ignore[attr-defined]
    )
    with pytest.raises(Unknown, match="has no version 1"):
        model.find(BEFORE, "r2")
