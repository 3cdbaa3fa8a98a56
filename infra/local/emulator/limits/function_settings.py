"""Timeout, MemorySize and EphemeralStorage of a function have to be within AWS's bounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from infra.local.quotas import FUNCTION_SETTINGS


def limit_function_settings(functions: Any, provisioners: Any) -> None:
    """Refuse functions with settings outside of the bounds, from the API and from a template.

    Parameters
    ----------
    functions : MiniStack's service of Lambda
    provisioners : MiniStack's module of CloudFormation's resources
    """
    from ministack.core.responses import error_response_json

    create, update = functions._create_function, functions._update_config

    def create_limited(data: dict[str, Any]) -> Any:
        refused = refusal(data)
        return error_response_json("ValidationException", refused, 400) if refused else create(data)

    def update_limited(name: str, data: dict[str, Any]) -> Any:
        refused = refusal(data)
        return error_response_json("ValidationException", refused, 400) if refused else update(name, data)

    functions._create_function, functions._update_config = create_limited, update_limited
    handlers = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"]
    provision, provision_again = handlers["create"], handlers["update"]

    def check(properties: dict[str, Any]) -> None:
        refused = refusal(properties)
        if refused:
            raise ValueError(refused)

    def provision_limited(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        check(properties)
        return provision(logical_id, properties, stack)

    def provision_again_limited(physical_id: str, old: Any, new: dict[str, Any], *others: Any, **named: Any) -> Any:
        check(new)
        return provision_again(physical_id, old, new, *others, **named)

    handlers["create"], handlers["update"] = provision_limited, provision_again_limited


def refusal(settings: Mapping[str, Any]) -> str | None:
    """Return what AWS says about settings outside of the bounds, or None.

    Examples
    --------
    >>> print(refusal({"Timeout": 901}))
    1 validation error detected: Value '901' at 'timeout' failed to satisfy constraint: Member must have value less \
than or equal to 900
    >>> refusal({"Timeout": 900, "MemorySize": 128}) is None
    True
    """
    faults = []
    for path, (name, quota) in FUNCTION_SETTINGS.items():
        value: Any = settings
        for key in path:
            value = value.get(key) if isinstance(value, Mapping) else None
        if not str(value).isdigit():
            continue
        if int(value) > quota.maximum:
            bound = f"less than or equal to {quota.maximum}"
        elif int(value) < quota.minimum:
            bound = f"greater than or equal to {quota.minimum}"
        else:
            continue
        faults.append(f"Value '{value}' at '{name}' failed to satisfy constraint: Member must have value {bound}")
    if not faults:
        return None
    return f"{len(faults)} validation error{'s'[: len(faults) - 1]} detected: {'; '.join(faults)}"
