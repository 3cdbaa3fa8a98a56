"""Holds a batch to the contract of the live version, and to the rules of the pipeline file: all violations at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from modelcycle.contract.batch import Batch
from modelcycle.contract.category_checks import check_categories
from modelcycle.contract.cell_checks import check_missing, check_type
from modelcycle.contract.class_checks import check_classes
from modelcycle.contract.column_checks import check_columns
from modelcycle.contract.limits import GRAVEST
from modelcycle.contract.range_checks import check_range
from modelcycle.contract.shift_checks import check_shifts
from modelcycle.contract.table_checks import check_freshness, check_keys, check_rows, check_unique
from modelcycle.contract.terms import Contract
from modelcycle.contract.violations import Report, Violation
from modelcycle.contract.writing_checks import check_writing
from modelcycle.spec import Rules


def check_batch(
    batch: Batch, names: Sequence[str], contract: Contract | None, rules: Rules, *, model: str, version: int | None,
    target: str, time_column: str | None, started: datetime, snapshot_rows: int, known_rows: str = "",
    whole_files: bool = True,
) -> Report:  # fmt: skip
    """Check a batch; without a contract, by the rules of the pipeline file alone.

    Parameters
    ----------
    names : columns of the batch
    version : whose contract it is
    started : when the run began
    snapshot_rows : of all files, those of the batch included
    whole_files : whether files are comparable by their rows; those of a stream or a pull hold what had arrived
    known_rows : a view like `batch.source` of all rows, for keys that must be there only once; "" if there is none
    """
    violations: list[Violation] = []
    if contract is not None:
        violations += check_columns(batch, names, contract, rules)
    if contract is None and rules == Rules():
        files = [file.key for file in batch.files.values()]
        return Report(model=model, version=None, files=files, rows=batch.rows, violations=[], columns=len(names))
    violations += check_rows(batch, contract, rules, snapshot_rows, whole_files)
    if batch.rows:
        cells = batch.cells(name for name in batch.readings if name in batch.texts)
        violations += check_type(batch, cells, contract, rules)
        violations += check_missing(batch, cells, contract, rules)
        violations += check_range(batch, contract, rules)
        violations += check_categories(batch, contract, rules, target)
        violations += check_unique(batch, contract, rules, known_rows or batch.source)
        violations += check_keys(batch, contract, rules, known_rows or batch.source)
        if time_column is not None and time_column in batch.readings:
            violations += check_freshness(batch, contract, rules, time_column, started)
        if contract is not None:
            violations += check_classes(batch, contract, rules)
            violations += check_writing(batch, contract, rules)
            told = {violation.column for violation in violations if violation.check == "type"}
            violations += check_shifts(batch, contract, rules, version or 0, leave_out=told)
    return Report(
        model=model, version=version, files=[file.key for file in batch.files.values()], rows=batch.rows,
        violations=sorted(violations, key=lambda violation: GRAVEST.index(violation.level)), columns=len(names),
    )  # fmt: skip


def new_files(contents: Iterable[tuple[int, str]], contract: Contract | None) -> list[int]:
    """Return the numbers of the files whose content the contract does not have.

    Parameters
    ----------
    contents : number and content of each file
    """
    known = contract.contents if contract is not None else frozenset()
    return [number for number, content in contents if content not in known]
