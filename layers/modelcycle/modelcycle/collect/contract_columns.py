"""Columns of new files that differ from the contract: named with everything else that is wrong with these files."""

from __future__ import annotations

from typing import Any

from modelcycle.cells.missing import stripped_sql
from modelcycle.collect.personal_rows import PersonalRows
from modelcycle.collect.pinned_contract import Pinned
from modelcycle.contract import Batch, ContractFile, check_batch
from modelcycle.messages import CollectRequest
from modelcycle.reading import TextTable
from modelcycle.sql_literal import literal
from modelcycle.store import Store


def check_table(
    engine: Any, table: TextTable, file: ContractFile, number: int, pinned: Pinned, personal: PersonalRows,
    request: CollectRequest, artifacts: Store,
) -> None:  # fmt: skip
    """Check a new file whose columns are not those of the contract; a file that has them is left to `preprocess`.

    Raises
    ------
    BadData : columns are missing or have another name; names everything else that is wrong with the file as well
    """
    contract = pinned.contract
    terms = contract.terms()
    if table.sparse or not {*terms} - {*table.names}:
        return
    pipeline, table = personal.pipeline, personal.visible(engine, table)
    view = f"table_{number}"
    engine.execute(f"CREATE OR REPLACE VIEW {view} AS SELECT row AS row_id, * FROM read_parquet({literal(table.path)})")
    batch = Batch(
        engine=engine, source=view, rows=table.rows, files={number: file},
        texts={
            name: stripped_sql(f"c{position}", contract.missing_values) for position, name in enumerate(table.names)
        },
        readings={name: terms[name] for name in table.names if name in terms},
        missing_values=tuple(contract.missing_values),
    )  # fmt: skip
    report = check_batch(
        batch, table.names, contract, pipeline.rules, model=request.run.model, version=pinned.version,
        target=pipeline.target, time_column=pipeline.time_column, started=request.run.started_at,
        snapshot_rows=sum(known.rows for known in contract.files) + table.rows,
    )  # fmt: skip
    lost = {violation.column for violation in report.violations if violation.check == "columns"}
    needed = {pipeline.target} & lost
    if not needed and all(violation.level != "fail" for violation in report.violations if violation.check == "columns"):
        return
    artifacts.put(request.run.key("collect", f"contract-report-{number}.json"), report.model_dump_json().encode())
    raise report.fault()
