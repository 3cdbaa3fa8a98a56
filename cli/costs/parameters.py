"""Checks the values of `cost --parameter` against the template, before an estimate counts with them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from modelcycle.faults import BadInput


def check_settings(settings: Iterable[tuple[str, str]], known: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse a parameter or a value that a template does not take.

    Parameters
    ----------
    settings : names and values
    known : the template's `Parameters`

    Raises
    ------
    BadInput
    """
    for name, value in settings:
        if name not in known:
            raise BadInput(f"the template has no parameter {name}", "--parameter", f"it has {', '.join(known)}")
        allowed = list(map(str, known[name].get("AllowedValues", [value])))
        if value not in allowed:
            raise BadInput(f"{name} cannot be {value!r}", "--parameter", f"it is one of {', '.join(allowed)}")
        if known[name].get("Type") == "Number":
            _check_number(name, value, known[name])


def _check_number(name: str, value: str, declared: Mapping[str, Any]) -> None:
    least, most = declared.get("MinValue", -math.inf), declared.get("MaxValue", math.inf)
    # days, megabytes, requests, dollars: the template has no number that may be a fraction
    if re.fullmatch("-?[0-9]{1,15}", value) and least <= int(value) <= most:
        return
    limits = [f"at least {least:,}"] * (least > -math.inf) + [f"at most {most:,}"] * (most < math.inf)
    told = ", ".join(["a whole number", " and ".join(limits)] if limits else ["a whole number"])
    raise BadInput(f"{name} cannot be {value!r}", "--parameter", f"it is {told}")
