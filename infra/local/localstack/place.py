"""LocalStack as the command line and the tests use it: up, down, and the endpoint."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from infra.local.clients import ClientFactory
from infra.local.deployment.code_hash import code_version, policies_hash
from infra.local.deployment.deployment_record import (
    DeploymentRecord,
    deployment_digest,
    read_deployment_record,
    write_deployment_record,
)
from infra.local.deployment.function_archive import archives_sha
from infra.local.deployment.intrinsics import DeployedStack
from infra.local.deployment.layers import remove_unused_layers
from infra.local.deployment.left_out import LeftOut, folded
from infra.local.deployment.policies import check_policies
from infra.local.deployment.reconcile import reconcile
from infra.local.deployment.stack import BUCKET, Resources, deploy_stack, stack_outputs, stack_resources
from infra.local.deployment.training_code import training_code
from infra.local.deployment.translate import Destination, Template, Translation, translate
from infra.local.faults import CloudStopped, DeployFailed
from infra.local.localstack import process
from infra.local.localstack.adapt import ALWAYS, adapt
from infra.local.localstack.flatten import flatten
from infra.local.localstack.updates import keep_apis, name_deployments, not_updated, update_apis
from infra.local.lock import exclusive

ROOT = Path(__file__).resolve().parents[3]
MADE_FOR = "4.14.0"
Say = Callable[[str], None]


def up(
    stage: str,
    *,
    start: bool = False,
    port: int | None = None,
    home: Path | None = None,
    template: Path | None = None,
    say: Say = lambda line: None,
) -> str:
    """Deploy what has changed to a LocalStack; return its endpoint.

    Parameters
    ----------
    stage : the template's parameter `Environment`; the stack is `modelcycle-{stage}`
    start : start one of our own if none runs; else the LocalStack at `endpoint` has to run
    port : for `start`
    home : folder of the local cloud's state; LocalStack's is in it
    template : default `template.yaml` of the project
    say : prints a line of progress

    Raises
    ------
    LocalCloudFault : one of its subclasses
    """
    folder = _home(home)
    with exclusive(folder.parent):
        address = process.start(folder, port, say).endpoint if start else endpoint(home)
        version = process.version(address)
        if version is None:
            raise CloudStopped(
                "No LocalStack answers.", where=address,
                remedy="Start one with `modelcycle up --place localstack --start`, or name the one that runs with "
                "the variable LOCALSTACK_HOST.",
            )  # fmt: skip
        if version != MADE_FOR:
            say(f"this is LocalStack {version}; ModelCycle is tested with {MADE_FOR}")
        _deploy(template or ROOT / "template.yaml", stage, folder, address, say)
        for line in ALWAYS:
            say(f"not in LocalStack: {line}")
    return address


def down(*, home: Path | None = None) -> bool:
    """Stop the LocalStack that `up` has started, with all that is in it; return whether one ran."""
    folder = _home(home)
    if not folder.is_dir():
        return False
    with exclusive(folder.parent):
        return process.stop(folder)


def endpoint(home: Path | None = None) -> str:
    """Return the endpoint that LOCALSTACK_HOST names; else that of the LocalStack we started; else localhost:4566.

    Raises
    ------
    RuntimeError : LOCALSTACK_HOST is not HOST:PORT
    """
    from localstack_client.config import get_service_endpoint

    running = own(home)
    if running and "LOCALSTACK_HOST" not in os.environ:
        return running.endpoint
    return str(get_service_endpoint("s3"))


def own(home: Path | None = None) -> process.Started | None:
    """Return the LocalStack that `up` has started and that has not ended since."""
    return process.started(_home(home))


def _deploy(template: Path, stage: str, home: Path, address: str, say: Say) -> None:
    running, admin = process.started(home), ClientFactory(address, "test", "test")
    partitions = running is not None and running.endpoint == address
    stack = f"modelcycle-{stage}"
    key = f"deployed-{stack}.json"
    digest = deployment_digest(template, stage, home, address, {"partitions": str(partitions)})
    record = read_deployment_record(admin, key)
    if record and record.digest == digest:
        return
    began = time.monotonic()
    check_policies(template.parent)
    say("packaging functions and layers")
    layers = home / "layers"
    if not layers.is_symlink():
        (home.parent / "layers").mkdir(exist_ok=True)
        layers.symlink_to(Path("..") / "layers")  # nothing is installed twice
    (home / "scratch").mkdir(exist_ok=True)
    values = {
        "Place": "localstack",
        "Environment": stage,
        "Stream": "sqs",
        "BuildSha": archives_sha(template.parent, home),
        "CodeVersion": code_version(template.parent),
        "TrainingCode": training_code(template.parent),
        "Policies": policies_hash(template.parent),
    }
    translation = translate(template, values, Destination(home, BUCKET, address))
    adapted, changes = _adapted(translation, stack, partitions=partitions)
    say("deploying the template")
    earlier = f"deployed-{stack}-template.json"
    wanted, before = adapted.template, _earlier_template(earlier, admin) or adapted.template
    adapted = replace(adapted, template=keep_apis(wanted, before))
    deploy_stack(stack, adapted, admin)
    # a layer that an update has replaced and retained is still listed
    listed = stack_resources(stack, admin)
    resources = {name: found for name, found in listed.items() if name in adapted.template["Resources"]}
    adapted.parameters["AWS::StackName"] = stack
    reconciled = reconcile(adapted, resources, admin)
    changes += _updated(wanted, before, adapted, resources, admin)
    left_out = [*adapted.left_out, *(LeftOut(change, "") for change in changes), *reconciled.left_out]
    functions = sum(resource["type"] == "AWS::Lambda::Function" for resource in resources.values())
    _check_functions_start(resources["Conclude"]["id"], admin, own=partitions)
    admin.client("s3").put_object(Bucket=BUCKET, Key=earlier, Body=adapted.body)
    told = [str(item) for item in left_out]
    write_deployment_record(DeploymentRecord(digest, stack_outputs(stack, admin), told, functions), admin, key)
    remove_unused_layers(home)
    for line in folded(left_out):
        say(f"changed for LocalStack: {line}")
    say(f"deployed {len(resources)} resources, {functions} functions, in {time.monotonic() - began:.1f} s")


def _adapted(translation: Translation, stack: str, *, partitions: bool) -> tuple[Translation, list[str]]:
    """Return the translation without nested stacks and as LocalStack takes it, and what was changed."""
    nested = {name: child.template for name, child in translation.nested.items()}
    flat = flatten(translation.template, nested)
    changes = (
        [f"{len(nested)} nested stacks are written into the root: LocalStack never updates them"] if nested else []
    )
    changes += adapt(flat, stack, partitions=partitions)
    name_deployments(flat)
    objects = {key: body for key, body in translation.objects.items() if not key.startswith("templates/")}
    return replace(translation, template=flat, nested={}, objects=objects), changes


def _earlier_template(key: str, admin: ClientFactory) -> Template | None:
    """Return what the last complete deployment gave to LocalStack; None before the first."""
    from botocore.exceptions import ClientError

    try:
        template: Template = json.loads(admin.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read())
    except ClientError:
        return None
    return template


def _updated(
    wanted: Template, before: Template, adapted: Translation, at: Resources, admin: ClientFactory
) -> list[str]:
    """Make the changes that LocalStack leaves out of an update; return sentences about them and about the others."""
    account = admin.client("sts").get_caller_identity()["Account"]
    stack = DeployedStack(wanted, adapted.parameters, at, admin.region_name, account)
    return update_apis(stack, admin) + not_updated(before, wanted)


def _check_functions_start(function: str, admin: ClientFactory, *, own: bool) -> None:
    """Raise DeployFailed if functions cannot start there: LocalStack says CREATE_COMPLETE all the same.

    A message that is no message is refused by a function that has started, and has no other effect.
    """
    answer = admin.client("lambda").invoke(FunctionName=f"{function}:live", Payload=b"{}")
    body = json.loads(answer["Payload"].read() or b"{}")
    kind = body.get("errorType", "") if isinstance(body, dict) else ""
    if "FunctionError" in answer and (not kind or kind.startswith(("Runtime.", "Sandbox.", "Function."))):
        raise DeployFailed(
            f"The stack is deployed, and its functions do not start: {kind} {body.get('errorMessage', '')}".strip(),
            where=f"function {function}",
            remedy="Read localstack.log." if own else
            "This LocalStack runs functions in containers, which do not see the layers of this machine: use the one "
            "of `modelcycle up --place localstack --start`. docs/localstack.md says more.",
        )  # fmt: skip


def _home(home: Path | None) -> Path:
    return (home or ROOT / ".modelcycle").resolve() / "localstack"
