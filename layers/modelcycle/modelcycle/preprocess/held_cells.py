"""Cells and rows that a rule of level `quarantine` keeps back, although they can be read.

Makes the table `held_cells` (row_id, number, reason, text) and takes these cells out of `clean_rows`: they are missing
then, and a row without its target or time is not kept.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modelcycle.cells.column import Column
from modelcycle.column_types import write_parquet
from modelcycle.contract import Batch, Contract, Violation
from modelcycle.contract.range_checks import bounds
from modelcycle.spec import ColumnRule, Rules
from modelcycle.sql_literal import literal


def hold_cells(
    batch: Batch, violations: list[Violation], columns: Mapping[int, Column], contract: Contract | None, rules: Rules,
    target: int, folder: Path,
) -> None:  # fmt: skip
    """Create `held_cells`, and take its cells out of `clean_rows`."""
    engine = batch.engine
    engine.execute("CREATE TABLE held_cells (row_id BIGINT, number INTEGER, reason VARCHAR, text VARCHAR)")
    number_of = {column.name: number for number, column in columns.items()}
    terms = contract.terms() if contract is not None else {}
    for violation in violations:
        if violation.level != "quarantine":
            continue
        name, number = violation.column, number_of.get(violation.column, target)
        if violation.check == "range":
            low, high = bounds(rules.column(name), terms.get(name))
            source = "clean_rows" if _has_bounds(rules.column(name)) else "batch_rows"
            if math.isfinite(low):
                _hold(engine, source, number, f"{batch.parsed(name)} < {low!r}", f"below {low:g}")
            if math.isfinite(high):
                _hold(engine, source, number, f"{batch.parsed(name)} > {high!r}", f"above {high:g}")
        elif violation.check == "categories":
            rule = rules.column(name).categories
            known = rule if isinstance(rule, list) else terms[name].levels
            listed = ", ".join(literal(text) for text in known)
            condition = f"({batch.present(name)}) IS NOT NULL AND ({batch.present(name)}) NOT IN ({listed})"
            _hold(engine, "clean_rows" if rule else "batch_rows", number, condition, "not one of the categories")
        elif violation.check in ("unique", "keys"):
            names = [name] if violation.check == "unique" else rules.keys or (contract.keys if contract else [])
            keys = ", ".join(batch.parsed(key) for key in names)
            present = " AND ".join(f"{batch.parsed(key)} IS NOT NULL" for key in names)
            condition = (
                "row_id IN (SELECT row_id FROM (SELECT row_id, row_number() OVER"
                f" (PARTITION BY {keys} ORDER BY {batch.order()}) AS n FROM clean_rows WHERE {present}) WHERE n > 1)"
            )
            _hold(engine, "batch_rows", target, condition, f"the same {' and '.join(names)} as an earlier row")
    held = {number for (number,) in engine.execute("SELECT DISTINCT number FROM held_cells").fetchall()}
    if held:
        _take_out(engine, list(columns), held, folder)


def required_by_rule(violations: list[Violation], columns: Mapping[int, Column]) -> dict[int, str]:
    """Return the columns whose rows are kept back where the value is missing, with the reason."""
    number_of = {column.name: number for number, column in columns.items()}
    return {
        number_of[violation.column]: "missing, which the rule does not allow"
        for violation in violations
        if violation.level == "quarantine" and violation.check == "missing"
    }


def tell_held_cells(engine: Any) -> int:
    """Add the held cells of kept rows to `unread_cells`, and give held rows their reason; return how many are added."""
    engine.execute(
        "UPDATE invalid_values SET reason = held_cells.reason FROM held_cells"
        " WHERE held_cells.row_id = invalid_values.row_id AND held_cells.number = invalid_values.number"
    )
    engine.execute(
        "INSERT INTO unread_cells SELECT row_id, number, reason FROM held_cells SEMI JOIN valid_rows USING (row_id)"
        " ORDER BY row_id, number"
    )
    added: int = engine.execute("SELECT count(*) FROM held_cells SEMI JOIN valid_rows USING (row_id)").fetchone()[0]
    return added


def _has_bounds(rule: ColumnRule) -> bool:
    return rule.min is not None or rule.max is not None


def _hold(engine: Any, source: str, number: int, condition: str, reason: str) -> None:
    engine.execute(
        f"INSERT INTO held_cells SELECT row_id, {number}, $1, c{number} FROM {source} WHERE {condition}"
        f" AND row_id NOT IN (SELECT row_id FROM held_cells WHERE number = {number}) ORDER BY row_id",
        [reason],
    )


def _take_out(engine: Any, numbers: list[int], held: set[int], folder: Path) -> None:
    """Write `clean_rows` anew, in its order, without the held cells."""
    path = folder / "held.parquet"
    cells = ", ".join(
        f"CASE WHEN row_id IN (SELECT row_id FROM held_cells WHERE number = {number}) THEN NULL ELSE c{number} END"
        f" AS c{number}" if number in held else f"c{number}" for number in numbers
    )  # fmt: skip
    write_parquet(engine, path, len(numbers), f"SELECT row_id, file, row, {cells} FROM clean_rows ORDER BY row_id")
    engine.execute(f"CREATE OR REPLACE VIEW clean_rows AS SELECT * FROM read_parquet({literal(path)})")
