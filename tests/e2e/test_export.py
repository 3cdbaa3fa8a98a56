"""An exported version is accepted by the public verifier, and answers in MLflow as it does here."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cli.main import main
from cli.mlflow_model.copy import made_up_rows
from infra.local.cloud import LocalCloud
from modelcycle.model.columns import Texts
from modelcycle.model.signature import Signature
from modelcycle.signing import signed_files
from tests.e2e.conftest import ROOT
from tests.e2e.observed_model import ObservedModel
from tests.e2e.signed_request import predict

pytestmark = [pytest.mark.delivery, pytest.mark.usefixtures("project_variables")]

MODEL = "exported"
IN_MLFLOW = """
import json, sys, mlflow, pandas
rows = pandas.DataFrame(json.load(open(sys.argv[2])))
answers = mlflow.pyfunc.load_model(sys.argv[1]).predict(rows)
print(json.dumps(answers.to_dict(orient="list")))
"""


@pytest.fixture(scope="module")
def verifiers() -> Path:
    """The programs of the environment with the public tools."""
    made = subprocess.run(["make", "build/verifiers/stamp"], cwd=ROOT, capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"requirements-verifiers.txt cannot be installed: {made.stderr[-500:]}")
    return ROOT / "build" / "verifiers" / "bin"


@pytest.fixture(scope="module")
def model(cloud: LocalCloud) -> ObservedModel:
    live = ObservedModel(cloud, MODEL)
    live.put_pipeline()
    live.upload("first.csv")
    live.wait_for_runs()
    live.wait_until_live()
    return live


def is_accepted(verifiers: Path, folder: Path) -> bool:
    """Return what `model_signing verify key` says of a folder."""
    done = subprocess.run(
        [verifiers / "model_signing", "verify", "key", folder, "--signature", folder / "model.sig", "--public_key",
         folder / "public-key.pem"], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Verification" in done.stdout + done.stderr, done.stdout + done.stderr
    return done.returncode == 0


def test_the_public_verifier_accepts_a_version_and_no_other_byte(
    model: ObservedModel, verifiers: Path, run: Any, tmp_path: Path
) -> None:
    folder, draw = tmp_path / "version", random.Random(3)
    assert run("export", MODEL, "--to", str(folder))["checked"] == "signed"
    assert is_accepted(verifiers, folder)
    for file in sorted(folder.iterdir()):
        if file.name == "public-key.pem":
            continue
        body = file.read_bytes()
        place = draw.randrange(len(body)) if file.name != "model.sig" else body.index(b'"payload"') + 40
        file.write_bytes(body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :])
        assert not is_accepted(verifiers, folder), file.name
        file.write_bytes(body)
    (folder / "another").write_text("not signed")
    assert not is_accepted(verifiers, folder)


def test_mlflow_answers_as_predict_does(
    model: ObservedModel, cloud: LocalCloud, verifiers: Path, run: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "mlflow"
    made = run("export", f"{MODEL}:1", "--to", str(folder), "--mlflow")
    assert made["files"] == ["MLmodel", "model.onnx", "python_env.yaml", "requirements.txt"]
    version = model.registry.versions.get(MODEL, 1)
    s3 = model.client("s3")
    body = s3.get_object(Bucket=cloud.outputs["ArtifactBucket"], Key=version.signature.uri.split("/", 3)[3])["Body"]
    signature = Signature.model_validate_json(body.read())
    instances = signature.instances(made_up_rows(signature))  # with dates and words as a request has them
    columns = signature.read(instances).values
    rows = {
        name: [*values.strings()] if isinstance(values, Texts) else values.astype(float).tolist()
        for name, values in columns.items()
    }  # fmt: skip
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    command = [verifiers / "python", "-W", "ignore", "-c", IN_MLFLOW, folder, tmp_path / "rows.json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answers, expected = json.loads(done.stdout), predict(cloud, MODEL, instances)
    assert answers["prediction"] == expected["predictions"]
    for name in signature.classes:
        here = [one[name] for one in expected["probabilities"]]
        assert answers[f"probability of {name}"] == pytest.approx(here, abs=1e-6)


def test_a_changed_file_is_not_exported(
    model: ObservedModel, cloud: LocalCloud, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = signed_files(model.registry.versions.get(MODEL, 1))["card.md"].uri.split("/", 3)[3]
    s3, bucket = cloud.admin.client("s3"), cloud.outputs["ArtifactBucket"]
    body = s3.get_object(Bucket=bucket, Key=card)["Body"].read()
    s3.put_object(Bucket=bucket, Key=card, Body=body + b" ")
    try:
        assert main(["export", MODEL, "--to", str(tmp_path / "version")])
        assert "card.md" in capsys.readouterr().err
        assert not list(tmp_path.iterdir()), "nothing half written stays"
    finally:
        s3.put_object(Bucket=bucket, Key=card, Body=body)
