"""After CloudFormation: sets by API what the emulator dropped, and reads every property back against the template."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

from infra.local.clients import Session
from infra.local.faults import NotSettled
from infra.local.intrinsics import ABSENT, Stack, Unresolvable
from infra.local.settings import SETTINGS, Clients, Setting
from infra.local.translate import Translation

Resources = dict[str, dict[str, str]]


@dataclass
class Settled:
    """What happened to the properties, each as `Resource.Property`.

    `set` was dropped by CloudFormation and set by API, `held` was there, `left_out` cannot be had here.
    """

    set: list[str] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def settle(translation: Translation, resources: Resources, admin: Session) -> Settled:
    """Set what was dropped and read it back. Nested stacks are `Stack/Resource` in `resources`.

    Raises
    ------
    NotSettled
    """
    clients = cache(admin.client)
    settled = Settled()
    _settle(translation, resources, "", clients, admin.region_name, settled)
    return settled


def reachable(outputs: dict[str, str], resources: Resources, endpoint: str) -> dict[str, str]:
    """The outputs with the addresses of APIs turned into ones that answer on this machine."""
    apis = [one["id"] for one in resources.values() if one["type"] == "AWS::ApiGateway::RestApi"]
    local = dict(outputs)
    for name, value in outputs.items():
        for api in apis:
            _, found, tail = value.partition(f"//{api}.execute-api.")
            stage, slash, path = tail.partition("/")[2].partition("/")
            if found:
                local[name] = f"{endpoint}/restapis/{api}/{stage}/_user_request_{slash}{path}".rstrip("/")
    return local


def _settle(
    translation: Translation, resources: Resources, prefix: str, clients: Clients, region: str, settled: Settled
) -> None:
    own = {
        name.removeprefix(prefix): one
        for name, one in resources.items()
        if name.startswith(prefix) and "/" not in name.removeprefix(prefix)
    }
    stack = _stack(translation, own, clients, region)
    for logical_id, resource in own.items():
        properties = translation.template["Resources"][logical_id].get("Properties") or {}
        if resource["type"] == "AWS::Lambda::Function":
            _has_code(prefix + logical_id, resource["id"], clients)
        for setting in SETTINGS:
            if setting.kind == resource["type"] and setting.name in properties:
                where = f"{prefix}{logical_id}.{setting.name}"
                _hold(where, setting, resource["id"], stack, properties[setting.name], clients, settled)
    for logical_id, child in translation.nested.items():
        if logical_id in own:
            _settle(child, resources, f"{prefix}{logical_id}/", clients, region, settled)


def _stack(translation: Translation, own: Resources, clients: Clients, region: str) -> Stack:
    """The stack as CloudFormation knows it: with the parameters and outputs that it resolved."""
    cloudformation = clients("cloudformation")
    outputs = {}
    for logical_id, resource in own.items():
        if resource["type"] == "AWS::CloudFormation::Stack":
            described = cloudformation.describe_stacks(StackName=resource["id"])["Stacks"][0]
            outputs[logical_id] = {one["OutputKey"]: one["OutputValue"] for one in described.get("Outputs", [])}
            child = translation.nested.get(logical_id)
            if child is not None:
                given = described.get("Parameters", [])
                child.parameters |= {one["ParameterKey"]: one["ParameterValue"] for one in given}
                child.parameters["AWS::StackName"] = described["StackName"]
    account = clients("sts").get_caller_identity()["Account"]
    return Stack(translation.template, translation.parameters, own, region, account, outputs)


def _hold(
    where: str, setting: Setting, physical_id: str, stack: Stack, written: Any, clients: Clients, settled: Settled
) -> None:
    from botocore.exceptions import ClientError

    try:
        value = stack.value(written)
        if value is ABSENT:
            return
        wanted = setting.to_api(value)
    except (Unresolvable, KeyError) as error:
        raise _not_settled(where, f"its value cannot be told: {error}") from None
    if covers(setting.read(clients, physical_id), wanted):
        settled.held.append(where)
        return
    try:
        setting.write(clients, physical_id, wanted)
    except ClientError as error:
        raise _not_settled(where, error.response["Error"]["Message"]) from None
    found = setting.read(clients, physical_id)
    if covers(found, wanted):
        settled.set.append(where)
    else:
        settled.left_out.append(f"{where}: the emulator does not keep it")


def covers(found: Any, wanted: Any) -> bool:
    """Whether what was read says all that is wanted; it may say more. `"7"` is 7, and `"true"` is true."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(covers(found.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        if not isinstance(found, list) or len(found) < len(wanted):
            return False
        return all(any(covers(one, value) for one in found) for value in wanted)
    if isinstance(wanted, str) or isinstance(found, str):
        return str(found).lower() == str(wanted).lower()
    return bool(found == wanted)


def _has_code(name: str, function: str, clients: Clients) -> None:
    """A function without code answers 200 with a mock."""
    if not clients("lambda").get_function_configuration(FunctionName=function)["CodeSize"]:
        raise _not_settled(name, "the function has no code")


def _not_settled(where: str, why: str) -> NotSettled:
    return NotSettled(
        f"The deploy is not whole: {why}.",
        where=where,
        remedy="Mend that property in the template, then run `modelcycle up` again.",
    )
