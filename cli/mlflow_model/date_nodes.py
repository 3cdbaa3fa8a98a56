"""The parts of a date as nodes of ONNX; `modelcycle.model.date_parts` computes them for `predict`.

Source of the calendar: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`: a year begins in
March, so that the day that some years add is its last.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import onnx

from cli.mlflow_model.nodes import Double, Nodes
from modelcycle.model.date_parts import DAYS_PER_YEAR, SECONDS_PER_DAY

DAYS_BEFORE_1970 = 719_468  # since 1 March of the year 0
JANUARY_BEFORE_1970 = 719_162  # since 1 January of the year 1
DAYS_PER_ERA = 146_097  # 400 years


class Civil(NamedTuple):
    year: Double
    month: Double
    day: Double


def date_part_nodes(nodes: Nodes, seconds: str, part: str) -> str:
    """Return one part of dates as float32 (n,), NaN where missing.

    Parameters
    ----------
    seconds : float64 (n,) since 1970 UTC, NaN where missing
    """
    moment = Double(nodes, nodes.op("Floor", seconds))
    days = moment // SECONDS_PER_DAY
    of_day = moment - days * SECONDS_PER_DAY
    weekday = (days + 3.0) % 7
    angle = of_day * (2 * math.pi / SECONDS_PER_DAY)
    match part:
        case "year" | "month" | "day":
            value: Double = getattr(_civil(days), part)
        case "weekday":
            value = weekday
        case "hour":
            value = of_day // 3600
        case "days":
            value = days
        case _:
            unit, _, function = part.partition("_")
            if unit == "week":
                angle = (weekday * (2 * math.pi) + angle) / 7
            elif unit == "year":
                angle = (_yearday(days) * (2 * math.pi) + angle) / DAYS_PER_YEAR
            value = angle.apply({"sin": "Sin", "cos": "Cos"}[function])
    return nodes.cast(value.name, onnx.TensorProto.FLOAT)


def _civil(days: Double) -> Civil:
    shifted = days + DAYS_BEFORE_1970
    era = shifted // DAYS_PER_ERA
    of_era = shifted - era * DAYS_PER_ERA
    year_of_era = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146_096) // 365
    of_year = of_era - (year_of_era * 365 + year_of_era // 4 - year_of_era // 100)
    month = (of_year * 5 + 2.0) // 153  # 0 is March
    day = of_year - (month * 153 + 2.0) // 5 + 1.0
    after_december = month.at_least(10)
    return Civil(year_of_era + era * 400 + after_december, month + 3.0 - after_december * 12, day)


def _yearday(days: Double) -> Double:
    """Return the days since 1 January of the same year."""
    before = _civil(days).year - 1.0
    return days + JANUARY_BEFORE_1970 - (before * 365 + before // 4 - before // 100 + before // 400)
