"""Requests of an old and a new format through promotions and rollbacks, two broken versions among them."""

from __future__ import annotations

import csv
import io
import json
import random
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest

from infra.local.cloud import LocalCloud
from modelcycle.key_service import KmsKeys
from modelcycle.model.routing import entity_key, version_for
from modelcycle.registry import Move, Registry, Route
from modelcycle.signing import sign_version
from modelcycle.store import S3Store
from tests.contract.rows import rows
from tests.e2e.observed_model import ObservedModel
from tests.e2e.signed_request import signed_headers
from tests.e2e.test_traffic import writable_registry

MODEL, TREE = "busy-plums", "tree no."
FIRST, COPY, RENAMED, NO_GRAPH, RAISES = 1, 2, 3, 4, 5  # versions
BROKEN = {NO_GRAPH, RAISES}
SENDERS = 6
PAUSE = 0.12  # seconds between two requests of a sender: 50 in a second, on a machine that has the time
BETWEEN_MOVES = 1.2
STALE = timedelta(seconds=3)  # the route is read again every two seconds, and a move takes a moment to be written


class Answered(NamedTuple):
    instance: dict[str, Any]
    asked_at: datetime
    answered_at: datetime
    status: int
    version: int
    detail: str


def table() -> list[dict[str, str]]:
    """Rows with a number for each tree, which identifies it."""
    return [{TREE: f"t{number}"} | row for number, row in enumerate(csv.DictReader(io.StringIO(rows(600, seed=1))))]


@pytest.fixture(scope="module")
def plums(cloud: LocalCloud) -> ObservedModel:
    """A model whose first version is live; the others are staged."""
    model = ObservedModel(cloud, MODEL)
    model.put_pipeline(f'id_columns: ["{TREE}"]\n')
    text = io.StringIO()
    writer = csv.DictWriter(text, list(table()[0]))
    writer.writeheader()
    writer.writerows(table())
    bucket = cloud.outputs["DataBucket"]
    model.client("s3").put_object(Bucket=bucket, Key=f"raw/{MODEL}/all.csv", Body=text.getvalue().encode())
    model.wait_for_runs()
    model.wait_until_live()
    return model


class Versions:
    """Registers versions that are made from the first one."""

    def __init__(self, model: ObservedModel) -> None:
        self.registry: Registry = writable_registry(model)
        self.store = S3Store(model.cloud.admin.client("s3"), model.cloud.outputs["ArtifactBucket"])
        self.keys = KmsKeys(model.cloud.admin.client("kms"), model.cloud.outputs["SigningKey"])
        self.first = self.registry.versions.get(MODEL, FIRST)
        self.signature = json.loads(self.store.read(self.first.signature))
        self.column = next(field["name"] for field in self.signature["fields"] if field["type"] == "number")
        self.renamed = f"{self.column} / new"

    def stage(self, name: str, **files: bytes) -> int:
        """Sign, register and stage a version with other files; return its number."""
        written = {
            kind: self.store.put(f"{MODEL}/runs/{name}/select_model/{kind}", body) for kind, body in files.items()
        }
        draft = self.first.model_copy(update={"run_id": f"{self.first.run_id}-{name.replace(' ', '-')}"} | written)
        draft = draft.model_copy(update={"bundle": sign_version(draft, self.store, self.keys)})
        number = self.registry.versions.register(draft, name)[0].version
        self.registry.standings.move(MODEL, number, "staged", "run r")
        return number

    def stage_all(self) -> None:
        renamed = json.dumps(self.signature).replace(json.dumps(self.column), json.dumps(self.renamed)).encode()
        without_input = self.signature | {"inputs": self.signature["inputs"][1:]}  # which the graph then lacks
        assert self.stage("copy") == COPY
        assert self.stage("renamed", signature=renamed) == RENAMED
        assert self.stage("no graph", onnx=b"no graph") == NO_GRAPH
        assert self.stage("raises", signature=json.dumps(without_input).encode()) == RAISES


