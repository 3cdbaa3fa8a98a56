"""`verify`: whether records, audit trail, objects and captures of a model are those that were written."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import cast

from cli import console
from cli.decide import model_and_version
from cli.options import Options
from cli.place import Place
from cli.screens.verified import verified_text
from cli.verification.captures import check_manifests
from cli.verification.chain import check_chain, check_governed
from cli.verification.findings import Findings
from cli.verification.objects import Bucketed, Tombstones, Wanted, distinct
from cli.verification.records import Records, read_records
from cli.verification.seals import check_seals
from cli.verification.signatures import check_signatures
from cli.verification.sources import check_rewritten, listed_objects, lists_others, read_tombstones, wanted_of
from cli.verification.unnamed import check_unnamed
from modelcycle.faults import Unknown
from modelcycle.key_service import KeyService, KmsKeys
from modelcycle.messages import Artifact
from modelcycle.registry import DynamoTable, keys
from modelcycle.store import S3Store

MAX_READS = 4  # of all records of a model, while decisions about it are written


def verify(name: str, options: Options) -> int:
    """Verify a model, or one version of it; return the exit status, 1 if anything is wrong.

    Parameters
    ----------
    name : MODEL or MODEL:VERSION

    Raises
    ------
    Unknown : there is no such model or version
    """
    model, version = model_and_version(name)
    place = options.open_place()
    place.check_model(model)
    findings = verified(place, model, version)
    if options.as_json:
        console.print_json(findings.wire(model, version))
    else:
        console.show(verified_text(model, version, findings))
    return console.FAILED if findings.wrong else console.DONE


def verified(
    place: Place, model: str, version: int | None, signing: KeyService | None = None, now: datetime | None = None
) -> Findings:
    """Verify everything of a model; of a version, the whole trail and the objects that the version is made of.

    Parameters
    ----------
    signing : the key of the seals; by default that of the stack
    now : by default the present

    Raises
    ------
    Unknown : there is no such version
    """
    console.say("reading the records")
    records, findings = _records(place, model, version)
    if version is not None and version not in records.versions:
        raise Unknown(f"{model} has no version {version}", model, f"`modelcycle show {model}` lists its versions")
    entries = check_chain(model, records, findings)
    check_governed(records, findings)
    buckets = {"data": place.output("DataBucket"), "artifacts": place.output("ArtifactBucket")}
    tombstones = read_tombstones(records, Bucketed(place.s3, buckets, Tombstones(), findings), findings)
    check_rewritten(records, tombstones, findings)
    objects = Bucketed(place.s3, buckets, tombstones, findings)
    console.say(f"reading {len(records.named):,} objects")
    objects.check(_all_named(records.named, objects))
    signing = signing or KmsKeys(lambda: place.client("kms"), place.outputs.get("SigningKey", ""))
    artifacts = S3Store(place.s3, buckets["artifacts"])
    check_signatures(model, records.versions, records.signed, version, artifacts, signing, findings)
    manifests = None
    if version is None:
        check_unnamed(model, objects, findings)
        manifests = check_manifests(model, S3Store(place.s3, buckets["data"]), objects, findings)
    seals = place.outputs.get("SealBucket", "")
    if seals:
        check_seals(
            place.s3, seals, model, entries, manifests, signing, tombstones, buckets["data"], findings, now,
            is_always_on=place.name == "aws",
        )  # fmt: skip
    else:
        findings.note("this stack has no bucket of seals: deploy it again")
    if records.erasing:
        findings.note("an erasure is not over: until it is, objects that it has changed count as faults")
    if findings.counts["older"]:
        findings.note(f"{findings.counts['older']:,} records are older than checksums, which every new write adds")
    return findings


def _records(place: Place, model: str, version: int | None) -> tuple[Records, Findings]:
    """Return all records as they were at one moment: they are read again if a decision was written meanwhile."""
    table, head = cast(DynamoTable, place.registry.table), keys.audit_head(model)
    for _ in range(MAX_READS):
        findings, before = Findings(), table.item(*head)
        records = read_records(table, model, version, findings)
        if table.item(*head) == before:
            break
    else:
        findings.note("decisions were written while the records were read: verify again if there are faults")
    return records, findings


def _all_named(named: Mapping[Artifact, str], objects: Bucketed) -> Collection[Wanted]:
    """Return the objects that are named, and those that lists among them name."""
    wanted, waiting, seen = list[Wanted](), list(named.items()), set[Artifact]()
    while waiting:
        artifact, name = waiting.pop()
        if not lists_others(artifact):
            wanted.append(wanted_of(artifact, name))
        elif artifact not in seen:
            seen.add(artifact)
            for one in listed_objects(artifact, name, objects):
                if isinstance(one, Wanted):
                    wanted.append(one)
                else:
                    waiting.append(one)
    return distinct(wanted)
