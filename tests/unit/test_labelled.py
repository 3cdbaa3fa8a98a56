"""Outcomes meet their predictions: by id or by id columns, each once, the latest counts, and what is odd is counted."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import numpy as np
import pytest

from modelcycle.captured import Cell
from modelcycle.captured.answer_rows import MASKED, NULL, NUMBER, TEXT
from modelcycle.engine import connect
from modelcycle.model.fields import Field
from modelcycle.model.labelled import Labelled
from modelcycle.model.profile import ColumnProfile, Profile
from modelcycle.model.signature import Signature
from modelcycle.store import Listed
from modelcycle.summarize import labelled as module
from modelcycle.summarize.labelled import Joined, has_outcomes, join_labelled
from modelcycle.summarize.traffic import Traffic
from tests.fakes import MemoryStore

END = datetime(2026, 3, 1, tzinfo=UTC)
ODD = 'it\'s "odd"/~ näme'
COLUMNS = {"customer": "text", "Age": "number", "age": "text", ODD: "text", "sex": "text"}


class DatedStore(MemoryStore):
    """Knows when each object was written, as S3 does."""

    def __init__(self) -> None:
        super().__init__("data")
        self.modified: dict[str, datetime] = {}

    def list(self, prefix: str) -> Iterator[Listed]:
        for listed in super().list(prefix):
            yield listed._replace(modified=self.modified[listed.key].timestamp())


@dataclass
class Live:
    """A model whose answers are captured, and what people send back."""

    task: str = "binary"
    ids: tuple[str, ...] = ()
    reading: str = ""
    data: DatedStore = field(default_factory=DatedStore)
    answers: list[dict[str, Any]] = field(default_factory=list)

    def answer(self, prediction_id: str, at: datetime, share: float = 0.5, version: int = 1, **instance: Any) -> None:
        self.answers.append({"id": prediction_id, "at": at, "share": share, "version": version, "instance": instance})

    def send(self, name: str, body: bytes | list[dict[str, Any]], arrived: datetime = END) -> None:
        if not isinstance(body, bytes):
            body = "".join(json.dumps(row) + "\n" for row in body).encode()
        key = f"feedback/m/{name}"
        self.data.objects[key] = body
        self.data.modified[key] = arrived

    @property
    def signature(self) -> Signature:
        return Signature(
            model="m", task=self.task, target="left", classes=[] if self.task == "regression" else ["no", "yes"],
            fields=[Field(name=name, type=kind) for name, kind in COLUMNS.items() if name not in self.ids],
            ignored=[*self.ids], inputs=[], id_columns=[*self.ids],
        )  # fmt: skip

    def join(self, sensitive: tuple[str, ...] = (), labels_days: int = 45) -> Joined:
        with self.traffic() as (traffic, folder):
            return join_labelled(
                traffic, self.data, self.signature, profile(self.reading), end=END, labels_days=labels_days,
                sensitive=sensitive, folder=folder,
            )  # fmt: skip

    @contextmanager
    def traffic(self) -> Iterator[tuple[Traffic, Path]]:
        with TemporaryDirectory() as name, connect(Path(name), "test") as engine:
            cells = ", ".join(f"text{n} VARCHAR, number{n} DOUBLE, kind{n} UTINYINT" for n in range(len(COLUMNS)))
            engine.execute(
                f"""CREATE TABLE answered (prediction_id VARCHAR, "at" TIMESTAMPTZ, version INTEGER, prediction VARCHAR,
                    no DOUBLE, yes DOUBLE, {cells})"""
            )
            rows = [self._row(one) for one in self.answers]
            if rows:
                engine.connection.executemany(f"INSERT INTO answered VALUES ({', '.join('?' * len(rows[0]))})", rows)
            yield Traffic(
                engine, "answered",
                {name: Cell(f"text{n}", f"number{n}", f"kind{n}") for n, name in enumerate(COLUMNS)},
                {"no": "no", "yes": "yes"},
            ), Path(name)  # fmt: skip

    def _row(self, one: dict[str, Any]) -> list[Any]:
        share = one["share"]
        row = [one["id"], one["at"], one["version"], str(share), None if share is None else 1 - share, share]
        for name in COLUMNS:
            value = one["instance"].get(name)
            number = float(value) if isinstance(value, int | float) else None
            kind = MASKED if value == "(masked)" else NULL if value is None else NUMBER if number is not None else TEXT
            row += [None if value is None else str(value), number, kind if name in one["instance"] else None]
        return row


def profile(reading: str = "") -> Profile:
    columns = [
        ColumnProfile(name=name, type=kind, rows=1, missing=0, distinct=1, counts=[1]) for name, kind in COLUMNS.items()
    ]
    target = ColumnProfile(name="left", type="number", format=reading, rows=1, missing=0, distinct=1, counts=[1])
    return Profile(rows=1, columns=columns, target=target, missing_values=["?"])


def days(number: float) -> datetime:
    return END - timedelta(days=number)


def outcomes(labelled: Labelled) -> list[float]:
    return labelled.outcome.tolist()


def test_an_outcome_counts_once_and_the_latest_by_its_own_time_wins() -> None:
    live = Live()
    for n in range(3):
        live.answer(f"p{n}", days(10 - n))
    live.send("1.jsonl", [{"prediction_id": "p0", "outcome": "yes", "at": days(2).isoformat()}], arrived=days(1.5))
    live.send("2.jsonl", [{"prediction_id": "p0", "outcome": "no", "at": days(4).isoformat()}], arrived=days(1))
    live.send("3.jsonl", [{"prediction_id": "p1", "outcome": "no"}] * 3, arrived=days(1))
    live.send("4.jsonl", [{"prediction_id": "p1", "outcome": "YES"}], arrived=days(0.5))
    live.send(
        "5.jsonl", [{"prediction_id": "p2", "outcome": True}, {"prediction_id": "p2", "outcome": 1}], arrived=days(1)
    )
    labelled, notes = live.join()
    assert outcomes(labelled) == [1, 1], "p0 by the outcome's time, p1 by its arrival; p2's outcomes are no classes"
    assert labelled.counts == {
        "rows": 8, "known": 2, "twice": 2, "contradictory": 2, "out of order": 1, "of another type": 2,
    }  # fmt: skip
    assert "predictions with contradictory outcomes, of which the latest counts: 2" in notes
    assert labelled.at.tolist() == [days(10).timestamp(), days(9).timestamp()]


def test_objects_are_read_as_people_write_them() -> None:
    live = Live()
    for n in range(8):
        live.answer(f"p{n}", days(5))
    live.send("a.csv", "\ufeffprediction_id;outcome;comment\np0; yes ;x\n".encode(), days(1))
    live.send("b.CSV.gz", gzip.compress(b'comment,Prediction_ID,LEFT\n"a,b",p1,no\n'), days(1))
    live.send("c.json", b'[{"prediction_id": "p2", "outcome": "yes"}, {"prediction_id": "p3"}]', days(1))
    live.send("d.tsv", b"prediction_id\toutcome\np4\tno\n", days(1))
    with TemporaryDirectory() as name:
        path = Path(name) / "e.parquet"
        duckdb.sql("SELECT 'p5' AS prediction_id, 'yes' AS outcome, true AS x").write_parquet(str(path))
        live.send("e.parquet", path.read_bytes(), days(1))
    live.send("part-0001", gzip.compress(b'{"prediction_id": "p6", "outcome": "no"}\n{"half": \n[]\n7\n\n'), days(1))
    live.send("f.xlsx", b"PK..", days(1))
    live.send("g.jsonl.gz", gzip.compress(b"x" * 1000)[:-9], days(1))
    live.send("h.parquet", b"not parquet", days(1))
    live.send("i.csv", b"", days(1))
    labelled, notes = live.join()
    assert labelled.counts["known"] == 6 and labelled.counts["unread objects"] == 3
    assert labelled.counts["objects without outcomes"] == 1
    assert any("without an id or an outcome" in note for note in notes)


def test_an_entity_s_outcome_belongs_to_its_last_prediction_before_it_happened() -> None:
    live = Live(ids=("customer",))
    live.answer("p0", days(30), customer=17)
    live.answer("p1", days(20), customer="17")
    live.answer("p2", days(19), customer="18")
    live.answer("p3", days(10), customer="(masked)")
    live.answer("p4", days(10))
    live.send("1.csv", f"customer,left,at\n17.0,no,{days(25):%Y-%m-%d}\n17,yes,{days(5):%Y-%m-%d}\n".encode())
    live.send("2.jsonl", [
        {"customer": 18, "outcome": "yes", "at": days(40).timestamp()}, {"customer": 99, "outcome": "no"},
        {"customer": "(masked)", "outcome": "no"}, {"customer": None, "outcome": "no"},
    ])  # fmt: skip
    labelled, _ = live.join()
    assert outcomes(labelled) == [0, 1] and labelled.at.tolist() == [days(30).timestamp(), days(20).timestamp()]
    assert labelled.counts == {"rows": 5, "without id or outcome": 1, "known": 2, "unknown": 3}


def test_times_are_read_as_systems_write_them_and_wrong_clocks_are_told() -> None:
    live = Live()
    live.answer("p0", days(5))
    texts = {
        "no": ["2026-02-27T10:00:00+01:00", 1_772_000_000, 1_772_000_000_000, "1772000000000000", "2026-02-26 10:00",
               "", "tomorrow", None, 1e300, "infinity", "2999-01-01", -5],
        "yes": [f"{END:%Y-%m-%d}"],
    }  # fmt: skip
    rows = [{"prediction_id": "p0", "outcome": name, "at": at} for name, ats in texts.items() for at in ats]
    live.send("1.jsonl", rows, arrived=END)
    labelled, _ = live.join()
    assert outcomes(labelled) == [1], "the day of the arrival is as late as the arrival, and the last line counts"
    assert labelled.counts["after arrival"] == 1 and labelled.counts["before the prediction"] == 1
    # 25.02.2026, 06:13 UTC, in seconds and microseconds, is before a day as a whole
    live = Live()
    live.answer("p0", days(20))
    live.send("1.jsonl", [
        {"prediction_id": "p0", "outcome": "yes", "at": "2026-02-25"},
        {"prediction_id": "p0", "outcome": "no", "at": 1_772_000_000},
        {"prediction_id": "p0", "outcome": "no", "at": 1_772_000_000_000_000},
    ])  # fmt: skip
    assert outcomes(live.join().labelled) == [1]


def test_groups_come_from_outcomes_or_requests_and_names_may_be_anything() -> None:
    live = Live()
    for n in range(6):
        live.answer(
            f"p{n}", days(9 - n), sex="f" if n < 2 else None, Age=20 + n, age="old" if n else "?", **{ODD: f"l{n % 2}"}
        )
    live.send("1.jsonl", [
        {"prediction_id": f"p{n}", "outcome": "no", **({"sex": "m"} if n > 1 else {}), ODD: "x"} for n in range(5)
    ])  # fmt: skip
    labelled, _ = live.join(sensitive=("sex", "nowhere", ODD))
    assert labelled.groups.columns == ["sex"], "a column with one group has nothing to compare"
    assert [labelled.groups.groups[0][code] for code in labelled.groups.codes[0]] == ["f", "f", "m", "m", "m"]
    slices = labelled.slices
    assert slices.columns == ["Age", "age", ODD, "sex"]
    assert slices.groups[1] == ["old", "(missing)"] and slices.codes[1].tolist() == [1, 0, 0, 0, 0]
    assert slices.groups[0] == ["20", "21", "22", "23", "24"] and slices.groups[3] == ["f", "(missing)"]
    again = Labelled.from_bytes(labelled.to_bytes())
    assert again.to_bytes() == labelled.to_bytes() and again.counts == labelled.counts


def test_numbers_are_read_and_what_is_none_is_counted() -> None:
    live = Live(task="regression")
    for n in range(5):
        live.answer(f"p{n}", days(5), share=float(n), version=1 + n % 2)
    live.send("1.jsonl", [
        {"prediction_id": f"p{n}", "outcome": value}
        for n, value in enumerate([1.5, "2", "inf", {"a": 1}, -1e308, 7])
    ])  # fmt: skip
    labelled, notes = live.join()
    assert outcomes(labelled) == [1.5, 2, -1e308] and labelled.scores[:, 0].tolist() == [0, 1, 4]
    assert labelled.version.tolist() == [1, 2, 1] and labelled.scores.dtype == np.float32
    assert labelled.counts["of another type"] == 2 and labelled.counts["unknown"] == 1
    assert "outcomes that are not a number: 2" in notes
    assert labelled.predicted == {f"{days(5):%Y-%m-%d}": {"1": 3, "2": 2}}


def test_numbers_are_read_as_in_training_unless_they_are_json_numbers() -> None:
    live = Live(task="regression", reading="1.234,56")
    for n in range(4):
        live.answer(f"p{n}", days(5))
    live.send("1.csv", b"prediction_id;left\np0;1.234,5\np1;2.000\n")
    live.send("2.jsonl", [{"prediction_id": "p2", "left": 2.001}, {"prediction_id": "p3", "left": "2.001"}])
    assert outcomes(live.join().labelled) == [1234.5, 2000, 2.001, 2001]


def test_predictions_without_probabilities_are_left_out_and_told() -> None:
    live = Live()
    live.answer("p0", days(5), share=None)  # type: ignore[arg-type]
    live.answer("p1", days(5), share=0.25, version=2)
    live.send("1.jsonl", [{"prediction_id": "p0", "outcome": "no"}, {"prediction_id": "p1", "outcome": "yes"}])
    labelled, notes = live.join()
    assert labelled.scores.tolist() == [[0.75, 0.25]] and labelled.counts["without probabilities"] == 1
    assert any("without probabilities" in note for note in notes)


@pytest.mark.parametrize("answers", [0, 1])
def test_without_outcomes_or_predictions_there_are_no_rows(answers: int) -> None:
    live = Live(ids=("customer",))
    for n in range(answers):
        live.answer(f"p{n}", days(5), customer=n)
    labelled, notes = live.join(sensitive=("sex",))
    assert (len(labelled.at), labelled.scores.shape, labelled.counts, notes) == (0, (0, 2), {}, [])
    assert labelled.slices.codes.shape == (0, 0) and Labelled.from_bytes(labelled.to_bytes()).scores.shape == (0, 2)
    assert not has_outcomes(live.data, "m", END, 45)
    live.send("1.jsonl", [{"prediction_id": "gone", "outcome": "no"}])
    assert live.join().labelled.counts == {"rows": 1, "unknown": 1} and has_outcomes(live.data, "m", END, 45)


def test_objects_that_arrived_before_the_predictions_are_not_read() -> None:
    live = Live()
    live.answer("p0", days(5))
    live.send("1.jsonl", [{"prediction_id": "p0", "outcome": "no"}], arrived=days(400))
    assert not has_outcomes(live.data, "m", END, 45) and not live.join().labelled.counts


def test_the_newest_predictions_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LABELLED_ROWS", 3)
    live = Live()
    for n in range(6):
        live.answer(f"p{n}", days(9 - n))
    live.send("1.jsonl", [{"prediction_id": f"p{n}", "outcome": "no"} for n in range(6)])
    labelled, notes = live.join()
    assert labelled.at.tolist() == [days(9 - n).timestamp() for n in (3, 4, 5)]
    assert "of 6 predictions with an outcome, the newest 3 are measured" in notes


def test_the_order_and_division_of_objects_does_not_matter() -> None:
    rows = [
        {"prediction_id": f"p{n % 4}", "outcome": "yes" if n % 3 else "no", "at": days(n / 10).isoformat()}
        for n in range(1, 13)
    ]
    found = set()
    for divided in ([rows], [[row] for row in rows], [[row] for row in reversed(rows)], [rows[5:], rows[:7]]):
        live = Live()
        for n in range(4):
            live.answer(f"p{n}", days(9 - n))
        for number, part in enumerate(divided):
            live.send(f"{number:02d}.jsonl", part, arrived=END - timedelta(seconds=60 - number))
        labelled, _ = live.join()
        found.add(labelled.outcome.tobytes() + labelled.at.tobytes())
    assert len(found) == 1
    assert outcomes(labelled) == [1, 1, 1, 0], "the outcomes that happened last: p0 by n=4, p1 by 1, p2 by 2, p3 by 3"
