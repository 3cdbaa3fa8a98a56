"""A version is made again from its lineage, in another folder and with a new environment."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from cli.main import main
from infra.local.cloud import LocalCloud

pytestmark = pytest.mark.usefixtures("project_variables")
MODEL = "again"
KEY = f"raw/{MODEL}/rows 1.csv"
PIPELINE = """
name: again
target: "sold?"
training: {trials: 2, refit: all, algorithms: [hist_gradient_boosting, linear]}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of 700 rows with missing values and odd names."""
    folder = tmp_path_factory.mktemp("again")
    draw = random.Random(3)
    rows = ["price in $,größe,when,sold?"]
    for number in range(700):
        price = draw.uniform(1, 100)
        size = draw.choice(["S", "M", "L", ""])
        sold = draw.random() < (0.8 if price < 40 or size == "L" else 0.2)
        shown = "" if number % 40 == 0 else f"{price:.2f}"
        rows.append(f"{shown},{size},2026-0{1 + number % 9}-1{number % 10},{'yes' if sold else 'no'}")
    (folder / "rows 1.csv").write_text("\n".join(rows) + "\n")
    (folder / "again.yaml").write_text(PIPELINE)
    return folder


def test_the_same_bytes_come_out_in_another_folder_with_a_new_environment(
    folder: Path, tmp_path: Path, run: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = run("run", str(folder / "again.yaml"), "--data", str(folder / "rows 1.csv"))
    assert answer["status"] == "deployed", answer["reason"]
    assert answer["cost"]["gb_seconds"] > 1
    made = run("reproduce", f"{MODEL}:1", "--folder", str(tmp_path / "elsewhere"))
    assert made["same"] and made["fault"] == "" and made["packages"] == {}
    assert [artifact["name"] for artifact in made["artifacts"] if not artifact["same"]] == []
    assert {artifact["name"] for artifact in made["artifacts"]} >= {"judged ONNX", "served ONNX", "train", "plan"}
    served = next(artifact for artifact in made["artifacts"] if artifact["name"] == "served ONNX")
    assert served["made"] == run("show", f"{MODEL}:1")["onnx"]["sha256"]
    assert list((tmp_path / "elsewhere" / "environment" / "layers").iterdir())
    assert main(["show", MODEL, "--run", answer["run_id"]]) == 0
    screen = capsys.readouterr().out
    assert "GB-seconds" in screen and "gates.beats_baseline" in screen and "predicted yes" in screen


def test_a_file_that_is_gone_is_named(cloud: LocalCloud, run: Any) -> None:
    """A changed byte is tested in tests/unit: here, a changed upload would start a run."""
    s3, bucket = cloud.admin.client("s3"), cloud.outputs["DataBucket"]
    version = s3.list_object_versions(Bucket=bucket, Prefix=KEY)["Versions"][0]["VersionId"]
    s3.delete_object(Bucket=bucket, Key=KEY, VersionId=version)
    gone = run("reproduce", f"{MODEL}:1", status=1)
    assert (gone["same"], gone["files"][0]["found"], gone["first_difference"]) == (False, "", KEY)
