"""Deploys the project's template to a running emulator."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from infra.local.clients import ClientFactory
from infra.local.deployment.code_hash import code_version, policies_hash
from infra.local.deployment.code_traffic import HeldAlias, hold_traffic, move_traffic
from infra.local.deployment.function_archive import archives_sha
from infra.local.deployment.functions_hash import functions_sha
from infra.local.deployment.left_out import LeftOut
from infra.local.deployment.operator_user import ensure_operator
from infra.local.deployment.policies import check_policies
from infra.local.deployment.reconcile import reachable_outputs, reconcile
from infra.local.deployment.stack import BUCKET, Before, deploy_stack, deployed_before, stack_outputs, stack_resources
from infra.local.deployment.training_code import training_code
from infra.local.deployment.translate import Destination, Translation, translate
from infra.local.faults import CodeRefused
from infra.local.fork_plans import write_plans

STACK = "modelcycle"


@dataclass(frozen=True)
class Deployed:
    """A deployed stack.

    Parameters
    ----------
    outputs : by name; addresses of APIs are reachable from this machine
    left_out : what of the template the local cloud does not have
    resources : number of resources, those of nested stacks included
    functions : number of functions
    operator : clients of the user as which the command line acts
    """

    outputs: dict[str, str]
    left_out: list[LeftOut]
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
    CodeRefused : the stack is as it was"""
    values = {
        "Place": "local",
        "Environment": stage,
        "Stream": "both",  # costs nothing here
        "LargeTraining": "fargate",  # a process like any other here
        "CodeVersion": code_version(template.parent),
        "TrainingCode": training_code(template.parent),
        "Policies": policies_hash(template.parent),
        **parameters,
    }
    # a new memory size needs new versions too: aliases serve versions
    build = f"{archives_sha(template.parent, home)}{functions_sha(template, values)}"
    values.setdefault("BuildSha", hashlib.sha256(build.encode()).hexdigest())
    check_policies(template.parent)
    say("packaging functions and layers")
    translation = translate(template, values, Destination(home, BUCKET, admin.endpoint))
    write_plans(home, translation.fork_plans)  # the servers start while the template is deployed
    say("deploying the template")
    before = deployed_before(STACK, admin)
    held = hold_traffic(translation, before.resources, admin)
    deploy_stack(STACK, translation, admin)
    resources = stack_resources(STACK, admin)
    translation.parameters["AWS::StackName"] = STACK
    reconciled = reconcile(translation, resources, admin)
    try:
        move_traffic(held, resources, admin, say)
    except CodeRefused:
        say("new code was refused: going back to the stack as it was")
        _restore(before, held, admin)
        raise
    return Deployed(
        outputs=reachable_outputs(stack_outputs(STACK, admin), resources, admin.endpoint),
        left_out=translation.left_out + reconciled.left_out + _unbounded(sys.platform),
        resources=len(resources),
        functions=sum(resource["type"] == "AWS::Lambda::Function" for resource in resources.values()),
        operator=ensure_operator(admin, STACK, resources, home),
    )


def _restore(before: Before, held: list[HeldAlias], admin: ClientFactory) -> None:
    """Deploy the stack as it was before, as CloudFormation does on AWS when CodeDeploy refuses new code.

    The versions of the other functions are published anew, from the code of before; held aliases have not moved.
    """
    for alias in held:
        alias.checked.hold(before.template, alias.version)
    deploy_stack(STACK, Translation(before.template, before.parameters), admin)


def _unbounded(system: str) -> list[LeftOut]:
    """Return the limits of functions that are not kept on a system.

    Examples
    --------
    >>> _unbounded("linux")
    []
    >>> [str(item) for item in _unbounded("darwin")]
    ['MemorySize and EphemeralStorage of functions: this system does not tell what a process holds']
    """
    if system == "linux":
        return []
    return [LeftOut("MemorySize and EphemeralStorage of functions", "this system does not tell what a process holds")]
