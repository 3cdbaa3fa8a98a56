"""Columns that can be read, but whose values are no longer what they were: constant, in another unit, other levels."""

from __future__ import annotations

from collections.abc import Collection

from modelcycle.contract import measured
from modelcycle.contract.batch import Batch
from modelcycle.contract.limits import DEFAULT
from modelcycle.contract.scales import other_scale
from modelcycle.contract.shifts import (
    far_bounds,
    goes_on,
    is_comparable,
    is_other_period,
    level_shift,
    number_shift,
)
from modelcycle.contract.terms import Contract
from modelcycle.contract.violations import Anomaly, Violation
from modelcycle.spec import Rules


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
    spreads = measured.spreads(batch.engine, batch.source, typed, batch.rows)
    found = []
    for name, then in before.items():
        sentence: str | None = None
        anomaly: Anomaly = "COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH"
        if name in now:
            scale = None
            if then.type == "number" and not goes_on(then, now[name]):
                scale = other_scale(then, spreads[name])
            if scale is not None:
                sentence, anomaly = scale.sentence(), "CUSTOM_VALIDATION"
            else:
                sentence = number_shift(then, now[name], version, other_period=other_period)
        elif then.type == "text":
            levels = measured.levels(batch.engine, batch.source, batch.present(name))
            sentence = level_shift(then, levels, version, other_period=other_period)
            anomaly = "COMPARATOR_L_INFTY_HIGH"
        if sentence is None:
            continue
        shown = f"{name}, the target" if name == contract.target.name else name
        found.append(
            Violation(
                anomaly=anomaly, check="unit", level=rules.level("unit", name, DEFAULT["unit"]), column=name,
                what=f"{shown}: {sentence}", of=batch.rows,
            )
        )  # fmt: skip
    return found
