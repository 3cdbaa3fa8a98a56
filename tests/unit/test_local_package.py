"""What a function's archive and a layer's folder are made of."""

from __future__ import annotations

import io
import os
import subprocess
import zipfile
from pathlib import Path

import pytest

from infra.local import package
from infra.local.faults import LayerNotInstalled
from infra.local.package import Layer, build_sha, function_archive, hash_of, install_layer


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / "functions" / "hello"
    (folder / "__pycache__").mkdir(parents=True)
    (folder / "app.py").write_text("def handler(event, context): ...\n")
    (folder / "__pycache__" / "app.pyc").write_bytes(b"compiled")
    return folder


def bootstrap(archive: bytes) -> str:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return opened.read("bootstrap").decode()


def test_the_same_files_give_the_same_bytes(code: Path, tmp_path: Path) -> None:
    first = function_archive(code, [], tmp_path / "runtime", tmp_path)
    (code / "app.py").touch()
    assert function_archive(code, [], tmp_path / "runtime", tmp_path) == first


def test_nothing_compiled_is_shipped(code: Path, tmp_path: Path) -> None:
    archive = function_archive(code, [], tmp_path / "runtime", tmp_path)
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        assert opened.namelist() == ["app.py", "bootstrap"]
        assert opened.getinfo("bootstrap").external_attr >> 16 & 0o111


def test_the_last_layer_wins_as_on_aws_and_the_runtime_comes_last(code: Path, tmp_path: Path) -> None:
    layers = [Layer(name, (tmp_path / name,), name) for name in ("domain", "data")]
    script = bootstrap(function_archive(code, layers, tmp_path / "runtime", tmp_path))
    assert f"{tmp_path}/data:{tmp_path}/domain:{tmp_path}/runtime" in script


def test_a_path_with_spaces_and_quotes_still_starts(code: Path, tmp_path: Path) -> None:
    odd = tmp_path / "it's my folder"
    script = bootstrap(function_archive(code, [Layer("odd", (odd,), "1")], tmp_path / "runtime", odd))
    shown = script.partition("exec ")[0] + 'printf %s "$PYTHONPATH"\n'
    seen = subprocess.run(
        ["sh", "-c", shown], capture_output=True, text=True, check=True, env={"LAMBDA_TASK_ROOT": "/t"}
    )
    assert seen.stdout == f"/t:{odd}:{tmp_path}/runtime"


def test_a_changed_layer_changes_the_build(code: Path, tmp_path: Path) -> None:
    layer = tmp_path / "layers" / "data" / "requirements.txt"
    layer.parent.mkdir(parents=True)
    layer.write_text("duckdb==1\n")
    before = build_sha(tmp_path, tmp_path)
    layer.write_text("duckdb==2\n")
    assert build_sha(tmp_path, tmp_path) != before


def test_a_moved_file_changes_the_hash(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1")
    before = hash_of([tmp_path])
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    assert hash_of([tmp_path]) != before


def test_a_lock_that_cannot_be_installed_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    layer = tmp_path / "broken"
    layer.mkdir()
    (layer / "requirements.txt").write_text("this is no requirement\n")
    with pytest.raises(LayerNotInstalled) as fault:
        install_layer(layer, tmp_path / "home")
    assert "requirements.txt" in fault.value.where
    assert not [path for path in (tmp_path / "home").rglob("*") if path.is_dir() and len(path.name) == 16]


def test_a_missing_uv_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layer = tmp_path / "any"
    layer.mkdir()
    (layer / "requirements.txt").write_text("")
    monkeypatch.setattr(package.shutil, "which", lambda *_, **__: None)
    with pytest.raises(LayerNotInstalled, match="uv"):
        install_layer(layer, tmp_path / "home")


def test_a_layer_that_no_deploy_uses_any_more_is_removed(tmp_path: Path) -> None:
    old, new = tmp_path / "layers" / "data" / "old", tmp_path / "layers" / "data" / "new"
    for folder in (old, new):
        folder.mkdir(parents=True)
    os.utime(old, (0, 0))
    package.forget_unused(tmp_path)
    assert (old.exists(), new.exists()) == (False, True)
