"""Policies of a project on the local cloud: approvals by people whom IAM has proved, a freeze, a rule of tomorrow."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.httpsession import URLLib3Session

from infra.local import cloud as local
from infra.local.cloud import LocalCloud
from infra.local.ports import free_port
from modelcycle.faults import BadPolicy
from tests.e2e.conftest import ROOT, CloudSite, keep_used_permissions
from tests.e2e.observed_model import ObservedModel, wait_for

pytestmark = pytest.mark.delivery

MODEL = "strict-plums"
STRICT = """
name: strict
version: 1
models: [strict-*]
risk_tier: high
rules: [{name: accurate, figure: metrics.accuracy, at_least: %s, remedy: add rows}]
approvals: {needed: 1, four_eyes: true}
freeze: %s
"""
FROZEN = "[{name: the trial, from: 2020-01-01, until: 2099-01-01}]"


class Project:
    """A copy of the project with policies of its own; all else is the project's."""

    def __init__(self, folder: Path) -> None:
        for name in ("infra", "functions", "layers", "statemachines"):
            (folder / name).symlink_to(ROOT / name)
        shutil.copy2(ROOT / "template.yaml", folder)  # where it lies, its policies are
        shutil.copytree(ROOT / "governance", folder / "governance")
        self.folder, self.site = folder, CloudSite(folder / "cloud", free_port(), folder / "template.yaml")

    def up(self, at_least: float, freeze: str = "[]") -> LocalCloud:
        (self.folder / "governance" / "strict.yaml").write_text(STRICT % (at_least, freeze))
        return self.site.up()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Project]:
    made = Project(tmp_path_factory.mktemp("governed"))
    yield made
    local.down(home=made.site.home)
    keep_used_permissions(made.site.home, request.config, "governance")


class Approver:
    """A person with the policy of those who decide, and nothing else."""

    def __init__(self, cloud: LocalCloud, name: str) -> None:
        iam = cloud.admin.client("iam")
        iam.create_user(UserName=name)
        iam.attach_user_policy(UserName=name, PolicyArn=cloud.outputs["DecidePolicy"])
        key = iam.create_access_key(UserName=name)["AccessKey"]
        self.url = f"{cloud.outputs['ApiUrl'].rstrip('/')}/models/{MODEL}/decisions"
        self.credentials = Credentials(key["AccessKeyId"], key["SecretAccessKey"])

    def decide(self, decision: str, version: int) -> tuple[int, dict[str, Any]]:
        body = json.dumps({"decision": decision, "version": version, "why": "looked at it"})
        request = AWSRequest("POST", self.url, data=body, headers={"content-type": "application/json"})
        SigV4Auth(self.credentials, "execute-api", "us-east-1").add_auth(request)
        answer = URLLib3Session().send(request.prepare())
        return answer.status_code, json.loads(answer.content)


def test_a_model_of_a_high_tier_from_upload_to_withdrawal(project: Project) -> None:
    with pytest.raises(BadPolicy, match="a number is expected"):
        project.up("two")  # type: ignore[arg-type]  # a policy with an error deploys nothing
    cloud = project.up(0.5, FROZEN)
    model = ObservedModel(cloud, MODEL)
    model.put_pipeline("rollout: {steps: [50, 100], wait_minutes: 10}\n")
    model.upload("first.csv")  # as a program does, which does not say who it is
    (run,) = model.wait_for_runs()
    assert run.state == "awaiting_approval"
    assert run.reason == ("policy strict asks for 2 approvals by different people: nobody knows who started the run")

    ann, bob = Approver(cloud, "ann"), Approver(cloud, "bob")
    status, told = ann.decide("approve", 1)
    assert status == 200 and told["waits"] and "1 of 2 approvals are given" in told["told"]
    assert ann.decide("approve", 1)[1]["told"].startswith("you approved it before")
    status, told = bob.decide("approve", 1)
    assert status == 200 and not told["waits"] and "its rollout waits: the trial" in told["told"]
    entries = model.registry.audit.decisions(MODEL)
    assert {entry.by.rpartition("/")[2] for entry in entries} == {"ann", "bob"}
    wait_for(lambda: [entry for entry in model.registry.audit.all(MODEL) if entry.decision == "frozen"], 30)
    assert model.weights() == {}

    learned = len(model.executions())
    project.up(0.5)  # the freeze is over
    status, told = ann.decide("promote", 1)
    assert status == 200, told
    wait_for(lambda: model.weights() == {1: 100}, 60)  # nothing else is live: it gets all at once
    assert len(model.executions()) == learned, "a change of a policy trains nothing"

    project.up(1.0)  # nobody is that good
    model.upload("second.csv", seed=2)
    newest = model.wait_for_runs(2)[0]
    assert newest.state == "refused" and "accurate: metrics.accuracy is" in newest.reason
    assert newest.reason.endswith("at least 1 is required; add rows")
    status, told = ann.decide("promote", 1)
    assert model.weights() == {1: 100}, "what is live stays live"
    message = {"model": MODEL, "version": 1, "step": 0, "actor": "a test"}
    model.client("stepfunctions").start_execution(
        stateMachineArn=cloud.outputs["RolloutArn"], name="once-more", input=json.dumps(message)
    )
    wait_for(lambda: [entry for entry in model.registry.audit.all(MODEL) if entry.decision == "stopped"], 30)
    assert model.weights() == {1: 100}, "but no rollout gives it more"
