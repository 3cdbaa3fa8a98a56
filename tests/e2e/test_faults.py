"""Kills and repeats: whatever ends in the middle or comes twice, the registry is that of an undisturbed run."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from infra.local import cloud as local
from infra.local import emulator
from tests.contract.conductor import _filled, _path, flow
from tests.e2e.conftest import ROOT, Place, free_port
from tests.e2e.watch import Watch, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds the processes of functions in /proc")
WITHIN = 240.0  # seconds; on a busy machine the first import of a layer takes many
INSTANCE = {"=weight (g)": 30.5, "größe": 9, 'the "kind"': None, "picked.on": "2025-07-01", "washed/peeled": "yes"}


class Mortal:
    """A cloud that a test may kill; its layers, and what Python made of them, are those of the other tests' cloud."""

    def __init__(self, home: Path, like: Path) -> None:
        home.mkdir()
        for shared in ("layers", "pycache"):
            (like / shared).mkdir(exist_ok=True)
            (home / shared).symlink_to(like / shared)
        self.place = Place(home.resolve(), free_port(), ROOT / "template.yaml")
        self.cloud = self.place.up()

    def watch(self, model: str) -> Watch:
        return Watch(self.cloud, model)

    def kill(self) -> None:
        """SIGKILL, and its functions with it: on a laptop that is switched off nothing lives on."""
        running = emulator.find(self.place.home)
        assert running
        os.kill(running.pid, signal.SIGKILL)
        while emulator.find(self.place.home):
            time.sleep(0.02)
        for pid, _ in processes(self.cloud):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def kill_and_start(self) -> None:
        self.kill()
        self.cloud = self.place.up()

    def save(self) -> None:
        """What the keeper does every two seconds."""
        running = emulator.find(self.place.home)
        assert running
        emulator.save(running)


@pytest.fixture(scope="module")
def mortal(real_place: Place, cloud: local.Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mortal]:
    mortal = Mortal(tmp_path_factory.mktemp("mortal") / "home", real_place.home)
    yield mortal
    local.down(home=mortal.place.home)


@pytest.fixture(scope="module")
def calm(cloud: local.Cloud) -> Watch:
    """An undisturbed run."""
    watch = Watch(cloud, "serene-plums")
    watch.pipeline()
    watch.upload("plums.csv")
    watch.settled(seconds=WITHIN)
    watch.live()
    return watch


def test_a_function_that_is_killed_is_tried_again(mortal: Mortal, calm: Watch) -> None:
    """Each function of the cycle loses its first process, one as it starts, the next as it works."""
    watch = mortal.watch("hunted-plums")
    with hunting(mortal.cloud) as killed:
        watch.pipeline()
        watch.upload("plums.csv")
        newest = watch.settled(seconds=WITHIN)[0]
        watch.live(seconds=60)
    assert newest.state == "deployed", newest
    assert killed == CYCLE
    same(essence(watch), essence(calm))


def test_an_execution_that_is_stopped_ends_its_run_and_gives_the_lease_back(mortal: Mortal) -> None:
    """By the rule on its status, since an execution that is stopped passes no Catch."""
    watch = mortal.watch("halted-plums")
    watch.pipeline()
    watch.upload("plums.csv")
    reached(watch, "Collect")
    (record,) = watch.runs()
    watch.client("stepfunctions").stop_execution(executionArn=record.run.execution)
    until(lambda: watch.runs()[0].state == "failed", 30)
    assert "stopped by a person" in watch.runs()[0].reason
    assert lease(watch)["run_id"] == ""
    watch.upload("plums.csv")
    assert watch.settled(runs=2, seconds=WITHIN)[0].state == "deployed"


def test_a_cloud_that_is_killed_in_the_middle_of_a_run_loses_nothing(mortal: Mortal, calm: Watch) -> None:
    """Killed in Train; the run that takes over is killed in Stage; the third one finds a version that nobody serves."""
    mortal.watch("hunted-plums").live()
    watch = mortal.watch("felled-plums")
    watch.pipeline()
    watch.upload("plums.csv")
    reached(watch, "Train")
    mortal.save()
    mortal.kill_and_start()
    assert predicted(mortal.cloud, "hunted-plums") == 1

    watch = mortal.watch("felled-plums")
    assert [record.state for record in watch.runs()] == ["running"]
    watch.upload("plums.csv")
    reached(watch, "Stage")
    mortal.kill_and_start()

    watch = mortal.watch("felled-plums")
    runs = len(watch.runs())
    watch.upload("plums.csv")
    last, *dead = watch.settled(runs=runs + 1, seconds=WITHIN)
    assert last.state == "deployed"
    reason = "its execution ended without reporting a result"
    assert {(record.state, record.reason) for record in dead} == {("failed", reason)}
    assert taken_over(watch, last.run.execution) >= {"collect", "preprocess", "engineer_features"}
    assert [version.version for version in watch.registry.versions.all(watch.model)] == [watch.live()] == [1]
    assert lease(watch)["run_id"] == ""
    # what a version says of its run is said of the run that made it
    assert [line for line in essence(watch) if line.startswith(("ROUTE", "MOVE", "STATE", "LATEST", "LEASE"))] == [
        line for line in essence(calm) if line.startswith(("ROUTE", "MOVE", "STATE", "LATEST", "LEASE"))
    ]


