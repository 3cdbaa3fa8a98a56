"""Records through the stream and the queue of the local cloud: every row lands once, whatever is killed."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from cli.health.health import Health
from cli.health.streams import add_streams
from cli.place import Credentials, Place
from infra.local.cloud import LocalCloud
from modelcycle.registry import DynamoTable, Registry
from tests.e2e.conftest import ROOT
from tests.e2e.observed_model import wait_for
from tests.e2e.restartable_cloud import RestartableCloud, function_processes

PIPELINE = "name: {model}\ntarget: bikers\nsource: {{type: stream{more}}}\n"
MAX_RECORDS = 500  # of one PutRecords


class Sender:
    """Sends the rows of a model, and reads what has landed."""

    def __init__(self, cloud: LocalCloud, model: str, more: str = "") -> None:
        self.cloud = cloud
        self.model = model
        self.registry = Registry(DynamoTable(self.client("dynamodb"), cloud.outputs["RegistryTable"]))
        self.bucket = cloud.outputs["DataBucket"]
        body = PIPELINE.format(model=model, more=more).encode()
        self.client("s3").put_object(Bucket=self.bucket, Key=f"pipelines/{model}.yaml", Body=body)

    def client(self, service: str) -> Any:
        return self.cloud.operator.client(service)

    def to_stream(self, records: list[Any]) -> None:
        for begin in range(0, len(records), MAX_RECORDS):
            entries = [
                {"Data": self.body(record), "PartitionKey": str(number)}
                for number, record in enumerate(records[begin : begin + MAX_RECORDS])
            ]
            answer = self.client("kinesis").put_records(StreamName=self.cloud.outputs["RecordStream"], Records=entries)
            assert answer["FailedRecordCount"] == 0

    def to_queue(self, records: list[Any]) -> None:
        for begin in range(0, len(records), 10):
            entries = [
                {"Id": str(number), "MessageBody": self.body(record).decode()}
                for number, record in enumerate(records[begin : begin + 10])
            ]
            self.client("sqs").send_message_batch(QueueUrl=self.cloud.outputs["RecordQueue"], Entries=entries)

    def body(self, record: Any) -> bytes:
        return record if isinstance(record, bytes) else json.dumps({"model": self.model, **record}).encode()

    def counted(self, output: str) -> int:
        """Return how many rows of the model the registry has counted."""
        stream = self.cloud.outputs[output].rpartition("/")[2]
        return sum(shard.landed.get(self.model, 0) for shard in self.registry.streams.shards(stream).values())

    def objects(self, prefix: str = "") -> dict[str, bytes]:
        """Return the objects under a prefix; by default those of the model's rows."""
        s3, prefix = self.client("s3"), prefix or f"landed/{self.model}/main/"
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        return {key: s3.get_object(Bucket=self.bucket, Key=key)["Body"].read() for key in keys}

    def rows(self) -> Counter[str]:
        return Counter(line for body in self.objects().values() for line in body.decode().splitlines())


def bikes() -> list[dict[str, str]]:
    text = gzip.decompress((ROOT / "examples/data/bikeshare.csv.gz").read_bytes()).decode()
    return list(csv.DictReader(io.StringIO(text)))


@contextlib.contextmanager
def killing(cloud: LocalCloud, kills: int, seed: int = 4) -> Iterator[list[float]]:
    """Kill processes of `land` at random moments; yields the times of the kills."""
    draw, done = random.Random(seed), threading.Event()
    killed: list[float] = []

    def kill() -> None:
        seen: dict[int, float] = {}
        while not done.is_set() and len(killed) < kills:
            for pid, name in function_processes(cloud):
                if name != "Land":
                    continue
                at = seen.setdefault(pid, time.monotonic() + draw.uniform(0, 0.35))
                if time.monotonic() >= at and len(killed) < kills:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                        killed.append(time.monotonic())
            time.sleep(0.005)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    try:
        yield killed
    finally:
        done.set()
        thread.join()


