"""From a snapshot of texts to typed and split rows."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from modelcycle.cells.column import Column
from modelcycle.column_types import create_clean_rows
from modelcycle.contract import contract_files, infer_contract
from modelcycle.data_need import rows_need
from modelcycle.engine import connect
from modelcycle.faults import BadData
from modelcycle.messages import Artifact, Preprocessed, PreprocessRequest, Run
from modelcycle.messages.personal import PersonalColumn
from modelcycle.model.columns import Columns, TableSchema
from modelcycle.model.npz import write_npz
from modelcycle.personal import PERSONAL_OF_RUN, hidden_columns
from modelcycle.preprocess import tables, target
from modelcycle.preprocess.column_readings import decide_readings
from modelcycle.preprocess.contract_check import check_contract, read_contract
from modelcycle.preprocess.duplicates import create_unique_rows, moved_target
from modelcycle.preprocess.entities import MAX_INSPECTED_ROWS, repeated_entity
from modelcycle.preprocess.grouping import Grouping, create_units
from modelcycle.preprocess.held_cells import hold_cells, required_by_rule, tell_held_cells
from modelcycle.preprocess.known_rows import FILE, write_row_hashes
from modelcycle.preprocess.quarantine import (
    cell_reasons,
    quarantine_reasons,
    unread_by_column,
    with_lines,
    write_quarantine,
)
from modelcycle.preprocess.reading_notes import reading_notes
from modelcycle.preprocess.row_selection import (
    RowCounts,
    check_cells,
    count_rows,
    create_kept_rows,
    create_valid_rows,
    required_columns,
)
from modelcycle.preprocess.split import (
    PARTS,
    clusters_of_part,
    count_parts,
    create_parts,
    folds_of_part,
    parts_of_rows,
    units_of_part,
)
from modelcycle.preprocess.training_profile import training_profile
from modelcycle.preprocess.unsent import unsent_columns, unsent_note
from modelcycle.preprocess.window import create_no_older_rows, leave_out_older, older_labels
from modelcycle.registry import Results
from modelcycle.spec import Pipeline
from modelcycle.steps import pipeline_of, reuse_or_run
from modelcycle.store import Store, read_json
from modelcycle.workplace import CONTAINER_SCALE, Workplace

STEP = "preprocess"
PIPELINE_KEYS = {
    "target", "task", "positive_class", "time_column", "id_columns", "group_by", "duplicates", "drop_columns",
    "sensitive_columns", "missing_values", "features", "rules",
}  # fmt: skip
"""Keys of the pipeline file on which the result depends."""

MIN_ROWS = 50


def preprocess(
    request: PreprocessRequest, *, artifacts: Store, results: Results, code: str, workplace: Workplace | None = None
) -> Preprocessed:
    """Infer the columns' types, quarantine what does not parse, split by case, and profile the training rows.

    Rows in = kept + quarantined + duplicates + those before the window that the run learns from. Equal rows are kept,
    see `duplicates`. White space around values is removed.

    Parameters
    ----------
    code : version of the code; a result of other code is not reused
    workplace : where the work may be done; None: here, whatever it takes

    Raises
    ------
    TargetUnusable : the target is always missing, has one class or too many, or is not numeric in a regression
    BadPipeline : positive_class or time_column does not fit the data
    BadData : there are too few rows, too many that do not parse, or more data than a model may have
    """
    pipeline = pipeline_of(artifacts, request.run)
    scale = workplace.scale if workplace is not None else CONTAINER_SCALE

    def work() -> Preprocessed:
        with TemporaryDirectory() as name, connect(Path(name), STEP) as engine:
            return _preprocess(request, artifacts, pipeline, engine, Path(name), scale)

    parameters = pipeline.model_dump(mode="json", include=PIPELINE_KEYS)
    if pipeline.rules.freshness is not None:  # what was fresh then may not be any more
        parameters["started"] = request.run.started_at.isoformat()
    if request.run.learns is not None:
        parameters["learns"] = request.run.learns.model_dump(mode="json")
    return reuse_or_run(
        work, Preprocessed, step=STEP, request=request, parameters=parameters, code=code, results=results,
        artifacts=artifacts, workplace=workplace,
        need=rows_need(request.collect, workplace),
    )  # fmt: skip


def _preprocess(
    request: PreprocessRequest, artifacts: Store, pipeline: Pipeline, engine: Any, folder: Path, scale: int
) -> Preprocessed:
    """Do the work; columns go by their number in the snapshot.

    Parameters
    ----------
    scale : of the limits, see `Workplace.scale`
    """
    run, collected = request.run, request.collect
    manifest = read_json(artifacts, collected.manifest)
    names: list[str] = manifest["columns"]
    target_number = names.index(pipeline.target)
    unsent = unsent_columns(manifest, pipeline)
    personal = {name: PersonalColumn(**known) for name, known in manifest.get(PERSONAL_OF_RUN, {}).items()}
    hidden = hidden_columns(names, personal, [*pipeline.id_columns, *pipeline.group_by, *pipeline.rules.keys])
    dropped = {number for number, name in enumerate(names) if name in {*pipeline.drop_columns, *unsent, *hidden}}
    shards = [artifacts.fetch(shard, folder) for shard in collected.shards]
    rows = create_clean_rows(engine, shards, len(names), pipeline.missing_everywhere, folder)
    for shard in shards:
        shard.unlink()
    contract = read_contract(collected, artifacts)
    decided = decide_readings(engine, names, dropped, pipeline, contract)
    columns = {number: decision.column for number, decision in decided.items()}
    checked = check_contract(engine, run, collected, contract, artifacts, manifest, columns, pipeline, folder, personal)
    violations = checked.report.violations
    hold_cells(checked.batch, violations, columns, contract, pipeline.rules, target_number, folder)
    create_unique_rows(engine, pipeline, names, columns)
    time_number = names.index(pipeline.time_column) if pipeline.time_column is not None else None
    required = required_by_rule(violations, columns)
    required |= required_columns(engine, pipeline, columns, target_number, time_number)
    create_valid_rows(engine, columns, target_number, required, time_number)
    create_no_older_rows(engine)
    window_notes: list[str] = []
    if run.learns is not None and engine.execute("SELECT count(*) FROM valid_rows").fetchone()[0]:
        task = target.infer_task(engine, columns[target_number], pipeline)
        time = columns[time_number] if time_number is not None else None
        window_notes = leave_out_older(engine, run.learns, task, time, manifest, run.started_at)
    counts = count_rows(engine, columns)
    held = tell_held_cells(engine)
    counts = counts._replace(cells=counts.cells + held)
    quarantine, reasons = None, {}
    if counts.quarantined or counts.cells:
        reasons = quarantine_reasons(engine, columns)
        sources = [source["key"] for source in manifest["objects"]]
        quarantine = write_quarantine(engine, columns, sources, folder)
        if collected.lines:
            quarantine = with_lines(engine, quarantine, artifacts.fetch(collected.lines, folder))
    _check_enough(counts, rows, run, reasons)
    target_type = columns[target_number]
    task = target.infer_task(engine, target_type, pipeline)
    if task == "regression":
        target.check_numeric(engine, target_type, pipeline)
    grouping = create_units(engine, pipeline, task, names, columns, target_number)
    classes: list[str] = []
    if task != "regression":
        classes = target.create_classes(engine, target_type, pipeline, task, grouping.unit_name)
    split_notes = create_parts(engine, pipeline, task, grouping.cases, grouping.recipe.kind)
    part_rows = count_parts(engine, pipeline, task)
    create_kept_rows(engine, columns, target_number, folder)
    check_cells(engine, columns, target_number, counts, held)
    features = {number: column for number, column in columns.items() if number != target_number}
    tables.check_size(engine, features, counts.kept, scale)
    schema = TableSchema(
        columns=tables.count_values(engine, features, counts.kept),
        target=target_type.model_copy(update={"distinct": target.count_distinct(engine)}),
        task=task,
        classes=classes,
        missing_values=pipeline.missing_everywhere,
        personal={name: column.treatment for name, column in personal.items() if column.treatment != "keep"},
    )
    moved = moved_target(engine, task, target_number, target_type) if counts.duplicates else None
    engine.narrow()
    if counts.older:
        labels = older_labels(engine, bool(classes))
    written, entity_note = _write_parts(engine, artifacts, run, features, schema, part_rows, grouping, pipeline, folder)
    row_hashes = write_row_hashes(engine, columns, rows, run.key(STEP, FILE), artifacts, folder)
    under = (collected.contract, collected.contract_version) if collected.contract is not None else None
    inferred = infer_contract(
        engine, schema, {column.name: number for number, column in columns.items()}, model=run.model,
        rows=counts.kept, files=contract_files(manifest), unread=unread_by_column(engine, columns),
        dropped=[names[number] for number in sorted(dropped)], keys=pipeline.rules.keys or pipeline.id_columns,
        time_column=pipeline.time_column, under=under, row_hashes=row_hashes,
        personal=personal,
    )  # fmt: skip
    file = folder / "rows.npz"
    folds = ((name, folds_of_part(engine, part, part_rows[part])) for part, name in enumerate(PARTS[:2]))
    return Preprocessed(
        table=artifacts.put(run.key(STEP, "table.json"), schema.model_dump_json().encode()),
        quarantine=artifacts.put(run.key(STEP, "quarantine.parquet"), quarantine) if quarantine else None,
        task=task,
        rows=rows,
        kept=counts.kept,
        quarantined=counts.quarantined,
        quarantine_reasons=reasons,
        cells=counts.cells,
        cell_reasons=cell_reasons(engine, columns),
        duplicates=counts.duplicates,
        older=counts.older,
        older_labels=artifacts.put(run.holdout_key("labels", "-older"), labels) if counts.older else None,
        split=part_rows,
        cases=grouping.cases,
        case_recipe=artifacts.put(run.key(STEP, "cases.json"), grouping.recipe.model_dump_json().encode()),
        parts=artifacts.put(run.key(STEP, "parts.npz"), write_npz(file, [("parts", parts_of_rows(engine, rows))])),
        folds=artifacts.put(run.key(STEP, "folds.npz"), write_npz(file, folds)),
        contract=artifacts.put(run.key(STEP, "contract.json"), inferred.model_dump_json().encode()),
        contract_report=checked.artifact,
        warned=checked.warned,
        ask=checked.ask,
        notes=[
            note
            for note in (
                *window_notes,
                *unsent_note([name for name in unsent if name not in hidden]),
                *reading_notes(decided, pipeline),
                moved,
                *grouping.notes,
                *split_notes,
                entity_note,
            )
            if note
        ],
        **written,
    )


def _check_enough(counts: RowCounts, rows: int, run: Run, reasons: dict[str, int]) -> None:
    if counts.kept < MIN_ROWS:
        why = "".join(f"; {reason} in {number:,}" for reason, number in reasons.items())
        raise BadData(
            f"{counts.kept} rows are too few to train and evaluate a model"
            f" (of {rows:,}: {counts.duplicates:,} duplicates, {counts.quarantined:,} quarantined{why})",
            f"raw/{run.model}/", f"upload at least {MIN_ROWS} rows that have a target",
        )  # fmt: skip


def _write_parts(
    engine: Any, artifacts: Store, run: Run, features: dict[int, Column], schema: TableSchema,
    part_rows: tuple[int, int, int], grouping: Grouping, pipeline: Pipeline, folder: Path,
) -> tuple[dict[str, Artifact], str | None]:  # fmt: skip
    """Write the profile and the three parts; of a large part, a piece of one column is in memory at a time.

    Returns
    -------
    the artifacts by their field, and the note on entities
    """
    has_classes = bool(schema.classes)
    engine.release()

    def write(table: tables.Part | Columns, part: str, *, with_target: bool = True) -> Path:
        limit = artifacts.max_object_bytes
        return tables.write_npz(table, part, folder / "part.npz", with_target=with_target, max_bytes=limit)

    train = tables.read_part(engine, 0, part_rows[0], features, has_classes)
    profile = training_profile(train, schema).model_dump_json().encode()
    written = {
        "profile": artifacts.put(run.key(STEP, "profile.json"), profile),
        "train": artifacts.put(run.key(STEP, "train.npz"), write(train, "training")),
    }
    note = None
    if grouping.recipe.kind != "group":
        left_out = {*pipeline.id_columns, *pipeline.sensitive_columns}
        engine.release()
        first = train.head(MAX_INSPECTED_ROWS)
        note = repeated_entity(first, units_of_part(engine, 0, MAX_INSPECTED_ROWS), left_out)
        del first
    del train
    validation = tables.read_part(engine, 1, part_rows[1], features, has_classes)
    written["validation"] = artifacts.put(run.key(STEP, "validation.npz"), write(validation, "validation"))
    del validation
    test = tables.read_part(engine, 2, part_rows[2], features, has_classes)
    # also of different observations: rows of a unit are drawn into the test part together, so they are no more evidence
    engine.release()
    test_labels = Columns({"cluster": clusters_of_part(engine, 2)}, test.target)
    features_only = write(test, "test", with_target=False)
    written["test_features"] = artifacts.put(run.holdout_key("features"), features_only)
    written["test_labels"] = artifacts.put(run.holdout_key("labels"), write(test_labels, "test"))
    return written, note
