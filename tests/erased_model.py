"""A model that knows somebody: rows of one person in every place where rows may lie, with older versions."""

from __future__ import annotations

import gzip
import io
import json
import struct
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import numpy as np

from modelcycle.compact import compact
from modelcycle.erase import erase_objects, finish_erasure, plan_erasure
from modelcycle.messages import (
    CompactRequest,
    EraseObjectsRequest,
    FinishErasureRequest,
    PlanErasureRequest,
    Wanted,
)
from modelcycle.messages.erasure import request_key
from modelcycle.model.columns import Columns, Texts
from modelcycle.model.npz import to_npz
from modelcycle.model.scoring import Scores
from modelcycle.model.window import WindowSample
from modelcycle.registry import ReferenceRows, Registry, Version
from tests.contract.conductor import conduct, flow
from tests.versioned_store import Kill, KillableTable, VersionedStore

MODEL, ERASURE = "m", "e-1"
RUN = "20260101T000000000-abcd"
AT = datetime(2026, 3, 4, 12, tzinfo=UTC)
PERSON, NAME, CITY, INCOME = "P-000077", "Zebulon Quuxley", "Zwolle-Øst", "987654.37"
NEEDLES = [
    *(text.encode() for text in (PERSON, NAME, CITY, INCOME)), json.dumps(CITY).strip('"').encode(),
    struct.pack("<f", float(INCOME)), struct.pack("<d", float(INCOME)),
]  # fmt: skip
HEADER = "person,name,city,income,left"
TEST_ROWS = [4, 9, 14, 19]  # of the snapshot; the person is in row 9 of it
EXECUTION = "arn:aws:states:us-east-1:1:execution:mc-erasure:e-1"


def rows(count: int = 20) -> list[list[str]]:
    """The rows of the file; those at 3 and 9 are the person's."""
    others = [[f"P-{number:06d}", f"Ann {number % 3}", "Basel", f"{50 + number}.5", "no"] for number in range(count)]
    return [[PERSON, NAME, CITY, INCOME, "yes"] if number in (3, 9) else row for number, row in enumerate(others)]


def text(table: list[list[str]], end: str = "\r\n") -> bytes:
    return "".join(",".join(row) + end for row in [HEADER.split(","), *table]).encode()


