"""`history`, `show --at`, and what the screens say about a change of the columns."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import cli.open_place
from cli.contract import Contract
from cli.execution import Step
from cli.main import main
from cli.moment import parse_moment
from cli.screens.steps import figures
from cli.screens.versions import version_text, versions_text
from modelcycle.faults import BadInput
from modelcycle.messages import Artifact, ContractChange, Registered, contract_change
from modelcycle.registry import Route, Standing, Write, keys
from tests.memory_place import AT, Cloud
from tests.unit.test_cli_show import version

WHY = "rollout,  step 1 of 3:\nthe audit is done"


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The person's computer is an hour (in summer two) ahead of UTC."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """Version 1 went live at AT, 2 got 10 % an hour later; since another hour 3 is a shadow."""
    made = Cloud()
    made.ended("deployed", version=2)
    moves: list[dict[str, Any]] = [
        {"kind": "promoted", "before": {}, "after": {1: 100}, "by": "run r1", "why": ""},
        {"kind": "promoted", "before": {1: 100}, "after": {1: 90, 2: 10}, "by": "arn:aws:iam::1:user/ada", "why": WHY,
         "previous": 1},
        {"kind": "shadowed", "before": {1: 90, 2: 10}, "after": {1: 90, 2: 10}, "by": "run r3", "why": "",
         "previous": 1, "shadow": 3},
    ]  # fmt: skip
    for number, move in enumerate(moves, 1):
        at = (AT + timedelta(hours=number - 1)).isoformat()
        made.table.write(Write(*keys.move("m", number), move | {"number": number, "at": at}))
    monkeypatch.setattr(cli.open_place, "open_place", lambda *names, **settings: made.place)
    return made


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(list(words)) == 0
    return capsys.readouterr().out


@pytest.mark.usefixtures("cloud")
def test_the_history_says_who_moved_what_when_and_why_newest_first(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, "history", "m").splitlines()
    assert lines[0] == "m: 3 moves of its traffic; live 1 (90 %), 2 (10 %), 3 as a shadow"
    assert [line.split()[:1] for line in lines[3:]] == [["3"], ["2"], ["1"]]
    assert lines[4].split() == [
        "2", "2026-01-01", "01:00:00", "promoted", "1", "(100", "%)", "1", "(90", "%),", "2", "(10", "%)", "ada",
        *WHY.split(),
    ]  # fmt: skip
    moves = json.loads(shown(capsys, "history", "m", "--json"))["moves"]
    assert [(move["number"], move["kind"], move["shadow"]) for move in moves] == [
        (3, "shadowed", 3), (2, "promoted", None), (1, "promoted", None),
    ]  # fmt: skip
    assert moves[1]["why"] == WHY and moves[1]["at"] == "2026-01-01T01:00:00Z"


@pytest.mark.usefixtures("cloud", "berlin")
@pytest.mark.parametrize(
    ("at", "live"),
    [
        ("2026-01-01 01:30", "live 1 (100 %)"), ("2026-01-01T01:59:59", "live 1 (100 %)"),
        ("2026-01-01 02:00", "live 1 (90 %), 2 (10 %)"), ("2026-01-01T01:00:00Z", "live 1 (90 %), 2 (10 %)"),
        ("2026-01-01T06:30+05:30", "live 1 (90 %), 2 (10 %)"),
        ("2026-07-01", "live 1 (90 %), 2 (10 %), 3 as a shadow"),
        ("2025-12-31 23:00", "no version was live yet"), (" 2026-01-01 00:59:59 ", "no version was live yet"),
    ],
)  # fmt: skip
def test_show_at_names_the_versions_that_were_live_then(capsys: pytest.CaptureFixture[str], at: str, live: str) -> None:
    first, *rest = shown(capsys, "show", "m", "--at", at).splitlines()
    assert first.endswith(f": {live}") and ("CET)" in first or "CEST)" in first)
    if "no version" in live:
        assert rest == ["  first move  2026-01-01 00:00:00 UTC, move 1, promoted by run r1"]
    else:
        assert rest[0].startswith("  since") and rest[1].startswith("  until")


@pytest.mark.usefixtures("cloud", "berlin")
def test_show_at_as_json_has_the_moves_around_the_time(capsys: pytest.CaptureFixture[str]) -> None:
    printed = json.loads(shown(capsys, "show", "m", "--at", "2026-01-01 02:30", "--json"))
    assert (printed["at"], printed["route"], printed["champion"]) == ("2026-01-01T01:30:00Z", {"1": 90, "2": 10}, 1)
    assert (printed["since"]["number"], printed["until"]["number"], printed["shadow"]) == (2, 3, None)
    before = json.loads(shown(capsys, "show", "m", "--at", "2020-01-01", "--json"))
    assert (before["route"], before["champion"], before["since"], before["until"]["number"]) == ({}, None, None, 1)


@pytest.mark.usefixtures("cloud")
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["m", "--at", "yesterday"], "'yesterday' is no time"), (["m", "--at", "2026-13-01"], "is no time"),
        (["m", "--at", "0001-01-01"], "is no time"), (["m", "--at", "9999-01-01"], "has not come yet"),
        (["m:1", "--at", "2026-01-01"], "--at shows the live versions of a model"),
        (["n", "--at", "2026-01-01"], "there is no model n"),
    ],
)  # fmt: skip
def test_a_wrong_time_is_named(capsys: pytest.CaptureFixture[str], words: list[str], sentence: str) -> None:
    assert main(["show", *words]) == 2
    assert sentence in capsys.readouterr().err


def test_a_model_that_never_was_live_has_a_history_that_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = Cloud()
    made.ended("refused")
    monkeypatch.setattr(cli.open_place, "open_place", lambda *names, **settings: made.place)
    assert "its traffic was never moved" in shown(capsys, "history", "m")
    assert "first move  none" in shown(capsys, "show", "m", "--at", "2026-01-02")


def test_a_time_with_a_zone_means_the_same_everywhere() -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    assert parse_moment("2026-01-01T10:00:00+09:00", "--at", now) == datetime(2026, 1, 1, 1, tzinfo=UTC)
    with pytest.raises(BadInput, match="not come yet"):
        parse_moment("2026-01-02T00:00:01Z", "--at", now)


def field(name: str, kind: str = "number", **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind} | more


def signature(*fields: dict[str, Any], ignored: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "fields": list(fields), "ignored": list(ignored), "target": "y", "missing_values": [], "id_columns": [],
    }  # fmt: skip


def test_a_change_names_new_columns_gone_ones_and_other_types_and_who_is_refused() -> None:
    before = signature(field("a b"), field("plz", "text"), field("seen", "boolean", true=["yes", "on"]), field("x"))
    after = signature(
        field("a b", format="1.234,5"), field("n\nn"), field("seen", "boolean", true=["yes"]), ignored=("x",)
    )
    change = contract_change(3, before, after)
    assert change is not None
    assert (change.new, change.gone, change.refused) == (["n\nn"], ["plz", "x"], ["plz"])
    assert [one.column for one in change.retyped] == ["a b", "seen"]
    assert change.what == (
        "the columns of requests differ from version 3: new: n n; gone: plz and x; a b is a number like 1.234,5, was a"
        " number; seen is true or false, as yes, was true or false, as yes / on"
    )
    assert change.who == (
        "clients that do not send n n, or still send plz, or send a b or seen as before, are served as long as version"
        " 3 is live or previous, and refused after that"
    )


def test_what_no_client_notices_is_no_change() -> None:
    before = signature(field("a", example=1), field("seen", "boolean", true=["yes"]), ignored=("b",))
    after = signature(field("seen", "boolean", true=["yes", "on"]), field("a", example=2), ignored=("c",))
    assert contract_change(1, before, after) is None
    gone = contract_change(1, before, signature(field("a"), ignored=("seen",)))
    assert gone is not None and gone.who == "no client is refused"


def test_a_thousand_changed_columns_stay_one_sentence_and_a_small_record() -> None:
    before, after = (signature(*(field(f"{letter}{n}") for n in range(1000))) for letter in "ab")
    change = contract_change(1, before, after)
    assert change is not None and len(change.model_dump_json()) < 4000
    assert "b0, b1, b2, b3, b4 and 995 more" in change.what and len(change.what) < 300


def test_show_says_that_versions_on_the_route_have_other_columns() -> None:
    change = ContractChange(against=1, new=["income"])
    made, standing = version(2), Standing(state="live", by="run r2")
    route = Route(weights={1: 90, 2: 10}, shadow=3)
    screen = versions_text("m", route, [(made, standing)], [], [], {2: change}).splitlines()
    assert screen[0] == "m: live 1 (90 %), 2 (10 %), 3 as a shadow"
    assert screen[1:3] == [f"  version 2: {change.what}", f"  version 2: {change.who}"]
    of_version = version_text(made.model_copy(update={"contract_change": change}), standing, route, None, [])
    assert f"contract       {change.what}\n" in of_version and change.who in of_version


def test_the_screen_of_a_run_says_that_the_contract_changed() -> None:
    change = ContractChange(against=1, new=["income"])
    registered = Registered(version=2, created=True, contract_change=change).wire()
    step = figures(Step("register", AT, AT, "done", {"register": registered}))
    assert step.parts[0] == "version 2" and list(step.sentences) == [change.what, change.who]


def test_show_compares_the_signatures_of_the_route(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    route = Route(weights={1: 90, 2: 10}, previous=1, moves=3)
    cloud.table.write(Write(*keys.route("m"), route.model_dump(mode="json")))
    before, after = signature(field("age")), signature(field("age"), field("income"))
    for number, document in ((1, before), (2, after)):
        body = json.dumps(document).encode()
        cloud.place.s3.objects[f"signature-{number}"] = body
        artifact = Artifact(
            uri=f"s3://artifacts/signature-{number}", sha256=hashlib.sha256(body).hexdigest(), bytes=len(body)
        )
        record = version(number).model_copy(update={"signature": artifact})
        standing = Standing(state="live", at=AT, by="run r1")
        cloud.table.write(
            Write(*keys.version("m", number), record.model_dump(mode="json")),
            Write(*keys.state("m", number), standing.model_dump(mode="json")),
        )
    assert "  version 2: the columns of requests differ from version 1: new: income\n" in shown(capsys, "show", "m")
    assert json.loads(shown(capsys, "show", "m", "--json"))["contract_changes"][0]["new"] == ["income"]
    del cloud.place.s3.objects["signature-1"]
    assert "differ" not in shown(capsys, "show", "m"), "a version without its files does not answer"


def test_the_command_line_sends_what_any_version_reads_and_says_what_is_missing_to_which() -> None:
    live, canary = signature(field("age"), field("plz", "text")), signature(field("age"), field("income"))
    expected = Contract(live, others={2: canary})
    assert expected.instance({"age": "1", "income": "7", "z": "z"}) == {"age": 1.0, "income": 7.0}
    assert expected.required == {"age"}
    assert expected.unknown_columns(["age", "income", "z"]) == ["z"]
    assert expected.absent(["age"]) == {"plz": ["the live version"], "income": ["version 2"]}
    assert expected.absent(["age", "plz", "income"]) == {}
    assert expected.example() == {"age": None, "plz": None}
    alone = Contract(live)
    assert alone.required == {"age", "plz"} and alone.absent(["age"]) == {}