@pytest.mark.skipif(sys.platform != "linux", reason="finds the processes of functions in /proc")
@pytest.mark.parametrize(("kills", "rows"), [(3, 2400), pytest.param(10, 8645, marks=pytest.mark.delivery)])
def test_killed_many_times_the_stream_lands_every_row_once(cloud: LocalCloud, kills: int, rows: int) -> None:
    sender, sent, left, outcomes = Sender(cloud, f"killed-{kills}-bikes"), Counter[str](), bikes()[:rows], set[str]()
    with killing(cloud, kills) as killed:
        while left or len(killed) < kills:
            part = left[:400] or [{"after": str(len(sent))}]
            left = left[400:]
            outcome = {"prediction_id": f"p{sent.total()}", "outcome": 1}
            outcomes.add(json.dumps(outcome))
            sender.to_stream([*part, {"outcome": outcome}])
            sent.update(json.dumps(row) for row in part)
            time.sleep(0.3)
    wait_for(lambda: sender.counted("RecordStream") == sent.total(), 60)
    wait_for(lambda: sender.rows() == sent, 30)  # a batch is counted before it is divided
    told = sender.objects(f"feedback/{sender.model}/")
    assert Counter(line for body in told.values() for line in body.decode().splitlines()) == Counter(outcomes)
    assert sent.total() >= rows
    assert len(killed) == kills


@pytest.mark.skipif(sys.platform != "linux", reason="finds the processes of functions in /proc")
def test_killed_three_times_the_queue_lands_every_row_once(cloud: LocalCloud) -> None:
    sender, rows = Sender(cloud, "queued-bikes"), bikes()[:600]
    queue = cloud.outputs["RecordQueue"]
    sqs = cloud.admin.client("sqs")
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "4"})  # else a retry comes after minutes
    try:
        with killing(cloud, 3) as killed:
            sender.to_queue(rows)
            wait_for(lambda: sender.counted("RecordQueue") == len(rows), 90)
    finally:
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "780"})
    assert killed
    wait_for(lambda: sender.rows() == Counter(json.dumps(row) for row in rows), 30)


def test_late_and_unreadable_records_are_where_they_belong_and_status_says_so(cloud: LocalCloud) -> None:
    sender = Sender(cloud, "late-bikes", ", event_time: at")
    sender.to_stream([
        {"bikers": 1, "at": "2026-03-04T05:06:07Z"}, b"{no json", b'{"model": "no-such-model", "bikers": 1}',
        {"bikers": 2, "at": "2026-03-04T02:00:00+00:00"}, {"bikers": 3, "at": "some day"},
    ])  # fmt: skip
    wait_for(lambda: sender.counted("RecordStream") == 2, 60)
    wait_for(lambda: len(sender.objects()) == 2, 20)
    windows = {
        key.rpartition("/")[0].removeprefix("landed/late-bikes/main/"): body for key, body in sender.objects().items()
    }
    assert {window: json.loads(body)["bikers"] for window, body in windows.items()} == {
        "2026/03/04/05": 1, "2026/03/04/02": 2,
    }  # fmt: skip
    place = Place("local", cloud.operator, cloud.outputs, Credentials("", ""))
    health = Health("local", True)
    add_streams(place, health)
    said = " ".join(problem for problem, _ in health.problems)
    assert "1 is not JSON" in said
    assert "1 names an unknown model" in said
    assert "1 has an event time that cannot be read" in said
    facts = dict(health.facts)
    assert facts["stream late-bikes"].startswith("2 rows, the newest of 20")
    assert "nothing waits" in facts["stream"]


def test_a_cloud_that_is_killed_lands_what_was_sent_before_and_after(restartable: RestartableCloud) -> None:
    sender, rows = Sender(restartable.cloud, "restarted-bikes"), bikes()[:900]
    sender.to_stream(rows[:300])
    sender.to_queue(rows[600:700])
    restartable.save()
    restartable.kill_and_start()
    sender = Sender(restartable.cloud, sender.model)
    sender.to_stream(rows[300:600])
    sender.to_queue(rows[700:900])
    wait_for(lambda: sender.counted("RecordStream") == 600, 60)
    wait_for(lambda: sender.counted("RecordQueue") == 300, 60)
    wait_for(lambda: sender.rows() == Counter(json.dumps(row) for row in rows), 30)
