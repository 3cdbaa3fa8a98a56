"""The image of the container is of the code that the stack runs, and is named by it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from infra.container import run_step
from infra.deployment.settings import read_settings
from infra.local.deployment.code_hash import code_version
from infra.local.deployment.translate import read_template
from modelcycle import aws
from modelcycle.messages import (
    ContainerOutcome,
)
from tests.unit.test_containers import ASSIGNMENT, Bucket

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(("image", "fault"), [(None, ""), ("test", ""), ("another", "Fault")])
def test_a_container_refuses_work_if_its_image_is_of_other_code_whatever_the_task_says(
    image: str | None, fault: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bucket = Bucket("artifacts")
    stored = bucket.put("m/a.json", ASSIGNMENT.model_dump_json().encode())
    monkeypatch.setattr(aws, "adapters", lambda: SimpleNamespace(artifacts=bucket, code="test"))
    monkeypatch.setenv("ASSIGNMENT", stored.uri)
    monkeypatch.setenv("ASSIGNMENT_SHA256", stored.sha256)
    monkeypatch.delenv("IMAGE_CODE", raising=False)
    if image:
        monkeypatch.setenv("IMAGE_CODE", image)
    assert run_step.main(lambda assignment: {"result": {"done": True}}) == 0
    outcome = ContainerOutcome.model_validate_json(bucket.latest(ASSIGNMENT.outcome_key)[0])
    assert (outcome.fault or "") == fault
    for said in (outcome.text or "", capsys.readouterr().err):
        assert ("has code another, the functions have test" in said) == bool(fault)


def test_every_image_says_of_which_code_it_is_and_is_named_by_it() -> None:
    text = (ROOT / "infra" / "container" / "Dockerfile").read_text()
    assert "ARG CODE_VERSION\n" in text and "ENV IMAGE_CODE=$CODE_VERSION\n" in text
    given = read_template(ROOT / "template.yaml")["Resources"]["Containers"]["Properties"]["Parameters"]
    assert given["ImageTag"] == given["CodeVersion"]


def make_image(folder: Path, deployed: str, has_image: bool) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Run `make image` with stand-ins for AWS and Docker; return how it ended, and their calls."""
    calls = folder / "calls"
    calls.touch()
    answers = f"""case "$*" in
  *ImageRepository*) echo 1.dkr.ecr.eu-central-1.amazonaws.com/modelcycle-dev/step;;
  *CodeVersion*) echo {deployed};;
  *describe-images*) exit {0 if has_image else 254};;
  *get-login-password*) echo secret;;
esac"""
    for name in ("aws", "docker"):
        program = folder / name
        program.write_text(f'#!/bin/sh\necho "{name} $*" >> {calls}\n' + (answers if name == "aws" else ""))
        program.chmod(0o755)
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    command = ["make", "image", "--old-file=.venv/run.stamp", f"BIN={Path(sys.executable).parent}", "ENVIRONMENT=dev"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    return done, calls.read_text().splitlines()


def test_an_image_is_built_of_the_code_that_the_stack_runs_and_named_by_it(tmp_path: Path) -> None:
    code = code_version(ROOT)
    done, calls = make_image(tmp_path, code, has_image=False)
    assert done.returncode == 0, done.stderr
    image = f"1.dkr.ecr.eu-central-1.amazonaws.com/modelcycle-dev/step:{code}"
    build, push = calls[-2:]
    assert f"--build-arg CODE_VERSION={code} --tag {image} ." in build
    assert push == f"docker push {image}"
    assert any(f"--repository-name modelcycle-dev/step --image-ids imageTag={code}" in call for call in calls)


@pytest.mark.parametrize(("deployed", "has_image", "says"), [
    ("0123", False, "not what modelcycle-dev runs"), ("", True, "has the image of this code"),
])  # fmt: skip
def test_no_image_of_other_code_and_none_twice(tmp_path: Path, deployed: str, has_image: bool, says: str) -> None:
    done, calls = make_image(tmp_path, deployed or code_version(ROOT), has_image)
    assert says in done.stdout + done.stderr and (done.returncode == 0) == has_image
    assert not any(call.startswith("docker") for call in calls)


def test_what_the_documentation_says_turns_containers_on() -> None:
    text = (ROOT / "docs" / "large-data.md").read_text()
    (given,) = re.findall(r'^    make deploy ENVIRONMENT=dev WITH="(.*)"$', text, re.MULTILINE)
    declared = read_template(ROOT / "template.yaml")["Parameters"]
    assert read_settings(given, declared) == {
        "LargeTraining": "fargate", "ContainerSubnets": "subnet-1,subnet-2",
    }  # fmt: skip
