"""`modelcycle policy`: the screens of policies, and the check of a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cli import open_place
from cli.console import DONE, WRONG_USE
from cli.main import main
from cli.options import Options
from cli.policy import policy
from infra.local.deployment.code_hash import policies_hash
from modelcycle.faults import BadPolicy
from modelcycle.policy import parse_policy
from modelcycle.registry import Entry, keys
from tests.memory_place import Cloud
from tests.unit.test_approvals import ANN, BOB, FIGURES
from tests.unit.traffic_cycle import Cycle

ROOT = Path(__file__).resolve().parents[2]
FIGURES_OF_RUN = b'{"gates.passed": 1, "data.unreadable": 0.2}'


def test_a_file_with_errors_is_refused_with_all_of_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("name: ab\nversion: 1\nmodels: [a]\nrisk: high\nrules: [{name: b}]\n")
    assert main(["policy", "--check", str(file)]) == WRONG_USE
    told = capsys.readouterr().err
    assert "line 4: unknown key risk" in told and "line 5: rules.0.figure is required" in told
    assert "Traceback" not in told and "modelcycle policy --schema" in told
    file.write_text("name: ab\nversion: 1\nmodels: [a]\n")
    assert main(["policy", "--check", str(file)]) == DONE
    assert "is a policy without errors: ab, version 1, 0 rules" in capsys.readouterr().out
    assert main(["policy", "--check", str(tmp_path / "none.yaml")]) == WRONG_USE
    assert main(["policy", "m", "--schema"]) == WRONG_USE
    assert "MODEL and --schema ask for different things" in capsys.readouterr().err


MANY = """name: credit
version: 1
models: [credit-*]
risk_teir: high
rules:
  - {name: good, figure: gate.passed, remedy: x}
  - {name: good, figure: gates.passed, at_least: 2, at_most: 1, remedy: x}
freeze:
  - {name: a, from: 2026-12-20, until: 2026-12-01, time_zone: Mars/Base, may_override: [bosses]}
  - {name: b, from: fri 18:00, until: 02-30}
groups: {auditors: ['arn:aws:iam::*:user/ann']}
groups: {auditors: ['arn:aws:iam::*:user/bob']}
permissions: |
  permit (principal, action, resource);

  forbid (principal in Group::"nobody", action == Action::"approve", resource)
  when { context.own_runn && principal.alne };
  permit (principal, action == Action::"aprove", resource);
  permit principal;
