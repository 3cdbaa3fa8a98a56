"""What a lifecycle leaves behind, without what differs from place to place: names, ids, times, measurements.

The items of the registry are compared, and every document and artifact that they refer to. Nothing is left out: each
part is either kept as it is or replaced by the name of what it stands for.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from modelcycle.policy.approvals import evidence_of
from modelcycle.registry import Version
from modelcycle.registry.chain import digest, entry_hash
from modelcycle.signing.bundle import Bundle
from modelcycle.signing.statement import Statement, root_digest

TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(\+00:00|Z| UTC)?")
REQUEST_ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")
DAY = re.compile(r"(?<=#)\d{4}-\d\d-\d\d$")
PATTERNS = (
    # the time, and a hash that contains it
    (re.compile(r"\d{4}-\d\d-\d\dT\d{6}Z-[0-9a-f]{8}(?=\.json)"), "<time>"),
    (TIME, "<time>"),
    (REQUEST_ID, "<id>"),
)
MEMORY_ID = re.compile(rb"\b\d{13,16}\b")
MEASURED = {
    "seconds": "of a trial",
    "load": "of staging: milliseconds, megabytes, and the number of requests that were answered in them",
    "p50_ms": "of staging",
    "p99_ms": "of staging, and its limit",
    "took": "of staging",
    "resources": "of serving, from the function's log; LocalStack writes it elsewhere",
    "estimate": "of performance: outcomes are drawn for rows in the order of their ids",
    "estimated": "the same",
}
"""Keys whose values are measurements."""
MEASURED_SIGNALS = ("freshness", "latency", "errors", "memory", "cost", "estimated performance")
"""Kinds of signals whose figures are measurements; what they say is compared."""
FIGURES = ("value", "low", "high", "expected", "effect", "p", "detail")
RANDOM = ("prediction_id", "id", "expires", "request", "request_id", "sig", "hint", "sum", "until")
"""Keys whose values are drawn, are of a key of the place, or follow from the time; `verify` checks each `sum`."""
GOVERNED = "records"  # of an entry of the audit trail: the hash of each record as it was written then
NO_ORDER = "prediction_id"
"""The rows of a list with this key are in the order of its values, which are drawn."""
WHO = re.compile(r'"by": "[^"]*"')
CHECKSUM = 12  # characters of a hash that are shown to people

Json = Any


@dataclass(frozen=True)
class Place:
    """Where the records were made.

    Parameters
    ----------
    buckets : their names, by what they are
    read : returns the object at an address
    versions : the version ids of uploads by key, the oldest first
    """

    buckets: dict[str, str]
    read: Callable[[str], bytes]
    versions: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Content:
    """Items by key, and documents by address, as they would read at any place."""

    items: dict[str, list[Json]]
    documents: dict[str, Json]


def content(records: list[dict[str, Any]], place: Place) -> Content:
    """Return the items of a registry, and the documents that they refer to.

    Parameters
    ----------
    records : items with `pk`, `sk`, `kind`, `revision`, `body`, and `expires` where there is one

    Raises
    ------
    AssertionError : an object is not what the registry says of it
    """
    bodies = _artifacts(records, place.read)
    names = _names(records, place, bodies)
    documents = {names.text(uri): names.document(body) for uri, body in bodies.items()}
    items = defaultdict(list)
    for record in records:
        items[names.key(record["pk"], record["sk"])].append(
            names.value({name: value for name, value in record.items() if name not in ("pk", "sk")})
        )
    return Content({key: sorted(values, key=_order) for key, values in sorted(items.items())}, documents)


def _order(value: Json) -> str:
    """Return the place of a value among others of its key, whoever has decided it."""
    return WHO.sub("", json.dumps(value, sort_keys=True))


def differences(one: Content, other: Content) -> set[tuple[str, str, Json, Json]]:
    """Return key or address, path, and both values wherever two contents differ; a missing value is None."""
    found = set()
    for first, second in ((one.items, other.items), (one.documents, other.documents)):
        for key in sorted(first.keys() | second.keys()):
            here, there = dict(_leaves(first.get(key))), dict(_leaves(second.get(key)))
            found |= {
                (key, path, here.get(path), there.get(path))
                for path in here.keys() | there.keys()
                if here.get(path) != there.get(path)
            }
    return found


def _leaves(node: Json, path: str = "") -> Iterator[tuple[str, Json]]:
    if isinstance(node, dict) and node:
        for name, value in node.items():
            yield from _leaves(value, f"{path}/{name}")
    elif isinstance(node, list) and node:
        for number, value in enumerate(node):
            yield from _leaves(value, f"{path}/{number}")
    else:
        yield path, "[]" if node == [] else "{}" if node == {} else node


@dataclass(frozen=True)
class _Names:
    """Says what the names of a place stand for.

    Parameters
    ----------
    replaced : names of the place, the longest first, with what they stand for
    """

    replaced: list[tuple[str, str]]

    def text(self, text: str) -> str:
        for name, meaning in self.replaced:
            text = text.replace(name, meaning)
        for pattern, meaning in PATTERNS:
            text = pattern.sub(meaning, text)
        return text

    def key(self, pk: str, sk: str) -> str:
        kind = pk.partition("#")[0]
        if kind == "RESULT":  # the fingerprint contains addresses
            return self.text(pk)
        if kind == "EVENT":  # time and id
            return self.text(pk)
        if sk.startswith("UPLOAD#"):
            sk = "#".join(sk.split("#")[:2])  # what identifies the write is another thing at each place
        return DAY.sub("<day>", self.text(f"{pk} | {sk}"))

    def value(self, value: Json) -> Json:
        if isinstance(value, dict):
            return {self.text(key): self._member(key, value) for key in sorted(value)}
        if isinstance(value, list):
            named = [self.value(item) for item in value]
            unordered = any(isinstance(item, dict) and NO_ORDER in item for item in value)
            return sorted(named, key=json.dumps) if unordered else named
        return self.text(value) if isinstance(value, str) else value

    def _member(self, key: str, parent: dict[str, Json]) -> Json:
        if key in MEASURED or key in RANDOM:
            return f"<{key}>" if parent[key] is not None else None
        if key in FIGURES and parent.get("kind") in MEASURED_SIGNALS:
            return f"<{key}>"
        if key == "bytes" and "uri" in parent:
            return "<bytes>"  # the documents themselves are compared
        if key == "window_end":
            return "<day>"
        if key == GOVERNED and "evidence_hash" in parent:
            now = {self.text(name): self.text(sha) for name, sha in parent[key].items()}
            return {name: sha if sha.startswith("<") else "<hash of an earlier one>" for name, sha in now.items()}
        if key == "payload" and "payloadType" in parent:  # what a signature is of
            return self.value(json.loads(base64.b64decode(parent[key])))
        if key == "objects" and isinstance(parent[key], int):
            return "<objects>"  # each Firehose writes captures in as many objects as it likes
        return self.value(parent[key])

    def document(self, body: bytes) -> Json:
        """Return a document as it would read at any place; of other files the hash."""
        if zipfile.is_zipfile(io.BytesIO(body)) and b"schema.json" in body:
            return _skops(body)
        try:
            text = body.decode()
        except UnicodeDecodeError:
            return hashlib.sha256(body).hexdigest()
        try:
            return self.value(json.loads(text))
        except ValueError:
            return self.text(text)


def _skops(body: bytes) -> Json:
    """Return the parts of a skops file: it names them by addresses in memory."""
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        arrays = sorted(part.CRC for part in archive.infolist() if part.filename != "schema.json")
        schema = MEMORY_ID.sub(b"0", archive.read("schema.json"))
    return {"arrays": arrays, "schema": hashlib.sha256(schema).hexdigest()}


def _artifacts(records: list[dict[str, Any]], read: Callable[[str], bytes]) -> dict[str, bytes]:
    """Return every object that the records refer to, directly or in another object, by its address."""
    bodies: dict[str, bytes] = {}
    waiting: list[Json] = [record["body"] for record in records]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
        elif isinstance(node, dict):
            waiting += node.values()
            if {"uri", "sha256", "bytes"} <= node.keys() and node["uri"] not in bodies:
                body = bodies[node["uri"]] = read(node["uri"])
                assert (len(body), hashlib.sha256(body).hexdigest()) == (node["bytes"], node["sha256"]), node
                if node["uri"].endswith(".json"):
                    waiting.append(json.loads(body))
    return bodies


def _names(records: list[dict[str, Any]], place: Place, bodies: dict[str, bytes]) -> _Names:
    runs = sorted(record["sk"][4:] for record in records if record["sk"].startswith("RUN#"))
    executions = {
        record["body"]["run_id"]: record["pk"].partition("#")[2]
        for record in records
        if record["pk"].startswith("EXECUTION#")
    }
    named = {name: f"<{meaning}>" for meaning, name in place.buckets.items()}
    named |= {run: f"<run {number}>" for number, run in enumerate(runs, 1)}
    named |= {executions[run]: f"<execution {number}>" for number, run in enumerate(runs, 1) if run in executions}
    named |= {
        version: f"<version {number} of {key}>"
        for key, versions in place.versions.items()
        for number, version in enumerate(versions, 1)
    }
    names = _Names(_longest_first(named))
    # the hash of a file is that of what it says at this place, which is compared by itself
    hashes: dict[str, str] = {}
    for uri in sorted(bodies, key=names.text):
        sha = hashlib.sha256(bodies[uri]).hexdigest()
        if sha not in hashes:
            hashes[sha] = f"<sha256 of {names.text(uri)}>"
            hashes[sha[:CHECKSUM]] = f"<start of the sha256 of {names.text(uri)}>"
    hashes |= _hashes_of_the_trail(records, names) | _hashes_of_signatures(bodies, names)
    return _Names(_longest_first(named | hashes))


def _hashes_of_the_trail(records: list[dict[str, Any]], names: _Names) -> dict[str, str]:
    """Return what the hashes in a model's audit trail are of; each is of what it says at this place."""
    found = {}
    for record in records:
        body, key = record["body"], names.key(record["pk"], record["sk"])
        found[digest(body)] = f"<hash of {key}>"
        if "evidence_hash" in body:
            assert body["hash"] == entry_hash(body), key
            assert body["evidence_hash"] == digest(body["evidence"] or {}), key
            found[body["hash"]] = f"<hash of {key}>"
            found[body["evidence_hash"]] = f"<hash of the evidence of {key}>"
        if record["pk"].startswith("VERSION#") and record["sk"].startswith("VERSION#") and "signature" in body:
            found[evidence_of(Version.model_validate(body))] = f"<hash of what is approved with {key}>"
    return found


def _hashes_of_signatures(bodies: dict[str, bytes], names: _Names) -> dict[str, str]:
    """Return what the hashes of signed statements are of: of the hashes of all files that they name."""
    found = {}
    for uri, body in bodies.items():
        if uri.endswith(".sig"):
            statement = Statement.model_validate_json(Bundle.model_validate_json(body).payload)
            root = root_digest([one.digest for one in statement.predicate.resources])
            assert statement.subject[0].digest == {"sha256": root}, uri
            found[root] = f"<hash of what is signed in {names.text(uri)}>"
    return found


def _longest_first(named: dict[str, str]) -> list[tuple[str, str]]:
    return sorted(named.items(), key=lambda pair: -len(pair[0]))
