"""A model with everything that `verify` checks, in moto: records, trail, objects, captures and seals."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from moto.s3.models import s3_backends

from cli.place import Credentials, Place
from cli.verification.findings import Findings
from cli.verify import verified
from modelcycle.captured.manifest import Manifest, Part, Progress, hour_folder, manifest_key, progress_key
from modelcycle.messages import Judged, Run, SealRequest, Trigger
from modelcycle.registry import DynamoTable, Entry, Registry, RetrainingDecision, Version, keys
from modelcycle.registry.table import checksum
from modelcycle.seal import seal
from modelcycle.signing import sign_version
from modelcycle.store import S3Store, put_json
from tests.fakes import MemoryKeys

MODEL, RUNS, HOURS = "m", 3, 8
NOW = datetime(2026, 3, 10, 1, 30, tzinfo=UTC)
BUCKETS = {"DataBucket": "data", "ArtifactBucket": "artifacts", "SealBucket": "seals"}
FIELDS = ("onnx", "skops", "signature", "plan", "profile", "card", "validation", "pipeline")

Item = dict[str, Any]


@dataclass
class World:
    """The model `m` in a place; `keys` signs the seals."""

    place: Place
    registry: Registry
    data: S3Store
    artifacts: S3Store
    seals: S3Store
    keys: MemoryKeys = field(default_factory=MemoryKeys)
    now: datetime = NOW + timedelta(days=2)

    def verify(self, version: int | None = None) -> Findings:
        return verified(self.place, MODEL, version, self.keys, self.now)

    def faults(self) -> dict[str, str]:
        """Return what is wrong by where it is."""
        return {fault.where: fault.what for fault in self.verify().faults}

    def seal(self, at: datetime) -> None:
        seal(SealRequest(kind="seal", at=at), data=self.data, seals=self.seals, registry=self.registry, keys=self.keys)

    def items(self) -> list[Item]:
        """Return all records of the model as they are stored."""
        table = self.registry.table
        assert isinstance(table, DynamoTable)
        return [item for pk in keys.partitions(MODEL) for item in table.items(pk)]

    def item(self, key: tuple[str, str]) -> Item:
        table = self.registry.table
        assert isinstance(table, DynamoTable)
        found = table.item(*key)
        assert found is not None, key
        return found

    def put(self, item: Item) -> None:
        """Write a record as an attacker does who may write the table."""
        self.place.client("dynamodb").put_item(TableName="registry", Item=item)

    def forge(self, key: tuple[str, str], **fields: Any) -> None:
        """Change fields of a record's body, and repair its checksum."""
        self.put(summed(self.item(key), as_json(self.item(key)) | fields))

    def delete(self, key: tuple[str, str]) -> None:
        self.place.client("dynamodb").delete_item(TableName="registry", Key={"pk": {"S": key[0]}, "sk": {"S": key[1]}})

    def overwrite(self, bucket: str, key: str, body: bytes) -> None:
        self.place.s3.put_object(Bucket=bucket, Key=key, Body=body)

    def stored(self) -> list[Any]:
        """Return each version of each object as moto has it, but for the progress of compaction."""
        buckets = s3_backends["123456789012"]["aws"].buckets
        return [
            version
            for name in BUCKETS.values() for key in list(buckets[name].keys.keys()) if key != progress_key(MODEL)
            for version in buckets[name].keys.getlist(key) if hasattr(version, "value")  # no delete marker
        ]  # fmt: skip


def rewrite(stored: Any, body: bytes) -> None:
    """Change the bytes of an object's version, and the checksum that S3 keeps of it."""
    stored.value = body
    if stored.checksum_value is not None:
        stored.checksum_value = base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()


def where(stored: Any) -> str:
    """Return how `verify` names an object."""
    return f"s3://{stored.bucket_name}/{stored.name}"


def summed(item: Item, body: dict[str, Any]) -> Item:
    """Return a record with another body and the checksum that fits."""
    changed = item | {"body": {"S": json.dumps(body, sort_keys=True, ensure_ascii=False)}}
    return changed | {"sum": {"S": checksum(changed)}}


def made_world() -> World:
    """Make the world inside `mock_aws`."""
    session = boto3.Session("test", "test", region_name="us-east-1")
    for bucket in BUCKETS.values():
        session.client("s3").create_bucket(Bucket=bucket)
        session.client("s3").put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    session.client("dynamodb").create_table(
        TableName="registry", BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    )  # fmt: skip
    place = Place("aws", session, BUCKETS | {"RegistryTable": "registry"}, Credentials("test", "test"))
    stores = (S3Store(place.s3, bucket) for bucket in BUCKETS.values())
    world = World(place, place.registry, *stores)
    for number in range(1, RUNS + 1):
        _run(world, number)
    _captures(world)
    world.seal(NOW)
    world.seal(NOW + timedelta(days=2))
    return world