def test_every_event_that_comes_twice_changes_nothing(calm: Watch) -> None:
    """Each task's very input, through the alias that the flow calls; where the registry is written, twice at once."""
    before = records(calm)
    given = [*inputs(calm, "LifecycleArn", "lifecycle"), *inputs(calm, "RolloutArn", "rollout")]
    assert {name for name, _, _ in given} >= {"Claim", "RunTrial", "Register", "ConcludeDeployed", "Move"}
    functions = calm.client("lambda")

    def deliver(alias: str, event: Any) -> dict[str, Any]:
        answer = functions.invoke(FunctionName=alias, Payload=json.dumps(event).encode())
        return {"error": answer.get("FunctionError")} | {"told": json.loads(answer["Payload"].read())}

    with ThreadPoolExecutor(2) as both:
        for name, alias, event in given:
            at_once = both.map if name in {"Claim", "Register", "Move", "ConcludeDeployed"} else map
            one, other = at_once(deliver, [alias, alias], [event, event])
            assert one["error"] is other["error"] is None, (name, one, other)
    assert records(calm) == before


def test_a_request_to_train_again_that_comes_twice_starts_once(calm: Watch) -> None:
    event = json.loads((ROOT / "events" / "retrain.json").read_text())
    event["detail"] |= {"model": calm.model, "id": "twice"}
    described = calm.cloud.admin.client("lambda").list_functions()["Functions"]
    retrain = next(one["FunctionName"] for one in described if "-Retrain-" in one["FunctionName"])
    told = [
        json.loads(
            calm.client("lambda")
            .invoke(FunctionName=f"{retrain}:live", Payload=json.dumps(event).encode())["Payload"]
            .read()
        )["done"]
        for _ in range(2)
    ]
    assert told == ["started", "was started before"]
    assert calm.settled(runs=2, seconds=WITHIN)[0].state == "unchanged"


CYCLE = {
    "Claim", "Collect", "Preprocess", "EngineerFeatures", "PlanTrials", "RunTrial", "SelectModel", "ScoreCandidate",
    "Validate", "Govern", "Register", "Stage", "Deploy", "Conclude",
}  # fmt: skip


def running(watch: Watch) -> list[str]:
    return [e["executionArn"] for e in watch.executions() if e["status"] == "RUNNING"]


def reached(watch: Watch, state: str) -> None:
    """Until the run of the model that is under way has entered a state."""
    states = watch.client("stepfunctions")
    end = time.monotonic() + WITHIN
    while time.monotonic() < end:
        for execution in running(watch):
            events = states.get_execution_history(executionArn=execution, maxResults=1000)["events"]
            if any(event.get("stateEnteredEventDetails", {}).get("name") == state for event in events):
                return
        time.sleep(0.03)
    raise AssertionError(f"{state} was not reached: {watch.runs()}")


def processes(cloud: local.Cloud) -> Iterator[tuple[int, str]]:
    """The processes of a cloud's functions: pid, and the function's name in the template."""
    ours = f"AWS_ENDPOINT_URL={cloud.endpoint}".encode()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                told = (folder / "environ").read_bytes().split(b"\0")
                name = next((t for t in told if t.startswith(b"AWS_LAMBDA_FUNCTION_NAME=modelcycle-")), None)
                if name and ours in told:
                    yield int(folder.name), name.decode().split("-")[1]


@contextlib.contextmanager
def hunting(cloud: local.Cloud) -> Iterator[set[str]]:
    """Kills the first process of each function of the cycle; gives the names of those that lost one."""
    killed: set[str] = set()
    seen: dict[int, float] = {}
    over = threading.Event()

    def hunt() -> None:
        while not over.wait(0.01):
            for pid, name in processes(cloud):
                lives = time.monotonic() - seen.setdefault(pid, time.monotonic())
                # some die before their handler is loaded, some in the middle of their work, some idle after it
                if name in CYCLE - killed and lives >= 0.4 * (len(name) % 3):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                        killed.add(name)

    hunter = threading.Thread(target=hunt, daemon=True)
    hunter.start()
    try:
        yield killed
    finally:
        over.set()
        hunter.join()


