"""Every row once: pulls that are killed anywhere, raced or repeated end as an undisturbed one does."""

from __future__ import annotations

import random
import threading
from pathlib import Path
from typing import Any

import pytest

from modelcycle.collect import PullEvent
from modelcycle.faults import BadMessage, BadPipeline, NoData, Raced, Unknown
from modelcycle.registry import Registry
from modelcycle.spec import parse
from tests.fakes import MemoryStore, MemoryTable
from tests.unit.pulled_rows import Database, PullWorkspace, sqlite_database

SOURCE = {"target": "y", "source": {"type": "sql", "secret": "shop", "table": "sales", "watermark": "id"}}


class Killed(BaseException):
    """The process has died."""


class MortalStore(MemoryStore):
    """Dies before or after one of its operations."""

    def __init__(self, lives: list[int]) -> None:
        super().__init__("data")
        self.lives = lives

    def put(self, key: str, body: bytes | Path) -> Any:
        _breathe(self.lives)
        artifact = super().put(key, body)
        _breathe(self.lives)
        return artifact


class MortalTable(MemoryTable):
    def __init__(self, lives: list[int]) -> None:
        super().__init__()
        self.lives = lives

    def write(self, *writes: Any) -> None:
        _breathe(self.lives)
        super().write(*writes)
        _breathe(self.lives)


def _breathe(lives: list[int]) -> None:
    lives[0] -= 1
    if lives[0] == 0:
        raise Killed


@pytest.fixture
def shop(tmp_path: Path) -> Database:
    database = sqlite_database(tmp_path / "shop.db")
    database.create(
        "sales", "id integer, x integer, y integer", [(number, number % 7, number % 5) for number in range(900)]
    )
    return database


def mortal(url: str, lives: list[int]) -> PullWorkspace:
    table = MortalTable(lives)
    return PullWorkspace(data=MortalStore(lives), registry=Registry(table), secrets={"shop": url})


def live_through(space: PullWorkspace, lives: list[int], deaths: list[int]) -> int:
    """Pull until a pull survives; return how many have died."""
    died = 0
    for death in [*deaths, 10**9]:
        lives[0] = death
        try:
            space.pull(**SOURCE)
        except Killed:
            died += 1
            continue
        break
    lives[0] = 10**9
    return died


def test_a_pull_that_is_killed_at_any_point_leaves_every_row_once(shop: Database) -> None:
    draw = random.Random(15)
    undisturbed = PullWorkspace(secrets={"shop": shop.url})
    spaces = [(mortal(shop.url, lives), lives) for lives in ([10**9] for _ in range(10))]
    ids = iter(range(900, 10_000))
    died = 0
    for _ in range(3):
        undisturbed.pull(**SOURCE)
        for space, lives in spaces:
            died += live_through(space, lives, [draw.randint(1, 6) for _ in range(2)])
        shop.insert("sales", [(next(ids), 1, 1) for _ in range(50)])
    assert died >= 20
    expected = undisturbed.snapshot(**SOURCE)
    assert expected.rows == 1000
    for space, _ in spaces:
        collected = space.snapshot(**SOURCE)
        assert [row["id"] for row in space.table(collected)] == [row["id"] for row in undisturbed.table(expected)]
        assert collected.content == expected.content
        assert [shard.sha256 for shard in collected.shards] == [shard.sha256 for shard in expected.shards]


def test_rows_that_arrive_between_a_kill_and_its_repeat_come_once(shop: Database) -> None:
    for death in range(1, 7):
        lives = [10**9]
        space = mortal(shop.url, lives)
        live_through(space, lives, [death])
        shop.insert("sales", [(10_000 + death, 1, 1)])
        lives[0] = 10**9
        space.pull(**SOURCE)
        ids = [row["id"] for row in space.table(space.snapshot(**SOURCE))]
        assert len(ids) == len(set(ids)) == 900 + death


def test_two_pulls_at_the_same_time_land_every_row_once(shop: Database) -> None:
    space = PullWorkspace(secrets={"shop": shop.url})
    came: list[int] = []

    def work() -> None:
        came.append(space.pull(**SOURCE).rows)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(came) == [0, 0, 0, 900]
    assert space.snapshot(**SOURCE).rows == 900


