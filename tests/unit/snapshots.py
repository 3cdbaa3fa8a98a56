"""Runs of one model before `find_unseen`, from rows, parts and recipes that a test chooses; and champions of them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import numpy as np

from modelcycle.cells.column import Column
from modelcycle.cells.reading import ColumnType
from modelcycle.find_unseen import find_unseen
from modelcycle.find_unseen.learned_cases import Memory
from modelcycle.messages import (
    Artifact,
    CaseColumn,
    CaseRecipe,
    Collected,
    EngineeredFeatures,
    FindUnseenRequest,
    FoundUnseen,
    Preprocessed,
    Run,
    Trigger,
)
from modelcycle.model.columns import Columns, TableSchema
from modelcycle.model.fields import Field, parse_value, typed_values
from modelcycle.model.profile import ColumnProfile, Profile, profile_column
from modelcycle.model.signature import Signature
from modelcycle.registry import Registry, Version
from modelcycle.spec import Pipeline
from modelcycle.store import put_json
from tests.fakes import MemoryStore, MemoryTable
from tests.unit.data_steps import AT

MODEL, TARGET = "m", "the target"
FILES = ["first.csv", "second.csv"]
TRAIN, VALIDATION, TEST, NOT_KEPT = 0, 1, 2, 255

Row = dict[str, str | None]


def recipe(
    columns: dict[str, ColumnType], kind: Any = "features", rest: dict[str, ColumnType] | None = None,
    missing: Sequence[str] = ("", "?"), **formats: str,
) -> CaseRecipe:  # fmt: skip
    def typed(names: dict[str, ColumnType]) -> list[CaseColumn]:
        return [CaseColumn(name=name, type=kind, format=formats.get(name, "")) for name, kind in names.items()]

    return CaseRecipe(kind=kind, columns=typed(columns), rest=typed(rest or {}), missing_values=list(missing))


@dataclass
class Given:
    """What a run has: its rows with the part of each, the recipe of its cases, and the fields of its model.

    Parameters
    ----------
    rows : texts by column; the columns of the snapshot are those of the first row, in its order
    recipe, fields : those of its columns that the rows have are used
    missing : texts that mean a missing value in its pipeline file
    second_file : position of the row with which the second of FILES begins
    second_is_live : whether that holds live requests
    profiled : columns of its profile, besides the fields
    """

    rows: list[Row]
    parts: Sequence[int]
    recipe: CaseRecipe
    fields: list[Field]
    missing: Sequence[str] = ("", "?")
    second_file: int | None = None
    second_is_live: bool = False
    profiled: Sequence[Field] = ()


@dataclass
class Model:
    store: MemoryStore = field(default_factory=MemoryStore)
    registry: Registry = field(default_factory=lambda: Registry(MemoryTable()))

    def request(self, given: Given, run_id: str) -> FindUnseenRequest:
        pipeline = Pipeline(name=MODEL, target=TARGET, missing_values=list(given.missing))
        file = self.store.put(f"{MODEL}/runs/{run_id}/claim/pipeline.json", pipeline.model_dump_json().encode())
        run = Run(model=MODEL, run_id=run_id, execution=f"arn:{run_id}", started_at=AT,
                  trigger=Trigger(kind="request"), pipeline=file)  # fmt: skip
        columns = list(given.rows[0])
        table = TableSchema(
            columns=[Column(name=name, type="text") for name in columns if name != TARGET],
            target=Column(name=TARGET, type="text"), task="binary", classes=["no", "yes"],
            missing_values=list(given.missing),
        )  # fmt: skip
        signature = Signature(
            model=MODEL, task="binary", target=TARGET, classes=["no", "yes"],
            fields=[field for field in given.fields if field.name in columns], ignored=[],
            inputs=[], missing_values=list(given.missing),
        )  # fmt: skip
        parts = np.array(given.parts, dtype=np.uint8)
        stored = io.BytesIO()
        np.savez_compressed(stored, parts=parts)

        def put(step: str, name: str, body: bytes) -> Artifact:
            return self.store.put(run.key(step, name), body)

        objects: list[dict[str, Any]] = [{"key": f"raw/{MODEL}/{name}"} for name in FILES]
        if given.second_is_live:
            objects[1]["traffic"] = True
        manifest = {"columns": columns, "objects": objects}
        nothing = put("preprocess", "nothing", b"{}")
        split = tuple(int((parts == part).sum()) for part in (TRAIN, VALIDATION, TEST))
        return FindUnseenRequest(
            run=run,
            collect=Collected(
                manifest=put_json(self.store, run.key("collect", "manifest.json"), manifest),
                shards=[put("collect", f"{n}.parquet", body) for n, body in enumerate(shards(given))],
                quarantine=None, columns=len(columns), objects=1, bytes=1, rows=len(given.rows), quarantined=0,
            ),
            preprocess=Preprocessed(
                table=put("preprocess", "table.json", table.model_dump_json().encode()), profile=nothing,
                train=nothing, validation=nothing, test_features=nothing, test_labels=nothing, quarantine=None,
                task="binary", rows=len(given.rows), kept=sum(split), quarantined=0, duplicates=0, split=split,
                case_recipe=put(
                    "preprocess", "case_recipe.json", kept(given.recipe, columns).model_dump_json().encode()
                ),
                parts=put("preprocess", "parts.npz", stored.getvalue()),
            ),
            engineer_features=EngineeredFeatures(
                plan=nothing, used=len(given.fields), columns=len(columns), left_out=[],
                signature=put("engineer_features", "signature.json", signature.model_dump_json().encode()),
            ),
        )  # fmt: skip

    def find(self, given: Given, run_id: str, code: str = "c") -> FoundUnseen:
        return find_unseen(self.request(given, run_id), artifacts=self.store, registry=self.registry, code=code)

    def go_live(self, given: Given, run_id: str = "r1", **version: Any) -> Version:
        """Make the model of a run the champion."""
        request, found = self.request(given, run_id), self.find(given, run_id)
        learned = [row for row, part in zip(given.rows, given.parts, strict=True) if part == TRAIN]
        nothing, profile = request.preprocess.table, profile_of(learned, given)
        draft = Version(
            model=MODEL, version=0, run_id=run_id, created_at=AT, task="binary",
            onnx=self.store.put(f"{MODEL}/runs/{run_id}/select_model/model.onnx", run_id.encode()), skops=nothing,
            signature=request.engineer_features.signature, plan=nothing, lineage=nothing, card=nothing,
            profile=self.store.put(f"{MODEL}/runs/{run_id}/preprocess/profile.json", profile.encode()),
            validation=nothing, pipeline=request.run.pipeline, metric="accuracy", metrics={}, interval=(0, 1),
            data="d" * 64, code="c", opset=17, **{"cases": found.cases} | version,
        )  # fmt: skip
        registered = self.registry.versions.register(draft, run_id)[0]
        self.registry.standings.move(MODEL, registered.version, "staged", "run r")
        self.registry.routes.promote(MODEL, registered.version, 100, "test")
        return registered

    def positions(self, found: FoundUnseen) -> list[int]:
        assert found.positions is not None
        with np.load(io.BytesIO(self.store.read(found.positions)), allow_pickle=False) as stored:
            positions: list[int] = stored["positions"].tolist()
            return positions

    def recent(self, found: FoundUnseen) -> list[bool]:
        assert found.positions is not None
        with np.load(io.BytesIO(self.store.read(found.positions)), allow_pickle=False) as stored:
            recent: list[bool] = stored["recent"].tolist()
            return recent

    def features(self, found: FoundUnseen) -> Columns:
        assert found.features is not None
        return Columns.from_bytes(self.store.read(found.features))

    def memory(self, found: FoundUnseen) -> Memory:
        return Memory.from_bytes(self.store.read(found.cases))


def profile_of(rows: list[Row], given: Given) -> str:
    def typed(row: Row, field: Field) -> float | str | None:
        text = (row[field.name] or "").strip()
        try:
            return None if text in ("", *given.missing) else parse_value(
                float(text) if field.type == "number" else text, field
            )  # fmt: skip
        except ValueError:
            return None

    columns = [
        profile_column(f.name, f.type, typed_values([typed(row, f) for row in rows], f.type), format=f.format)
        for f in (*given.fields, *given.profiled)
    ]
    target = ColumnProfile(name=TARGET, type="text", rows=len(rows), missing=0, distinct=2, counts=[])
    profile = Profile(rows=len(rows), columns=columns, target=target, missing_values=list(given.missing))
    return profile.model_dump_json()


def shards(given: Given, most: int = 100) -> list[bytes]:
    """The Parquet files of a snapshot, as `collect` writes them, with at most `most` rows each."""
    names = list(given.rows[0])
    texts = ", ".join(f"unnest(${number + 3}::VARCHAR[]) AS c{number}" for number in range(len(names)))
    bodies = []
    with TemporaryDirectory() as folder, duckdb.connect() as engine:
        for start in range(0, len(given.rows), most):
            part, path = given.rows[start : start + most], Path(folder) / f"{start}.parquet"
            positions = range(start, start + len(part))
            files = [int(given.second_file is not None and n >= given.second_file) for n in positions]
            engine.execute(
                "CREATE OR REPLACE TABLE t AS"
                f" SELECT unnest($1::INTEGER[]) AS file, unnest($2::BIGINT[]) AS row, {texts}",
                [files, list(positions), *([row[name] for row in part] for name in names)],
            )
            engine.execute(f"COPY t TO '{path}' (FORMAT parquet)")
            bodies.append(path.read_bytes())
    return bodies


def kept(recipe: CaseRecipe, columns: list[str]) -> CaseRecipe:
    """Return a recipe over those of its columns that the snapshot has."""
    has = {
        "columns": [c for c in recipe.columns if c.name in columns],
        "rest": [c for c in recipe.rest if c.name in columns],
    }
    return recipe.model_copy(update=has)
