"""Sets the properties that CloudFormation dropped, and compares each with the template."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

from infra.local.clients import ClientFactory
from infra.local.deployment.intrinsics import ABSENT, DeployedStack, Unresolvable
from infra.local.deployment.left_out import LeftOut
from infra.local.deployment.properties import DROPPED_PROPERTIES, PROPERTIES, Clients, Property
from infra.local.deployment.stack import Resources, outputs_of
from infra.local.deployment.translate import Translation
from infra.local.faults import NotReconciled


@dataclass
class Reconciled:
    """What happened to the properties, each as `Resource.Property`.

    Parameters
    ----------
    set : CloudFormation had dropped them
    unchanged : had the template's value already
    left_out : the local cloud does not keep them; each with the reason
    """

    set: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)


def reconcile(translation: Translation, resources: Resources, admin: ClientFactory) -> Reconciled:
    """Bring the properties of a stack and its nested stacks to the values in the template.

    Raises
    ------
    NotReconciled : a value is unknown, or the API refuses it
    """
    result = Reconciled()
    _reconcile_stack(translation, resources, "", cache(admin.client), admin.region_name, result)
    return result


def reachable_outputs(outputs: dict[str, str], resources: Resources, endpoint: str) -> dict[str, str]:
    """Return the outputs, with addresses of APIs replaced by ones that are reachable from this machine."""
    apis = [resource["id"] for resource in resources.values() if resource["type"] == "AWS::ApiGateway::RestApi"]
    http_apis = [resource["id"] for resource in resources.values() if resource["type"] == "AWS::ApiGatewayV2::Api"]
    reachable = dict(outputs)
    for name, value in outputs.items():
        for api in apis:
            _, is_api, rest = value.partition(f"//{api}.execute-api.")
            stage, slash, path = rest.partition("/")[2].partition("/")
            if is_api:
                reachable[name] = f"{endpoint}/restapis/{api}/{stage}/_user_request_{slash}{path}".rstrip("/")
        for api in http_apis:  # their stage $default is not in the address
            if f"//{api}.execute-api." in value:
                reachable[name] = f"{endpoint}/_aws/execute-api/{api}/$default"
    return reachable


def covers(actual: Any, wanted: Any) -> bool:
    """Return whether a value that was read contains everything wanted; it may contain more.

    Examples
    --------
    >>> covers({"Days": 7, "Status": "Enabled"}, {"Days": "7"})
    True
    >>> covers("true", True)
    True
    """
    if isinstance(wanted, dict):
        return isinstance(actual, dict) and all(covers(actual.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        if not isinstance(actual, list) or len(actual) < len(wanted):
            return False
        return all(any(covers(item, value) for item in actual) for value in wanted)
    if isinstance(wanted, str) or isinstance(actual, str):
        return str(actual).lower() == str(wanted).lower()
    return bool(actual == wanted)


def _reconcile_stack(
    translation: Translation, resources: Resources, prefix: str, clients: Clients, region: str, result: Reconciled
) -> None:
    """Reconcile one stack, whose resources begin with `prefix`, and the stacks that it nests."""
    own = {
        name.removeprefix(prefix): resource
        for name, resource in resources.items()
        if name.startswith(prefix) and "/" not in name.removeprefix(prefix)
    }
    stack = _deployed_stack(translation, own, clients, region)
    for logical_id, resource in own.items():
        in_template = translation.template["Resources"][logical_id].get("Properties") or {}
        if resource["type"] == "AWS::Lambda::Function":
            _check_code(prefix + logical_id, resource["id"], clients)
        for checked in PROPERTIES:
            if checked.resource_type == resource["type"] and checked.name in in_template:
                name = f"{prefix}{logical_id}.{checked.name}"
                _reconcile_property(name, checked, resource["id"], stack, in_template[checked.name], clients, result)
        for property_name in in_template:
            if (resource["type"], property_name) in DROPPED_PROPERTIES:
                result.left_out.append(
                    LeftOut(
                        f"{prefix}{logical_id}.{property_name}", "the emulator drops it",
                        resource["type"], property_name,
                    )
                )  # fmt: skip
    for logical_id, nested in translation.nested.items():
        if logical_id in own:
            _reconcile_stack(nested, resources, f"{prefix}{logical_id}/", clients, region, result)


def _deployed_stack(translation: Translation, own: Resources, clients: Clients, region: str) -> DeployedStack:
    """Return the stack with the parameters and outputs of its nested stacks, as CloudFormation resolved them."""
    cloudformation = clients("cloudformation")
    outputs = {}
    for logical_id, resource in own.items():
        if resource["type"] == "AWS::CloudFormation::Stack":
            description = cloudformation.describe_stacks(StackName=resource["id"])["Stacks"][0]
            outputs[logical_id] = outputs_of(description)
            nested = translation.nested.get(logical_id)
            if nested is not None:
                parameters = description.get("Parameters", [])
                nested.parameters |= {item["ParameterKey"]: item["ParameterValue"] for item in parameters}
                nested.parameters["AWS::StackName"] = description["StackName"]
    account = clients("sts").get_caller_identity()["Account"]
    return DeployedStack(translation.template, translation.parameters, own, region, account, outputs)


def _reconcile_property(
    name: str,
    checked: Property,
    physical_id: str,
    stack: DeployedStack,
    in_template: Any,
    clients: Clients,
    result: Reconciled,
) -> None:
    from botocore.exceptions import ClientError, ParamValidationError

    try:
        value = stack.value(in_template)
        if value is ABSENT:
            return
        wanted = checked.to_api(value)
    except (Unresolvable, KeyError) as error:
        raise _not_reconciled(name, f"its value is unknown: {error}") from None
    if covers(checked.read(clients, physical_id), wanted):
        result.unchanged.append(name)
        return
    try:
        checked.write(clients, physical_id, wanted)
    except (ClientError, ParamValidationError) as error:
        raise _not_reconciled(name, f"the emulator refuses its value: {error}") from None
    if covers(checked.read(clients, physical_id), wanted):
        result.set.append(name)
    else:
        result.left_out.append(LeftOut(name, "the emulator does not keep it", checked.resource_type, checked.name))


def _check_code(name: str, function: str, clients: Clients) -> None:
    """Raise NotReconciled for a function without code, which MiniStack answers with a mock and status 200."""
    if not clients("lambda").get_function_configuration(FunctionName=function)["CodeSize"]:
        raise _not_reconciled(name, "the function has no code")


def _not_reconciled(where: str, reason: str) -> NotReconciled:
    return NotReconciled(
        f"The deployment is incomplete: {' '.join(reason.split())}.",
        where=where,
        remedy="Fix that property in the template, then run `modelcycle up` again.",
    )
