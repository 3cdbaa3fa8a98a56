"""The contract of a version, for people."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cli.screens.lines import clip, count, table
from modelcycle.spec import Rules

MAX_NAMED = 4  # categories in the table
TYPES = {"datetime": "date", "text": "text", "number": "number", "boolean": "true or false"}


def contract_text(model: str, version: int, contract: Mapping[str, Any], rules: Rules) -> str:
    """Return the table of columns; what the pipeline file rules by itself is marked."""
    rows = []
    for column in [*contract["columns"], contract["target"]]:
        rule = rules.columns.get(column["name"])
        is_target = column["name"] == contract["target"]["name"]
        ruled = [
            f"{key} {value}"
            for key, value in (rule.model_dump(mode="json", exclude_defaults=True) if rule else {}).items()
        ]
        rows.append([
            clip(column["name"], 32) + (" (target)" if is_target else ""),
            TYPES[column["type"]] + (f" {column['format']}" if column["format"] else ""),
            _values(column, contract["classes"] if is_target else []),
            f"{100 * column['missing'] / max(column['rows'], 1):.1f} %",
            clip(", ".join(ruled), 60),
        ])  # fmt: skip
    files = contract["files"]
    keys = contract["keys"]
    head = f"{model}:{version}  {count(contract['rows'], 'row')} of {count(len(files), 'file')}, {contract['task']}"
    facts = [f"    keys        {' and '.join(keys)}"] if keys else []
    if rules.freshness:
        facts.append(f"    freshness   {rules.freshness} by {contract['time_column']}")
    if rules.rows.min is not None or rules.rows.max is not None:
        facts.append(f"    rows        {rules.rows.min or 0:,} to {rules.rows.max or 'any'}")
    todo = "    tighten or loosen it under schema: in the pipeline file; --odcs prints it as a standard document"
    body = table(["column", "read as", "values", "missing", "rule"], rows)
    return "\n".join([head, "", body, "", *facts, todo])


def _values(column: Mapping[str, Any], classes: list[str]) -> str:
    if classes:
        return clip(", ".join(classes[:MAX_NAMED]) + (" ..." if len(classes) > MAX_NAMED else ""), 44)
    if column["type"] == "text":
        if column["distinct"] > len(column["levels"]):
            return f"{column['distinct']:,} texts, open"
        more = f" and {len(column['levels']) - MAX_NAMED} more" if len(column["levels"]) > MAX_NAMED else ""
        return clip(", ".join(column["levels"][:MAX_NAMED]), 40) + more
    low, high = column["minimum"], column["maximum"]
    if low is None:
        return "none"
    if column["type"] == "datetime":
        return " to ".join(f"{datetime.fromtimestamp(value, UTC):%Y-%m-%d}" for value in (low, high))
    return f"{low:,.6g} to {high:,.6g}"
