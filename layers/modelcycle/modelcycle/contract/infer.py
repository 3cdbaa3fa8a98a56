"""The contract of the rows that a run has kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelcycle.cells.column import Column
from modelcycle.contract import measured
from modelcycle.contract.terms import ColumnTerms, Contract, ContractFile, RowHashes
from modelcycle.messages import Artifact
from modelcycle.messages.personal import PersonalColumn
from modelcycle.model.class_labels import label_sql
from modelcycle.model.columns import TableSchema
from modelcycle.model.profile import MAX_PROFILE_LEVELS


def infer_contract(
    engine: Any, schema: TableSchema, numbers: Mapping[str, int], *, model: str, rows: int, files: list[ContractFile],
    unread: Mapping[str, int], dropped: list[str], keys: list[str], time_column: str | None,
    under: tuple[Artifact, int | None] | None, row_hashes: RowHashes | None = None,
    personal: Mapping[str, PersonalColumn] | None = None,
) -> Contract:  # fmt: skip
    """Return the contract of `kept_rows`, whose columns are typed.

    Parameters
    ----------
    schema : its columns, with their numbers of distinct values and shares of missing ones
    numbers : of the columns, by name
    rows : of `kept_rows`
    unread : cells that did not parse, by column
    keys : columns that may together be there only once
    row_hashes : of all rows, written beside the contract
    personal : columns of personal data, and what is known of them
    under : the contract under which the rows were read, and its version
    """
    typed = {column.name: f"c{numbers[column.name]}" for column in schema.columns} | {schema.target.name: "target"}
    described = {column.name: column for column in [*schema.columns, schema.target]}
    terms = _terms(engine, described, typed, rows, unread)
    made_under, version = under or (None, None)
    return Contract(
        model=model,
        task=schema.task,
        columns=[terms[column.name] for column in schema.columns],
        target=terms[schema.target.name],
        classes=schema.classes,
        class_rows=_class_rows(engine, schema) if schema.classes else {},
        dropped=dropped,
        keys=keys if _are_unique(engine, [typed[key] for key in keys if key in typed], rows) else [],
        rows=rows,
        files=files,
        time_column=time_column,
        missing_values=schema.missing_values,
        row_hashes=row_hashes,
        personal=dict(personal or {}),
        made_under=made_under,
        made_under_version=version,
    )


def _terms(
    engine: Any, columns: Mapping[str, Column], typed: Mapping[str, str], rows: int, unread: Mapping[str, int]
) -> dict[str, ColumnTerms]:
    counted = {name: typed[name] for name, column in columns.items() if column.type != "text"}
    spreads = measured.spreads(engine, "kept_rows", counted, rows)
    edges = {
        name: [0.5] if columns[name].type == "boolean" else _edges(spread.quantiles, spread.maximum)
        for name, spread in spreads.items()
    }
    counts = measured.bin_counts(engine, "kept_rows", {name: typed[name] for name in spreads}, edges, rows)
    terms = {}
    for name, column in columns.items():
        missing = round(column.missing * rows)
        fields: dict[str, Any] = {
            "name": name, "rows": rows, "missing": missing, "distinct": column.distinct, "counts": [],
            "unread": unread.get(name, 0), "unique": rows > 1 and column.distinct == rows - missing,
        } | column.reading()  # fmt: skip
        if column.type == "text":
            levels = _levels(engine, typed[name])
            rest = rows - missing - sum(levels.values())
            fields |= {"levels": list(levels), "counts": [*levels.values(), rest]}
        elif name in spreads:
            spread = spreads[name]
            fields |= {
                "edges": edges[name], "counts": counts[name], "minimum": spread.minimum, "maximum": spread.maximum,
                "mean": spread.mean, "deviation": spread.deviation, "percentile_1": spread.quantiles[0],
                "percentile_99": spread.quantiles[-1], "quantiles": spread.quantiles, "whole": spread.whole,
            }  # fmt: skip
        terms[name] = ColumnTerms(**fields)
    return terms


def _edges(quantiles: list[float], maximum: float) -> list[float]:
    """Return the distinct inner deciles, below the maximum so that the last bin is not empty."""
    deciles = quantiles[2:-2:2]  # of LEVELS: 0.1, 0.2 ... 0.9
    return sorted({value for value in deciles if value < maximum})


def _levels(engine: Any, column: str) -> dict[str, int]:
    return dict(
        engine.execute(
            f"SELECT {column}, count(*) AS rows FROM kept_rows WHERE {column} IS NOT NULL GROUP BY ALL"
            f" ORDER BY rows DESC, {column} LIMIT {MAX_PROFILE_LEVELS}"
        ).fetchall()
    )


def _class_rows(engine: Any, schema: TableSchema) -> dict[str, int]:
    label = label_sql("target", schema.target.type)
    counts = dict(engine.execute(f"SELECT {label} AS label, count(*) FROM kept_rows GROUP BY label").fetchall())
    return {name: counts.get(name, 0) for name in schema.classes}


def _are_unique(engine: Any, columns: list[str], rows: int) -> bool:
    if not columns:
        return False
    distinct = engine.execute(f"SELECT count(*) FROM (SELECT DISTINCT {', '.join(columns)} FROM kept_rows)").fetchone()[
        0
    ]
    return bool(distinct == rows)
