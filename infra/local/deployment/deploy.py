"""Deploys the project's template to a running emulator."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from infra.local.clients import ClientFactory
from infra.local.deployment.code_hash import code_version
from infra.local.deployment.function_archive import build_sha
from infra.local.deployment.operator_user import ensure_operator
from infra.local.deployment.reconcile import reachable_outputs, reconcile
from infra.local.deployment.stack import BUCKET, deploy_stack, stack_outputs, stack_resources
from infra.local.deployment.translate import Destination, translate
from infra.local.fork_plans import write_plans

STACK = "modelcycle"


@dataclass(frozen=True)
class Deployed:
    """A deployed stack.

    Parameters
    ----------
    outputs : by name; addresses of APIs are reachable from this machine
    left_out : what of the template the local cloud does not have, for people
    resources : number of resources, those of nested stacks included
    functions : number of functions
    operator : clients of the user as which the command line acts
    """

    outputs: dict[str, str]
    left_out: list[str]
    resources: int
    functions: int
    operator: ClientFactory


def deploy(
    template: Path,
    stage: str,
    home: Path,
    admin: ClientFactory,
    say: Callable[[str], None],
    parameters: Mapping[str, str] = MappingProxyType({}),
) -> Deployed:
    """Package the code, create or update the stack, and check its properties.

    Parameters
    ----------
    template : the SAM template; paths in it are relative to its folder
    stage : the template's parameter `Environment`
    home : folder of the cloud's state
    admin : clients of root
    say : prints a line of progress
    parameters : further parameters of the template, by name

    Raises
    ------
    TemplateInvalid, LayerNotInstalled, DeployFailed, NotReconciled
    """
    values = {
        "Place": "local",
        "Environment": stage,
        "Stream": "both",  # costs nothing here
        "LargeTraining": "fargate",  # a process like any other here
        "BuildSha": build_sha(template.parent, home),
        "CodeVersion": code_version(template.parent),
        **parameters,
    }
    say("packaging functions and layers")
    translation = translate(template, values, Destination(home, BUCKET, admin.endpoint))
    write_plans(home, translation.fork_plans)  # the servers start while the template is deployed
    say("deploying the template")
    deploy_stack(STACK, translation, admin)
    resources = stack_resources(STACK, admin)
    translation.parameters["AWS::StackName"] = STACK
    reconciled = reconcile(translation, resources, admin)
    return Deployed(
        outputs=reachable_outputs(stack_outputs(STACK, admin), resources, admin.endpoint),
        left_out=[str(item) for item in translation.left_out] + reconciled.left_out + _unbounded(sys.platform),
        resources=len(resources),
        functions=sum(resource["type"] == "AWS::Lambda::Function" for resource in resources.values()),
        operator=ensure_operator(admin, STACK, resources, home),
    )


def _unbounded(system: str) -> list[str]:
    """Return the limits of functions that are not kept on a system.

    Examples
    --------
    >>> _unbounded("linux")
    []
    >>> _unbounded("darwin")
    ['MemorySize and EphemeralStorage of functions: this system does not tell what a process holds']
    """
    if system == "linux":
        return []
    return ["MemorySize and EphemeralStorage of functions: this system does not tell what a process holds"]