"""


def test_a_check_names_every_error_of_a_file_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(MANY)
    assert main(["policy", "--check", str(file)]) == WRONG_USE
    told = [line.strip() for line in capsys.readouterr().err.splitlines()]
    for line in (
        "line 4: unknown key risk_teir, did you mean risk_tier?",
        "line 6: rules.0: give at_least, at_most, both of them, or equals alone",
        "line 6: rules.0.figure: no run measures gate.passed, did you mean gates.passed?",
        "line 7: rules.1: at_least is above at_most", "line 7: two rules are called 'good'",
        "line 9: freeze.0: until is before from", "line 9: there is no group 'bosses' under groups",
        "line 9: freeze.0.time_zone: a time zone is expected, such as Europe/Berlin or UTC",
        "line 12: groups is duplicated", "line 16: permissions: there is no group 'nobody' under groups",
        "line 18: permissions: unrecognized action `Action::\"aprove\"`",
        "line 19: permissions: this is not Cedar: unexpected token `principal`",
    ):  # fmt: skip
        assert line in told, line
    assert sum(line.startswith("line 16: permissions: attribute") for line in told) == 2
    assert any(line.startswith("line 10: freeze.1.until: a moment is expected") for line in told)
    assert len(told) == len(set(told)) and sum(line.startswith("line ") for line in told) == 15


@pytest.mark.parametrize(
    "text",
    ["rules: 3\n", "rules: [3, {name: a}]\n", "freeze: {a: b}\n", "groups: [a]\npermissions: 7\n", "- a\n", "a: [\n"],
)
def test_a_file_of_another_shape_is_refused_in_one_sentence(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(text)
    assert main(["policy", "--check", str(file)]) == WRONG_USE
    assert "Traceback" not in capsys.readouterr().err


def test_a_name_that_is_no_text_is_an_error_of_its_own_and_is_not_written_out() -> None:
    lists = "\n".join(f"x{n}: &x{n} [{', '.join(['*x' + str(n - 1)] * 10)}]" for n in range(1, 25))
    text = f"x0: &x0 [a]\n{lists}\nrules:\n- name: *x24\n- name: *x24\n"  # as a text, 10^24 characters
    with pytest.raises(BadPolicy) as raised:
        parse_policy(text)
    sentences = [sentence for _, sentence in raised.value.errors]
    assert any(sentence.startswith("rules.0.name") for sentence in sentences)
    assert not any("two rules" in sentence for sentence in sentences)


def test_a_check_refuses_what_a_deployment_would_beside_the_other_policies(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "governance"
    folder.mkdir()
    (folder / "rents.yaml").write_text("name: rents\nversion: 1\nmodels: [rents]\n")
    (folder / "broken.yaml").write_text("name: [\n")
    options = Options("local", "dev", as_json=False)
    for checked, name, models, told in (
        (folder / "two.yaml", "two", "rents", "rents.yaml and two.yaml are both for the models rents"),
        (tmp_path / "two.yaml", "rents", "rent-*", "both called rents"),
    ):
        checked.write_text(f"name: {name}\nversion: 1\nmodels: [{models}]\n")
        with pytest.raises(BadPolicy, match=told):
            policy(None, checked, False, False, options, folder)
        checked.unlink()
    changed = tmp_path / "rents.yaml"  # a draft of the file of that name
    changed.write_text("name: rents\nversion: 2\nmodels: [rents]\n")
    assert policy(None, changed, False, False, options, folder) == DONE


def test_schema_and_figures_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "--schema"]) == DONE
    assert {"rules", "approvals", "freeze", "permissions"} <= json.loads(capsys.readouterr().out)["properties"].keys()
    assert main(["policy", "--figures", "--json"]) == DONE
    printed = json.loads(capsys.readouterr().out)
    assert "fairness.selection_rate.ratio_low" in printed["figures"] and "card" in printed["evidence"]
    assert main(["policy"]) == DONE
    assert "governance/default.yaml" in capsys.readouterr().out


class Place:
    """A model with a live version, one that waits, and a run that was governed; in memory."""

    def __init__(self, cloud: Cloud, cycle: Cycle) -> None:
        cycle.live()
        figures = {name: value for name, value in FIGURES.items() if name != "gates.passed"}
        low = cycle.store.put("m/low.json", json.dumps(figures | {"gates.passed": 0}).encode())
        self.waiting = cycle.staged("awaiting_approval", author=ANN)
        cycle.registry.routes.promote("m", cycle.staged(figures=low), 100, "run r")
        run = cycle.store.put("m/runs/r1/govern/figures.json", FIGURES_OF_RUN)
        entry = Entry(
            subject="run r1", decision="passed", by="policy default",
            evidence={"policy": {"name": "default"}, "figures": run.model_dump()},
        )  # fmt: skip
        cycle.registry.audit.add("m", keys.decision_in_run("r1", "govern"), entry)
        cloud.place.__dict__["registry"] = cycle.registry
        cloud.place.outputs["Policies"] = policies_hash(ROOT)
        cloud.s3.objects.update(cycle.store.objects)


@pytest.fixture
def place(cycle: Cycle, monkeypatch: pytest.MonkeyPatch) -> Place:
    cloud = Cloud()
    monkeypatch.setattr(open_place, "open_place", lambda *_, **__: cloud.place)
    monkeypatch.setattr("cli.place.Place.check_model", lambda *_: None)
    return Place(cloud, cycle)


def test_the_policy_of_a_model_with_the_figures_of_its_newest_run(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["policy", "m"]) == DONE
    screen = capsys.readouterr().out
    for words in (
        "m: policy default, version 1", "1 of 6 rules hold for run r1", "data.unreadable", "0.200",
        "not measured", "it keeps its traffic, but would get none today: version 3 no longer meets policy default",
        f"m:{place.waiting}     0 of 1", "ann",
    ):  # fmt: skip
        assert words in screen, words
    assert "other policies than these files" not in screen
    assert main(["policy", "m", "--json"]) == DONE
    printed: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert printed["deployed"] and printed["run"] == "r1" and len(printed["rules"]) == 6
    assert [one["version"] for one in printed["waiting"]] == [place.waiting] and BOB not in str(printed)


def test_why_the_newest_run_was_refused(place: Place, cycle: Cycle, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "m"]) == DONE
    assert "  refused  " not in capsys.readouterr().out
    why = "evidence that policy strict requires is missing: datasheet"
    entry = Entry(subject="run r2", decision="refused", by="policy strict", why=why, evidence={"policy": {}})
    cycle.registry.audit.add("m", keys.decision_in_run("r2", "govern"), entry)
    assert main(["policy", "m"]) == DONE
    assert why in " ".join(capsys.readouterr().out.split())
    assert main(["policy", "m", "--json"]) == DONE
    assert json.loads(capsys.readouterr().out)["refused"] == why
