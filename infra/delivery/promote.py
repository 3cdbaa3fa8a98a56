"""Deploys a release as it is: `make promote ENVIRONMENT=staging RELEASE_BUCKET=...`.

The same as `make deploy` around it: kept data are found, a new bucket's events are waited for, prod is protected.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from infra.delivery.packaged import differences
from infra.deployment.account import Account, find_account
from infra.deployment.command import run, say
from infra.deployment.deploy import ENVIRONMENTS, data_parameters, finish, overrides, sam, stack_parameters
from infra.deployment.faults import BadSetting, DeploymentFailed, StackUnusable
from infra.deployment.settings import check_reader, read_settings, with_silence
from infra.deployment.stack import NEVER_COMPLETE, check_changeable, find_stack, first_failure
from infra.local.deployment.translate import read_template

ROOT = Path(__file__).resolve().parents[2]
CONFIGURATION = ROOT / "infra" / "delivery" / "samconfig.toml"


def promote(account: Account, environment: str, release: Path, bucket: str, role: str, given: str, kept: str) -> None:
    """Deploy a release that `make release` has uploaded.

    Parameters
    ----------
    release : folder of the packaged template and its hashes
    bucket : of the releases
    role : ARN of the role that CloudFormation takes; empty: it has the rights of who deploys
    given, kept : as of `infra.deployment.deploy.deploy`

    Raises
    ------
    DeploymentFault : one of its subclasses
    """
    client, name = account.client, f"modelcycle-{environment}"
    if not bucket:
        raise BadSetting("no bucket of releases is named", "RELEASE_BUCKET", "docs/delivery.md says how to make one")
    reasons = differences(release, ROOT)
    if reasons:
        raise DeploymentFailed("; ".join(reasons), str(release), "take the release of this commit, or make it anew")
    settings = read_settings(given, read_template(ROOT / "template.yaml")["Parameters"])
    before = find_stack(client("cloudformation"), name)
    if before is not None and before.status in NEVER_COMPLETE:
        raise StackUnusable(
            f"its first deployment has failed, and CloudFormation does not update it: {before.status}",
            f"stack {name}", f"`make destroy ENVIRONMENT={environment}`, then promote again",
        )  # fmt: skip
    if before is not None:
        check_changeable(before)
    check_reader(environment, settings, before)
    settings = with_silence(settings, before)
    data = data_parameters(client, name, before, settings, kept)
    parameters = stack_parameters(ROOT, environment, before, settings, data)
    status = sam(
        [
            "deploy", "--config-file", str(CONFIGURATION), "--template-file", str(release / "template.yaml"),
            "--stack-name", name, "--s3-bucket", bucket, "--s3-prefix", f"deployments/{environment}",
            *(["--role-arn", role] if role else []),
            *overrides(parameters),
        ],
        ROOT, account.region,
    )  # fmt: skip
    stack = find_stack(client("cloudformation"), name)
    if status or stack is None:
        where, reason = (first_failure(client("cloudformation"), stack.id) if stack else None) or (
            f"stack {name}", "SAM's reason is above")  # fmt: skip
        raise DeploymentFailed(f"the release was not deployed: {reason}", where, "correct it, then promote again")
    finish(client, stack, before, environment)
    print(f"{name} has the release of code {parameters['CodeVersion'][:16]} in {account.number}, {account.region}")


def main(arguments: list[str]) -> int:
    """Deploy a release to the account that boto3 is configured for."""
    parser = argparse.ArgumentParser(description="Deploys a release to AWS as it is.")
    parser.add_argument("environment", choices=ENVIRONMENTS)
    parser.add_argument("release", type=Path, help="folder that `make release` has written")
    parser.add_argument("--bucket", default="", help="the bucket of releases")
    parser.add_argument("--role", default="", help="ARN of the role that CloudFormation takes")
    parser.add_argument("--settings", default="", help="parameters of the template, as Name=value Name='a value'")
    parser.add_argument("--kept", default="", help="which kept data a new stack uses: the name of the table, or `new`")
    asked = parser.parse_args(arguments)
    account = find_account()
    say(str(account))
    promote(account, asked.environment, asked.release.resolve(), asked.bucket, asked.role, asked.settings, asked.kept)
    return 0


if __name__ == "__main__":
    sys.exit(run(lambda: main(sys.argv[1:])))