class Sender:
    """Sends rows of a tree, in one of two formats, until it is told to stop."""

    def __init__(self, cloud: LocalCloud, versions: Versions) -> None:
        self.cloud = cloud
        self.versions = versions
        self.new_format = threading.Event()  # a version of the new format is on the route
        self.stopped = threading.Event()
        self.answers: list[Answered] = []

    def run(self, seed: int) -> None:
        draw, trees = random.Random(seed), table()[:40]
        while not self.stopped.is_set():
            begun = time.monotonic()
            instance: dict[str, Any] = dict(draw.choice(trees))
            del instance["is it, sour?"]
            for field in self.versions.signature["fields"]:
                text = instance[field["name"]]
                instance[field["name"]] = (float(text) if field["type"] == "number" else text) if text else None
            if seed % 2 and self.new_format.is_set():
                instance[self.versions.renamed] = instance.pop(self.versions.column)
            self.answers.append(self.ask(instance))
            time.sleep(max(PAUSE - (time.monotonic() - begun), 0))

    def ask(self, instance: dict[str, Any]) -> Answered:
        url = f"{self.cloud.outputs['ApiUrl']}/models/{MODEL}/predict"
        body = json.dumps({"instances": [instance]}).encode()
        asked_at = datetime.now(UTC)
        request = urllib.request.Request(url, body, signed_headers(self.cloud, "POST", url, body), method="POST")
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                status, text = response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read().decode()
        version = json.loads(text).get("version", 0) if status == 200 else 0
        return Answered(instance, asked_at, datetime.now(UTC), status, version, text[:300])


def move_traffic(registry: Registry, sender: Sender) -> None:
    """Make 20 moves; from the ninth on, a version of each format is always on the route."""
    routes = registry.routes

    def promote(version: int, *weights: int) -> None:
        for weight in weights:
            routes.promote(MODEL, version, weight, "run r", rollout=f"x{version}")
            time.sleep(BETWEEN_MOVES)

    def roll_back() -> None:
        routes.roll_back(MODEL, "ann", "it was wrong")
        time.sleep(BETWEEN_MOVES)

    promote(COPY, 10, 100)
    roll_back()
    promote(NO_GRAPH, 20, 100)
    roll_back()
    promote(RAISES, 100)
    roll_back()
    promote(RENAMED, 10)
    time.sleep(STALE.total_seconds())
    sender.new_format.set()
    promote(RENAMED, 50, 100)
    promote(COPY, 30, 100)
    promote(RENAMED, 20, 100)
    promote(RAISES, 40)
    assert routes.withdraw(MODEL, RAISES, "x5", "rollout", "it did not complete")
    promote(COPY, 50)
    roll_back()
    promote(FIRST, 100)


def allowed(answered: Answered, moves: list[Move]) -> set[int]:
    """Return the versions that the routes in force at that time name for the row of an answer.

    Parameters
    ----------
    moves : oldest first
    """
    ends = [*(move.at for move in moves[1:]), datetime.max.replace(tzinfo=UTC)]
    routes = [
        move.route
        for move, end in zip(moves, ends, strict=True)
        if move.at <= answered.answered_at and end >= answered.asked_at - STALE
    ]
    return {answering(route, answered.instance) for route in routes}


def answering(route: Route, instance: dict[str, Any]) -> int:
    """Return the version that a route names for a row; where that one is broken, the next one."""
    named = version_for(MODEL, route.weights, entity_key(instance, [TREE]))
    return named if named not in BROKEN else next(number for number in route.order if number not in BROKEN)


def test_no_request_fails_and_each_is_answered_by_the_version_that_the_route_names(
    cloud: LocalCloud, plums: ObservedModel
) -> None:
    versions = Versions(plums)
    versions.stage_all()
    before = plums.registry.routes.get(MODEL).moves
    sender = Sender(cloud, versions)
    with ThreadPoolExecutor(SENDERS) as pool:
        sending = [pool.submit(sender.run, seed) for seed in range(SENDERS)]
        try:
            move_traffic(versions.registry, sender)
        finally:
            sender.stopped.set()
        for one in sending:
            one.result()

    moves = plums.registry.routes.moves(MODEL)[::-1]
    assert [move.number for move in moves] == list(range(1, before + 21))
    failed = [answered for answered in sender.answers if answered.status != 200]
    assert not failed, f"{len(failed)} of {len(sender.answers)}: {failed[0]}"
    strayed = [answered for answered in sender.answers if answered.version not in allowed(answered, moves)]
    assert not strayed, f"{len(strayed)} of {len(sender.answers)}: {strayed[0]}"

    by_format = [
        [answered for answered in sender.answers if (versions.renamed in answered.instance) == is_new]
        for is_new in (False, True)
    ]
    for answers in by_format:
        assert len(answers) > 40
        assert {FIRST, COPY, RENAMED} <= {answered.version for answered in answers}, "each reads both formats"
    settled = [allowed(answered, moves) for answered in sender.answers]
    assert sum(len(possible) == 1 for possible in settled) > 40, "often only one version was right"