def test_a_pull_that_always_loses_says_so(shop: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    space = PullWorkspace(secrets={"shop": shop.url})

    def lost(*writes: Any) -> None:
        raise Raced("another writer was faster", "m")

    monkeypatch.setattr(space.registry.table, "write", lost)
    with pytest.raises(Raced):
        space.pull(**SOURCE)


def test_a_landed_file_that_is_gone_is_named(shop: Database) -> None:
    space = PullWorkspace(secrets={"shop": shop.url})
    key = space.pull(**SOURCE).files[0].key
    del space.data.objects[key]
    with pytest.raises(Unknown, match="is gone"):
        space.snapshot(**SOURCE)


def test_files_that_no_pull_has_recorded_are_not_read(shop: Database) -> None:
    space = PullWorkspace(secrets={"shop": shop.url})
    space.pull(**SOURCE)
    space.data.upload("landed/m/main/orphan.csv", b"id,x,y\n1,2,3\n")
    assert space.snapshot(**SOURCE).rows == 900


def test_a_source_that_was_never_pulled_has_no_rows(shop: Database) -> None:
    with pytest.raises(NoData, match="no rows have arrived"):
        PullWorkspace(secrets={"shop": shop.url}).snapshot(**SOURCE)


# objects elsewhere


ELSEWHERE = {"target": "y", "source": {"type": "s3", "bucket": "lake", "prefix": "sales/"}}


def test_objects_elsewhere_are_copied_once_and_forgotten_when_they_are_gone() -> None:
    lake = MemoryStore("lake")
    for month in ("01", "02"):
        lake.upload(f"sales/{month}.csv", f"x,y\n{month},1\n".encode())
    lake.upload("sales/_SUCCESS", b"")
    lake.upload("sales/readme.txt", b"not rows")
    lake.upload("other/03.csv", b"x,y\n3,1\n")
    space = PullWorkspace(buckets={"lake": lake})
    assert len(space.pull(**ELSEWHERE).files) == 2
    assert space.pull(**ELSEWHERE).files == []
    assert [row["x"] for row in space.table(space.snapshot(**ELSEWHERE))] == ["01", "02"]
    lake.upload("sales/00.csv", b"x,y\n00,1\n")  # a name before the others: a watermark of names would miss it
    lake.upload("sales/02.csv", b"x,y\n22,1\n")
    del lake.objects["sales/01.csv"]
    assert len(space.pull(**ELSEWHERE).files) == 2
    assert [row["x"] for row in space.table(space.snapshot("r2", **ELSEWHERE))] == ["00", "22"]


def test_a_prefix_without_files_is_one_sentence() -> None:
    with pytest.raises(NoData, match="there is no file") as caught:
        PullWorkspace(buckets={"lake": MemoryStore("lake")}).pull(**ELSEWHERE)
    assert "s3://lake/sales/" in caught.value.where


# what asks for a pull


def test_a_person_may_pull_only_what_does_not_arrive_by_itself() -> None:
    class Files:
        def latest(self, key: str) -> tuple[bytes, None]:
            if key != "pipelines/m.yaml":
                raise Unknown(f"there is no object {key}")
            return b"name: m\ntarget: y\n", None

    for model, fault, part in (
        ("m", BadPipeline, "no source that rows are pulled from"),
        ("n", Unknown, "no pipeline"),
    ):
        with pytest.raises(fault, match=part):
            PullEvent.from_event({"model": model}).pipeline(data=Files(), artifacts=MemoryStore())  # type: ignore[arg-type]
    with pytest.raises(BadMessage):
        PullEvent.from_event({"model": 7})


# the section of the pipeline file

SQL = "source:\n  type: sql\n  secret: s\n  table: t"
JOIN_A = "- name: a\n  on: [i]\n  source: {type: sql, secret: s, table: t}"


@pytest.mark.parametrize(
    ("section", "line", "sentence"),
    [
        ("source: {type: sqll}", 3, "source.type"),
        ("source:\n  type: sql\n  secret: s\n  tabel: t", 6, "unknown key source.tabel, did you mean table?"),
        ("source:\n  type: sql\n  table: t", 3, "source.secret is required"),
        ("source:\n  type: sql\n  secret: s", 3, "source: give either table or query"),
        ("source:\n  type: sql\n  secret: s\n  table: t\n  every: often", 7, "source.every"),
        (f"{SQL}\n  timeout_seconds: long", 7, "source.timeout_seconds: a whole number"),
        ("source:\n  every: 1 hour", 3, "every needs a bucket or prefix"),
        ("source:\n  csv: {delimeter: ','}", 4, "unknown key source.csv.delimeter, did you mean delimiter?"),
        ("join:\n- name: shops\n  on: [id]\n  source: {type: sql, secret: s, table: t, watermrk: id}", 6, "watermrk"),
        ("join:\n- name: main\n  on: [id]\n  source: {type: sql, secret: s, table: t}", 4, "the name main"),
        ("join:\n- name: shops\n  on: [id]\n  source: {type: s3}", 4, "needs a bucket or prefix"),
        (f"join:\n{JOIN_A}\n{JOIN_A}", 3, "two joins"),
    ],
)  # fmt: skip
def test_an_error_in_a_source_names_key_and_line(section: str, line: int, sentence: str) -> None:
    with pytest.raises(BadPipeline) as caught:
        parse(f"name: m\ntarget: y\n{section}\n")
    assert sentence in caught.value.what
    assert caught.value.where.endswith(f"line {line}")
