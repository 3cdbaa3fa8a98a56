"""The recipes of docs/clients run as they stand; public clients with default settings get the model's scores."""

from __future__ import annotations

import csv
import gzip
import http.client
import io
import json
import os
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from infra.local.clients import REGION
from infra.local.cloud import LocalCloud
from tests.e2e.conftest import ROOT, CloudSite
from tests.e2e.observed_model import ObservedModel
from tests.e2e.signed_request import predict

MODEL = "adult-income"
ROWS = 3000
PAGES = ROOT / "docs" / "clients"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
ROW = {
    "age": 39, "workclass": "State-gov", "fnlwgt": 77516, "education": "Bachelors", "education_num": 13,
    "marital_status": "Never-married", "occupation": "Adm-clerical", "relationship": "Not-in-family",
    "capital_gain": 2174, "capital_loss": 0, "hours_per_week": 40, "native_country": "United-States",
}  # fmt: skip


class Recipes(NamedTuple):
    """The example model on the cloud, and what its clients need."""

    variables: dict[str, str]
    folder: Path
    scores: list[float]

    def run(self, page: str, command: list[str], name: str, language: str) -> str:
        """Run the blocks of a page as one program; return what it prints."""
        blocks = [text for kind, text in BLOCK.findall((PAGES / page).read_text()) if kind == language]
        assert blocks
        program = self.folder / name
        program.write_text("\n".join(blocks))
        return self.run_program([*command, str(program)])

    def run_program(self, command: list[str]) -> str:
        done = subprocess.run(
            command, env=self.variables, cwd=self.folder, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def assert_scores_in(self, printed: str) -> None:
        """Both probabilities are printed, to six digits."""
        for score in self.scores:
            assert f"{score:.6f}"[:-1] in printed, (self.scores, printed)


@pytest.fixture(scope="module")
def clients() -> str:
    """The Python of the environment that has the public clients."""
    python = ROOT / "build" / "clients" / "bin" / "python"
    made = subprocess.run(["make", "build/clients/stamp"], cwd=ROOT, capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"the public clients of requirements-clients.txt cannot be installed: {made.stderr[-500:]}")
    return str(python)


@pytest.fixture(scope="module")
def recipes(cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Recipes:
    """A model of the first rows of the example data, under its name."""
    model = ObservedModel(cloud, MODEL)
    s3, bucket = model.client("s3"), cloud.outputs["DataBucket"]
    pipeline = (ROOT / "pipelines" / f"{MODEL}.yaml").read_text() + "\ntraining: {trials: 2}\n"
    s3.put_object(Bucket=bucket, Key=f"pipelines/{MODEL}.yaml", Body=pipeline.encode())
    with gzip.open(ROOT / "examples" / "data" / "adult.csv.gz", "rt") as file:
        rows = [row for row, _ in zip(csv.reader(file), range(ROWS + 1), strict=False)]
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    s3.put_object(Bucket=bucket, Key=f"raw/{MODEL}/first.csv", Body=text.getvalue().encode())
    model.wait_for_runs()
    model.wait_until_live()
    key, secret, *_ = cloud.operator.credentials()
    variables = {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path_factory.mktemp("home")),
        "MODELCYCLE_API": cloud.outputs["ApiUrl"],
        "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_REGION": REGION,
    }  # fmt: skip
    scores = predict(cloud, MODEL, [ROW])["probabilities"][0]
    return Recipes(variables, tmp_path_factory.mktemp("recipes"), list(scores.values()))


@pytest.fixture(scope="module")
def page(recipes: Recipes, project: CloudSite) -> Iterator[str]:
    """The address of `modelcycle api`, which signs."""
    variables = os.environ | {"MODELCYCLE_HOME": str(project.home), "MODELCYCLE_PORT": str(project.port)}
    command = [sys.executable, "-m", "cli.main", "api", MODEL, "--json", "--no-browser"]
    process = subprocess.Popen(command, env=variables, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    lines = iter(process.stdout.readline, "")
    text = ""
    for line in lines:
        text += line
        if line.rstrip() == "}":
            break
    yield json.loads(text)["page"].rstrip("/")
    process.terminate()
    process.wait(10)


def test_requests(recipes: Recipes, clients: str) -> None:
    printed = recipes.run("requests.md", [clients], "with_requests.py", "python")
    recipes.assert_scores_in(printed)
    assert printed.splitlines()[-1] == "500 gzip"


def test_kserves_client_with_its_default_settings(recipes: Recipes, clients: str) -> None:
    recipes.assert_scores_in(recipes.run("httpx-kserve.md", [clients], "with_kserve.py", "python"))


def test_tritons_client_with_its_default_settings(recipes: Recipes, clients: str, page: str) -> None:
    recipes.variables["MODELCYCLE_PAGE"] = page
    first, second = recipes.run("tritonclient.md", [clients], "with_triton.py", "python").splitlines()
    assert first == second
    for score in recipes.scores:
        assert str(score)[:6] in first


TRITON = """
import json, os, sys
import numpy as np
import tritonclient.http as triton

row = json.loads(sys.argv[1])
client = triton.InferenceServerClient(os.environ["MODELCYCLE_PAGE"].removeprefix("http://"))
metadata = client.get_model_metadata("adult-income", "1")
inputs = []
for tensor in metadata["inputs"]:
    value = row[tensor["name"]]
    dtype = np.object_ if tensor["datatype"] == "BYTES" else triton_dtype(tensor["datatype"])
    made = triton.InferInput(tensor["name"], [2, 1], tensor["datatype"])
    made.set_data_from_numpy(np.array([[value], [value]], dtype=dtype))
    inputs.append(made)
outputs = [triton.InferRequestedOutput("probabilities"), triton.InferRequestedOutput("version", binary_data=False)]
answer = client.infer(
    "adult-income", inputs, model_version="1", outputs=outputs, request_id="7",
    request_compression_algorithm="gzip", response_compression_algorithm="deflate",
)
live = client.is_server_live() and client.is_server_ready() and client.is_model_ready("adult-income", "1")
try:
    client.infer("adult-income", inputs, model_version="99")
    refused = ""
except triton.InferenceServerException as error:
    refused = error.message()
print(json.dumps({
    "scores": answer.as_numpy("probabilities").tolist(), "versions": answer.as_numpy("version").tolist(),
    "id": answer.get_response()["id"], "live": live, "other": client.is_model_ready("adult-income", "99"),
    "extensions": client.get_server_metadata()["extensions"], "refused": refused,
}))
""".replace('triton_dtype(tensor["datatype"])', "{'FP64': np.float64, 'BOOL': np.bool_}[tensor['datatype']]")


def test_tritons_client_with_a_version_outputs_and_compression(recipes: Recipes, clients: str, page: str) -> None:
    recipes.variables["MODELCYCLE_PAGE"] = page
    told: dict[str, Any] = json.loads(recipes.run_program([clients, "-c", TRITON, json.dumps(ROW)]))
    assert told["scores"] == [pytest.approx(recipes.scores)] * 2 and told["versions"] == [1, 1] and told["id"] == "7"
    assert told["live"] and not told["other"] and told["extensions"] == ["binary_tensor_data"]
    assert "no such version" in told["refused"]


def test_binary_tensors_without_a_media_type_arrive_as_they_were_sent(recipes: Recipes, cloud: LocalCloud) -> None:
    """Fails without `patches.take_bodies_without_media_type_as_json`: the bytes of FP64 are no UTF-8."""
    head: dict[str, Any] = {"inputs": []}
    data = b""
    for name, value in ROW.items():
        text = str(value).encode()
        encoded = struct.pack("<I", len(text)) + text if isinstance(value, str) else struct.pack("<d", value - 0.1)
        datatype = "BYTES" if isinstance(value, str) else "FP64"
        size = {"binary_data_size": len(encoded)}
        head["inputs"].append({"name": name, "shape": [1], "datatype": datatype, "parameters": size})
        data += encoded
    row = {name: value if isinstance(value, str) else value - 0.1 for name, value in ROW.items()}
    expected = predict(cloud, MODEL, [row])["probabilities"][0]
    text = json.dumps(head).encode()
    url = f"{cloud.outputs['ApiUrl']}/v2/models/{MODEL}/infer"
    signed = AWSRequest("POST", url, data=text + data)
    SigV4Auth(Credentials(*cloud.operator.credentials()), "execute-api", REGION).add_auth(signed)
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)  # urllib would name a media type
    headers = dict(signed.headers) | {"Inference-Header-Content-Length": str(len(text))}
    connection.request("POST", parts.path, text + data, headers)
    answer = json.loads(connection.getresponse().read())
    connection.close()
    assert answer["outputs"][1]["data"] == list(expected.values())


def test_curl(recipes: Recipes) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed: the recipe docs/clients/curl.md did not run")
    printed = recipes.run("curl.md", ["bash", "-euo", "pipefail"], "with_curl.sh", "bash")
    recipes.assert_scores_in(printed)
    assert printed.count('"probabilities":') == 2 and '"inputs"' in printed
    assert '{"model":"adult-income","outcomes":1,"kept":"feedback/adult-income/' in printed.replace(" ", "")


def test_javascript(recipes: Recipes) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js is not installed: the recipe docs/clients/javascript.md did not run")
    recipes.assert_scores_in(recipes.run("javascript.md", [node], "with_node.mjs", "javascript"))


def test_every_page_is_run_by_a_test_and_asks_the_same_row() -> None:
    pages = {page.name for page in PAGES.glob("*.md")} - {"README.md"}
    assert pages == {"requests.md", "httpx-kserve.md", "tritonclient.md", "curl.md", "javascript.md"}
    for name in pages:
        text = (PAGES / name).read_text()
        assert all(f'"{value}"' in text or f" {value}" in text for value in ROW.values())
