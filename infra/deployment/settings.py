"""The template's parameters that `make deploy` is given."""

from __future__ import annotations

import difflib
import math
import re
import shlex
from collections.abc import Mapping
from typing import Any

from infra.deployment.faults import BadSetting
from infra.deployment.stack import Stack

SILENT_RATES = 3  # looks in a row that may be missing before somebody is told
MAX_SILENT_HOURS = 168  # the longest that an alarm looks back
UNKNOWN_SILENT_HOURS = 48  # of a schedule by cron
HOURS = {"minute": 1 / 60, "hour": 1.0, "day": 24.0}
RATE = re.compile(r"\s*rate\(\s*(\d+)\s+(minute|hour|day)s?\s*\)\s*")
OURS = ("Place", "Environment")  # parameters that the deployment itself gives
_EXAMPLE = "as in WITH=\"LogDays=90 MonitorRate='rate(1 day)'\""


def read_settings(text: str, declared: Mapping[str, Any]) -> dict[str, str]:
    """Return the parameters that were given as `Name=value`, quoted as in a shell; a later one replaces an earlier one.

    Parameters
    ----------
    declared : the template's parameters

    Raises
    ------
    BadSetting : SAM drops a parameter that the template does not have, without a word

    Examples
    --------
    >>> read_settings("LogDays=365 LogDays=90 MonitorRate='rate(1 day)'", {"LogDays": {}, "MonitorRate": {}})
    {'LogDays': '90', 'MonitorRate': 'rate(1 day)'}
    """
    try:
        parts = shlex.split(text)
    except ValueError as error:
        raise BadSetting(f"a quotation mark has no end: {error}", "WITH", _EXAMPLE) from None
    settings = {}
    for part in parts:
        name, equals, value = part.partition("=")
        if not equals:
            raise BadSetting(f"{part!r} is not Name=value", "WITH", _EXAMPLE)
        if name in OURS:
            raise BadSetting(f"{name} is given by `make deploy` itself", "WITH", "leave it out")
        if name not in declared:
            near = difflib.get_close_matches(name, declared, n=1)
            raise BadSetting(
                f"the template has no parameter {name}", "WITH",
                f"did you mean {near[0]}?" if near else f"it has {', '.join(sorted(set(declared) - set(OURS)))}",
            )  # fmt: skip
        allowed = list(map(str, declared[name].get("AllowedValues", [value])))
        if value not in allowed:
            raise BadSetting(f"{name} cannot be {value!r}", "WITH", f"it is one of {', '.join(allowed)}")
        settings[name] = value
    return settings


def check_reader(environment: str, settings: Mapping[str, str], stack: Stack | None) -> None:
    """Raise BadSetting if the alarms of production would reach nobody. A stack remembers the address it was given."""
    before = stack.parameters.get("AlarmEmail", "") if stack else ""
    if environment == "prod" and not settings.get("AlarmEmail", before):
        raise BadSetting(
            "the alarms of prod would reach nobody", "AlarmEmail",
            "`make deploy ENVIRONMENT=prod ALARM_EMAIL=you@example.com`",
        )  # fmt: skip


def with_silence(settings: Mapping[str, str], stack: Stack | None) -> dict[str, str]:
    """Return the settings with SilentHours that fit MonitorRate, unless they were given: templates cannot multiply.

    Parameters
    ----------
    stack : as it is; it remembers its rate, and from earlier releases no SilentHours

    Examples
    --------
    >>> with_silence({"MonitorRate": "rate(1 day)"}, None)
    {'MonitorRate': 'rate(1 day)', 'SilentHours': '72'}
    >>> with_silence({"MonitorRate": "rate(5 minutes)", "SilentHours": "2"}, None)["SilentHours"]
    '2'
    >>> with_silence({}, None)
    {}
    """
    remembered = stack.parameters if stack else {}
    rate = settings.get("MonitorRate")
    if rate is None and "SilentHours" not in remembered:
        rate = remembered.get("MonitorRate")
    if rate is None or "SilentHours" in settings:
        return dict(settings)
    every = RATE.fullmatch(rate)
    hours = SILENT_RATES * int(every[1]) * HOURS[every[2]] if every else UNKNOWN_SILENT_HOURS
    return {**settings, "SilentHours": str(min(max(math.ceil(hours), 1), MAX_SILENT_HOURS))}
