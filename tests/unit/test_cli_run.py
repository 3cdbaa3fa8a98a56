"""`run` and its like against a place that is made up: what is started, what is followed, what status comes out."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import cli.place
from cli import start
from cli.main import main
from cli.place import Credentials, Place
from modelcycle.messages import Artifact, Run, Trigger
from modelcycle.registry import Record, Route, RunRecord, Write

AT = datetime(2026, 1, 1, tzinfo=UTC)
ARTIFACT = Artifact(uri="s3://artifacts/x", sha256="0" * 64, bytes=1)
ARN = "arn:aws:states:us-east-1:1:execution:lifecycle:e1"
COLLECTED = {
    "schema": 1, "manifest": ARTIFACT.model_dump(), "shards": [], "quarantine": None, "columns": 2, "objects": 1,
    "bytes": 9, "rows": 3, "quarantined": 0, "cached": False,
}  # fmt: skip


class ClientError(Exception):
    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.response = {"Error": {"Code": code}}


class Gone(ClientError):
    pass


class Table:
    """The registry's table in memory."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], Record] = {}

    def read(self, pk: str, sk: str) -> Record | None:
        return self.records.get((pk, sk))

    def query(self, pk: str, prefix: str = "", *, newest_first: bool = False, limit: int | None = None) -> list[Record]:
        found = sorted(
            (record for (one, sk), record in self.records.items() if one == pk and sk.startswith(prefix)),
            key=lambda record: record.sk, reverse=newest_first,
        )  # fmt: skip
        return found[:limit]

    def write(self, *writes: Write) -> None:
        for write in writes:
            self.records[write.pk, write.sk] = Record(write.pk, write.sk, write.body, write.revision + 1)


class S3:
    class exceptions:  # noqa: N801
        ClientError = ClientError

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.objects: dict[str, bytes] = {}

    def put_object(self, *, Bucket: str, Key: str, Body: Any, **rest: Any) -> None:  # noqa: N803
        self.objects[Key] = Body if isinstance(Body, bytes) else Body.read()
        if Key.startswith("raw/"):
            self.cloud.uploaded(Key)

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        if Key not in self.objects:
            raise ClientError("NoSuchKey")
        return {"Body": io.BytesIO(self.objects[Key])}

    def list_objects_v2(self, *, Prefix: str, **rest: Any) -> dict[str, Any]:  # noqa: N803
        return {"KeyCount": sum(key.startswith(Prefix) for key in self.objects)}


class States:
    class exceptions:  # noqa: N801
        ExecutionDoesNotExist = Gone

    def __init__(self) -> None:
        self.executions: dict[str, dict[str, Any]] = {}
        self.events: dict[str, list[dict[str, Any]]] = {}
        self.started: list[dict[str, Any]] = []
        self.interrupt = False

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:  # noqa: N803
        if self.interrupt:
            raise KeyboardInterrupt
        if executionArn not in self.executions:
            raise Gone("ExecutionDoesNotExist")
        return {"startDate": AT, "stopDate": AT + timedelta(seconds=5)} | self.executions[executionArn]

    def get_execution_history(self, *, executionArn: str, **rest: Any) -> dict[str, Any]:  # noqa: N803
        return {"events": self.events.get(executionArn, [])[::-1]}

    def start_execution(self, *, input: str, **rest: Any) -> dict[str, Any]:  # noqa: A002
        self.started.append(json.loads(input))
        return {"executionArn": ARN}


class Cloud:
    """A place whose runs end as a test wants it."""

    def __init__(self) -> None:
        self.table, self.states, self.s3 = Table(), States(), S3(self)
        self.claim: dict[str, Any] = {"execution": ARN, "run_id": "r1", "folded": False}
        outputs = {
            "DataBucket": "data", "ArtifactBucket": "artifacts", "RegistryTable": "registry", "LifecycleArn": "arn:l",
            "RolloutArn": "arn:aws:states:us-east-1:1:stateMachine:rollout", "ApiUrl": "http://127.0.0.1:1/api",
        }  # fmt: skip
        self.place = Place("local", self, outputs, Credentials("KEY", "SECRET"), endpoint="http://127.0.0.1:1")
        self.place.__dict__["registry"] = registry_of(self.table)

    def client(self, service: str, **settings: Any) -> Any:
        return {"s3": self.s3, "stepfunctions": self.states}[service]

    def uploaded(self, key: str) -> None:
        self.table.write(Write("MODEL#m", f"UPLOAD#{key}#0001", self.claim))

    def ended(self, state: str, reason: str = "", version: int | None = None, status: str = "SUCCEEDED") -> None:
        run = Run(
            model="m", run_id="r1", execution=ARN, started_at=AT,
            trigger=Trigger(kind="upload", detail="raw/m/rows.csv"), pipeline=ARTIFACT,
        )  # fmt: skip
        record = RunRecord.model_validate(
            {"run": run, "state": state, "reason": reason, "version": version, "ended_at": AT + timedelta(seconds=4)}
        )
        self.table.write(
            Write("MODELS", "m", {}), Write("MODEL#m", "RUN#r1", record.model_dump(mode="json")),
            Write(f"EXECUTION#{ARN}", "RUN", {"model": "m", "run_id": "r1"}),
        )  # fmt: skip
        self.states.executions[ARN] = {"status": status}

    def passed(self, *visits: tuple[str, dict[str, Any]]) -> None:
        """The history of the execution: each state with what it adds to the flow's state."""
        state: dict[str, Any] = {}
        events: list[dict[str, Any]] = []
        for number, (name, adds) in enumerate(visits):
            state |= adds
            at = AT + timedelta(seconds=number)
            events += [
                {"id": 2 * number + 1, "timestamp": at, "stateEnteredEventDetails": {"name": name}},
                {"id": 2 * number + 2, "timestamp": at + timedelta(seconds=1),
                 "stateExitedEventDetails": {"name": name, "output": json.dumps(state)}},
            ]  # fmt: skip
        self.states.events[ARN] = events

    def live(self, **weights: int) -> None:
        route = Route(weights={int(version[1:]): weight for version, weight in weights.items()}, moves=1)
        move = {
            "number": 1, "kind": "promoted", "at": (AT + timedelta(seconds=4.5)).isoformat(), "by": "run r1", "why": "",
            "before": {}, "after": route.weights,
        }  # fmt: skip
        self.table.write(
            Write("MODEL#m", "ROUTE", route.model_dump(mode="json")), Write("MODEL#m", "MOVE#00000001", move)
        )