class ErasedModel:
    """The places of a model.

    Parameters
    ----------
    drops_id : whether tables of runs have no column `person`
    """

    def __init__(self, *, drops_id: bool = False) -> None:
        self.drops_id = drops_id
        self.keys: Any = None
        self.erasure = ERASURE
        self.kill = Kill()
        self.table = KillableTable(self.kill)
        self.registry = Registry(self.table)
        self.data = VersionedStore("data", self.kill, self.registry.erasures.replacement)
        self.artifacts = VersionedStore("artifacts", self.kill, self.registry.erasures.replacement)
        self._uploads()
        self._answers()
        self.version = self._run()

    def _uploads(self) -> None:
        put = self.data.upload
        put(f"pipelines/{MODEL}.yaml", b"name: m\ntarget: left\nid_columns: [person]\n")
        put(f"raw/{MODEL}/people.csv", text(rows()[:5]))
        put(f"raw/{MODEL}/people.csv", text(rows()))
        put(f"raw/{MODEL}/gone.csv", text(rows()[:5]))
        put(f"raw/{MODEL}/gone.csv", None)
        put(f"raw/{MODEL}/others.csv", text(rows()[10:]))
        objects = [dict(zip(HEADER.split(","), row, strict=True)) for row in rows()]
        lines = "".join(json.dumps(one) + "\n" for one in objects)
        put(f"raw/{MODEL}/more.jsonl.gz", gzip.compress(lines.encode(), mtime=0))
        put(f"raw/{MODEL}/list.json", json.dumps(objects, indent=2).encode())
        put(f"raw/{MODEL}/table.parquet", parquet(HEADER.split(","), rows()))
        put(f"score/{MODEL}/may.csv", text(rows()[:6]))
        put(
            f"scored/{MODEL}/may.csv/j/results-00000.csv",
            f"row,person,prediction\n1,P-000000,no\n4,{PERSON},yes\n".encode(),
        )

        results = f"scored/{MODEL}/may.csv/j/results-00000.csv"
        files = [{"key": results, "sha256": self.data.artifact(results).sha256, "bytes": 60}]
        put(f"scored/{MODEL}/may.csv/j/manifest.json", json.dumps({"results": files}, sort_keys=True).encode())

    def _answers(self) -> None:
        for hour in range(2):
            lines = [self._line(n, row) for n, row in enumerate(rows()[hour * 10 : hour * 10 + 10], hour * 10)]
            at = AT + timedelta(hours=hour)
            body = gzip.compress("".join(lines).encode(), mtime=0)
            self.data.upload(f"captures/model={MODEL}/{at:%Y/%m/%d/%H}/a.gz", body)
        compact(CompactRequest(model=MODEL, at=AT + timedelta(hours=1)), data=self.data)  # type: ignore[arg-type]
        told = "".join(json.dumps({"prediction_id": f"id-{n}", "outcome": "no"}) + "\n" for n in range(20))
        self.data.upload(f"feedback/{MODEL}/told.jsonl", told.encode())

    def _line(self, number: int, row: list[str]) -> str:
        instance = dict(zip(HEADER.split(",")[:-1], row, strict=False)) | {"income": float(row[3])}
        record = {
            "prediction_id": f"id-{number}", "at": AT.isoformat(), "model": MODEL, "version": 1, "ms": 1.5, "of": 1,
            "prediction": "no", "probabilities": {"no": 0.75, "yes": 0.25}, "instance": instance,
        }  # fmt: skip
        return json.dumps(record) + "\n"

    def _run(self) -> Version:
        put, step = self.artifacts.put, f"{MODEL}/runs/{RUN}"
        names = HEADER.split(",")
        source = self.data.artifact(f"raw/{MODEL}/people.csv")
        files = [{"key": f"raw/{MODEL}/people.csv", "sha256": source.sha256, "rows": 20}]
        put(f"{step}/collect/manifest.json", json.dumps({"columns": names, "objects": files}).encode())
        numbered = [f"c{n}" for n in range(len(names))]
        put(f"{step}/collect/rows-0000.parquet", parquet(numbered, rows()))
        put(f"{step}/preprocess/quarantine.parquet", parquet(["row", "column", "reason", "text"], [
            ["9", "income", "not a number", f" {NAME}"], ["2", "income", "not a number", "about 7"]]))  # fmt: skip
        learned = [n for n in range(20) if n not in TEST_ROWS]
        put(f"{step}/preprocess/train.npz", self._table([rows()[n] for n in learned]).to_bytes())
        parts = np.array([2 if n in TEST_ROWS else 0 for n in range(20)], dtype=np.uint8)
        put(f"{step}/preprocess/parts.npz", to_npz(parts=parts))
        put(f"{step}/preprocess/folds.npz", to_npz(train=np.arange(16)))
        contents = [{"key": files[0]["key"], "content": source.sha256, "rows": 20}]
        put(f"{step}/preprocess/contract.json", json.dumps({"files": contents, "most": float(INCOME)}).encode())
        quantiles = [50.5, 55.5, float(np.float32(INCOME))]
        profile = {"columns": [{"name": "city", "counts": [["Basel", 18], [CITY, 2]], "quantiles": quantiles}]}
        profile_artifact = put(f"{step}/preprocess/profile.json", json.dumps(profile).encode())
        onnx = put(f"{step}/refit/model.onnx", graph(b"Basel", CITY.encode(), b"end"))
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr(zipfile.ZipInfo("schema.json"), json.dumps({"categories": ["Basel", NAME]}))
        skops = put(f"{step}/refit/model.skops", archive.getvalue())
        card = put(f"{step}/govern/card.md", f"# m\nlevels: Basel, {CITY} ({NAME})\n".encode())
        tested = [rows()[n] for n in TEST_ROWS]
        classes = np.array([0, 1, 0, 0], dtype=np.int32)
        groups = {"city": Texts.of([row[2] for row in tested])}
        reference = ReferenceRows(
            features=put(f"holdout/features/{MODEL}/{RUN}.npz", self._table(tested).to_bytes()),
            labels=put(f"holdout/labels/{MODEL}/{RUN}.npz", Columns({"cluster": np.arange(4.0)}, classes).to_bytes()),
            scores=put(f"{step}/score_candidate/scores.npz", Scores(np.arange(4.0)[:, None], groups).to_bytes()),
            recent=put(
                f"{step}/find_unseen/positions.npz",
                to_npz(positions=np.array([0, 1, 3]), recent=np.array([True, False, True])),
            ),
        )  # fmt: skip
        instance = {"name": NAME, "city": CITY, "income": float(INCOME)}
        answered = [{"instance": instance, "prediction": "yes"}, {"instance": {"name": "Ann 1", "income": 51.5}}]
        put(f"{MODEL}/staging/00000001/abcd/answers.json", json.dumps({"rows": answered}).encode())
        put(f"_monitoring/model={MODEL}/00000001/day/sample.npz", sample(len(tested)).to_bytes())
        nothing = put(f"{step}/claim/pipeline.yaml", b"name: m\ntarget: left\n")
        draft = Version(
            model=MODEL, version=0, run_id=RUN, created_at=AT, task="binary", onnx=onnx, skops=skops, signature=nothing,
            plan=nothing, profile=profile_artifact, lineage=nothing, card=card, validation=nothing, pipeline=nothing,
            metric="accuracy", metrics={}, interval=(0, 1), data="d", code="c", opset=17, reference=reference,
        )  # fmt: skip
        return self.registry.versions.register(draft, "content")[0]

    def _table(self, chosen: list[list[str]]) -> Columns:
        made = table(chosen)
        return Columns({name: made.values[name] for name in made.values if name != "person"}) if self.drops_id else made

    # the flow

    def ask(self, *subjects: dict[str, str], **more: Any) -> None:
        wanted = Wanted(model=MODEL, subjects=list(subjects) or [{"person": PERSON}], by="ann", asked_at=AT, **more)
        self.artifacts.upload(request_key(MODEL, self.erasure), wanted.model_dump_json(by_alias=True).encode())

    def run(self, mode: str = "erase", execution: str = EXECUTION) -> dict[str, Any]:
        """Run the state machine; return what its last step says."""
        given = {"model": MODEL, "erasure": self.erasure, "mode": mode}
        _, ended = conduct(flow("erasure"), given, self.task, execution)
        finished: dict[str, Any] = ended["finished"]
        return finished

    def task(self, resource: str, event: Any) -> Any:
        stores: dict[str, Any] = {"data": self.data, "artifacts": self.artifacts, "registry": self.registry}
        if resource == "${PlanErasure}":
            return plan_erasure(PlanErasureRequest.from_event(event), flows=Flows(), **stores).wire()  # type: ignore[arg-type]
        if resource == "${EraseObjects}":
            return erase_objects(EraseObjectsRequest.from_event(event), keys=self.keys, **stores).wire()
        return finish_erasure(FinishErasureRequest.from_event(event), **stores).wire()

    def receipt(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.artifacts.latest(f"{MODEL}/erasures/{self.erasure}/receipt.json")[0])
        return found

    def everything(self) -> dict[str, list[bytes | None]]:
        return {
            f"{store.bucket}/{key}": bodies
            for store in (self.data, self.artifacts) for key, bodies in store.everything().items()
        }  # fmt: skip

    def found_in(self, *keys: str) -> list[str]:
        """Return the objects of the data bucket, of these, in which a byte of the person is left."""
        everything = self.data.everything()
        return [key for key in keys if any(body and holds(key, body) for body in everything.get(key, []))]

    def found(self) -> list[str]:
        """Return every object, record included, in which a byte of the person is left."""
        left = [
            key for key, bodies in self.everything().items() for body in bodies if body is not None and holds(key, body)
        ]
        for (pk, sk), record in self.table.records.items():
            if holds(sk, json.dumps([sk, record.body], ensure_ascii=False).encode()):
                left.append(f"{pk} {sk}")
        return left


