"""The records of a model as the table stores them: their checksums, and what they name."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pydantic import ValidationError

from cli.verification.findings import Findings
from modelcycle.messages import Artifact
from modelcycle.registry import DynamoTable, Rewritten, SignedNumbers, keys
from modelcycle.registry.chain import digest, name_of_record
from modelcycle.registry.keys import Key
from modelcycle.registry.table import checksum

MAX_QUERIES = 6  # at a time


@dataclass
class Records:
    """What the records of a model say, without most of their bodies.

    Parameters
    ----------
    governed : hash of each governed record's body, by `pk|sk`; empty for a body that is no JSON
    undecided : those that change without an entry until they are decided
    older : those from before checksums
    claims : bodies of those among them that have neither a number nor a time in their key
    entries : bodies of the audit entries, by `sk`
    head : body of the chain's end; None if there is none
    named : the artifacts that the records name, with the first record that does
    versions : bodies of the versions, by number
    signed : which of them were signed
    rewritten : what erasures have made of objects, as readers believe it, with the record's name, by bucket and key
    erasing : whether an erasure is not over: what it has changed so far, no audit entry names yet
    """

    governed: dict[str, str] = field(default_factory=dict)
    undecided: set[str] = field(default_factory=set)
    older: set[str] = field(default_factory=set)
    claims: dict[str, dict[str, Any]] = field(default_factory=dict)
    entries: dict[str, dict[str, Any]] = field(default_factory=dict)
    head: dict[str, Any] | None = None
    named: dict[Artifact, str] = field(default_factory=dict)
    versions: dict[int, dict[str, Any]] = field(default_factory=dict)
    signed: SignedNumbers = field(default_factory=SignedNumbers)
    rewritten: dict[tuple[str, str], tuple[str, Rewritten]] = field(default_factory=dict)
    erasing: bool = False


def read_records(table: DynamoTable, model: str, version: int | None, findings: Findings) -> Records:
    """Read all records of a model, and check each one's checksum.

    Parameters
    ----------
    version : take artifacts only from this one's record; None: from all records
    """
    records = Records()

    def read(pk: str) -> None:
        for item in table.items(pk):
            _take(item, records, version, findings)

    partitions = keys.partitions(model)
    with ThreadPoolExecutor(MAX_QUERIES) as pool:
        list(pool.map(read, partitions))
    entry = keys.model_entry(model)
    for item in table.items(entry.pk):
        if item["sk"]["S"] == entry.sk:
            _take(item, records, version, findings)
    return records


def artifacts_named(value: Any, unusable: Callable[[], None] = lambda: None) -> Iterator[Artifact]:
    """Yield every artifact in a JSON value, at any depth.

    Parameters
    ----------
    unusable : is called for each that cannot be read, because somebody has changed it
    """
    if isinstance(value, Mapping):
        if value.keys() == Artifact.model_fields.keys():
            try:
                artifact = Artifact.model_validate(value)
            except ValidationError:
                unusable()
            else:
                yield artifact
            return
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from artifacts_named(part, unusable)


def _take(item: dict[str, Any], records: Records, version: int | None, findings: Findings) -> None:
    key = Key(item["pk"]["S"], item["sk"]["S"])
    name = name_of_record(key)
    findings.count("records")
    try:
        _take_body(item, key, name, records, version, findings)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        # attributes of other types than the registry writes; one record must not hide the others
        findings.add(name, "the record cannot be read: it is not written as records are")
        if keys.is_governed(key):
            records.governed[name] = ""


def _take_body(
    item: dict[str, Any], key: Key, name: str, records: Records, version: int | None, findings: Findings
) -> None:  # fmt: skip
    if "sum" not in item:
        records.older.add(name)
        findings.count("older")
    elif item["sum"].get("S") != checksum(item):
        findings.add(name, "the record was changed: it does not match its checksum")
    try:
        body = json.loads(item["body"]["S"])
    except (KeyError, ValueError):
        body = None
    if not isinstance(body, dict):
        if keys.is_governed(key):
            records.governed[name] = ""
        findings.add(name, "the record cannot be read: its body is no JSON")
        return
    if keys.is_governed(key):
        records.governed[name] = digest(body)
        if name in records.older and keys.is_claim(key):
            records.claims[name] = body
        judged = body.get("judged")
        if isinstance(judged, dict) and judged.get("verdict") == "hold":
            records.undecided.add(name)
    if key == keys.audit_head(key.pk.partition("#")[2]):
        records.head = body
    elif key.pk.startswith(keys.audit_head("").pk):
        records.entries[key.sk] = body
    if key.pk == keys.erasures(key.pk.partition("#")[2]).pk and body.get("state") in ("running", "failed"):
        records.erasing = True
    if key == keys.signed_versions(key.pk.partition("#")[2]):
        with suppress(ValidationError):  # of a record that somebody has changed
            records.signed = SignedNumbers.model_validate(body)
    rewritten = keys.object_of_rewriting(key)
    if rewritten is not None:
        try:
            records.rewritten[rewritten] = name, Rewritten.model_validate(body)
        except ValidationError:
            findings.add(name, "the record cannot be read: it says of no object what an erasure has made of it")
    number = _version_number(key, body)
    if number is not None:
        records.versions[number] = body
    if (version is None or number == version) and not keys.is_of_an_event(key.pk):
        malformed = partial(findings.add, name, "it names an object whose address, hash or size makes no sense")
        for artifact in artifacts_named(body, malformed):
            records.named.setdefault(artifact, name)


def _version_number(key: Key, body: dict[str, Any]) -> int | None:
    number = body.get("version")
    is_one = isinstance(number, int) and key == keys.version(key.pk.partition("#")[2], number)
    return number if is_one else None
