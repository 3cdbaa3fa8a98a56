"""The verb: from a snapshot of texts to typed, deduplicated, split rows."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from modelcycle.engine import connect
from modelcycle.faults import BadData, BadPipeline, TargetUnusable
from modelcycle.messages import Artifact, Preprocessed, PreprocessRequest
from modelcycle.model.columns import Column, Columns, ColumnType, TableSchema, Texts
from modelcycle.model.profile import Profile, profile_column
from modelcycle.preprocess import kinds, rows, split, tables, target
from modelcycle.registry import Results
from modelcycle.spec import Pipeline
from modelcycle.steps import pipeline_of, reuse_or_run
from modelcycle.store import Store, read_json

READ = {
    "target", "task", "positive_class", "time_column", "id_columns", "drop_columns", "missing_values", "features",
}  # fmt: skip
LEAST_ROWS = 50


def preprocess(request: PreprocessRequest, *, artifacts: Store, results: Results, code: str) -> Preprocessed:
    """Type the columns, drop exact duplicates, set apart what doesn't parse, split, and write profile and tables.

    Rows in = kept + quarantined + duplicates. White space around values is taken off.

    Raises
    ------
    TargetUnusable : no value, one class, too many classes, or no numbers for a regression
    BadPipeline : positive_class or time_column don't fit the data
    BadData : too few rows, too many odd ones, or more than one model may learn from
    """
    pipeline = pipeline_of(artifacts, request.run)

    def work() -> Preprocessed:
        with TemporaryDirectory() as name, connect(Path(name), "preprocess") as engine:
            return _Work(request, artifacts, pipeline, engine, Path(name)).done()

    parameters = pipeline.model_dump(mode="json", include=READ)
    return reuse_or_run(
        work, Preprocessed, step="preprocess", request=request, parameters=parameters, code=code,
        results=results, artifacts=artifacts,
    )  # fmt: skip


class _Work:
    """One call: what its parts share."""

    def __init__(
        self, request: PreprocessRequest, artifacts: Store, pipeline: Pipeline, engine: Any, folder: Path
    ) -> None:
        self.run = request.run
        self.collected = request.collect
        self.artifacts = artifacts
        self.pipeline = pipeline
        self.engine = engine
        self.folder = folder

    def done(self) -> Preprocessed:
        manifest = read_json(self.artifacts, self.collected.manifest)
        names: list[str] = manifest["columns"]
        goal = names.index(self.pipeline.target)
        dropped = {number for number, name in enumerate(names) if name in self.pipeline.drop_columns}
        shards = [self.artifacts.fetch(shard, self.folder) for shard in self.collected.shards]
        count = rows.clean(self.engine, shards, len(names), goal, dropped, self.pipeline.missing_values, self.folder)
        for shard in shards:
            shard.unlink()
        stay = {number: name for number, name in enumerate(names) if number not in dropped}
        forced = {number: kind for number, name in stay.items() if (kind := self._forced(name))}
        columns = kinds.inferred(self.engine, stay, forced)
        if len(columns) < 2:
            raise BadData("no column is left beside the target", "drop_columns", "drop fewer columns")
        columns[goal] = kinds.of_target(self.engine, f"c{goal}", columns[goal])
        time = names.index(self.pipeline.time_column) if self.pipeline.time_column is not None else None
        kept, quarantined, unread, duplicates, quarantine = rows.settle(
            self.engine, columns, goal, self._needed(names, columns), time,
            [entry["key"] for entry in manifest["objects"]], self.folder,
        )  # fmt: skip
        if kept < LEAST_ROWS:
            raise BadData(
                f"{kept} rows are too few to train and judge a model"
                f" (of {count:,}: {duplicates:,} duplicates, {quarantined:,} quarantined)",
                f"raw/{self.run.model}/", f"upload more: at least {LEAST_ROWS} that differ and have a target",
            )  # fmt: skip
        column = columns.pop(goal)
        tables.bounded(self.engine, columns, kept)
        task = target.task_of(self.engine, column, self.pipeline)
        classes: list[str] = []
        if task == "regression":
            target.numbers_checked(self.engine, column, self.pipeline)
        else:
            classes = target.classes_of(self.engine, column, self.pipeline, task)
        parts = split.counted(self.engine, self.pipeline, task)
        schema = TableSchema(
            columns=tables.counted(self.engine, columns, kept),
            target=column.model_copy(update={"distinct": target.distinct(self.engine)}),
            task=task,
            classes=classes,
            missing_values=self.pipeline.missing_values,
        )
        return Preprocessed(
            table=self._put("table.json", schema.model_dump_json().encode()),
            quarantine=self.artifacts.put(self.run.key("preprocess", "quarantine.parquet"), quarantine)
            if quarantine
            else None,
            task=task,
            rows=count,
            kept=kept,
            quarantined=quarantined,
            unread=unread,
            duplicates=duplicates,
            split=parts,
            **self._tables(columns, schema, parts),
        )

    def _tables(
        self, columns: dict[int, Column], schema: TableSchema, rows_of: tuple[int, int, int]
    ) -> dict[str, Artifact]:
        classes = bool(schema.classes)
        train = tables.part_of(self.engine, 0, rows_of[0], columns, classes)
        written = {
            "profile": self._put("profile.json", _profile(train, schema).model_dump_json().encode()),
            "train": self._put("train.npz", tables.packed(train, "training")),
        }
        del train
        validation = tables.part_of(self.engine, 1, rows_of[1], columns, classes)
        written["validation"] = self._put("validation.npz", tables.packed(validation, "validation"))
        del validation
        test = tables.part_of(self.engine, 2, rows_of[2], columns, classes)
        features, labels = Columns(test.values), Columns({}, test.target)
        written["test_features"] = self.artifacts.put(self.run.holdout_key("features"), tables.packed(features, "test"))
        written["test_labels"] = self.artifacts.put(self.run.holdout_key("labels"), tables.packed(labels, "test"))
        return written

    def _put(self, name: str, body: bytes) -> Artifact:
        return self.artifacts.put(self.run.key("preprocess", name), body)

    def _forced(self, name: str) -> ColumnType | None:
        pipeline = self.pipeline
        if name == pipeline.target:
            return "text" if pipeline.task in ("binary", "multiclass") else None
        return (
            "number" if name in pipeline.features.numeric else "text" if name in pipeline.features.categorical else None
        )

    def _needed(self, names: list[str], columns: dict[int, Column]) -> dict[int, str]:
        """Columns that a row must have a value of."""
        pipeline = self.pipeline
        goal = names.index(pipeline.target)
        where = f"pipelines/{pipeline.name}.yaml"
        if not self.engine.execute(f"SELECT count(c{goal}) FROM clean").fetchone()[0]:
            raise TargetUnusable(
                f"the target {pipeline.target!r} has no value in any row", f"{where}: target: {pipeline.target}",
                "fill the column, or see missing_values: these texts count as no value",
            )  # fmt: skip
        if pipeline.time_column is None:
            return {goal: "no target value"}
        time = names.index(pipeline.time_column)
        if time not in columns or columns[time].type not in ("datetime", "number"):
            raise BadPipeline(
                f"time_column {pipeline.time_column!r} holds no dates or numbers that could be read, or is dropped",
                f"{where}: time_column: {pipeline.time_column}", "write dates as 2024-01-31 or 2024-01-31T14:05:00Z",
            )  # fmt: skip
        return {goal: "no target value", time: "no value to order by"}


def _profile(train: Columns, schema: TableSchema) -> Profile:
    assert train.target is not None
    return Profile(
        rows=train.rows,
        columns=[
            profile_column(
                column.name, column.type, train.values[column.name], format=column.format, true=column.true,
                false=column.false,
            )
            for column in schema.columns
        ],
        target=profile_column(schema.target.name, "text", Texts(train.target, schema.classes))
        if schema.classes
        else profile_column(schema.target.name, "number", train.target),
        missing_values=schema.missing_values,
    )  # fmt: skip
