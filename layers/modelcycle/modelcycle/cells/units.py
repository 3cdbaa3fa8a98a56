"""Units behind numbers: 72 kg, 1.248 CC, 36 months."""

from __future__ import annotations

import re
from collections import Counter

_KNOWN = (
    "kg mg µg lb lbs oz km cm mm nm ft mi yd ml cl dl hl kW kWh MWh MW GW kV mV mA Hz kHz MHz GHz KB kB MB GB TB "
    "KiB MiB GiB px dpi pt hPa kPa MPa bar mbar psi mph kmh km/h kph m/s kn rpm Nm hp PS bhp cc CC kmpl km/kg mpg "
    "m2 m² m3 m³ qm sqm sqft ha ppm ppb dB °C °F °K ° ℃ ℉ lx lm kcal kJ cal mol mmol pcs Stk yrs mos"
)
KNOWN = frozenset(_KNOWN.split())
"""Units that may follow a number without a blank; with one, any word may."""

NO_UNITS = frozenset({"am", "pm", "a.m", "a.m.", "p.m", "p.m."})
MIN_SHARE = 0.9  # of the texts, that have the unit
_LETTER = "[^\\W\\d_]"
WORD = rf"(?:{_LETTER}|[°℃℉])(?:{_LETTER}|[°/·.²³23 ]){{0,18}}"
_NUMBER = re.compile(rf"[-+\u2212]?(?:[0-9][0-9.,'’ \u00a0\u202f]*|[.,][0-9]+)(?P<unit>{WORD})")


def common_unit(texts: Counter[str]) -> str:
    """Return the unit that nearly all texts end with, "" if there is none.

    Parameters
    ----------
    texts : with their numbers of cells

    Examples
    --------
    >>> common_unit(Counter(["72 kg", "65 kg"])), common_unit(Counter(["1 year", "2 years"]))
    ('kg', 'years')
    >>> common_unit(Counter(["72 kg", "150 lb"])), common_unit(Counter(["12A", "13A"]))
    ('', '')
    """
    units: Counter[str] = Counter()
    for text, count in texts.items():
        match = _NUMBER.fullmatch(text)
        if match is None:
            continue
        if re.match("0[0-9]", text):
            return ""  # a code
        unit, is_apart = match["unit"].strip(), match.start("unit") and text[match.start("unit") - 1].isspace()
        if unit.lower() not in NO_UNITS and (is_apart or unit in KNOWN):
            units[unit] += count
    for unit in list(units):
        if f"{unit}s" in units:  # 1 year, 2 years
            units[f"{unit}s"] += units.pop(unit)
    unit, count = units.most_common(1)[0] if units else ("", 0)
    return unit if count >= MIN_SHARE * texts.total() else ""


def unit_pattern(unit: str) -> str:
    """Return the regular expression of a unit, also in the singular.

    >>> unit_pattern("years"), unit_pattern("m²")
    ('years?', 'm²')
    """
    return re.escape(unit) + "?" * (unit.endswith("s") and len(unit) > 1)
