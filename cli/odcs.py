"""A contract as an Open Data Contract Standard document (ODCS 3.1, bitol.io), and such a document as rules."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from modelcycle.faults import BadInput
from modelcycle.spec import Rules

API_VERSION = "v3.1.0"
LOGICAL_TYPES = {"number": "number", "boolean": "boolean", "datetime": "timestamp", "text": "string"}
OUR_TYPES = {
    "number": "number", "integer": "number", "boolean": "boolean", "date": "datetime", "timestamp": "datetime",
    "string": "text",
}  # fmt: skip
SEVERITIES = {"fail": "error", "ask": "error", "quarantine": "warning", "warn": "info"}


def to_odcs(contract: Mapping[str, Any], rules: Mapping[str, Any], version: int | None) -> dict[str, Any]:
    """Return the document.

    Parameters
    ----------
    contract : JSON of a `contract.Contract`
    rules : the section `schema` of the pipeline file
    """
    model = contract["model"]
    columns = [*contract["columns"], contract["target"]]
    keys = rules.get("keys") or contract["keys"]
    table: dict[str, Any] = {
        "name": model,
        "logicalType": "object",
        "physicalType": "file",
        "properties": [_property(column, rules, keys, contract) for column in columns],
    }
    least = (rules.get("rows") or {}).get("min")
    if least is not None:
        table["quality"] = [{"type": "library", "metric": "rowCount", "mustBeGreaterOrEqualTo": least, "unit": "rows"}]
    document: dict[str, Any] = {
        "apiVersion": API_VERSION,
        "kind": "DataContract",
        "id": model,
        "name": model,
        "version": f"{version or 0}.0.0",
        "status": "active",
        "description": {"purpose": f"predicts {contract['target']['name']}"},
        "schema": [table],
        "customProperties": [
            {"property": "task", "value": contract["task"]}, {"property": "rows", "value": contract["rows"]},
            {"property": "target", "value": contract["target"]["name"]},
        ],
    }  # fmt: skip
    if rules.get("freshness"):
        number, _, unit = str(rules["freshness"]).partition(" ")
        element = f"{model}.{contract['time_column']}"
        document["slaProperties"] = [
            {"property": "freshness", "value": float(number), "unit": unit.rstrip("s"), "element": element}
        ]
    return document


def _property(
    column: Mapping[str, Any], rules: Mapping[str, Any], keys: list[str], contract: Mapping[str, Any]
) -> dict[str, Any]:
    rule = (rules.get("columns") or {}).get(column["name"]) or {}
    kind = rule.get("type") or column["type"]
    logical = "integer" if kind == "number" and column.get("whole") else LOGICAL_TYPES[kind]
    found: dict[str, Any] = {
        "name": column["name"], "logicalType": logical, "physicalType": "text",
        "required": column["missing"] == 0, "unique": bool(rule.get("unique", [column["name"]] == keys)),
    }  # fmt: skip
    if column["name"] in keys:
        found |= {"primaryKey": True, "primaryKeyPosition": keys.index(column["name"]) + 1}
    low, high = rule.get("min", column.get("minimum")), rule.get("max", column.get("maximum"))
    if kind in ("number", "datetime") and (low is not None or high is not None):
        limits = {"minimum": low, "maximum": high}
        found["logicalTypeOptions"] = {
            name: _time(value) if kind == "datetime" else value for name, value in limits.items() if value is not None
        }
    quality: list[dict[str, Any]] = []
    share = rule.get("missing")
    if share is not None:
        quality.append(
            {"type": "library", "metric": "nullValues", "mustBeLessOrEqualTo": 100 * share, "unit": "percent"}
        )
    is_target = column["name"] == contract["target"]["name"]
    listed = contract["classes"] if is_target and contract["classes"] else rule.get("categories") or _closed(column)
    if listed and listed != "open":
        quality.append({
            "type": "library", "metric": "invalidValues", "arguments": {"validValues": listed}, "mustBe": 0,
            "severity": SEVERITIES[rule.get("level") or ("fail" if is_target else "warn")],
        })  # fmt: skip
    if quality:
        found["quality"] = quality
    own = {"missingShare": column["missing"] / max(column["rows"], 1), "format": column["format"]}
    found["customProperties"] = [{"property": name, "value": value} for name, value in own.items() if value != ""]
    return found


def _closed(column: Mapping[str, Any]) -> list[str]:
    """Return the categories of a column, none if it holds more than are listed."""
    closed = column["type"] == "text" and column["distinct"] <= len(column["levels"])
    return sorted(column["levels"]) if closed else []


def _time(seconds: Any) -> str:
    if isinstance(seconds, int | float):
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
    return str(seconds)


def to_rules(document: Any, where: str) -> dict[str, Any]:
    """Return the section `schema` of a pipeline file that a document asks for.

    Raises
    ------
    BadInput : it is no ODCS 3 document, has no table or several, or a value that is none of the standard
    """
    try:
        rules = _to_rules(document, where)
        Rules.model_validate(rules)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise BadInput(
            f"{place}: {first['msg'].removeprefix('Value error, ')}", where, "correct it, or leave it out"
        ) from None
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # of another structure than the standard's
        raise BadInput(
            f"the document is not built as the standard says: {error}", where,
            "lists of objects are expected under properties, quality and slaProperties",
        ) from None  # fmt: skip
    return rules


def _to_rules(document: Any, where: str) -> dict[str, Any]:
    if not isinstance(document, dict) or document.get("kind") != "DataContract":
        raise BadInput("the file is not a data contract", where, "kind: DataContract is expected (ODCS 3)")
    if not str(document.get("apiVersion", "")).startswith("v3"):
        raise BadInput(f"apiVersion {document.get('apiVersion')!r} is not known", where, "write v3.1.0")
    tables = document.get("schema")
    if not isinstance(tables, list) or len(tables) != 1 or not isinstance(tables[0], dict):
        raise BadInput("a contract with one table under schema: is expected", where, "keep the table of this model")
    columns: dict[str, Any] = {}
    keys: list[tuple[int, str]] = []
    for entry in tables[0].get("properties") or []:
        if not isinstance(entry, dict) or not entry.get("name"):
            raise BadInput("a property has no name", where, "name each property as the column is named")
        rule = _rule(entry, where)
        if entry.get("primaryKey"):
            keys.append((int(entry.get("primaryKeyPosition") or len(keys) + 1), entry["name"]))
        if rule:
            columns[entry["name"]] = rule
    rules: dict[str, Any] = {"columns": columns} if columns else {}
    for check in tables[0].get("quality") or []:
        least = check.get("mustBeGreaterOrEqualTo")
        if check.get("metric") == "rowCount" and least is not None:
            rules["rows"] = {"min": int(least)}
    if keys:
        rules["keys"] = [name for _, name in sorted(keys)]
    for promise in document.get("slaProperties") or []:
        if promise.get("property") == "freshness" and promise.get("unit"):
            unit = {"d": "days", "h": "hours", "m": "minutes"}.get(str(promise["unit"]), f"{promise['unit']}")
            rules["freshness"] = f"{float(promise['value']):g} {unit}"
    return rules


def _rule(entry: Mapping[str, Any], where: str) -> dict[str, Any]:
    rule: dict[str, Any] = {}
    kind = entry.get("logicalType")
    if kind is not None:
        if kind not in OUR_TYPES:
            raise BadInput(
                f"{entry['name']}: a column of logicalType {kind!r} cannot be read", where,
                f"use one of {', '.join(OUR_TYPES)}",
            )  # fmt: skip
        rule["type"] = OUR_TYPES[kind]
    options = entry.get("logicalTypeOptions") or {}
    for name, key in (("minimum", "min"), ("maximum", "max")):
        if options.get(name) is not None:
            value = options[name]
            rule[key] = str(value)[:10] if OUR_TYPES.get(str(kind)) == "datetime" else value
    if entry.get("required"):
        rule["missing"] = 0.0
    if entry.get("unique"):
        rule["unique"] = True
    for check in entry.get("quality") or []:
        valid = (check.get("arguments") or {}).get("validValues")
        if check.get("metric") == "invalidValues" and valid:
            rule["categories"] = [str(value) for value in valid]
        share = check.get("mustBeLessOrEqualTo")
        if check.get("metric") in ("nullValues", "missingValues") and share is not None:
            rule["missing"] = share / 100 if check.get("unit") == "percent" else share
    if "categories" in rule:
        rule.pop("min", None)
        rule.pop("max", None)
    return rule
