"""Moves traffic to new code as CodeDeploy does on AWS: once its check has passed, and back if it then fails.

The emulator has no CodeDeploy. An update leaves the alias of a checked function at its version; the check asks the new
version; then the alias is moved, all at once: the emulator ignores the weights of aliases.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from infra.local.clients import ClientFactory
from infra.local.deployment.checked_alias import CheckedAlias
from infra.local.deployment.stack import Resources
from infra.local.deployment.translate import Translation
from infra.local.faults import CodeRefused

DEPLOYMENT = "local"  # the id that checks are told; nobody waits for a report to it


@dataclass(frozen=True)
class HeldAlias:
    """An alias that stays at its version until the new one has passed its check.

    Parameters
    ----------
    function, name : of the alias
    version : that serves
    """

    checked: CheckedAlias
    function: str
    name: str
    version: str

    @property
    def step(self) -> str:
        """The function's name in the template."""
        return self.checked.alias.removesuffix(f"Alias{self.name}")


def hold_traffic(translation: Translation, deployed: Resources, admin: ClientFactory) -> list[HeldAlias]:
    """Let aliases stay where they are, in the template, if there is new code of their function; return these aliases.

    Parameters
    ----------
    deployed : the stack's resources before the update; empty before the first deployment, which holds nothing
    """
    held = []
    functions = admin.client("lambda")
    for checked in translation.checked_aliases:
        if checked.alias not in deployed:
            continue
        function, _, name = deployed[checked.alias]["id"].rpartition(":")
        function = function.rpartition(":")[2]
        version = functions.get_alias(FunctionName=function, Name=name)["FunctionVersion"]
        if deployed.get(checked.version, {}).get("id", "").rpartition(":")[2] == version:
            continue  # that code serves
        checked.hold(translation.template, version)
        held.append(HeldAlias(checked, function, name, version))
    return held


def move_traffic(held: list[HeldAlias], deployed: Resources, admin: ClientFactory, say: Callable[[str], None]) -> None:
    """Have the new versions checked, move the aliases to them, and have them checked again.

    Parameters
    ----------
    deployed : the stack's resources after the update

    Raises
    ------
    CodeRefused : a check failed; all of these aliases are at the version at which they were
    """
    functions = admin.client("lambda", read_timeout=310, retries={"total_max_attempts": 1})
    new = {alias: deployed[alias.checked.version]["id"].rpartition(":")[2] for alias in held}
    try:
        for alias in held:
            say(f"asking the new code of {alias.step} before it gets traffic")
            told = _check(functions, deployed, alias, alias.checked.before)
            say(f"{alias.step}: version {new[alias]} passed: {told}")
        for alias in held:
            functions.update_alias(FunctionName=alias.function, Name=alias.name, FunctionVersion=new[alias])
        for alias in held:
            _check(functions, deployed, alias, alias.checked.after)
            say(f"{alias.step}: traffic moved from version {alias.version} to {new[alias]}")
    except CodeRefused:
        for alias in held:
            functions.update_alias(FunctionName=alias.function, Name=alias.name, FunctionVersion=alias.version)
        raise


def _check(functions: Any, deployed: Resources, alias: HeldAlias, check: str) -> str:
    """Call a check; return what it has asked, for people.

    Raises
    ------
    CodeRefused
    """
    if not check:
        return "nothing checks it"
    event = json.dumps({"DeploymentId": DEPLOYMENT, "VersionBefore": alias.version}).encode()
    response = functions.invoke(FunctionName=deployed[check]["id"], Payload=event)
    answer = json.loads(response["Payload"].read() or b"{}")
    if "FunctionError" in response:
        raise _refused(alias, f"its check, {check}, fails with {answer.get('errorType', response['FunctionError'])}")
    if answer["verdict"] != "passed":
        raise _refused(alias, "; ".join(answer["reasons"]))
    return "; ".join([answer["asked"], *answer["notes"]])


def _refused(alias: HeldAlias, reason: str) -> CodeRefused:
    return CodeRefused(
        f"The new code of {alias.step} was refused: {reason}.",
        where=f"{alias.function}, alias {alias.name}, which stays at version {alias.version}",
        remedy=(
            f"Fix the code; `modelcycle up` then tries again. The log of {alias.step} says why it failed. "
            "Answers that change on purpose: docs/delivery.md."
        ),
    )
