"""Port: deployments of code that wait for a verdict. Adapter: CodeDeploy."""

from __future__ import annotations

import re
from typing import Any, Protocol

from modelcycle.outages import Unreachable, outages_as_faults

# the AppSpec is JSON or YAML (AWS page "AppSpec 'resources' section for AWS Lambda deployments")
VERSION = r"""\b%s["']?\s*:\s*["']?(\d+)"""
TARGET, CURRENT = re.compile(VERSION % "TargetVersion"), re.compile(VERSION % "CurrentVersion")


class Deployments(Protocol):
    """Deployments that call a function before and after they move traffic."""

    def target(self, deployment: str) -> str:
        """Return the version of the function that a deployment gives traffic to; empty if it does not say.

        Raises
        ------
        Transient, Throttled : the service does not answer
        """

    def before(self, deployment: str) -> str:
        """Return the version from which a deployment takes the traffic; empty if it does not say.

        Raises
        ------
        Transient, Throttled : the service does not answer
        """

    def report(self, deployment: str, hook: str, passed: bool) -> None:
        """Say whether the deployment may go on; otherwise it moves the traffic back.

        Parameters
        ----------
        deployment : its id
        hook : id of the call that waits for the verdict

        Raises
        ------
        Transient, Throttled : the service does not answer
        """


class CodeDeploy:
    """The deployments of CodeDeploy (AWS page "PutLifecycleEventHookExecutionStatus").

    Parameters
    ----------
    client : botocore's CodeDeploy client
    unreachable : the client's errors for a service that did not answer; they are raised as Transient
    """

    def __init__(self, client: Any, unreachable: Unreachable = ()) -> None:
        self.client = client
        self.unreachable = unreachable

    def target(self, deployment: str) -> str:
        return self._named(deployment, TARGET)

    def before(self, deployment: str) -> str:
        return self._named(deployment, CURRENT)

    def _named(self, deployment: str, version: re.Pattern[str]) -> str:
        with outages_as_faults("CodeDeploy", deployment, self.unreachable):
            info = self.client.get_deployment(deploymentId=deployment)["deploymentInfo"]
        revision = info.get("revision", {})
        content = (revision.get("appSpecContent") or revision.get("string") or {}).get("content", "")
        named = version.search(content)
        return named[1] if named else ""

    def report(self, deployment: str, hook: str, passed: bool) -> None:
        with outages_as_faults("CodeDeploy", deployment, self.unreachable):
            self.client.put_lifecycle_event_hook_execution_status(
                deploymentId=deployment,
                lifecycleEventHookExecutionId=hook,
                status="Succeeded" if passed else "Failed",
            )
