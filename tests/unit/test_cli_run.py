"""`run` and `runs` against an in-memory place: what they start, what they follow, and their exit status."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import cli.open_place
from cli import start
from cli.console import runnable
from cli.main import main
from cli.place import Place, PlaceName
from modelcycle.registry import Entry, Route, Write
from modelcycle.spec import parse
from tests.memory_place import ARN, AT, COLLECTED, Cloud


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    made = Cloud()
    monkeypatch.setattr(cli.open_place, "open_place", lambda *names, **settings: made.place)
    monkeypatch.setattr("cli.follow.RECORD_TIMEOUT", 0.5)
    monkeypatch.setattr("cli.rollout.FIRST_TRAFFIC_TIMEOUT", 0.5)
    monkeypatch.setattr(start, "UPLOAD_CLAIM_TIMEOUT", 0.5)
    return made


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    (tmp_path / "m.yaml").write_text("name: m\ntarget: y\n")
    (tmp_path / "rows.csv").write_text("a,y\n1,2\n")
    return [str(tmp_path / "m.yaml"), "--data", str(tmp_path / "rows.csv")]


@pytest.mark.parametrize(("state", "status"), [
    ("unchanged", 0), ("awaiting_approval", 0), ("failed", 1), ("refused", 3),
])  # fmt: skip
def test_the_exit_status_says_how_the_run_ended(
    cloud: Cloud, files: list[str], capsys: pytest.CaptureFixture[str], state: str, status: int
) -> None:
    cloud.ended(state, "a reason")
    assert main(["run", *files, "--json"]) == status
    printed = json.loads(capsys.readouterr().out)
    assert (printed["status"], printed["run_id"], printed["model"], printed["reason"]) == (state, "r1", "m", "a reason")


def test_a_run_puts_both_files_into_the_bucket_and_shows_each_step(
    cloud: Cloud, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.ended("deployed", version=1)
    cloud.passed(("Collect", {"collect": COLLECTED}), ("Deploy", {"deploy": {}}))
    cloud.live(v1=100)
    assert main(["run", *files, "--json"]) == 0
    streams = capsys.readouterr()
    assert cloud.s3.objects == {"pipelines/m.yaml": b"name: m\ntarget: y\n", "raw/m/rows.csv": b"a,y\n1,2\n"}
    assert "collect            3 rows   1 file   9 B" in streams.err
    assert "live: version 1 (100 %)" in streams.err
    printed = json.loads(streams.out)
    assert printed["steps"] == [
        {"name": "collect", "status": "done", "seconds": 1.0}, {"name": "deploy", "status": "done", "seconds": 3.5},
    ]  # fmt: skip


@pytest.mark.parametrize(("place", "said"), [("localstack", True), ("local", False)])
def test_a_run_says_what_localstack_leaves_out_of_it(
    cloud: Cloud, files: list[str], capsys: pytest.CaptureFixture[str], place: PlaceName, said: bool
) -> None:
    cloud.ended("unchanged")
    cloud.place.name = place
    assert main(["run", *files, "--json"]) == 0
    progress = capsys.readouterr().err
    assert ("unsigned requests to the API are answered" in progress) is said
    assert ("never start a run" in progress) is said


def test_a_version_is_not_called_live_before_the_route_holds_it(
    cloud: Cloud, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.ended("deployed", version=2)
    cloud.passed(("Deploy", {"deploy": {}}))
    cloud.live(v1=100)
    cloud.states.executions["arn:aws:states:us-east-1:1:execution:rollout:m-v2-r1"] = {"status": "FAILED"}
    assert main(["run", *files]) == 1
    streams = capsys.readouterr()
    assert "The run failed; version 2 is registered, version 1 stays live." in streams.out
    assert "modelcycle promote m:2" in streams.out


def test_a_version_that_gets_traffic_while_it_is_looked_for_is_called_live(
    cloud: Cloud, files: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.ended("deployed", version=2)
    cloud.passed(("Deploy", {"deploy": {}}))
    cloud.live(v2=100)
    moved, reads = cloud.place.registry.routes.get("m"), []

    def route(model: str) -> Route:
        """Return the route before the move, until the move has been read."""
        reads.append(model)
        return Route(weights={1: 100}) if len(reads) < 3 else moved

    monkeypatch.setattr(cloud.place.registry.routes, "get", route)
    monkeypatch.setattr("cli.run.next_steps", lambda place, end: [])
    assert main(["run", *files]) == 0
    streams = capsys.readouterr()
    assert "live: version 2 (100 %)" in streams.err
    assert streams.out.startswith("m:2 is live after")


def test_a_step_without_a_result_has_failed(cloud: Cloud, files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    cloud.ended("failed", "target 'y' is not a column\nm.yaml, line 2\ndid you mean 'a'?", status="FAILED")
    cause = json.dumps({"errorMessage": "target 'y' is not a column\nm.yaml, line 2", "errorType": "TargetMissing"})
    cloud.passed(("Collect", {"error": {"Error": "TargetMissing", "Cause": cause}}))
    assert main(["run", *files]) == 1
    streams = capsys.readouterr()
    assert "collect            target 'y' is not a column" in streams.err
    assert "target 'y' is not a column" in streams.out
    assert "no version is live yet" in streams.out


def test_an_upload_during_a_run_follows_that_run(
    cloud: Cloud, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.ended("unchanged")
    cloud.claim = {"execution": "arn:another", "run_id": "r1", "folded": True}
    assert main(["run", *files]) == 0
    assert "run r1 is in progress and will include this file" in capsys.readouterr().err


def test_the_claim_of_an_earlier_upload_is_not_mistaken_for_this_one(
    cloud: Cloud, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.uploaded("raw/m/rows.csv")  # its record is there before
    assert main(["run", *files]) == 1
    assert "started no run" in capsys.readouterr().err


def test_without_data_the_run_is_requested(cloud: Cloud, files: list[str]) -> None:
    cloud.ended("unchanged")
    assert main(["run", files[0]]) == 2  # no rows were ever uploaded
    cloud.s3.objects["raw/m/old.csv"] = b""
    assert main(["run", files[0]]) == 0
    (event,) = cloud.states.started
    assert (event["detail-type"], event["detail"]["model"]) == ("RunRequested", "m")
    assert event["detail"]["author"] == cloud.place.identity  # nobody approves their own run


@pytest.mark.parametrize("proved", [True, False])
def test_a_run_says_where_nothing_proves_who_has_started_it(
    cloud: Cloud, files: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, proved: bool
) -> None:
    upload = start.put_as_author

    def uploaded(*given: Any, **how: Any) -> bool:
        upload(*given, **how)
        return proved

    monkeypatch.setattr(start, "put_as_author", uploaded)
    cloud.ended("unchanged")
    for command in (files, files[:1]):
        assert main(["run", *command]) == 0
        assert ("nothing proves that you started it" in capsys.readouterr().err) is not proved


def test_ctrl_c_does_not_stop_the_run_and_says_how_to_follow_it(
    cloud: Cloud, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.ended("unchanged")
    cloud.states.interrupt = True
    assert main(["run", *files]) == 130
    assert "modelcycle runs m --follow r1" in capsys.readouterr().err


def test_an_execution_that_ended_without_a_record_is_an_error(
    cloud: Cloud, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    cause = json.dumps({"errorMessage": "the table is gone\nregistry\ndeploy again", "errorType": "Fault"})
    cloud.states.executions[ARN] = {"status": "FAILED", "error": "Fault", "cause": cause}
    assert main(["run", *files]) == 1
    assert "the table is gone" in capsys.readouterr().err


def test_runs_follow_and_show_give_the_same_run(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    cloud.ended("refused", "not better", status="SUCCEEDED")
    cloud.passed(("Collect", {"collect": COLLECTED}))
    assert main(["runs", "m", "--follow", "r1", "--json"]) == 3
    followed = json.loads(capsys.readouterr().out)
    assert main(["show", "m", "--run", "r1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == followed["steps"]
    assert main(["runs", "m"]) == 0
    assert "refused" in capsys.readouterr().out
    assert main(["runs", "m", "--follow", "r2"]) == 2


@pytest.mark.parametrize(
    ("decision", "told"), [("approve", "approved"), ("reject", "rejected"), ("expired", "approval expired")]
)
def test_what_was_decided_after_a_run_is_in_the_lists(
    cloud: Cloud, capsys: pytest.CaptureFixture[str], decision: str, told: str
) -> None:
    cloud.ended("awaiting_approval", "no earlier version", version=1)
    cloud.passed(("Collect", {"collect": COLLECTED}))

    def listed() -> bool:
        assert main(["runs", "m"]) == 0 and main(["models"]) == 0
        lists = capsys.readouterr().out
        assert lists.count(told) in (0, 2) and lists.count("awaiting approval") == 2 - lists.count(told)
        return told in lists

    before = Entry(subject="version 1", decision=decision, by="ann", at=AT - timedelta(hours=1))
    cloud.place.registry.audit.add("m", "0001", before)
    assert not listed(), "of an earlier request"
    cloud.place.registry.audit.add("m", "0002", Entry(subject="version 1", decision=decision, by="ann"))
    assert listed()
    assert main(["show", "m", "--run", "r1"]) == 0
    assert "waited for approval, and was" in capsys.readouterr().out


def test_every_absent_column_is_told_before_the_upload(
    cloud: Cloud, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline, data = tmp_path / "t9.yaml", tmp_path / "rows.csv"
    pipeline.write_text("name: m\ntarget: y\nsensitive_columns: [sex]\nid_columns: [idd]\n")
    data.write_text("id,y\n1,2\n")
    assert main(["run", str(pipeline), "--data", str(data)]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "id_columns names 'idd', which is not a column; sensitive_columns names 'sex'" in told
    assert "t9.yaml: id_columns: idd, sensitive_columns: sex" in told
    assert "for 'idd', did you mean 'id'?" in told and not cloud.s3.objects
    joined = (
        "name: m\ntarget: y\nsensitive_columns: [sex]\n"
        "join: [{name: people, source: {type: s3, prefix: people/}, on: [id]}]\n"
    )
    start.check_upload(data, parse(joined), pipeline)  # another table may have them


def test_a_failed_run_names_the_pipeline_file_that_was_given(
    cloud: Cloud, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.ended("failed", "sex is not a column\npipelines/m.yaml: sensitive_columns: sex\ncolumns: a, y")
    assert main(["run", *files]) == 1
    assert f"{files[0]}: sensitive_columns: sex" in capsys.readouterr().out
    assert main(["show", "m", "--run", "r1"]) == 0
    assert "pipelines/m.yaml in the data bucket: sensitive_columns: sex" in capsys.readouterr().out


BAD_LINES = [
    (["run"], "Missing argument"), (["nonsense"], "nonsense"), (["run", "no.yaml"], "no such pipeline file"),
    (["show", "m:x"], "is not MODEL:VERSION"),
    (["promote", "A b/..?:1"], "is not MODEL:VERSION"), (["approve", "m"], "needs a version"),
    (["run", "--place", "moon"], "moon"),
    (["up", "--place", "aws"], "does not work on AWS"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "sentence"), BAD_LINES)
def test_wrong_use_is_three_lines_and_status_2(
    line: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*line, "--json"]) == 2
    streams = capsys.readouterr()
    assert sentence in streams.err
    assert "Traceback" not in streams.err
    assert json.loads(streams.out).keys() >= {"error", "detail", "remedy"}


def test_all_errors_of_a_pipeline_file_are_shown_with_their_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "m.yaml").write_text("name: m\ntargt: y\ntraining:\n  trials: many\n")
    assert main(["run", str(tmp_path / "m.yaml"), "--json"]) == 2
    streams = capsys.readouterr()
    assert "line 2: unknown key targt, did you mean target?" in streams.err
    assert "line 4: training.trials" in streams.err
    assert len(json.loads(streams.out)["errors"]) == 3


def test_the_traceback_is_shown_only_with_debug(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "no.yaml"]) == 2
    assert "Traceback" not in capsys.readouterr().err
    assert main(["run", "no.yaml", "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_a_bug_is_one_sentence_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(*names: Any, **settings: Any) -> Place:
        raise RuntimeError("oh")

    monkeypatch.setattr(cli.open_place, "open_place", broken)
    assert main(["models"]) == 1
    message = capsys.readouterr().err
    assert "RuntimeError: oh" in message
    assert "Traceback" not in message


def test_an_upload_that_is_too_late_for_the_run_in_progress_follows_the_next_run(
    cloud: Cloud, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.ended("unchanged")
    cloud.passed(("ConcludeUnchanged", {"conclude": {"folded": 1}}))
    cloud.claim = {"execution": "arn:another", "run_id": "r1", "folded": True}
    first = cloud.table.get("RUN#m", "RUN#r1").body
    later = first | {"run": first["run"] | {"run_id": "r2", "execution": "arn:later"}, "state": "refused"}
    cloud.table.write(
        Write("RUN#m", "RUN#r2", later), Write("EXECUTION#arn:later", "RUN", {"model": "m", "run_id": "r2"})
    )
    cloud.states.executions["arn:later"] = {"status": "SUCCEEDED"}
    assert main(["run", *files, "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["run_id"] == "r2"


def test_command_lines_are_printed_so_that_they_run_in_this_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("sys.argv", [str(tmp_path / ".venv/bin/modelcycle"), "run"])
    assert runnable("`modelcycle runs m`, not a/modelcycle x") == "`.venv/bin/modelcycle runs m`, not a/modelcycle x"
    monkeypatch.setattr("sys.argv", ["/x/pytest"])
    assert runnable("modelcycle runs m") == "modelcycle runs m"


def test_a_place_that_stops_answering_is_three_lines(
    cloud: Cloud, files: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from botocore.exceptions import EndpointConnectionError

    def gone(**words: Any) -> None:
        raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1/")

    cloud.ended("unchanged")
    monkeypatch.setattr(cloud.states, "describe_execution", gone)
    assert main(["run", *files]) == 1
    error, where, to_do = capsys.readouterr().err.splitlines()[-3:]
    assert (error, where) == ("error    the place does not answer", "where    http://127.0.0.1:1/")
    assert "reuses the results of an interrupted one" in to_do


@pytest.mark.parametrize(("rows", "word"), [
    ("a,Y\n1,2\n", "did you mean 'Y'"), ("a,b\n1,2\n", "columns: a, b"),
    ("\n\n", "is empty"), ("1,2\n3,4\n", "holds data"),
])  # fmt: skip
def test_an_unusable_header_is_reported_before_anything_is_uploaded(
    cloud: Cloud, files: list[str], capsys: pytest.CaptureFixture[str], rows: str, word: str
) -> None:
    Path(files[-1]).write_text(rows)
    assert main(["run", *files, "--json"]) == 2
    printed = json.loads(capsys.readouterr().out)
    assert word in f"{printed['detail']} {printed['remedy']}" and cloud.s3.objects == {}


def test_blank_lines_before_the_header_are_skipped(cloud: Cloud, files: list[str]) -> None:
    Path(files[-1]).write_text("\n\r\na,y\n1,2\n")
    cloud.ended("unchanged")
    assert main(["run", *files]) == 0


@pytest.mark.parametrize("replace", [False, True])
def test_replace_keeps_only_the_new_file_and_touches_no_other_model(
    cloud: Cloud, files: list[str], replace: bool
) -> None:
    cloud.s3.objects |= {"raw/m/odd.csv": b"", "raw/m/rows.csv": b"old", "raw/mm/odd.csv": b""}
    cloud.ended("unchanged")
    assert main(["run", *files, *["--replace"] * replace]) == 0
    assert ("raw/m/odd.csv" in cloud.s3.objects) is not replace
    assert cloud.s3.objects["raw/m/rows.csv"] == b"a,y\n1,2\n" and "raw/mm/odd.csv" in cloud.s3.objects


@pytest.mark.parametrize("key", ["raw/m/rows.csv", "raw/m/other-name.csv"])
def test_a_file_from_which_somebody_was_erased_is_refused_before_its_upload(
    cloud: Cloud, files: list[str], capsys: pytest.CaptureFixture[str], key: str
) -> None:
    body = Path(files[-1]).read_bytes()
    was, now = hashlib.sha256(body).hexdigest(), hashlib.sha256(b"a,y\n").hexdigest()
    cloud.place.registry.erasures.rewrite("m", cloud.place.output("DataBucket"), key, was, now)
    assert main(["run", *files]) == 2
    told = capsys.readouterr().err
    assert "it would bring back rows that were erased from m" in told and "take the rows out of it" in told
    assert not [name for name in cloud.s3.objects if name.startswith("raw/")]
    Path(files[-1]).write_bytes(body + b"3,4\n")
    cloud.ended("unchanged")
    assert main(["run", *files]) == 0


def test_replace_without_rows_is_wrong_use(cloud: Cloud, files: list[str]) -> None:
    assert main(["run", files[0], "--replace"]) == 2


@pytest.mark.parametrize(("where", "offered"), [("raw/m/odd.csv, line 2", True), ("raw/m/", False), ("", False)])
def test_a_failed_run_says_how_to_replace_the_file(
    cloud: Cloud, files: list[str], capsys: pytest.CaptureFixture[str], where: str, offered: bool
) -> None:
    cloud.ended("failed", f"what is wrong\n{where}\nwhat to do")
    assert main(["run", *files]) == 1
    assert ("--replace" in capsys.readouterr().out) is offered
