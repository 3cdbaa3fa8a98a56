"""The contract of a model's data: what its accepted rows were like, and how the next batch differs from that."""

from __future__ import annotations

from modelcycle.contract.batch import Batch
from modelcycle.contract.check import check_batch, new_files
from modelcycle.contract.files import contract_files
from modelcycle.contract.infer import infer_contract
from modelcycle.contract.terms import ColumnTerms, Contract, ContractFile, RowHashes
from modelcycle.contract.violations import Example, Report, Violation

__all__ = [
    "Batch",
    "ColumnTerms",
    "Contract",
    "ContractFile",
    "Example",
    "Report",
    "RowHashes",
    "Violation",
    "check_batch",
    "contract_files",
    "infer_contract",
    "new_files",
]
