"""The command line against the project's own stack: a file that nobody has seen, from `init` to `rollback`."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cli.main import main
from infra.local import cloud as local
from tests.e2e.conftest import Place

MODEL = "fruit"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """900 rows of which the sort of a fruit can be told; column names as people write them."""
    folder = tmp_path_factory.mktemp("fruit")
    draw = random.Random(7)
    rows = ["weight (g);=colour;sweet/sour;picked;sort"]
    for number in range(900):
        sort = draw.choice(["apple", "plum", "melon"])
        weight = {"apple": 150, "plum": 40, "melon": 1500}[sort] * draw.uniform(0.7, 1.3)
        colour = draw.choice({"apple": ["red", "green"], "plum": ["blue", "red"], "melon": ["yellow", "green"]}[sort])
        taste = "?" if number % 50 == 0 else draw.choice(["sweet", "sour"])
        rows.append(f"{weight:.1f};{colour};{taste};2026-0{1 + number % 9}-1{number % 10};{sort}")
    (folder / "fruit.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture
def here(real_place: Place, cloud: local.Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELCYCLE_HOME", str(real_place.home))
    monkeypatch.setenv("MODELCYCLE_PORT", str(real_place.port))


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Any:
    def said(*words: str, status: int = 0) -> dict[str, Any]:
        """The JSON object of a command line, which has to end with `status`."""
        assert main([*words, "--json"]) == status, capsys.readouterr().err
        told: dict[str, Any] = json.loads(capsys.readouterr().out)
        return told

    return said


@pytest.mark.usefixtures("here")
class TestTheLifeOfAModel:
    """In this order: each test stands on what the one before has left."""

    def test_a_file_that_nobody_has_seen_goes_live(self, folder: Path, say: Any) -> None:
        pipeline = folder / "fruit.yaml"
        assert say("init", "--data", str(folder / "fruit.csv"), "--out", str(pipeline))["target"] == "sort"
        told = say("run", str(pipeline), "--data", str(folder / "fruit.csv"))
        assert (told["status"], told["version"]) == ("deployed", 1)
        assert [step["name"] for step in told["steps"]][-1] == "deploy"
        assert all(step["status"] == "done" and step["seconds"] is not None for step in told["steps"])
        assert told["metrics"]["accuracy"] > 0.8

    def test_the_same_again_changes_nothing(self, folder: Path, say: Any) -> None:
        told = say("run", str(folder / "fruit.yaml"))
        assert told["status"] == "unchanged"
        assert any(step["status"] == "cached" for step in told["steps"])
        assert say("show", MODEL)["champion"] == 1

    def test_a_broken_file_stops_the_run_but_not_the_model_and_replace_is_the_way_out(
        self, folder: Path, say: Any
    ) -> None:
        header = (folder / "fruit.csv").read_text().partition("\n")[0]
        (folder / "odd.csv").write_text(header + "\n" + "1;2\n" * 100)
        told = say("run", str(folder / "fruit.yaml"), "--data", str(folder / "odd.csv"), status=1)
        assert told["status"] == "failed" and "odd.csv" in told["reason"]
        assert say("show", MODEL)["champion"] == 1
        again = say("run", str(folder / "fruit.yaml"), "--data", str(folder / "fruit.csv"), "--replace")
        assert again["status"] == "unchanged"

    def test_it_answers_for_each_row(self, folder: Path, say: Any) -> None:
        told = say("predict", MODEL, "--data", str(folder / "fruit.csv"))
        assert (told["model"], told["version"], len(told["predictions"])) == (MODEL, 1, 900)
        truth = [line.rpartition(";")[2] for line in (folder / "fruit.csv").read_text().splitlines()[1:]]
        right = sum(one == other for one, other in zip(truth, told["predictions"], strict=True))
        assert right > 720

    @pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
    def test_the_printed_curl_line_works_as_pasted(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["run", str(folder / "fruit.yaml")]) == 0
        screen = capsys.readouterr().out
        line = screen[screen.index("curl") : screen.index("details")]
        answer = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60, check=True)
        assert json.loads(answer.stdout)["predictions"][0] in ("apple", "plum", "melon")

    def test_what_is_on_record_can_be_looked_at(self, say: Any, capsys: pytest.CaptureFixture[str]) -> None:
        assert [one["champion"] for one in say("models")["models"] if one["model"] == MODEL] == [1]
        told = say("show", f"{MODEL}:1")
        assert told["standing"]["state"] == "live"
        assert {one["column"] for one in told["plan"]["columns"]} >= {"weight (g)", "=colour", "sweet/sour"}
        runs = say("runs", MODEL)["runs"]
        assert say("show", MODEL, "--run", runs[-1]["run"]["run_id"])["status"] == "deployed"
        for words in (["models"], ["show", MODEL], ["show", f"{MODEL}:1"], ["runs", MODEL], ["status"]):
            assert main(words) in (0, 1)
            assert "Traceback" not in capsys.readouterr().err

    def test_the_monitor_looks_when_it_is_asked(self, say: Any) -> None:
        told = say("monitor", MODEL)
        assert told.keys() >= {"model", "version", "window", "rows", "drifted", "degraded", "estimated", "realized"}

    def test_a_decision_that_the_state_forbids_is_refused(self, say: Any) -> None:
        assert say("rollback", MODEL, status=3)["error"] == "NotAllowed"
        assert say("approve", f"{MODEL}:9", status=2)["error"] == "Unknown"
        assert say("predict", "nobody", "--data", __file__.replace(".py", ".none"), status=2)["error"] == "NoData"

    def test_a_wrong_target_fails_and_leaves_the_live_model_as_it_was(self, folder: Path, say: Any) -> None:
        wrong = folder / "wrong.yaml"
        wrong.write_text("name: fruit\ntarget: sorts\n")
        told = say("run", str(wrong), status=1)
        assert told["status"] == "failed"
        assert "'sorts' is not a column" in told["reason"]
        assert say("show", MODEL)["champion"] == 1
