"""Columns that are gone, have another name, or are new."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from modelcycle.contract.batch import Batch
from modelcycle.contract.limits import DEFAULT
from modelcycle.contract.matching import match_columns
from modelcycle.contract.terms import Contract
from modelcycle.contract.violations import Violation
from modelcycle.spec import Level, Rules

MAX_SHOWN = 20  # new columns that are named one by one


def check_columns(batch: Batch, names: Sequence[str], contract: Contract, rules: Rules) -> list[Violation]:
    """Return the columns that the batch lacks, each with its likeliest new name, and those that it adds."""
    terms = contract.terms()
    known = {*terms, *contract.dropped}
    lost = [column for name, column in terms.items() if name not in set(names)]
    new = [name for name in names if name not in known]
    matches = match_columns(lost, [name for name in new if name in batch.texts], batch) if new else {}
    found = []
    for column in lost:
        match = matches.get(column.name)
        what = f"the column {column.name!r} is missing"
        if match is not None:
            alike = f" ({match.by_values:.0%} of its values are alike)" if match.by_values else ""
            if unicodedata.normalize("NFC", match.name) == unicodedata.normalize("NFC", column.name):
                alike = ": the same letters in another Unicode form"
            what += f"; {match.name!r} is likely its new name{alike}".replace("%", " %")
        # nobody predicts by it, and whoever joins by it names it in the pipeline file
        default: Level = "warn" if match is None and column.is_identifier and column is not contract.target else "fail"
        found.append(
            Violation(
                anomaly="SCHEMA_MISSING_COLUMN",
                check="columns",
                level=rules.level("columns", column.name, default),
                column=column.name,
                what=what,
                match=match.name if match else None,
                count=batch.rows,
                of=batch.rows,
            )
        )
    taken = {match.name for match in matches.values()}
    added = [name for name in new if name not in taken]
    for name in added[:MAX_SHOWN]:
        level = rules.level("extra", name, DEFAULT["extra"])
        what = f"the column {name!r} is new"
        found.append(Violation(anomaly="SCHEMA_NEW_COLUMN", check="extra", level=level, column=name, what=what))
    if len(added) > MAX_SHOWN:
        level = rules.level("extra", "", DEFAULT["extra"])
        what = f"{len(added) - MAX_SHOWN:,} more columns are new"
        found.append(Violation(anomaly="SCHEMA_NEW_COLUMN", check="extra", level=level, what=what))
    return found