def _run(world: World, number: int) -> None:
    """A run from its claim to a live version and its end."""
    registry, run_id = world.registry, f"2026030{number}T000000000-aaaa"
    source = world.place.s3.put_object(Bucket="data", Key=f"raw/m/{number % 3}.csv", Body=f"a,b\n{number},2\n".encode())
    pipeline = world.artifacts.put(f"m/runs/{run_id}/claim/pipeline.yaml", b"name: m\ntarget: b\n")
    run = Run(
        model=MODEL, run_id=run_id, execution=f"arn:{number}", started_at=NOW, pipeline=pipeline,
        trigger=Trigger(kind="upload", detail=f"raw/m/{number % 3}.csv"),
    )  # fmt: skip
    registry.leases.claim(run, f"raw/m/{number}.csv#1", None, lambda execution: False)
    manifest = {"objects": [{
        "key": f"raw/m/{number % 3}.csv", "version": source["VersionId"], "rows": 1,
        "sha256": hashlib.sha256(f"a,b\n{number},2\n".encode()).hexdigest(),
    }]}  # fmt: skip
    snapshot = put_json(world.artifacts, run.key("collect", "manifest.json"), manifest)
    registry.results.keep(MODEL, "collect", f"c{number}", {"manifest": snapshot.model_dump(), "rows": 1})
    made = {name: world.artifacts.put(run.key("train", name), f"{name} {number} é".encode()) for name in FIELDS}
    registry.results.keep(MODEL, "select_model", f"s{number}", {name: made[name].model_dump() for name in FIELDS[:5]})
    lineage = put_json(
        world.artifacts, run.key("govern", "lineage.json"),
        {"run": run.model_dump(mode="json"), "data": {"manifest": snapshot.model_dump(), "objects": manifest}},
    )  # fmt: skip
    registry.audit.add(
        MODEL, keys.decision_in_run(run_id, "govern"), _entry(run_id, {"card": made["card"].model_dump()})
    )
    version = Version(
        model=MODEL, version=0, run_id=run_id, created_at=NOW, task="binary", metric="accuracy",
        metrics={"accuracy": 0.9}, interval=(0.8, 1.0), data="d", code="c", opset=21, lineage=lineage, **made,
    )  # fmt: skip
    version = version.model_copy(update={"bundle": sign_version(version, world.artifacts, world.keys)})
    registered, _ = registry.versions.register(version, f"content {number}")
    registry.standings.move(MODEL, registered.version, "staged", f"run {run_id}")
    registry.routes.promote(MODEL, registered.version, 100, "rollout", "better")
    judged = Judged(
        model=MODEL, version=registered.version, step=1, actor="", why="", moves=number, weight=100, rollout="r",
        verdict="hold", reason="too few", findings=[], done=True, wait_seconds=1,
    )  # fmt: skip
    for verdict in ("hold", "hold", "proceed"):
        registry.judgements.keep(judged.model_copy(update={"verdict": verdict}))
    decision = RetrainingDecision(request_id=f"q{number}", kind="ModelDegraded", at=NOW, decision="refused", why="no")
    registry.retrainings.put(MODEL, decision, None)
    put_json(world.artifacts, run.key("train", "trial-001.json"), {"no record": "names it"})
    registry.leases.conclude(run, "deployed", "", registered.version)


def _entry(run_id: str, evidence: dict[str, Any]) -> Entry:
    return Entry(subject=f"run {run_id}", decision="passed", by="policy default", evidence=evidence)


def _captures(world: World) -> None:
    begin = datetime(2026, 3, 5, tzinfo=UTC)
    for hour in (begin + timedelta(hours=number) for number in range(HOURS)):
        body = f"rows of {hour}".encode()
        name = f"part-{hashlib.sha256(body).hexdigest()[:8]}.parquet"
        made = world.data.put(f"{hour_folder(MODEL, hour)}{name}", body)
        part = Part(name=name, sha256=made.sha256, bytes=made.bytes, rows=1, answers=1)
        manifest = Manifest(parts=[part], objects={"captures/ü.gz": "etag"}, columns={"0123": 'Age "x"'})
        world.data.replace(manifest_key(MODEL, hour), manifest.to_bytes(), None)
    progress = Progress(through=NOW)
    world.data.replace(progress_key(MODEL), progress.model_dump_json().encode(), None)


def flipped(body: bytes, chance: random.Random) -> bytes:
    """Return the bytes with one of them changed."""
    place = chance.randrange(len(body))
    return body[:place] + bytes([body[place] ^ (1 << chance.randrange(8))]) + body[place + 1 :]


def flipped_item(item: Item, chance: random.Random) -> Item:
    """Return a record with one character of one attribute changed; its key cannot be changed in a table."""
    name = chance.choice([name for name in item if name not in ("pk", "sk")])
    kind, text = next(iter(item[name].items()))
    if kind == "N":
        return item | {name: {"N": str(int(text) + 1 + chance.randrange(9))}}
    place = chance.randrange(len(text))
    other = chance.choice([letter for letter in "0a ,}é" if letter != text[place]])
    return item | {name: {"S": text[:place] + other + text[place + 1 :]}}


def as_json(item: Item) -> dict[str, Any]:
    """Return the body of a record."""
    body: dict[str, Any] = json.loads(item["body"]["S"])
    return body