def registry_of(table: Table) -> Any:
    from modelcycle.registry import Registry

    return Registry(table)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    made = Cloud()
    monkeypatch.setattr(cli.place, "find", lambda *words, **more: made.place)
    monkeypatch.setattr("cli.follow.LAST_WORD", 0.5)
    monkeypatch.setattr("cli.follow.GOING_LIVE", 0.5)
    monkeypatch.setattr(start, "LONGEST_WAIT", 0.5)
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
    told = json.loads(capsys.readouterr().out)
    assert (told["status"], told["run_id"], told["model"], told["reason"]) == (state, "r1", "m", "a reason")


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
    told = json.loads(streams.out)
    assert told["steps"] == [
        {"name": "collect", "status": "done", "seconds": 1.0}, {"name": "deploy", "status": "done", "seconds": 3.5},
    ]  # fmt: skip


def test_a_version_is_not_called_live_before_the_route_holds_it(
    cloud: Cloud, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.ended("deployed", version=2)
    cloud.passed(("Deploy", {"deploy": {}}))
    cloud.live(v1=100)
    cloud.states.executions["arn:aws:states:us-east-1:1:execution:rollout:m-v2"] = {"status": "FAILED"}
    assert main(["run", *files]) == 1
    streams = capsys.readouterr()
    assert "The run failed; version 2 is registered, version 1 stays live." in streams.out
    assert "modelcycle promote m:2" in streams.out


def test_a_step_that_left_no_result_has_failed(
    cloud: Cloud, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.ended("failed", "target 'y' is not a column\nm.yaml, line 2\ndid you mean 'a'?", status="FAILED")
    cause = json.dumps({"errorMessage": "target 'y' is not a column\nm.yaml, line 2", "errorType": "TargetMissing"})
    cloud.passed(("Collect", {"error": {"Error": "TargetMissing", "Cause": cause}}))
    assert main(["run", *files]) == 1
    streams = capsys.readouterr()
    assert "collect            target 'y' is not a column" in streams.err
    assert "target 'y' is not a column" in streams.out
    assert "no version is live yet" in streams.out


def test_a_folded_upload_follows_the_run_that_holds_the_model(
    cloud: Cloud, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.ended("unchanged")
    cloud.claim = {"execution": "arn:another", "run_id": "r1", "folded": True}
    assert main(["run", *files]) == 0
    assert "folded into run r1, which will see this file too" in capsys.readouterr().err


def test_a_claim_of_an_earlier_upload_is_not_taken_for_this_one(
    cloud: Cloud, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.uploaded("raw/m/rows.csv")  # its record is there before
    assert main(["run", *files]) == 1
    assert "started no run" in capsys.readouterr().err


def test_without_data_the_run_is_asked_for(cloud: Cloud, files: list[str]) -> None:
    cloud.ended("unchanged")
    assert main(["run", files[0]]) == 2  # no rows were ever uploaded
    cloud.s3.objects["raw/m/old.csv"] = b""
    assert main(["run", files[0]]) == 0
    assert [(one["detail-type"], one["detail"]["model"]) for one in cloud.states.started] == [("RunRequested", "m")]


def test_ctrl_c_leaves_the_run_going_and_says_how_to_follow_it(
    cloud: Cloud, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.ended("unchanged")
    cloud.states.interrupt = True
    assert main(["run", *files]) == 130
    assert "modelcycle runs m --follow r1" in capsys.readouterr().err


def test_an_execution_that_ended_without_a_record_is_a_fault(
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


BAD_LINES = [
    (["run"], "Missing argument"), (["nonsense"], "nonsense"), (["run", "no.yaml"], "no such pipeline file"),
    (["show", "m:x"], "is not MODEL:VERSION"), (["approve", "m"], "is about one version"),
    (["run", "--place", "moon"], "moon"),
    (["up", "--place", "aws"], "for the embedded cloud"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "said"), BAD_LINES)
def test_wrong_use_is_three_lines_and_status_2(line: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*line, "--json"]) == 2
    streams = capsys.readouterr()
    assert said in streams.err
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


def test_the_traceback_comes_with_debug_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "no.yaml"]) == 2
    assert "Traceback" not in capsys.readouterr().err
    assert main(["run", "no.yaml", "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_a_fault_of_the_program_is_one_sentence_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*words: Any, **more: Any) -> Place:
        raise RuntimeError("oh")

    monkeypatch.setattr(cli.place, "find", broken)
    assert main(["models"]) == 1
    said = capsys.readouterr().err
    assert "RuntimeError: oh" in said
    assert "Traceback" not in said
