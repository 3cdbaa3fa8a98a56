"""The template's parameters that `make deploy` is given."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Mapping
from typing import Any

from infra.deployment.faults import BadSetting
from infra.deployment.stack import Stack

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
