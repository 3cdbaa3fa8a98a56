"""The command line and the project's own stack: a new file, from `init` to decisions about its model."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cli.main import main

MODEL = "fruit"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of 900 rows that determine the sort of a fruit, with column names as people write them."""
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


@pytest.mark.usefixtures("project_variables")
class TestTheLifecycleOfAModel:
    """In this order: each test uses what the previous ones have left."""

    def test_a_model_of_a_new_file_goes_live(self, folder: Path, run: Any) -> None:
        pipeline = folder / "fruit.yaml"
        assert run("init", "--data", str(folder / "fruit.csv"), "--out", str(pipeline))["target"] == "sort"
        answer = run("run", str(pipeline), "--data", str(folder / "fruit.csv"))
        assert (answer["status"], answer["version"]) == ("deployed", 1)
        assert [step["name"] for step in answer["steps"]][-1] == "deploy"
        assert all(step["status"] == "done" and step["seconds"] is not None for step in answer["steps"])
        assert answer["metrics"]["accuracy"] > 0.8

    def test_a_second_run_changes_nothing(self, folder: Path, run: Any) -> None:
        answer = run("run", str(folder / "fruit.yaml"))
        assert answer["status"] == "unchanged"
        assert any(step["status"] == "cached" for step in answer["steps"])
        assert run("show", MODEL)["champion"] == 1

    def test_a_broken_file_fails_the_run_but_not_the_model_and_replace_helps(self, folder: Path, run: Any) -> None:
        header = (folder / "fruit.csv").read_text().partition("\n")[0]
        (folder / "broken.csv").write_text(header + "\n" + "1;2\n" * 100)
        answer = run("run", str(folder / "fruit.yaml"), "--data", str(folder / "broken.csv"), status=1)
        assert answer["status"] == "failed" and "broken.csv" in answer["reason"]
        assert run("show", MODEL)["champion"] == 1
        again = run("run", str(folder / "fruit.yaml"), "--data", str(folder / "fruit.csv"), "--replace")
        assert again["status"] == "unchanged"

    def test_each_row_gets_a_prediction(self, folder: Path, run: Any) -> None:
        answer = run("predict", MODEL, "--data", str(folder / "fruit.csv"))
        assert (answer["model"], answer["version"], len(answer["predictions"])) == (MODEL, 1, 900)
        sorts = [line.rpartition(";")[2] for line in (folder / "fruit.csv").read_text().splitlines()[1:]]
        assert sum(sort == prediction for sort, prediction in zip(sorts, answer["predictions"], strict=True)) > 720

    @pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
    def test_the_printed_curl_line_works_as_pasted(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["run", str(folder / "fruit.yaml")]) == 0
        screen = capsys.readouterr().out
        line = screen[screen.index("curl") : screen.index("details")]
        answer = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60, check=True)
        assert json.loads(answer.stdout)["predictions"][0] in ("apple", "plum", "melon")

    def test_models_versions_and_runs_are_shown(self, run: Any, capsys: pytest.CaptureFixture[str]) -> None:
        assert [model["champion"] for model in run("models")["models"] if model["model"] == MODEL] == [1]
        answer = run("show", f"{MODEL}:1")
        assert answer["standing"]["state"] == "live"
        assert {planned["column"] for planned in answer["plan"]["columns"]} >= {"weight (g)", "=colour", "sweet/sour"}
        runs = run("runs", MODEL)["runs"]
        assert run("show", MODEL, "--run", runs[-1]["run"]["run_id"])["status"] == "deployed"
        for words in (["models"], ["show", MODEL], ["show", f"{MODEL}:1"], ["runs", MODEL], ["status"]):
            assert main(words) in (0, 1)
            assert "Traceback" not in capsys.readouterr().err

    def test_monitor_checks_a_model_on_request(self, run: Any) -> None:
        answer = run("monitor", MODEL)
        assert [(one["kind"], one["version"], one["state"]) for one in answer["windows"]] == [
            ("day", 1, "ok"), ("hour", 1, "ok"),
        ]  # fmt: skip
        listed = run("monitor", MODEL, "--window", "7d")["windows"]
        assert [one["window"] for one in listed] == [answer["windows"][0]["window"]]

    def test_a_decision_that_the_state_forbids_is_refused(self, run: Any) -> None:
        assert run("rollback", MODEL, status=3)["error"] == "NotAllowed"
        assert run("approve", f"{MODEL}:9", status=2)["error"] == "Unknown"
        assert run("predict", "nobody", "--data", __file__.replace(".py", ".none"), status=2)["error"] == "NoData"

    def test_a_wrong_target_fails_the_run_and_not_the_live_model(self, folder: Path, run: Any) -> None:
        wrong = folder / "wrong.yaml"
        wrong.write_text("name: fruit\ntarget: sorts\n")
        answer = run("run", str(wrong), status=1)
        assert answer["status"] == "failed"
        assert "'sorts' is not a column" in answer["reason"]
        assert run("show", MODEL)["champion"] == 1
