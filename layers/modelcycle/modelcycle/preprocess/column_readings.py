"""How each column is read: as the pipeline file says, else as the contract does, else as its values are."""

from __future__ import annotations

from typing import Any

from modelcycle.cells import dates
from modelcycle.cells.reading import Reading
from modelcycle.column_types import Decided, decide_columns, target_column
from modelcycle.contract import Contract
from modelcycle.faults import BadData, BadPipeline
from modelcycle.spec import Pipeline


def decide_readings(
    engine: Any, names: list[str], dropped: set[int], pipeline: Pipeline, contract: Contract | None
) -> dict[int, Decided]:
    """Return all columns but the dropped ones, with their types: those of the contract, unless the pipeline file says
    otherwise, so that a bad batch does not make a number a text.

    Raises
    ------
    BadData : only the target is left
    BadPipeline : features.dates names a format that is none
    """
    left = {number: name for number, name in enumerate(names) if number not in dropped}
    pinned: dict[str, Reading] = {}
    if contract is not None and contract.target.name == pipeline.target:
        pinned = {name: Reading(**terms.reading()) for name, terms in contract.terms().items()}
    ruled = {name: reading for name in left.values() if (reading := _declared(name, pipeline))}
    declared = {
        number: reading for number, name in left.items() if (reading := ruled.get(name) or pinned.get(name)) is not None
    }
    target = names.index(pipeline.target)
    numeric = {number for number, name in left.items() if name in pipeline.features.numeric and number not in declared}
    decided = decide_columns(
        engine, left, declared, target=target, decide_missing=pipeline.missing_values is None,
        time=names.index(pipeline.time_column) if pipeline.time_column is not None else None,
        numeric={*numeric, target} if pipeline.task == "regression" else numeric,
    )  # fmt: skip
    if len(decided) < 2:
        raise BadData("no column is left besides the target", "drop_columns", "drop fewer columns")
    for number, decision in decided.items():
        column = decision.column
        if column.name in pinned and column.name not in ruled:
            words = sorted({*column.missing_values, *pinned[column.name].missing_values})
            decided[number] = decision._replace(column=column.model_copy(update={"missing_values": words}))
    target_type = target_column(engine, target, decided[target].column)
    return decided | {target: decided[target]._replace(column=target_type)}


def _declared(name: str, pipeline: Pipeline) -> Reading | None:
    """Return how the pipeline file says that a column is read, None if that is to be inferred."""
    rule = pipeline.rules.column(name).type
    if rule is not None:
        formats: dict[str, str] = {**pipeline.features.numbers, **pipeline.features.dates}
        return Reading(type=rule, format=formats.get(name, ""))
    if name in pipeline.features.numbers:
        return Reading(type="number", format=pipeline.features.numbers[name])
    if name == pipeline.target:
        return Reading(type="text") if pipeline.task in ("binary", "multiclass") else None
    if name in pipeline.features.dates:
        format_ = pipeline.features.dates[name]
        if not dates.is_format(format_):
            raise BadPipeline(
                f"features.dates: {format_!r} is no format of dates",
                f"pipelines/{pipeline.name}.yaml: features.dates: {name}",
                "write it as %d/%m/%Y %H:%M, or iso, epoch_s or epoch_ms",
            )
        return Reading(type="datetime", format=format_)
    return Reading(type="text") if name in pipeline.features.categorical else None
