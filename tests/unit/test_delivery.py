"""What republishes functions and what does not; releases; the aliases that are held."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from infra.build_sha import build_sha
from infra.delivery.release import make_release
from infra.local.deployment.checked_alias import take_checked_aliases
from infra.local.deployment.code_traffic import hold_traffic
from infra.local.deployment.translate import Translation

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    for name in ("functions", "statemachines", "docs", "infra"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("modelcycle", "data"):
        shutil.copytree(ROOT / "layers" / name, folder / "layers" / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("template.yaml", "README.md"):
        shutil.copy(ROOT / name, folder)
    return folder


def sha(project: Path, **parameters: str) -> str:
    return build_sha(project / "template.yaml", parameters)


@pytest.mark.parametrize(
    "file", ["README.md", "docs/limits.md", "statemachines/lifecycle.asl.yaml", "infra/alarms.yaml"]
)
def test_a_change_elsewhere_republishes_no_function(project: Path, file: str) -> None:
    before = sha(project)
    path = project / file
    path.write_text(path.read_text() + "\n# changed\n")
    (project / "functions" / "predict" / "__pycache__").mkdir()
    (project / "functions" / "predict" / "__pycache__" / "app.pyc").write_bytes(b"compiled")
    assert sha(project) == before


@pytest.mark.parametrize("file", [
    "functions/predict/app.py", "layers/modelcycle/modelcycle/faults.py", "layers/data/requirements.txt",
])  # fmt: skip
def test_a_change_of_code_or_of_a_lock_republishes(project: Path, file: str) -> None:
    before = sha(project)
    path = project / file
    path.write_text(path.read_text() + "\n# changed\n")
    assert sha(project) != before


def test_a_change_of_a_functions_properties_republishes(project: Path) -> None:
    before, template = sha(project), project / "template.yaml"
    text = template.read_text()
    assert sha(project, LogDays="30") != before, "a parameter may reach a function"
    assert sha(project, AlarmEmail="a@b.c", TrafficShift="AllAtOnce", BuildSha="x") == before
    template.write_text(text.replace("MemorySize: 1769", "MemorySize: 2000"))
    assert sha(project) != before
    template.write_text(text.replace("AlarmDescription: New code of Predict fails", "AlarmDescription: It fails"))
    assert sha(project) == before


def test_make_deploy_and_the_workflow_name_the_code_by_its_hash() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert "rev-parse" not in makefile
    assert "infra.build_sha" in makefile


def test_a_release_is_made_once_and_never_changed(project: Path, tmp_path: Path) -> None:
    release = make_release(project, tmp_path / "releases")
    assert release.folder.name == release.sha[:16]
    assert (release.folder / "layers/modelcycle/modelcycle/faults.py").is_file()
    assert not (release.folder / "README.md").exists()
    (project / "README.md").write_text("changed")
    assert make_release(project, tmp_path / "releases") == release
    app = project / "functions/predict/app.py"
    app.write_text(app.read_text() + "\n")
    assert make_release(project, tmp_path / "releases").sha != release.sha
    (release.folder / "template.yaml").write_text("changed")
    shutil.copy(ROOT / "functions/predict/app.py", app)
    with pytest.raises(ValueError, match="was changed since it was made"):
        make_release(project, tmp_path / "releases")


def template() -> dict[str, Any]:
    policy = {"ApplicationName": {"Ref": "App"}, "BeforeAllowTrafficHook": {"Ref": "Before"}}
    return {
        "Resources": {
            "AskAliaslive": {
                "Type": "AWS::Lambda::Alias", "UpdatePolicy": {"CodeDeployLambdaAliasUpdate": policy},
                "Properties": {"Name": "live", "FunctionVersion": {"Fn::GetAtt": ["AskVersion1", "Version"]}},
            },
            "OtherAliaslive": {"Type": "AWS::Lambda::Alias", "Properties": {"Name": "live"}},
        }
    }  # fmt: skip


class Admin:
    """A cloud in which an alias serves a version."""

    def __init__(self, version: str) -> None:
        self.version = version

    def client(self, service: str) -> Any:
        return self

    def get_alias(self, **names: str) -> dict[str, str]:
        assert names == {"FunctionName": "mc-Ask-1", "Name": "live"}
        return {"FunctionVersion": self.version}


@pytest.mark.parametrize(
    ("deployed", "held"),
    [
        ({}, False),  # the first deployment
        ({"AskAliaslive": "arn:aws:lambda:r:1:function:mc-Ask-1:live"}, True),
        (
            {
                "AskAliaslive": "arn:aws:lambda:r:1:function:mc-Ask-1:live",
                "AskVersion1": "arn:aws:lambda:r:1:function:mc-Ask-1:4",
            },
            False,
        ),  # that version serves
        (
            {
                "AskAliaslive": "arn:aws:lambda:r:1:function:mc-Ask-1:live",
                "AskVersion1": "arn:aws:lambda:r:1:function:mc-Ask-1:5",
            },
            True,
        ),  # a deployment was killed before its check
    ],
)
def test_an_alias_is_held_while_there_is_code_that_was_not_checked(deployed: dict[str, str], held: bool) -> None:
    body = template()
    translation = Translation(body, {}, checked_aliases=take_checked_aliases(body))
    assert "UpdatePolicy" not in body["Resources"]["AskAliaslive"]
    resources = {name: {"type": "", "id": physical} for name, physical in deployed.items()}
    aliases = hold_traffic(translation, resources, Admin("4"))  # type: ignore[arg-type]
    version = body["Resources"]["AskAliaslive"]["Properties"]["FunctionVersion"]
    assert [(alias.step, alias.version) for alias in aliases] == ([("Ask", "4")] if held else [])
    assert version == ("4" if held else {"Fn::GetAtt": ["AskVersion1", "Version"]})
