"""The test rows on which a champion may be judged: none that it has learned from, each read as it reads rows."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from modelcycle.faults import BadMessage, Unknown
from modelcycle.find_unseen.learned_cases import LearnedCases, Memory
from modelcycle.messages import CaseColumn, CaseRecipe
from modelcycle.model.columns import Columns, Texts
from modelcycle.model.fields import Field
from modelcycle.model.signature import Signature
from tests.unit.snapshots import NOT_KEPT, TARGET, TEST, TRAIN, VALIDATION, Given, Model, Row, recipe

AGE, WORD, DAY, OK, NOTE = "the age; in years", 'w"ord', "day", "o'k", "nóte"
FIELDS = [
    Field(name=AGE, type="number"), Field(name=WORD, type="text"),
    Field(name=DAY, type="datetime", format="%d.%m.%Y"), Field(name=OK, type="boolean", true=["ja"], false=["nein"]),
]  # fmt: skip
WHOLE = recipe(
    {AGE: "number", WORD: "text", DAY: "datetime", OK: "text", NOTE: "text"}, day="%d.%m.%Y"
)  # the model does not read NOTE


def make_rows(count: int, seed: int = 0) -> list[Row]:
    draw = random.Random(seed)
    return [
        {
            AGE: f"{draw.gauss(40, 9):.3f}", WORD: draw.choice(["a", "b", "ü", ""] * 5 + ["z"]),
            DAY: f"{draw.randint(1, 28):02}.{draw.randint(1, 12):02}.2024", OK: draw.choice(["ja", "NEIN", None]),
            NOTE: f"note {draw.random()}", TARGET: draw.choice(["no", "yes"]),
        }
        for _ in range(count)
    ]  # fmt: skip


def parts_of(count: int, seed: int = 1) -> list[int]:
    draw = random.Random(seed)
    return draw.choices([TRAIN, VALIDATION, TEST], [0.6, 0.1, 0.3], k=count)


ROWS, PARTS = make_rows(400), parts_of(400)
BEFORE = Given(ROWS, PARTS, WHOLE, FIELDS)


def changed(rows: list[Row], **cells: Any) -> list[Row]:
    """Return rows with other cells; each is a function of the text."""
    return [{name: cells[name](text) if name in cells else text for name, text in row.items()} for row in rows]


def champion_and(now: Given, before: Given = BEFORE, **version: Any) -> tuple[Model, Any]:
    model = Model()
    model.go_live(before, **version)
    return model, model.find(now, "r2")


def judged(model: Model, found: Any, now: Given) -> list[int]:
    """The positions in the snapshot of the rows on which the champion is judged."""
    tests = [position for position, part in enumerate(now.parts) if part == TEST]
    return [tests[position] for position in model.positions(found)]


def numbers(columns: Columns, name: str) -> Any:
    values = columns.values[name]
    assert not isinstance(values, Texts)
    return values


OTHER_PARTS = parts_of(400, seed=2)  # another split: most of its test rows were training rows before
NEW_TO_IT = [n for n in range(400) if PARTS[n] == TEST and OTHER_PARTS[n] == TEST]


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


def new_rows(**cells: Any) -> Given:
    return Given(changed(make_rows(200, seed=4), **cells), [TEST] * 200, WHOLE, FIELDS)


def every(n: int, text: str | None) -> Any:
    count = iter(range(10**6))
    return lambda before: text if next(count) % n == 0 else before


UNFAIR: dict[str, tuple[Given, list[str]]] = {
    "no numbers": (
        new_rows(**{AGE: every(10, "much")}),
        [f"{AGE}: 10.0 % of the values are not numbers, which version 1 reads"],
    ),
    "no dates of its format": (
        new_rows(**{DAY: lambda text: "2024-01-31"}),
        ["day: 100.0 % of the values are not dates of its format, which version 1 reads"],
    ),
    "other words for true and false": (
        new_rows(**{OK: lambda text: "yes"}),
        ["o'k: 100.0 % of the values are neither true nor false, which version 1 reads"],
    ),
    "far more missing": (
        new_rows(**{AGE: every(2, "")}), [f"{AGE} is missing in 50 % of the rows, 0 % when version 1 learned"]
    ),
    "all missing": (
        new_rows(**{AGE: lambda text: None}), [f"{AGE} is missing in 100 % of the rows, 0 % when version 1 learned"]
    ),
    "columns that are gone": (
        Given([{WORD: row[WORD], TARGET: row[TARGET]} for row in ROWS], [TEST] * 400, WHOLE, FIELDS),
        [f"the data have no columns {AGE}, {DAY} and o'k, which version 1 reads"],
    ),
    "too few": (
        Given([*ROWS, *make_rows(9, seed=3)], [TEST if part != TEST else TRAIN for part in PARTS] + [TEST] * 9,
              WHOLE, FIELDS),
        [f"{400 - PARTS.count(TEST)} of {409 - PARTS.count(TEST)} test rows cannot be told from rows that version 1 has"
         " learned from; 30 others are needed"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", UNFAIR)
def test_what_is_no_fair_test_is_said_with_figures(what: str) -> None:
    now, sentences = UNFAIR[what]
    _, found = champion_and(now)
    assert found.features is None and found.positions is None
    assert len(found.uncompared) == len(sentences)
    for sentence, start in zip(found.uncompared, sentences, strict=True):
        assert sentence.startswith(start)
    if "reads" in sentences[0] and "%" in sentences[0]:
        assert found.uncompared[0].endswith("(200 rows that it has not learned from)")


def test_rows_are_not_taken_for_new_ones_where_a_column_that_tells_them_apart_was_written_anew() -> None:
    """The model reads two coarse columns only, so its rows are known by the others."""
    before = Given(ROWS, PARTS, WHOLE, [FIELDS[1], FIELDS[3]])
    rows = changed(ROWS, **{DAY: lambda text: f"{text[6:]}-{text[3:5]}-{text[:2]}"})
    _, found = champion_and(Given(rows, OTHER_PARTS, WHOLE, before.fields), before)
    assert found.positions is None
    assert found.uncompared == [
        "day: 100.0 % of the values are not dates of its format, which version 1 knows its rows by"
        " (400 rows that it has not learned from)"
    ]
    _, found = champion_and(Given(ROWS, OTHER_PARTS, WHOLE, before.fields), before)
    assert (found.rows, found.uncompared) == (len(NEW_TO_IT), [])


@pytest.mark.parametrize("kind", ["features", "row"])
def test_a_champion_is_not_judged_where_a_text_that_tells_its_rows_apart_was_written_anew(kind: str) -> None:
    fields = [FIELDS[1], FIELDS[3]]
    cases = WHOLE.model_copy(update={"kind": kind})
    if kind == "row":
        cases = cases.model_copy(update={"columns": [*cases.columns, CaseColumn(name=TARGET, type="text")]})
    rows = changed(ROWS, **{NOTE: lambda text: (text or "").upper()})
    _, found = champion_and(Given(rows, OTHER_PARTS, cases, fields), Given(ROWS, PARTS, cases, fields))
    assert found.positions is None
    assert len(found.uncompared) == 1 and "the same rows may have been written anew" in found.uncompared[0]
    assert NOTE in found.uncompared[0]
    # new rows after the old ones are no reason to doubt
    more = [*ROWS, *make_rows(300, seed=9)]
    _, found = champion_and(Given(more, [*PARTS, *parts_of(300)], cases, fields), Given(ROWS, PARTS, cases, fields))
    assert found.uncompared == [] and found.rows > 100


def test_the_file_with_most_of_a_difference_is_named() -> None:
    now = new_rows(**{AGE: every(4, "much")})
    rows = [*ROWS, *now.rows]
    _, found = champion_and(Given(rows, [*PARTS, *now.parts], WHOLE, FIELDS, second_file=400))
    new = PARTS.count(TEST) + 200
    assert found.uncompared == [
        f"{AGE}: {100 * 50 / new:.1f} % of the values are not numbers, which version 1 reads"
        f" ({new} rows that it has not learned from; 25.0 % in second.csv)"
    ]


def test_a_few_unreadable_or_missing_cells_do_not_matter() -> None:
    model, found = champion_and(new_rows(**{AGE: every(100, "n/a"), DAY: every(11, "?")}))
    assert found.uncompared == [] and found.rows == 200
    assert np.isnan(numbers(model.features(found), AGE)).sum() == 2


def test_of_many_columns_that_differ_a_few_are_named() -> None:
    fields = [Field(name=f"c{n}", type="number") for n in range(100)]
    rows: list[Row] = [{f"c{n}": str(row * n) for n in range(100)} | {TARGET: "no"} for row in range(100)]
    cases = recipe({field.name: field.type for field in fields})
    before = Given(rows, [TRAIN] * 50 + [TEST] * 50, cases, fields)
    _, found = champion_and(
        Given(changed(rows, **{f"c{n}": lambda _: "x" for n in range(99)}), [TEST] * 100, cases, fields), before
    )
    assert len(found.uncompared) == 6 and found.uncompared[-1] == "94 more such differences"


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


SHIFTED: dict[str, tuple[dict[str, Any], str]] = {
    "constant": ({AGE: lambda text: "0"}, f"{AGE}: 0 in all rows with a value; it had "),
    "another unit": ({AGE: lambda text: str(float(text) * 12)}, f"{AGE}: the middle half of the values is "),
    "a tenth": ({AGE: lambda text: str(float(text) / 1000)}, f"{AGE}: the middle half of the values is 0.0"),
    "a wider scale": (
        {AGE: lambda text: str((float(text) - 40) * 20 + 40)}, f"{AGE}: 42 % of the values, from "
    ),
    "a year of birth": ({AGE: lambda text: f"{2024 - float(text):.0f}"}, f"{AGE}: the middle half of the values"),
    "other levels": ({WORD: lambda text: text and text * 2}, 'w"ord: 100 % of the values are levels that version 1'),
    "one level": ({WORD: lambda text: "a"}, "w\"ord: 'a' in all rows with a value; it had "),
    "one truth": ({OK: lambda text: text and "ja"}, "o'k: 1 in all rows with a value; it had 2 values when version 1"),
}  # fmt: skip


@pytest.mark.parametrize("what", SHIFTED)
@pytest.mark.parametrize("appended", [False, True])
def test_a_column_that_is_no_longer_what_it_was_is_said_with_figures(what: str, appended: bool) -> None:
    cells, start = SHIFTED[what]
    now = new_rows(**cells)
    if appended:
        now = Given([*ROWS, *now.rows], [*PARTS, *now.parts], WHOLE, FIELDS, second_file=400)
    _, found = champion_and(now)
    assert found.features is None
    assert len(found.uncompared) == 1 and found.uncompared[0].startswith(start), found.uncompared


def test_ordinary_drift_and_what_goes_on_with_time_ask_nobody() -> None:
    def drifted(row: Row, n: int) -> Row:
        return row | {
            AGE: f"{float(row[AGE] or 0) + 4.5:.3f}", DAY: f"{n % 28 + 1:02}.03.2025",
            "visit": str(n), "week": f"week {n // 40}", "month": ["Jan", "February", "mar"][n // 250],
        }  # fmt: skip

    fields = [*FIELDS, Field(name="visit", type="number"), *(Field(name=n, type="text") for n in ("week", "month"))]
    cases = recipe({field.name: field.type for field in fields}, day="%d.%m.%Y")
    before = Given(
        [drifted(row, n) | {AGE: row[AGE], DAY: row[DAY]} for n, row in enumerate(ROWS)], PARTS, cases, fields
    )
    rows = [drifted(row, n) for n, row in enumerate(make_rows(600, seed=4))][400:]
    _, found = champion_and(Given(rows, [TEST] * 200, cases, fields), before)
    assert (found.rows, found.uncompared) == (200, [])
