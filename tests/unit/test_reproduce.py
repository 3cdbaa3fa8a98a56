"""A version that is made again: its files, the buckets of its processes, and what is told."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

import cli.open_place
from cli.main import main
from cli.reproduction import environment, source_files
from cli.reproduction.comparison import Compared, Reproduction, compare
from cli.reproduction.folder_store import FolderStore, SourceFiles
from cli.reproduction.source_files import SourceFile
from cli.screens.reproduced import reproduced_text
from modelcycle.faults import Fault, Tampered, Unknown
from modelcycle.messages import Artifact
from modelcycle.registry import Write
from modelcycle.store import Listed, S3Store
from tests.memory_place import AT, Cloud
from tests.unit.test_cli_show import version

ROWS = b"a,y\n1,no\n2,yes\n"
KEY = "raw/m/rows.csv"


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


class VersionedS3:
    """A bucket with versions of its objects."""

    def __init__(self, objects: dict[tuple[str, str | None], bytes]) -> None:
        self.objects = objects

    @property
    def exceptions(self) -> Any:
        class Exceptions:
            pass

        Exceptions.ClientError = ClientError  # type: ignore[attr-defined]
        return Exceptions

    def get_object(self, *, Bucket: str, Key: str, VersionId: str | None = None) -> dict[str, Any]:  # noqa: N803
        if (Key, VersionId) not in self.objects:
            raise ClientError({"Error": {"Code": "NoSuchVersion" if VersionId else "NoSuchKey"}}, "GetObject")
        return {"Body": io.BytesIO(self.objects[Key, VersionId])}


class Place:
    def __init__(self, objects: dict[tuple[str, str | None], bytes]) -> None:
        self.s3 = VersionedS3(objects | {("claim/pipeline.yaml", None): b"name: m\ntarget: y\n"})

    def output(self, name: str) -> str:
        return name

    @property
    def artifacts(self) -> S3Store:
        return S3Store(self.s3, self.output("ArtifactBucket"))


def lineage(version: str | None = "v1") -> dict[str, Any]:
    pipeline = b"name: m\ntarget: y\n"
    entry = {"key": KEY, "version": version, "sha256": sha256(ROWS), "etag": "e", "bytes": len(ROWS)}
    artifact = {"uri": "s3://ArtifactBucket/claim/pipeline.yaml", "sha256": sha256(pipeline), "bytes": len(pipeline)}
    return {"run": {"pipeline": artifact}, "data": {"objects": {"objects": [entry]}}, "rows": {"collected": 2}}


@pytest.mark.parametrize(("objects", "found"), [
    ({(KEY, "v1"): ROWS, (KEY, None): b"newer"}, ROWS),  # the recorded version, although a newer one is there
    ({(KEY, None): ROWS}, ROWS),  # that version has expired, but the current object has the same bytes
    ({(KEY, "v1"): ROWS.replace(b"yes", b"nay")}, ROWS.replace(b"yes", b"nay")),
    ({(KEY, None): b"newer"}, b"newer"),
    ({}, None),
])  # fmt: skip
def test_the_recorded_bytes_are_looked_for_and_what_is_found_instead_is_named(
    objects: dict[tuple[str, str | None], bytes], found: bytes | None, tmp_path: Path
) -> None:
    files = source_files.fetch(Place(objects), lineage(), tmp_path)  # type: ignore[arg-type]
    assert files == [SourceFile(KEY, sha256(ROWS), sha256(found) if found is not None else "")]
    assert files[0].same == (found == ROWS)
    if found == ROWS:
        assert (tmp_path / "data" / "0").read_bytes() == ROWS
    assert (tmp_path / "artifacts" / "claim" / "pipeline.yaml").read_bytes() == b"name: m\ntarget: y\n"


def test_a_changed_byte_is_named_with_both_hashes() -> None:
    file = SourceFile(KEY, sha256(ROWS), sha256(ROWS.replace(b"yes", b"nay")))
    made = Reproduction("m", 1, [SourceFile("raw/m/a.csv", "1", "1"), file])
    text = reproduced_text(made, lineage())
    assert text.startswith("m:1 was not made again: its data have changed.")
    assert f"{KEY}  recorded {file.recorded}" in text and f"found    {file.found}" in text
    assert "raw/m/a.csv" not in text and (made.same, made.first_difference) == (False, KEY)
    gone = reproduced_text(Reproduction("m", 1, [SourceFile(KEY, "1", "")]), lineage())
    assert "found    nothing: the object is gone" in gone


def test_the_folder_store_writes_once_and_finds_a_changed_file(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    written = store.put("m/runs/r1/x.json", b"1")
    assert store.put("m/runs/r1/x.json", b"2") == written
    assert store.read(written) == b"1" and store.fetch(written, tmp_path).read_bytes() == b"1"
    (tmp_path / "m/runs/r1/x.json").write_bytes(b"3")
    with pytest.raises(Tampered):
        store.read(written)
    absent = Artifact(uri="s3://b/absent", sha256="0", bytes=0)
    assert store.missing([written, absent]) == [absent]
    with pytest.raises(Unknown):
        store.read(absent)


def test_uploaded_files_keep_their_recorded_version_and_etag(tmp_path: Path) -> None:
    (tmp_path / "0").write_bytes(ROWS)
    source = SourceFiles(tmp_path, lineage()["data"]["objects"]["objects"])
    assert list(source.list("raw/m/")) == [Listed(KEY, "e", len(ROWS))]
    assert source.download(Listed(KEY, "e", len(ROWS)), tmp_path / "copy") == "v1"
    assert (tmp_path / "copy").read_bytes() == ROWS


def recorded() -> dict[str, Any]:
    """A lineage in which every artifact has its own name as hash."""

    def artifact(name: str) -> dict[str, Any]:
        return {"uri": f"s3://b/{name}", "sha256": name, "bytes": 1}

    return {
        "steps": {
            "collect": {"manifest": artifact("manifest"), "shards": [artifact("s1"), artifact("s2")], "rows": 3},
            "preprocess": {"table": artifact("table"), "quarantine": None},
            "engineer_features": {"plan": artifact("plan")},
            "select_model": {"signature": artifact("signature")},
        },
        "judged": artifact("twin"), "served": artifact("live"), "rows": {"collected": 3},
    }  # fmt: skip


def made_again(**changes: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    steps = recorded()["steps"]
    rows = {"collect": steps["collect"], "preprocess": steps["preprocess"]}
    model = {
        "engineer_features": steps["engineer_features"], "signature": "signature", "judged": "twin", "served": "live"
    }  # fmt: skip
    return rows, model | changes


def test_every_artifact_is_compared_in_the_order_in_which_it_is_made() -> None:
    compared = compare(recorded(), *made_again())
    assert [(one.step, one.name) for one in compared] == [
        ("collect", "manifest"), ("collect", "shard 1"), ("collect", "shard 2"), ("preprocess", "table"),
        ("engineer_features", "plan"), ("train", "signature"), ("train", "judged ONNX"), ("refit", "served ONNX"),
    ]  # fmt: skip
    made = Reproduction("m", 1, [], compared, code=("c", "c"))
    assert made.same and made.first_difference == ""
    assert reproduced_text(made, recorded()).startswith("m:1 was made again: the model has the same bytes.")


def test_a_version_whose_judged_model_serves_has_one_graph() -> None:
    judged = recorded()
    judged["served"] = judged["judged"]
    assert [one.name for one in compare(judged, *made_again())][-1] == "judged ONNX"


def test_the_first_difference_and_what_else_differs_are_named() -> None:
    rows, model = made_again(served="other", signature="also other")
    packages, runtime = {"numpy": ("2.4", "2.5")}, {"python": ("3.13.1", "3.11.9")}
    made = Reproduction("m", 1, [], compare(recorded(), rows, model), packages, runtime, ("c" * 40, ""))
    assert (made.same, made.first_difference) == (False, "train: signature")
    text = reproduced_text(made, recorded())
    assert text.startswith("m:1 was made again, but the model differs.")
    assert "train: signature differs" in text and "numpy was 2.4, here 2.5" in text
    assert "python was 3.13.1, here 3.11.9" in text and "was cccccccccccc, here unknown" in text


def test_a_difference_beside_the_model_is_told_and_the_model_counts() -> None:
    rows, model = made_again(signature="other")
    made = Reproduction("m", 1, [], compare(recorded(), rows, model))
    assert made.same and made.first_difference == "train: signature"


def test_nothing_made_is_not_the_same() -> None:
    rows, _ = made_again()
    made = Reproduction("m", 1, [], compare(recorded(), rows, {}), fault="no usable column is left")
    assert not made.same and Compared("train", "judged ONNX", "twin", "") in made.artifacts
    text = reproduced_text(made, recorded())
    assert text.startswith("m:1 could not be made again.") and "no usable column is left" in text
    assert "not made" not in text and "differs" not in text and "collect" in text and "judged" not in text
    nothing = Reproduction("m", 1, [], compare(recorded(), {}, {}), fault="it ended at once")
    assert nothing.first_difference == "" and "recorded" not in reproduced_text(nothing, recorded())


def test_a_process_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(Fault, match=r"No module named cli\.absent"):
        environment.run("absent", tmp_path, [], 512)


def test_a_process_sees_its_layers_and_not_the_packages_of_this_environment(tmp_path: Path) -> None:
    with pytest.raises(Fault, match="No module named 'modelcycle'"):
        environment.run("reproduction.rows_again", tmp_path, [], 512)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """A model whose version 1 has a lineage of an earlier form."""
    made = Cloud()
    made.ended("deployed", version=1)
    body = json.dumps({"run": {}}).encode()
    artifact = Artifact(uri="s3://artifacts/lineage.json", sha256=sha256(body), bytes=len(body))
    record = version(1).model_copy(update={"lineage": artifact, "created_at": AT})
    made.table.write(Write("VERSION#m", "VERSION#00000001", record.model_dump(mode="json")))
    made.s3.objects["lineage.json"] = body
    monkeypatch.setattr(cli.open_place, "open_place", lambda *names, **settings: made.place)
    return made


@pytest.mark.usefixtures("cloud")
@pytest.mark.parametrize(("words", "told"), [
    (["m"], "reproduce needs a version"), (["m:9"], "m has no version 9"), (["n:1"], "there is no model n"),
    (["m:1"], "m:1 was made before the lineage named every artifact"),
])  # fmt: skip
def test_what_cannot_be_made_again_is_said_in_one_sentence(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reproduce", *words]) == 2
    assert told in capsys.readouterr().err


def test_a_version_with_pseudonyms_is_refused_before_anything_is_fetched(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    personal = {"dni": {"treatment": "pseudonymise"}, "name": {"treatment": "drop"}}
    body = json.dumps({"run": {}, "steps": {}, "data": {"objects": {"personal": personal}}}).encode()
    artifact = Artifact(uri="s3://artifacts/keyed.json", sha256=sha256(body), bytes=len(body))
    cloud.s3.objects["keyed.json"] = body
    record = cloud.table.get("VERSION#m", "VERSION#00000001")
    assert record is not None
    changed = version(1).model_copy(update={"lineage": artifact, "created_at": AT})
    cloud.table.write(Write(*record.key, changed.model_dump(mode="json"), record.revision))
    assert main(["reproduce", "m:1"]) == 2
    told = capsys.readouterr().err
    assert "m:1 has pseudonyms or encrypted columns (dni)" in told and "fetching" not in told


def test_the_code_here_is_named_as_the_deployed_code_names_itself() -> None:
    from cli.reproduce import _code_here
    from infra.local.deployment.code_hash import code_version

    assert _code_here() == code_version(environment.ROOT)
