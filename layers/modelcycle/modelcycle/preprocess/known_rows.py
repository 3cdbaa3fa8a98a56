"""Which rows are new where files were replaced: a table read as a whole again, a file that grew, a joined table.

Held to the contract as a whole, thousands of rows that were there before would hide what is wrong with the new ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from modelcycle.cells.column import Column
from modelcycle.contract import Contract, RowHashes
from modelcycle.messages import Artifact, CaseColumn, CaseRecipe
from modelcycle.model.cases import create_cases
from modelcycle.sql_literal import literal
from modelcycle.store import Store

FILE = "row-hashes.parquet"
MAX_ROWS = 5_000_000  # 8 bytes each
MAX_REWRITTEN_SHARE = 0.1  # of the new rows, that replace a row which is gone: changed rows are no fair sample


def write_row_hashes(engine: Any, columns: Mapping[int, Column], rows: int, key: str, artifacts: Store, folder: Path,
) -> RowHashes | None:  # fmt: skip
    """Write a hash of each row of `clean_rows` over the texts of some columns; None if there are too many rows."""
    if rows > MAX_ROWS:
        return None
    _create_hashes(engine, {column.name: number for number, column in columns.items()})
    path = folder / FILE
    engine.execute(f"COPY (SELECT hash FROM cases ORDER BY hash) TO {literal(path)} (FORMAT parquet)")
    engine.execute("DROP TABLE cases")
    written = artifacts.put(key, path)
    path.unlink()
    return RowHashes(sha256=written.sha256, bytes=written.bytes)


def create_new_rows(
    engine: Any, contract: Contract, artifact: Artifact, artifacts: Store, columns: Mapping[int, Column], folder: Path
) -> int | None:
    """Create `new_rows` (row_id): the rows of `clean_rows` that the contract's files did not have.

    Parameters
    ----------
    artifact : the contract's

    Returns
    -------
    how many; None, without a table, if that is not known, or if they are changed rows rather than more rows
    """
    numbers = {column.name: number for number, column in columns.items()}
    if contract.row_hashes is None or not contract.terms().keys() <= numbers.keys():
        return None
    hashes = Artifact(uri=artifact.uri.rpartition("/")[0] + f"/{FILE}", **contract.row_hashes.model_dump())
    if artifacts.missing([hashes]):
        return None
    path = artifacts.fetch(hashes, folder)
    known = f"read_parquet({literal(path)})"
    _create_hashes(engine, {name: numbers[name] for name in contract.terms()})
    engine.execute(f"CREATE TABLE new_rows AS SELECT row_id FROM cases ANTI JOIN {known} USING (hash)")
    new, gone = engine.execute(
        f"SELECT (SELECT count(*) FROM new_rows), (SELECT count(*) FROM {known} ANTI JOIN cases USING (hash))"
    ).fetchone()
    engine.execute("DROP TABLE cases")
    path.unlink()
    if not new or gone > MAX_REWRITTEN_SHARE * new:
        engine.execute("DROP TABLE new_rows")
        return None
    return int(new)


def _create_hashes(engine: Any, numbers: Mapping[str, int]) -> None:
    """Create `cases` (row_id, hash); equal rows are numbered, so that one more of them is a new row."""
    recipe = CaseRecipe(kind="row", columns=_as_texts(numbers), missing_values=[])
    create_cases(engine, recipe, numbers, "clean_rows", stripped=True)


def _as_texts(names: Iterable[str]) -> list[CaseColumn]:
    return [CaseColumn(name=name, type="text") for name in names]