def graph(*categories: bytes, operator: bytes = b"LabelEncoder", attribute: bytes = b"keys_strings") -> bytes:
    """Return an ONNX graph of one node with a list of texts."""
    listed = _field(1, attribute) + b"".join(_field(9, one) for one in categories) + b"\xa0\x01\x08"
    node = _field(1, b"city") + _field(2, b"out") + _field(4, operator) + _field(5, listed)
    return b"\x08\x08" + _field(7, _field(1, node) + _field(2, b"g"))


def _field(number: int, body: bytes) -> bytes:
    return bytes([number << 3 | 2]) + varint(len(body)) + body


def varint(size: int) -> bytes:
    return bytes([size]) if size < 0x80 else bytes([size & 0x7F | 0x80]) + varint(size >> 7)


class Flows:
    """Nothing else runs."""

    def is_running(self, execution: str) -> bool:
        return False

    def start(self, flow: str, name: str, message: dict[str, Any]) -> bool:
        raise AssertionError


def is_of_erasures(key: str) -> bool:
    """Return whether an object is an erasure's own."""
    return "/erasures/" in key or "/_erasing/" in key


def holds(key: str, body: bytes) -> bool:
    return any(needle in part for part in (key.encode(), *decoded(body)) for needle in NEEDLES)


def decoded(body: bytes) -> Iterator[bytes]:
    """Yield bytes as they lie there, and all that is packed in them."""
    yield body
    if body[:2] == b"\x1f\x8b":
        yield from decoded(gzip.decompress(body))
    if body[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            for name in archive.namelist():
                yield from decoded(archive.read(name))
    if body[:4] == b"PAR1":
        with TemporaryDirectory() as folder:
            path = Path(folder) / "x.parquet"
            path.write_bytes(body)
            yield json.dumps(
                duckdb.sql(f"FROM read_parquet('{path}')").fetchall(), ensure_ascii=False, default=str
            ).encode()  # fmt: skip


def sample(count: int) -> WindowSample:
    """Return a sample of monitoring with that many test rows, of which one is the person's."""
    names = HEADER.split(",")[:4]
    reference = np.arange(count * len(names), dtype=np.float32).reshape(count, -1)
    reference[1, 3] = float(INCOME)
    scores = np.zeros((count, 2), dtype=np.float32)
    texts = np.array([True, True, True, False])
    return WindowSample(names, texts, reference, reference, scores, scores, scores[:, 0])


def table(chosen: list[list[str]]) -> Columns:
    """Return typed columns of rows."""
    texts: dict[str, Any] = {name: Texts.of([row[n] for row in chosen]) for n, name in enumerate(HEADER.split(",")[:3])}
    return Columns(texts | {"income": np.array([float(row[3]) for row in chosen], dtype=np.float32)})


def parquet(names: list[str], chosen: list[list[str]]) -> bytes:
    """Return a Parquet file of texts."""
    with TemporaryDirectory() as folder, duckdb.connect() as engine:
        path = Path(folder) / "x.parquet"
        columns = ", ".join(f'unnest(${n + 1}::VARCHAR[]) AS "{name}"' for n, name in enumerate(names))
        engine.execute(f"CREATE TABLE t AS SELECT {columns}", [[row[n] for row in chosen] for n in range(len(names))])
        engine.execute(f"COPY t TO '{path}' (FORMAT parquet, KV_METADATA {{who: 'me'}})")
        return path.read_bytes()
