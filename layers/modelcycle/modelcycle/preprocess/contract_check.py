"""Holds the new rows of a run to the contract of the live version, before anything is learned from them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from modelcycle.cells.column import Column
from modelcycle.contract import Batch, Contract, Report, check_batch, contract_files, new_files
from modelcycle.faults import BadPipeline
from modelcycle.messages import Artifact, Collected, Run
from modelcycle.preprocess.known_rows import create_new_rows
from modelcycle.spec import Pipeline, S3Source
from modelcycle.store import Store


class Checked(NamedTuple):
    """What came of the check.

    Parameters
    ----------
    batch : the new rows
    report : all violations
    artifact : the report, written
    """

    batch: Batch
    report: Report
    artifact: Artifact
    warned: list[str]
    ask: list[str]


def read_contract(collected: Collected, artifacts: Store) -> Contract | None:
    """Return the contract to which the run is held, None for the first version."""
    if collected.contract is None:
        return None
    return Contract.model_validate_json(artifacts.read(collected.contract))


def check_rules(pipeline: Pipeline, columns: Mapping[int, Column]) -> None:
    """Check that every rule is of a column that is read: a rule that checks nothing is an error.

    Raises
    ------
    BadPipeline : names the column
    """
    read = {column.name for column in columns.values()}
    for key, names in (("columns", list(pipeline.rules.columns)), ("keys", pipeline.rules.keys)):
        for name in names:
            if name not in read:
                raise BadPipeline(
                    f"schema.{key} names {name!r}, which drop_columns leaves out",
                    f"pipelines/{pipeline.name}.yaml: schema.{key}: {name}", "remove it from one of the two",
                )  # fmt: skip
    if pipeline.rules.freshness is not None and pipeline.time_column is None:
        raise BadPipeline(
            "schema.freshness needs the column that tells the time of a row",
            f"pipelines/{pipeline.name}.yaml: schema.freshness", "add time_column",
        )  # fmt: skip


def check_contract(
    engine: Any, run: Run, collected: Collected, contract: Contract | None, artifacts: Store,
    manifest: Mapping[str, Any], columns: Mapping[int, Column], pipeline: Pipeline, folder: Path,
    personal: Collection[str] = (),
) -> Checked:  # fmt: skip
    """Check the rows of `clean_rows` that are new: of files which the contract does not have, without the rows that the
    files had before they were replaced; or all rows, if a joined table has changed. Write the report.

    Parameters
    ----------
    personal : columns of which no sentence quotes a value

    Raises
    ------
    BadData : a rule is broken that the run may not pass; all broken rules are named
    BadPipeline : a rule is of a column that is not read
    """
    check_rules(pipeline, columns)
    files = contract_files(manifest)
    new = {number: files[number] for number in new_files(((n, file.content) for n, file in enumerate(files)), contract)}
    joined = any(file.joined for file in new.values())
    is_new = "true" if joined else f"file IN ({_listed(new)})"
    is_replaced = contract is not None and not contract.contents <= {file.content for file in files}
    held = collected.contract if joined or is_replaced else None
    if (
        contract is not None and held is not None
        and create_new_rows(engine, contract, held, artifacts, columns, folder) is not None
    ):  # fmt: skip
        is_new = "row_id IN (SELECT row_id FROM new_rows)"
    of_files = f"file < {len(files)}"  # behind them are live requests
    engine.execute(f"CREATE VIEW batch_rows AS SELECT * FROM clean_rows WHERE {of_files} AND ({is_new})")
    rows, snapshot_rows = engine.execute(
        f"SELECT (SELECT count(*) FROM batch_rows), (SELECT count(*) FROM clean_rows WHERE {of_files})"
    ).fetchone()
    batch = Batch(
        engine=engine, source="batch_rows", rows=rows,
        files={
            number: file for number, file in (enumerate(files) if joined else new.items())
            if not file.joined and "repeats" not in manifest["objects"][number]
        },
        texts={column.name: f"c{number}" for number, column in columns.items()},
        readings={column.name: column for column in columns.values()},
        missing_values=tuple(pipeline.missing_everywhere), personal=frozenset(personal),
    )  # fmt: skip
    report = check_batch(
        batch, manifest["columns"], contract, pipeline.rules, model=run.model, version=collected.contract_version,
        target=pipeline.target, time_column=pipeline.time_column, started=run.started_at, snapshot_rows=snapshot_rows,
        known_rows="clean_rows", whole_files=isinstance(pipeline.source, S3Source),
    )  # fmt: skip
    artifact = artifacts.put(run.key("preprocess", "contract-report.json"), report.model_dump_json().encode())
    if report.of_level("fail"):
        raise report.fault()
    return Checked(batch, report, artifact, warned=report.sentences("quarantine", "warn"), ask=report.sentences("ask"))


def _listed(numbers: Sequence[int] | Mapping[int, Any]) -> str:
    return ", ".join(str(number) for number in numbers) or "-1"
