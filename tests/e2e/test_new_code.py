"""New code gets traffic once it has answered as it should; until then, and without it, the code before it serves."""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.delivery.accept_answers import accept_answers, put_back
from infra.local import cloud as local
from infra.local.faults import CodeRefused
from infra.local.ports import free_port
from tests.e2e.conftest import ROOT, CloudSite, keep_used_permissions
from tests.e2e.observed_model import ObservedModel, wait_for
from tests.e2e.signed_request import predict

pytestmark = pytest.mark.delivery

MODEL = "sour-plums"
CHECKED = ("Predict", "Decide")
APP = "functions/predict/app.py"
SCORER = "layers/modelcycle/modelcycle/model/scoring.py"


class OwnProject:
    """A copy of the project, which a test may change, and its stack with a live model."""

    def __init__(self, folder: Path, like: CloudSite) -> None:
        self.root = folder / "project"
        for name in ("functions", "governance", "layers", "statemachines", "infra"):
            shutil.copytree(ROOT / name, self.root / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        shutil.copy(ROOT / "template.yaml", self.root)
        home = folder / "home"
        home.mkdir()
        (like.home / "layers").mkdir(exist_ok=True)
        (home / "layers").symlink_to(like.home / "layers")
        self.site = CloudSite(home.resolve(), free_port(), self.root / "template.yaml")
        self.cloud = self.site.up()
        self.texts: dict[Path, str] = {}

    def change(self, file: str, old: str, new: str) -> None:
        """Replace a text in a file, until `mend`."""
        path = self.root / file
        before = path.read_text()
        assert old in before
        self.texts.setdefault(path, before)
        path.write_text(before.replace(old, new))

    def mend(self) -> None:
        """Undo all changes."""
        for path, text in self.texts.items():
            path.write_text(text)
        self.texts.clear()

    def serving(self) -> dict[str, tuple[str, str]]:
        """Return the version that serves of each checked function, and the hash of its code."""
        functions = self.cloud.admin.client("lambda")
        pages = functions.get_paginator("list_functions").paginate()
        names = [function["FunctionName"] for page in pages for function in page["Functions"]]
        serving = {}
        for step in CHECKED:
            (name,) = (name for name in names if name.startswith(f"modelcycle-{step}-"))
            version = functions.get_alias(FunctionName=name, Name="live")["FunctionVersion"]
            configuration = functions.get_function_configuration(FunctionName=name, Qualifier=version)
            serving[step] = version, configuration["CodeSha256"]
        return serving

    def codes(self) -> dict[str, str]:
        """Return the hash of the code that serves of every function."""
        functions = self.cloud.admin.client("lambda")
        return {
            function["FunctionName"]: functions.get_function_configuration(
                FunctionName=function["FunctionName"], Qualifier="live"
            )["CodeSha256"]
            for page in functions.get_paginator("list_functions").paginate()
            for function in page["Functions"]
        }


@pytest.fixture(scope="module")
def own(
    project: CloudSite, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[OwnProject]:
    own = OwnProject(tmp_path_factory.mktemp("code"), project)
    try:
        model = ObservedModel(own.cloud, MODEL)
        model.put_pipeline()
        model.upload("first.csv")
        model.wait_for_runs()
        wait_for(lambda: model.weights() == {1: 100}, 60, lambda: f"{model.runs()[0]}")
        yield own
    finally:
        local.down(home=own.site.home)
        keep_used_permissions(own.site.home, request.config, "new-code")


@contextlib.contextmanager
def asked(own: OwnProject) -> Iterator[Counter[str]]:
    """Ask for predictions all the time; counts the answers, and the errors by their text."""
    instances = [
        {
            "=weight (g)": 40.5,
            "größe": 5.25,
            'the "kind"': "Mirabelle",
            "picked.on": "2025-06-07",
            "washed/peeled": "yes",
        },
        {"=weight (g)": None, "größe": 1.0, 'the "kind"': None, "picked.on": None, "washed/peeled": "no"},
    ]
    first = predict(own.cloud, MODEL, instances)
    counted: Counter[str] = Counter()
    ended = threading.Event()

    def ask() -> None:
        while not ended.wait(0.02):
            try:
                answer = predict(own.cloud, MODEL, instances)
                is_same = answer["probabilities"] == first["probabilities"]
                counted["answered" if is_same else "answered otherwise"] += 1
            except Exception as error:
                counted[repr(error)] += 1

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield counted
    finally:
        ended.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize(
    ("file", "old", "new", "reason"),
    [
        (APP, "logger = Logger(", 'raise RuntimeError("import")\nlogger = Logger(', "fails with RuntimeError"),
        (APP, "    try:\n        logger.", "    event['path'].nothing\n    try:\n        logger.", "AttributeError"),
        (SCORER, "return [signature.classes[code]", "return [signature.classes[1 - code]", "answered otherwise"),
        (
            "layers/modelcycle/modelcycle/govern/decision_request.py",
            "    if errors:\n        raise",
            "    if False:\n        raise",
            "a decision without a version: it answers",
        ),
    ],
    ids=["raises on import", "raises in the handler", "answers wrongly", "decides what nobody may"],
)  # fmt: skip
def test_broken_code_never_gets_traffic(own: OwnProject, file: str, old: str, new: str, reason: str) -> None:
    before, codes = own.serving(), own.codes()
    own.change(file, old, new)
    try:
        with asked(own) as counted, pytest.raises(CodeRefused) as caught:
            own.site.up()
        assert reason in caught.value.what
        assert caught.value.remedy
        assert own.serving() == before  # the same versions, not only the same code
        assert own.codes() == codes  # and the other functions run what they ran
        assert set(counted) == {"answered"}
        assert counted["answered"] > 10
    finally:
        own.mend()
    lines: list[str] = []
    own.site.up(lines)
    assert not any("asking" in line for line in lines), "what serves is what is here: nothing is deployed"


def test_code_that_answers_as_before_gets_the_traffic_and_no_request_fails(own: OwnProject) -> None:
    before = own.serving()
    own.change(APP, "logger = Logger(", "# changed\nlogger = Logger(")
    lines: list[str] = []
    with asked(own) as counted:
        own.site.up(lines)
    after = own.serving()
    assert after["Predict"][1] != before["Predict"][1]
    assert all(int(after[step][0]) > int(before[step][0]) for step in CHECKED)
    assert any("passed: 50 rows of 1 model" in line for line in lines), lines
    assert set(counted) == {"answered"}


def test_a_deployment_that_was_killed_before_the_check_is_checked_by_the_next(
    own: OwnProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = own.serving()
    own.change(APP, "logger = Logger(", "# changed again\nlogger = Logger(")

    def killed(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("infra.local.deployment.deploy.move_traffic", killed)
        with pytest.raises(KeyboardInterrupt):
            own.site.up()
    assert own.serving() == before
    lines: list[str] = []
    own.site.up(lines)
    assert any("Predict: traffic moved" in line for line in lines), lines
    assert own.serving()["Predict"] > before["Predict"]


def test_a_live_model_that_no_code_can_serve_stops_no_release(own: OwnProject) -> None:
    onnx = ObservedModel(own.cloud, MODEL).registry.versions.get(MODEL, 1).onnx
    bucket, _, key = onnx.uri.removeprefix("s3://").partition("/")
    local.down(home=own.site.home)  # no process has the model in memory
    own.cloud = own.site.up()
    s3 = own.cloud.admin.client("s3")
    found = s3.get_object(Bucket=bucket, Key=key)
    body = found["Body"].read()
    before, lines = own.serving(), list[str]()
    s3.delete_object(Bucket=bucket, Key=key)
    try:
        own.change(APP, "logger = Logger(", "# changed a third time\nlogger = Logger(")
        own.site.up(lines)
    finally:
        s3.put_object(Bucket=bucket, Key=key, Body=body, Metadata=found["Metadata"])
    assert any("it answers 503 instead of 200; so does the code before it" in line for line in lines), lines
    assert own.serving()["Predict"] > before["Predict"]


def test_answers_that_change_on_purpose_are_accepted_by_a_person_and_no_others(own: OwnProject) -> None:
    own.change(SCORER, "return [signature.classes[code]", "return [signature.classes[1 - code]")
    with pytest.raises(CodeRefused, match="answered otherwise than on record"):
        own.site.up()
    accept_answers(own.cloud.admin, own.cloud.outputs, MODEL, 1, "a repair")
    lines: list[str] = []
    own.site.up(lines)
    assert any("version 1 has no answers on record" in line for line in lines), lines
    assert any("Predict: traffic moved" in line for line in lines), lines
    put_back(own.cloud.admin, own.cloud.outputs, MODEL, 1)
    own.change(APP, "logger = Logger(", "# changed after the repair\nlogger = Logger(")
    own.site.up(lines := [])
    assert any("so does the code before it" in line for line in lines), lines
    own.change(SCORER, "signature.classes[1 - code]", "signature.classes[0]")
    with pytest.raises(CodeRefused, match="answered otherwise than on record"):
        own.site.up()
    own.mend()
