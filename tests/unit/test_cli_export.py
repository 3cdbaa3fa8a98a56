"""A version is exported whole, checked, and by its own signature; or not at all, with one sentence."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

import cli.open_place
from cli.main import main
from modelcycle.registry.keys import rewritten_object
from modelcycle.signing import bundle_key, sign_rewritten, sign_version, signed_files
from tests.fakes import MemoryKeys, MemoryStore
from tests.memory_place import Cloud
from tests.trained import MODEL, Cycle, cycle, train


class Kms:
    """KMS, with the public part of one key."""

    exceptions = None

    def __init__(self, keys: MemoryKeys) -> None:
        self.keys = keys

    def get_public_key(self, KeyId: str) -> dict[str, bytes]:  # noqa: N803
        assert KeyId == "arn:key"
        return {"PublicKey": self.keys.public_key()}


class Exporting:
    """A place with one version."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cloud, self.keys, self.store = Cloud(), MemoryKeys(), MemoryStore("artifacts")
        self.cycle: Cycle = cycle(train("binary"), self.store, self.cloud.place.registry)
        self.cloud.place.outputs["SigningKey"] = "arn:key"
        kms, client = Kms(self.keys), self.cloud.client
        monkeypatch.setattr(self.cloud, "client", lambda name, **rest: kms if name == "kms" else client(name, **rest))
        monkeypatch.setattr(self.cloud.s3, "head_object", self.head, raising=False)
        monkeypatch.setattr(cli.open_place, "open_place", lambda *names, **settings: self.cloud.place)
        unit = self.cloud.place.registry.unit_of_work(MODEL)
        self.cloud.place.registry.runs.put_model(unit)
        unit.commit()

    def head(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        self.cloud.s3.get_object(Bucket=Bucket, Key=Key)
        return {}

    def register(self, *, signed: bool = True) -> None:
        draft = self.cycle.draft()
        if signed:
            draft = draft.model_copy(update={"bundle": sign_version(draft, self.store, self.keys)})
        registry = self.cloud.place.registry
        version, _ = registry.versions.register(draft, f"content {signed}")
        registry.standings.move(MODEL, version.version, "staged", "run r")
        self.cloud.s3.objects |= self.store.objects

    def go_live(self) -> None:
        self.cloud.place.registry.routes.promote(MODEL, 1, 100, "test")


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Exporting:
    return Exporting(monkeypatch)


def exported(folder: Path, capsys: pytest.CaptureFixture[str], name: str = MODEL) -> dict[str, Any]:
    assert main(["export", name, "--to", str(folder), "--json"]) == 0
    made: dict[str, Any] = json.loads(capsys.readouterr().out)
    return made


def test_the_live_version_is_exported_with_its_signature_and_key(
    here: Exporting, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here.register()
    here.go_live()
    folder = tmp_path / "new" / "folder"
    made = exported(folder, capsys)
    version = here.cloud.place.registry.versions.get(MODEL, 1)
    for name, artifact in signed_files(version).items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == artifact.sha256
    assert (folder / "model.sig").read_bytes() == here.store.objects[bundle_key(MODEL, version.run_id)]
    assert (folder / "public-key.pem").read_text().startswith("-----BEGIN PUBLIC KEY-----")
    assert made["checked"] == "signed" and made["key"] == hashlib.sha256(here.keys.public_key()).hexdigest()
    assert made["files"] == sorted([*signed_files(version), "model.sig", "public-key.pem"])


def test_the_screen_says_how_others_check_it(
    here: Exporting, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here.register()
    assert main(["export", f"{MODEL}:1", "--to", str(tmp_path / "one")]) == 0
    told = capsys.readouterr().out
    assert "model_signing verify key" in told and "proves nothing by itself" in told


def test_an_older_version_says_that_it_is_not_signed(
    here: Exporting, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here.register(signed=False)
    made = exported(tmp_path / "one", capsys, f"{MODEL}:1")
    assert (made["checked"], made["key"]) == ("unsigned", "") and "model.sig" not in made["files"]
    del here.cloud.place.outputs["SigningKey"]  # a stack from before there were keys
    assert exported(tmp_path / "two", capsys, f"{MODEL}:1")["checked"] == "unchecked"


def test_a_changed_file_or_signature_is_refused_and_nothing_stays(
    here: Exporting, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here.register()
    version = here.cloud.place.registry.versions.get(MODEL, 1)
    for key in (version.onnx.uri.split("/", 3)[3], bundle_key(MODEL, version.run_id)):
        body = here.cloud.s3.objects[key]
        here.cloud.s3.objects[key] = body[:-1] + bytes([body[-1] ^ 1])
        assert main(["export", f"{MODEL}:1", "--to", str(tmp_path / "one")])
        assert key in capsys.readouterr().err
        assert not list(tmp_path.iterdir())
        here.cloud.s3.objects[key] = body


def test_after_an_erasure_it_says_which_file_has_changed_and_writes_no_signature(
    here: Exporting, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here.register()
    registry = here.cloud.place.registry
    onnx = registry.versions.get(MODEL, 1).onnx
    key, body = onnx.uri.split("/", 3)[3], b"without the person"
    here.cloud.s3.objects[key] = body
    now = hashlib.sha256(body).hexdigest()
    registry.erasures.rewrite(MODEL, "artifacts", key, onnx.sha256, now, len(body))
    assert main(["export", f"{MODEL}:1", "--to", str(tmp_path / "one")])
    assert "no erasure has signed that" in capsys.readouterr().err and not list(tmp_path.iterdir())
    del registry.erasures.table.records[rewritten_object(MODEL, "artifacts", key)]
    registry.erasures.rewrite(
        MODEL, "artifacts", key, onnx.sha256, now, len(body), sign=lambda one: sign_rewritten(onnx.uri, one, here.keys)
    )
    assert main(["export", f"{MODEL}:1", "--to", str(tmp_path / "one")]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "an erasure has changed model.onnx since it was signed" in told and "model_signing" not in told
    assert (tmp_path / "one" / "model.onnx").read_bytes() == body and not (tmp_path / "one" / "model.sig").exists()
    assert exported(tmp_path / "two", capsys, f"{MODEL}:1")["erased"] == ["model.onnx"]


@pytest.mark.parametrize(("name", "told"), [
    (MODEL, "has no live version"), (f"{MODEL}:9", "has no version 9"), ("absent", "there is no model absent"),
    ("No Model", "is not MODEL:VERSION"),
])  # fmt: skip
def test_what_is_not_there_is_said_in_one_sentence(
    here: Exporting, name: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here.register()
    assert main(["export", name, "--to", str(tmp_path / "one")]) == 2
    assert told in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_a_folder_that_holds_something_stays_as_it_is(
    here: Exporting, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here.register()
    (tmp_path / "mine").write_text("mine")
    for folder in (tmp_path, tmp_path / "mine", tmp_path / "mine" / "below"):
        assert main(["export", f"{MODEL}:1", "--to", str(folder)]) == 2
        assert "the folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    empty = tmp_path / "empty"
    empty.mkdir()
    assert exported(empty, capsys, f"{MODEL}:1")["files"]