def inputs(watch: Watch, output: str, name: str) -> list[tuple[str, str, Any]]:
    """State, alias and input of each function that the model's first execution of a flow has called."""
    states = watch.client("stepfunctions")
    oldest = watch.executions(output)[-1]["executionArn"]
    described = states.describe_execution(executionArn=oldest)
    machine = json.loads(states.describe_state_machine(stateMachineArn=watch.cloud.outputs[output])["definition"])
    assert machine["States"].keys() == flow(name)["States"].keys()
    name_of_it = oldest.rpartition(":")[2]
    context = {"Execution": {"Id": oldest, "Name": name_of_it, "StartTime": described["startDate"].isoformat()}}
    found = []
    for event in states.get_execution_history(executionArn=oldest, maxResults=1000)["events"]:
        entered = event.get("stateEnteredEventDetails")
        if not entered:
            continue
        state, data = machine["States"][entered["name"]], json.loads(entered["input"])
        if state["Type"] == "Map":
            ((inner, task),) = state["ItemProcessor"]["States"].items()
            for item in _path(state["ItemsPath"], data, context):
                within = context | {"Map": {"Item": {"Value": item}}}
                found.append((inner, task["Resource"], _filled(state["ItemSelector"], data, within)))
        elif ":lambda:" in state.get("Resource", ""):
            given = _filled(state["Parameters"], data, context) if "Parameters" in state else data
            found.append((entered["name"], state["Resource"], given))
    return found


def taken_over(watch: Watch, execution: str) -> set[str]:
    """The steps of an execution that an earlier run had done."""
    output = json.loads(watch.client("stepfunctions").describe_execution(executionArn=execution)["output"])
    return {step for step, told in output.items() if isinstance(told, dict) and told.get("cached")}


def lease(watch: Watch) -> dict[str, Any]:
    record = watch.registry.table.get(f"MODEL#{watch.model}", "LEASE")
    assert record
    return record.body


def records(watch: Watch) -> dict[str, Any]:
    """All that the registry holds of a model but the told events."""
    found = watch.registry.table.query(f"MODEL#{watch.model}")
    return {record.sk: record.body for record in found if not record.sk.startswith("EVENT#")}


def essence(watch: Watch, of: str | None = None) -> list[str]:
    """The registry without what no two runs share: names, times, ids, hashes, the time that something took."""
    told = []
    for record in watch.registry.table.query(f"MODEL#{watch.model}"):
        body = dict(record.body)
        if record.sk.startswith("EVENT#"):
            kind = body["kind"]
            if of is None:
                told.append(f"EVENT {kind}")
            continue
        if of and record.sk.startswith(("RUN#", "UPLOAD#")) and body.get("run_id", record.sk[4:]) != of:
            continue
        text = f"{record.sk} {json.dumps(body, sort_keys=True)}"
        for pattern, instead in (
            (r"\d{8}T\d{9}-[0-9a-f]{4}", "RUN"),
            (r"[0-9a-f]{32,64}", "HASH"),
            (r"code [0-9a-f]{12}", "code"),
            (r"\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)", "TIME"),
            (r"arn:aws:states:[\w:.-]+", "EXECUTION"),
            (r"#[0-9A-F]{18}", "#SEQUENCER"),
            (r'"(seconds|p50_ms|p99_ms|bytes)": [\d.]+', r'"\1": 0'),
            (r'"(cached|created)": (true|false)', r'"\1": 0'),
            (r"s3://[\w-]+/", "s3://BUCKET/"),
            (re.escape(watch.model), "MODEL"),
        ):
            text = re.sub(pattern, instead, text)
        told.append(text)
    return sorted(told)


def same(found: list[str], wanted: list[str]) -> None:
    """Said by what differs; the whole of it would fill screens."""
    differ = [f"- {line}" for line in wanted if line not in found] + [
        f"+ {line}" for line in found if line not in wanted
    ]
    assert found == wanted, "\n".join(differ)[:6000]


def predicted(cloud: local.Cloud, model: str) -> int:
    """The version that answers, through the API."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    url = f"{cloud.outputs['ApiUrl']}/models/{model}/predict"
    body = json.dumps({"instances": [INSTANCE]}).encode()
    request = AWSRequest("POST", url, data=body, headers={"content-type": "application/json"})
    SigV4Auth(Credentials(*cloud.session().credentials()), "execute-api", "us-east-1").add_auth(request)
    with urllib.request.urlopen(urllib.request.Request(url, body, dict(request.headers), method="POST")) as answer:
        return int(json.load(answer)["version"])
