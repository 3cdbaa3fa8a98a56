"""Each batch is held to the contract of the live version: what is wrong is named, and an ordinary one passes."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from cli.odcs import to_odcs, to_rules
from modelcycle.contract import Contract, Report
from modelcycle.faults import BadData, BadPipeline, Fault
from modelcycle.messages import Preprocessed
from modelcycle.spec import Rules, parse
from tests.unit.clinic import TOWNS, go_live, rows, text
from tests.unit.data_steps import Workspace


@pytest.fixture(scope="module")
def january() -> bytes:
    return text(rows())


def live(january: bytes, **pipeline: Any) -> Workspace:
    workspace = Workspace()
    workspace.data.upload("raw/m/january.csv", january)
    go_live(workspace, workspace.preprocess(workspace.run("r1", **({"target": "state"} | pipeline))))
    return workspace


def held(workspace: Workspace, body: bytes, name: str = "february.csv", **pipeline: Any) -> tuple[Preprocessed, Report]:
    workspace.data.upload(f"raw/m/{name}", body)
    result = workspace.preprocess(workspace.run("r2", **({"target": "state"} | pipeline)))
    assert result.contract_report is not None
    return result, Report.model_validate_json(workspace.artifacts.read(result.contract_report))


def changed(seed: int = 1, count: int = 1200, **cells: Any) -> bytes:
    table = rows(count, seed)
    return text([{name: cells.get(name, lambda v: v)(value) for name, value in row.items()} for row in table])


def reweighed(weight: Callable[[Any], Any]) -> bytes:
    cells: dict[str, Any] = {"weight in kg": weight}
    return changed(**cells)


def every(n: int, value: Any) -> Callable[[Any], Any]:
    counter = iter(range(10**9))
    return lambda cell: value if next(counter) % n == 0 else cell


def renamed(body: bytes, old: str, new: str) -> bytes:
    head, _, rest = body.partition(b"\n")
    return head.replace(old.encode(), new.encode()) + b"\n" + rest


def test_the_contract_says_what_the_rows_are_like(january: bytes) -> None:
    workspace = Workspace()
    workspace.data.upload("raw/m/january.csv", january)
    result = workspace.preprocess(workspace.run("r1", target="state", id_columns=["visit"]))
    assert result.contract is not None
    contract = Contract.model_validate_json(workspace.artifacts.read(result.contract))
    terms, table = contract.terms(), rows()
    weights = [row["weight in kg"] for row in table]
    assert (terms["weight in kg"].minimum, terms["weight in kg"].maximum) == (min(weights), max(weights))
    assert dict(zip(terms["town"].levels, terms["town"].counts, strict=False)) == {
        town: sum(row["town"] == town for row in table) for town in TOWNS
    }
    assert terms["dose"].missing == sum(row["dose"] == "" for row in table)
    assert terms["visit"].open and terms["visit"].unique and contract.keys == ["visit"]
    assert contract.class_rows == {name: sum(row["state"] == name for row in table) for name in ("well", "ill")}
    assert [(file.key, file.rows) for file in contract.files] == [("raw/m/january.csv", 1200)]


@pytest.mark.parametrize("seed", range(1, 7))
def test_an_ordinary_month_passes(january: bytes, seed: int) -> None:
    result, report = held(live(january), changed(seed, count=900 + 100 * seed))
    assert result.ask == [] and report.of_level("fail") == []
    assert report.version == 1 and report.rows == 900 + 100 * seed


ASKED: dict[str, tuple[Callable[[], bytes], str, str]] = {
    "words for missing": (
        lambda: reweighed(every(10, "n/a")), "FEATURE_TYPE_LOW_FRACTION_PRESENT", "'n/a' in 120",
    ),
    "pounds": (
        lambda: reweighed(lambda v: round(v * 2.2046, 1)), "CUSTOM_VALIDATION", "kg and lb",
    ),
    "Fahrenheit": (
        lambda: changed(fever=lambda v: round(v * 1.8 + 32, 1)), "CUSTOM_VALIDATION", "Celsius to Fahrenheit",
    ),
    "some decimal commas": (
        lambda: changed(fever=lambda v: str(v).replace(".", ",") if str(v)[-1] in "123" else v),
        "FLOAT_TYPE_STRING_NOT_FLOAT", "decimal comma",
    ),
    "towns in capitals": (
        lambda: changed(town=str.upper), "ENUM_TYPE_UNEXPECTED_STRING_VALUES", "'LYON' (likely 'Lyon')",
    ),
    "one class only": (lambda: changed(state=lambda v: "well"), "FEATURE_TYPE_NOT_PRESENT", "no row is of 'ill'"),
    "renamed classes": (
        lambda: changed(state={"ill": "Ill", "well": "Well"}.get), "ENUM_TYPE_UNEXPECTED_STRING_VALUES",
        "'Ill' is likely 'ill'",
    ),
    "coded classes": (
        lambda: changed(state={"ill": "1", "well": "0"}.get), "ENUM_TYPE_UNEXPECTED_STRING_VALUES",
        "'1' is likely 'ill'",
    ),
    "half of the rows": (lambda: changed(count=600), "COMPARATOR_LOW_NUM_EXAMPLES", "has 600 rows"),
    "constant": (lambda: changed(dose=lambda v: 5), "COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH", "5 in all rows"),
    "an empty column": (lambda: changed(dose=lambda v: ""), "FEATURE_TYPE_NOT_PRESENT", "100.0 % of the rows"),
}  # fmt: skip


@pytest.mark.parametrize("what", ASKED)
def test_what_may_be_wrong_asks_a_person(january: bytes, what: str) -> None:
    make, anomaly, said = ASKED[what]
    result, report = held(live(january), make())
    assert report.of_level("fail") == []
    assert any(violation.anomaly == anomaly and said in violation.what for violation in report.of_level("ask")), report
    assert any(said in sentence for sentence in result.ask)


FAILED: dict[str, tuple[Callable[[], bytes], str]] = {
    "renamed column": (lambda: renamed(changed(), "weight in kg", "gewicht"), "'gewicht' is likely its new name"),
    "all decimal commas": (lambda: changed(fever=lambda v: str(v).replace(".", ",")), "with a decimal comma"),
    "a text for a number": (lambda: changed(dose=lambda v: "see file"), "are not numbers"),
}


@pytest.mark.parametrize("what", FAILED)
def test_what_is_wrong_fails_the_run_and_is_named(january: bytes, what: str) -> None:
    make, said = FAILED[what]
    with pytest.raises(BadData, match=said):
        held(live(january), make())


def test_everything_wrong_is_named_at_once(january: bytes) -> None:
    body = renamed(changed(fever=lambda v: str(v).replace(".", ","), town=str.upper), "weight in kg", "gewicht")
    with pytest.raises(BadData) as raised:
        held(live(january), body)
    for said in ("gewicht", "decimal comma", "LYON"):
        assert said in raised.value.what
    assert "schema: {levels: {columns: warn" in raised.value.remedy


def test_a_bad_month_does_not_make_a_number_a_text(january: bytes) -> None:
    workspace = live(january)
    result, report = held(workspace, changed(fever=every(50, "warm")))
    assert workspace.schema(result).column("fever").type == "number" and result.cells == 24
    (told,) = [violation for violation in report.violations if violation.column == "fever"]
    assert (told.level, told.count, told.of) == ("warn", 24, 1200)
    assert [example.row for example in told.examples] == [1, 51, 101, 151, 201]
    assert all(example.text == "warm" and example.file == "february.csv" for example in told.examples)


def test_no_value_of_a_row_is_in_a_message(january: bytes) -> None:
    result, _ = held(live(january), changed(fever=every(10, "Mrs Smith")))
    assert result.ask and "Smith" not in result.model_dump_json()


RULES: dict[str, tuple[dict[str, Any], int, str]] = {
    "range": ({"columns": {"fever": {"min": 35, "max": 40}}}, 1, "range"),
    "category": ({"columns": {"town": {"categories": ["Lyon", "Köln"]}}}, 1, "categories"),
}


@pytest.mark.parametrize("what", RULES)
def test_a_rule_of_the_pipeline_file_keeps_back_exactly_the_cells_that_break_it(january: bytes, what: str) -> None:
    schema, _, check = RULES[what]
    workspace = Workspace()
    workspace.data.upload("raw/m/january.csv", january)
    result = workspace.preprocess(workspace.run("r1", target="state", schema=schema))
    breaks = [
        (number, row["fever"] if what == "range" else row["town"])
        for number, row in enumerate(rows(), start=1)
        if (not 35 <= row["fever"] <= 40 if what == "range" else row["town"] == "Gent, B")
    ]
    assert breaks and (result.cells, result.kept) == (len(breaks), 1200)
    kept_back = [(row, kept) for _, _, row, _, _, kept, _ in workspace.parquet(result.quarantine)]
    assert kept_back == [(number, str(value)) for number, value in breaks]
    assert any(check in sentence or "limit" in sentence or "categor" in sentence for sentence in result.warned)


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"columns": {"fever": {"max": 38, "level": "fail"}}}, "above 38, the rule's limit"),
        ({"columns": {"dose": {"missing": 0.01}}}, "the rule allows 1.0 %"),
        ({"columns": {"town": {"unique": True}}}, "repeat the value of another row"),
        ({"keys": ["town", "visits"]}, "town and visits: "),
        ({"rows": {"min": 5000}}, "the rule asks for 5,000"),
    ],
)
def test_a_rule_may_fail_the_run(january: bytes, schema: dict[str, Any], said: str) -> None:
    workspace = Workspace()
    workspace.data.upload("raw/m/january.csv", january)
    with pytest.raises(BadData, match=said):
        workspace.preprocess(workspace.run("r1", target="state", schema=schema))


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"columns": {"fevr": {"min": 1}}}, "fever"),
        ({"keys": ["visi"]}, "visit"),
        ({"freshness": "2 days"}, "time_column"),
    ],
)
def test_a_rule_that_checks_nothing_is_an_error(january: bytes, schema: dict[str, Any], said: str) -> None:
    workspace = Workspace()
    workspace.data.upload("raw/m/january.csv", january)
    with pytest.raises(BadPipeline, match=said):
        workspace.preprocess(workspace.run("r1", target="state", schema=schema))


def test_keys_that_are_there_twice_keep_back_the_later_rows(january: bytes) -> None:
    workspace = live(january, id_columns=["visit"])
    table = rows(1200, 1)
    for row in table[:30]:
        row["visit"] = f"v0-{row['visit'].split('-')[1]}"  # of January
    pipeline: dict[str, Any] = {"id_columns": ["visit"], "schema": {"levels": {"keys": "quarantine"}}}
    result, report = held(workspace, text(table), **pipeline)
    assert (result.quarantined, result.kept) == (30, 2370)
    assert [violation.count for violation in report.violations if violation.check == "keys"] == [30]
    assert result.quarantine_reasons == {"the same visit as an earlier row (state)": 30}


def test_a_level_may_be_loosened(january: bytes) -> None:
    body = reweighed(lambda v: round(v * 2.2046, 1))
    result, report = held(live(january), body, schema={"columns": {"weight in kg": {"level": "warn"}}})
    assert result.ask == [] and len(report.of_level("warn")) >= 1


def test_the_same_files_give_the_same_result_whichever_version_is_live(january: bytes) -> None:
    workspace = Workspace()
    workspace.data.upload("raw/m/january.csv", january)
    first = workspace.preprocess(workspace.run("r1", target="state"))
    go_live(workspace, first)
    again = workspace.preprocess(workspace.run("r2", target="state"))
    assert again.cached and again.contract == first.contract
    workspace.data.upload("raw/m/february.csv", changed())
    both = workspace.preprocess(workspace.run("r3", target="state"))
    go_live(workspace, both, version=2)
    assert workspace.preprocess(workspace.run("r4", target="state")).cached


def test_a_run_keeps_the_contract_that_it_first_saw(january: bytes) -> None:
    workspace = live(january)
    workspace.data.upload("raw/m/february.csv", changed())
    run = workspace.run("r2", target="state")
    first = workspace.collect(run)
    go_live(workspace, workspace.preprocess(workspace.run("r3", target="state")), version=2)
    assert workspace.collect(run).contract == first.contract and first.contract_version == 1


def test_messages_stay_small(january: bytes) -> None:
    body = changed(fever=every(7, "x"), dose=every(5, "y" * 500), town=every(3, "z" * 300), visits=every(4, "many"))
    try:
        result, _ = held(live(january), body)
        size = len(result.model_dump_json())
    except Fault as fault:
        size = len(str(fault))
    assert size < 16_000


def test_it_is_an_odcs_document_and_comes_back_as_rules(january: bytes) -> None:
    workspace = Workspace()
    workspace.data.upload("raw/m/january.csv", january)
    result = workspace.preprocess(workspace.run("r1", target="state", id_columns=["visit"]))
    assert result.contract is not None
    contract = json.loads(workspace.artifacts.read(result.contract))
    rules = Rules.model_validate({"columns": {"fever": {"min": 30, "max": 45}}, "rows": {"min": 100}})
    document = to_odcs(contract, rules.model_dump(mode="json", exclude_defaults=True), 1)
    assert {"apiVersion": "v3.1.0", "kind": "DataContract", "id": "m", "status": "active"}.items() <= document.items()
    (table,) = document["schema"]
    assert [column["name"] for column in table["properties"]] == list(rows(1)[0])
    kinds = {column["name"]: column["logicalType"] for column in table["properties"]}
    assert kinds["visits"] == "integer" and kinds["fever"] == "number" and kinds["town"] == "string"
    back = Rules.model_validate(to_rules(document, "x.yaml"))
    assert (back.columns["fever"].min, back.columns["fever"].max, back.keys, back.rows.min) == (30, 45, ["visit"], 100)
    assert sorted(back.columns["town"].categories or []) == sorted(TOWNS)
    assert parse(f"name: m\ntarget: state\nschema: {json.dumps(to_rules(document, 'x'))}").rules == back


@pytest.mark.parametrize(
    ("files", "count", "asks"),
    [
        ([1000], 500, True),  # half of it
        ([1000], 700, False),
        ([1000], 100, False),  # after a first load, rather the first of many small ones: told
        ([400, 380, 420], 200, True),
        ([400, 380, 420], 300, False),
        ([1000, 100], 70, False),
    ],
)
def test_a_new_file_with_too_few_rows_asks(files: list[int], count: int, asks: bool) -> None:
    workspace = Workspace()
    for number, size in enumerate(files):
        workspace.data.upload(f"raw/m/{number}.csv", changed(seed=number + 20, count=size))
    go_live(workspace, workspace.preprocess(workspace.run("r1", target="state")))
    result, report = held(workspace, changed(seed=9, count=count), "9.csv")
    told = [violation.level for violation in report.violations if violation.check == "rows"]
    assert ("ask" in told, bool(result.ask)) == (asks, asks)
    assert asks or not told or (told == ["warn"] and count == 100)


def test_no_row_and_no_cell_is_lost_whatever_is_kept_back(january: bytes) -> None:
    draw = random.Random(5)
    for seed in range(3):
        table = rows(400, seed)
        for row in table:
            if draw.random() < 0.02:
                row[draw.choice(["fever", "dose", "town"])] = draw.choice(["", "?", "x1", "99999"])
            if draw.random() < 0.01:
                row["state"] = ""
        workspace = Workspace()
        workspace.data.upload("raw/m/a.csv", text(table))
        schema = {
            "columns": {
                "fever": {"max": 39, "missing": 0.0, "levels": {"missing": "quarantine"}},
                "town": {"categories": TOWNS},
            }
        }
        pipeline: dict[str, Any] = {"target": "state", "features": {"numeric": ["fever", "dose"]}, "task": "binary"}
        result = workspace.preprocess(workspace.run("r1", schema=schema, **pipeline))
        kept_back = workspace.parquet(result.quarantine)
        assert result.rows == 400 == result.kept + result.quarantined + result.duplicates
        assert len({(file, row) for scope, file, row, *_ in kept_back if scope == "row"}) == result.quarantined
        assert sum(scope == "cell" for scope, *_ in kept_back) == result.cells > 0 < result.quarantined
