"""The archive of a function, and the folder of a layer."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from infra.local.deployment import layers
from infra.local.deployment.code_hash import hash_of
from infra.local.deployment.function_archive import archives_sha, function_archive, python_path
from infra.local.deployment.layers import Layer, install_layer
from infra.local.faults import LayerNotInstalled
from infra.local.fork_plans import ForkPlan


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / "functions" / "hello"
    (folder / "__pycache__").mkdir(parents=True)
    (folder / "app.py").write_text("def handler(event, context): ...\n")
    (folder / "__pycache__" / "app.pyc").write_bytes(b"compiled")
    return folder


def plan(layers: list[Layer], home: Path) -> ForkPlan:
    return ForkPlan("python3", python_path(layers, home / "runtime"), str(home / "scratch"), (), ())


def bootstrap(archive: bytes) -> str:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return opened.read("bootstrap").decode()


def test_the_same_files_give_the_same_bytes(code: Path, tmp_path: Path) -> None:
    first = function_archive(code, plan([], tmp_path))
    (code / "app.py").touch()
    assert function_archive(code, plan([], tmp_path)) == first


def test_compiled_files_are_not_shipped(code: Path, tmp_path: Path) -> None:
    archive = function_archive(code, plan([], tmp_path))
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        assert opened.namelist() == ["app.py", "bootstrap"]
        assert opened.getinfo("bootstrap").external_attr >> 16 & 0o111


def test_the_last_layer_wins_as_on_aws_and_the_runtime_comes_last(code: Path, tmp_path: Path) -> None:
    both = [Layer(name, (tmp_path / name,), name) for name in ("domain", "data")]
    script = bootstrap(function_archive(code, plan(both, tmp_path)))
    assert f"{tmp_path}/data:{tmp_path}/domain:{tmp_path}/runtime" in script


def test_a_path_with_spaces_and_quotes_works(code: Path, tmp_path: Path) -> None:
    folder = tmp_path / "it's my folder"
    script = bootstrap(function_archive(code, plan([Layer("data", (folder,), "1")], folder)))
    print_path = script.partition("if [")[0] + 'printf %s "$PYTHONPATH"\n'
    printed = subprocess.run(
        ["sh", "-c", print_path], capture_output=True, text=True, check=True, env={"LAMBDA_TASK_ROOT": "/t"}
    )
    assert printed.stdout == f"/t:{folder}:{folder}/runtime"


def test_a_changed_layer_changes_the_build(code: Path, tmp_path: Path) -> None:
    lock = tmp_path / "layers" / "data" / "requirements.txt"
    lock.parent.mkdir(parents=True)
    lock.write_text("duckdb==1\n")
    before = archives_sha(tmp_path, tmp_path)
    lock.write_text("duckdb==2\n")
    assert archives_sha(tmp_path, tmp_path) != before


def test_a_renamed_file_changes_the_hash(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1")
    before = hash_of([tmp_path])
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    assert hash_of([tmp_path]) != before


def test_a_lock_that_cannot_be_installed_is_reported_and_leaves_nothing(tmp_path: Path) -> None:
    source = tmp_path / "broken"
    source.mkdir()
    (source / "requirements.txt").write_text("this is no requirement\n")
    with pytest.raises(LayerNotInstalled) as fault:
        install_layer(source, tmp_path / "home")
    assert "requirements.txt" in fault.value.where
    assert not [path for path in (tmp_path / "home").rglob("*") if path.is_dir() and len(path.name) == 16]


def test_a_missing_uv_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "any"
    source.mkdir()
    (source / "requirements.txt").write_text("")
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(LayerNotInstalled, match="uv"):
        install_layer(source, tmp_path / "home")


def test_a_layer_that_no_deployment_has_used_for_a_week_is_removed(tmp_path: Path) -> None:
    old, new = tmp_path / "layers" / "data" / "old", tmp_path / "layers" / "data" / "new"
    for folder in (old, new):
        folder.mkdir(parents=True)
    os.utime(old, (0, 0))
    layers.remove_unused_layers(tmp_path)
    assert (old.exists(), new.exists()) == (False, True)
