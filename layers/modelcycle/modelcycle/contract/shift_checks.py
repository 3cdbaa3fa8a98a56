"""Columns that can be read, but whose values are no longer what they were: constant, in another unit, other levels."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from modelcycle.contract import measured
from modelcycle.contract.batch import Batch
from modelcycle.contract.limits import DEFAULT
from modelcycle.contract.measured import Spread, distance
from modelcycle.contract.scales import Scale, other_scale
from modelcycle.contract.shifts import (
    Numbers,
    continues,
    far_bounds,
    goes_on,
    is_comparable,
    is_other_period,
    level_shift,
    number_shift,
)
from modelcycle.contract.swaps import swapped_columns
from modelcycle.contract.terms import ColumnTerms, Contract
from modelcycle.contract.violations import Anomaly, Violation
from modelcycle.spec import Level, Rules

MAX_OTHERS_MOVED = 0.15  # of the distribution of a column that is not in another unit


def check_shifts(
    batch: Batch, contract: Contract, rules: Rules, version: int, *, leave_out: Collection[str]
) -> list[Violation]:
    """Return the columns whose distribution is that of another unit, or of something else.

    Parameters
    ----------
    leave_out : columns that cannot be read: what is left of them is no fair sample
    """
    target = contract.target.name if not contract.classes else ""
    before = {
        name: terms
        for name, terms in contract.terms().items()
        if name in batch.readings and name in batch.texts and is_comparable(terms)
        and batch.readings[name].type == terms.type and name not in leave_out
        and (name != contract.target.name or target)
    }  # fmt: skip
    typed = {name: batch.parsed(name) for name, then in before.items() if then.type != "text"}
    far = {name: far_bounds(before[name]) for name in typed}
    now = measured.numbers(batch.engine, batch.source, typed, far)
    other_period = is_other_period([(before[name], numbers) for name, numbers in now.items() if name != target])
    spreads = batch.spreads()
    swapped = swapped_columns({name: before[name] for name in now}, spreads)
    scales = _other_scales(before, now, spreads)
    found = []
    for name, then in before.items():
        sentence: str | None = None
        level: Level = DEFAULT["unit"]
        anomaly: Anomaly = "COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH"
        if name in now:
            scale = scales.get(name)
            if name in swapped:
                sentence = f"its values are those that {swapped[name]} had: have the two columns changed places?"
                anomaly = "CUSTOM_VALIDATION"
            elif scale is not None:
                sentence, anomaly = scale.sentence(), "CUSTOM_VALIDATION"
            else:
                sentence = number_shift(then, now[name], version, other_period=other_period)
        elif then.type == "text":
            texts = batch.counts(name)
            if len(texts) > 1 and not texts.keys() - {*then.levels}:
                continue  # as it was
            levels = measured.levels(batch.engine, batch.source, batch.present(name))
            sentence = level_shift(then, levels, version, other_period=other_period, personal=name in batch.personal)
            if sentence is None and other_period and len(levels) == 1 and not continues(levels[0].text, []):
                # a season may well be constant in a month; so may a column that is wrong
                level = "warn"
                sentence = level_shift(then, levels, version, other_period=False, personal=name in batch.personal)
            anomaly = "COMPARATOR_L_INFTY_HIGH"
        if sentence is None:
            continue
        shown = f"{name}, the target" if name == contract.target.name else name
        found.append(
            Violation(
                anomaly=anomaly, check="unit", level=rules.level("unit", name, level), column=name,
                what=f"{shown}: {sentence}", of=batch.rows,
            )
        )  # fmt: skip
    return found


def _other_scales(
    before: Mapping[str, ColumnTerms], now: Mapping[str, Numbers], spreads: Mapping[str, Spread]
) -> dict[str, Scale]:
    """Return the columns that seem to be in another unit.

    Where other columns have moved as well, another season or other customers are likelier than another unit.
    """
    compared = [
        name
        for name in now
        if before[name].type == "number" and name in spreads and not goes_on(before[name], now[name])
    ]
    scales = {name: scale for name in compared if (scale := other_scale(before[name], spreads[name])) is not None}
    others = [name for name in compared if name not in scales and before[name].quantiles]
    moved = [name for name in others if distance(before[name].quantiles, spreads[name].quantiles) > MAX_OTHERS_MOVED]
    return {} if moved or (not others and len(scales) > 1) else scales
