"""The comparison of two registries finds what differs, and nothing that only a place, a time or a number decides."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from typing import Any

import pytest

from tests.localstack.registry_content import Content, Place, content, differences


class Made:
    """Records and objects of one run, as one place writes them."""

    def __init__(self, bucket: str, run: str, time: str, address: int) -> None:
        self.bucket, self.run, self.time = bucket, run, time
        self.objects: dict[str, bytes] = {}
        self.version = f"id-{bucket}"
        manifest = self.put("manifest.json", json.dumps({"key": "raw/m/a.csv", "version": self.version, "rows": 3}))
        self.card = self.put("card.md", f"Run {run}, started {time}, from `{manifest['sha256'][:12]}`, 2025-07-01")
        self.model = self.put("model.onnx", b"\xff\x00graph")
        self.skops = self.put("model.skops", skops(address))
        arn = f"arn:aws:states:{bucket}:{run}"
        body = {
            "model": "m", "card": self.card, "data": manifest["sha256"], "onnx": self.model, "skops": self.skops,
            "manifest": manifest, "accuracy": 0.8125,
        }  # fmt: skip
        self.records: list[dict[str, Any]] = [
            {"pk": "VERSION#m", "sk": "VERSION#00000001", "kind": "record", "revision": "1", "body": body},
            {"pk": "RUN#m", "sk": f"RUN#{run}", "kind": "record", "revision": "2", "body": {"at": time, "arn": arn}},
            {"pk": f"EXECUTION#{arn}", "sk": "RUN", "kind": "record", "revision": "1", "body": {"run_id": run}},
            {
                "pk": "EVENT#m", "sk": f"EVENT#{time}#{bucket}", "kind": "event", "revision": "1", "expires": "17",
                "body": {"id": bucket, "kind": "RunEnded"},
            },
            {
                "pk": "RUN#m", "sk": f"UPLOAD#raw/m/a.csv#{bucket}", "kind": "record", "revision": "1",
                "body": {"run_id": run},
            },
        ]  # fmt: skip

    def put(self, name: str, body: bytes | str) -> dict[str, Any]:
        body = body if isinstance(body, bytes) else body.encode()
        uri = f"s3://{self.bucket}/m/runs/{self.run}/{name}"
        self.objects[uri] = body
        return {"uri": uri, "sha256": hashlib.sha256(body).hexdigest(), "bytes": len(body)}

    def content(self) -> Content:
        place = Place({"artifacts": self.bucket}, self.objects.__getitem__, {"raw/m/a.csv": [self.version]})
        return content(self.records, place)


def skops(address: int, value: bytes = b"array") -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr(f"{address}.npy", value)
        archive.writestr("schema.json", json.dumps({"__id__": address}))
    return body.getvalue()


@pytest.fixture
def one() -> Made:
    return Made("first-bucket", "20260101T000000000-aaaa", "2026-01-01T00:00:00.5+00:00", 139981474838528)


@pytest.fixture
def other() -> Made:
    return Made("another", "20260202T111111111-bbbb", "2026-02-02T11:11:11Z", 140384628706320)


def test_places_times_and_ids_make_no_difference(one: Made, other: Made) -> None:
    assert differences(one.content(), other.content()) == set()


def test_a_figure_of_an_item_is_a_difference(one: Made, other: Made) -> None:
    other.records[0]["body"]["accuracy"] = 0.8126
    assert differences(one.content(), other.content()) == {
        ("VERSION#m | VERSION#00000001", "/0/body/accuracy", 0.8125, 0.8126)
    }


def test_a_revision_is_a_difference(one: Made, other: Made) -> None:
    other.records[1]["revision"] = "3"
    assert {found[1] for found in differences(one.content(), other.content())} == {"/0/revision"}


@pytest.mark.parametrize("changed", ["left", "right"])
def test_a_missing_item_is_a_difference(one: Made, other: Made, changed: str) -> None:
    del (one if changed == "left" else other).records[3]
    assert {found[0] for found in differences(one.content(), other.content())} == {"EVENT#m"}


@pytest.mark.parametrize(("name", "body"), [
    ("model.onnx", b"\xff\x00grapH"),
    ("model.skops", skops(140384628706320, b"arraY")),
    ("card.md", b"another card"),
])  # fmt: skip
def test_another_artifact_is_a_difference(one: Made, other: Made, name: str, body: bytes) -> None:
    key = {"model.onnx": "onnx", "model.skops": "skops", "card.md": "card"}[name]
    other.records[0]["body"][key] = other.put(name, body)
    found = {key for key, *_ in differences(one.content(), other.content())}
    assert found == {f"s3://<artifacts>/m/runs/<run 1>/{name}"}


def test_a_day_among_the_data_is_compared(one: Made, other: Made) -> None:
    other.records[0]["body"]["card"] = other.put(
        "card.md", other.objects[other.card["uri"]].replace(b"2025-07-01", b"2025-07-02")
    )
    assert differences(one.content(), other.content())


def test_an_object_that_is_not_what_the_registry_says_is_a_fault(one: Made) -> None:
    one.objects[one.model["uri"]] += b"!"
    with pytest.raises(AssertionError):
        one.content()
