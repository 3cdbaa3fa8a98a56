"""A version is signed when it is registered, and nothing that its key has not signed is loaded."""

from __future__ import annotations

import base64
import hashlib
import json
import random
from typing import Any

import pytest

from modelcycle.faults import Fault, Tampered, Transient, Unknown
from modelcycle.messages import Artifact
from modelcycle.model import loaded_version
from modelcycle.model.loaded_version import load_version
from modelcycle.registry import Registry, keys
from modelcycle.registry.keys import is_governed, rewritten_object
from modelcycle.signing import bundle_key, check_version, public_key_pem, sign_rewritten, sign_version, signed_files
from modelcycle.signing.bundle import encoded
from modelcycle.spec import Capture
from tests.fakes import UNSIGNED, MemoryKeys, MemoryStore, MemoryTable
from tests.prediction_api import Api
from tests.trained import COLOUR, HOURS, ID, MODEL, cycle, train

PLACES = 200


class Signed:
    """A registered version with its signature."""

    def __init__(self) -> None:
        self.store, self.keys = MemoryStore(), MemoryKeys()
        self.cycle = cycle(train("binary"), self.store, Registry(MemoryTable()))
        unsigned = self.cycle.register()
        self.version = unsigned.model_copy(update={"bundle": sign_version(unsigned, self.store, self.keys)})

    def check(self, **changed: Any) -> str:
        return check_version(self.version.model_copy(update=changed), self.store, self.keys)

    @property
    def bundle(self) -> bytes:
        return self.store.objects[bundle_key(MODEL, self.version.run_id)]


@pytest.fixture(scope="module")
def signed() -> Signed:
    return Signed()


def test_the_bundle_is_what_the_public_format_asks_for(signed: Signed) -> None:
    bundle = json.loads(signed.bundle)
    envelope = bundle["dsseEnvelope"]
    assert bundle["mediaType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    statement = json.loads(base64.b64decode(envelope["payload"]))
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://model_signing/signature/v1.0"
    assert [subject["name"] for subject in statement["subject"]] == [MODEL]
    resources = statement["predicate"]["resources"]
    assert [one["name"] for one in resources] == sorted(signed_files(signed.version))
    assert {one["digest"] for one in resources} == {one.sha256 for one in signed_files(signed.version).values()}
    assert public_key_pem(signed.keys.public_key()).startswith("-----BEGIN PUBLIC KEY-----\nMFkw")
    assert encoded("a", "ü".encode()) == b"DSSEv1 1 a 2 \xc3\xbc"


def test_what_was_signed_is_loaded(signed: Signed) -> None:
    assert signed.check() == "signed"
    loaded = load_version(signed.version, signed.store, signed.keys)
    assert loaded.checked == "signed" and loaded.version == signed.version.version


def test_a_second_delivery_gets_the_signature_of_the_first(signed: Signed) -> None:
    assert sign_version(signed.version, signed.store, signed.keys) == signed.version.bundle


def test_another_object_in_the_place_of_the_signature_is_not_taken_for_it() -> None:
    here = Signed()
    here.store.objects[bundle_key(MODEL, here.version.run_id)] = b"{}"
    with pytest.raises(Tampered, match="no Sigstore bundle"):
        sign_version(here.version, here.store, here.keys)


@pytest.mark.parametrize("name", ["onnx", "signature", "card", "lineage", "validation", "pipeline"])
def test_a_record_that_names_another_file_is_refused(signed: Signed, name: str) -> None:
    artifact: Artifact = getattr(signed.version, name)
    with pytest.raises(Tampered, match="is not what was signed"):
        signed.check(**{name: artifact.model_copy(update={"sha256": "0" * 64})})


@pytest.mark.parametrize("changed", [
    {"capture": Capture(sample=0.5)}, {"run_id": "another"}, {"model": "another"},
    {"author": "arn:aws:iam::1:user/eve"},
    {"figures": Artifact(uri="s3://artifacts/m/f.json", sha256="0" * 64, bytes=1)},
    {"profile": Artifact(uri="s3://artifacts/m/p.json", sha256="0" * 64, bytes=1)},
])  # fmt: skip
def test_so_is_one_of_another_model_run_or_author_or_with_other_figures_or_captures(
    signed: Signed, changed: dict[str, Any]
) -> None:
    with pytest.raises(Tampered, match=f"{next(iter(changed))} differs"):
        signed.check(**changed)


def test_a_signature_by_another_key_is_refused_and_the_remedy_is_named(signed: Signed) -> None:
    with pytest.raises(Tampered, match="not of this stack's key") as fault:
        check_version(signed.version, signed.store, MemoryKeys())
    assert "ExistingSigningKey" in fault.value.remedy and "modelcycle rollback" in fault.value.remedy


def test_a_byte_flipped_anywhere_in_the_signature_is_found_even_if_the_record_is_made_to_fit(signed: Signed) -> None:
    """The record's hash finds each flip. Here an attacker repairs it: what the key has signed still holds."""
    draw, body = random.Random(7), signed.bundle
    unsigned_parts = ("hint", "keyid", "mediaType", "tlogEntries")
    for _ in range(PLACES):
        place = draw.randrange(len(body))
        flipped = body[:place] + bytes([body[place] ^ 1 << draw.randrange(7)]) + body[place + 1 :]
        store = MemoryStore()
        store.objects = dict(signed.store.objects)
        store.objects[bundle_key(MODEL, signed.version.run_id)] = flipped
        with pytest.raises(Tampered):
            check_version(signed.version, store, signed.keys)  # by its hash
        forged = store.put("m/runs/other/register/model.sig", flipped).model_copy(
            update={"uri": f"s3://artifacts/{MODEL}/runs/other/register/model.sig"}
        )
        store.objects[f"{MODEL}/runs/other/register/model.sig"] = flipped
        try:
            result = check_version(signed.version.model_copy(update={"bundle": forged}), store, signed.keys)
        except Tampered:
            continue
        before, after = json.loads(body), json.loads(flipped)
        for bundle in (before, after):
            for part in unsigned_parts:
                bundle.pop(part, None)
            bundle["verificationMaterial"] = None
            bundle["dsseEnvelope"]["signatures"][0].pop("keyid", None)
            bundle["dsseEnvelope"] = {
                name: base64.b64decode(value) if name == "payload" else value
                for name, value in bundle["dsseEnvelope"].items() if name != "signatures"
            }  # fmt: skip
        assert result == "signed" and before == after, f"a flip at {place} was accepted"


def test_the_signature_cannot_be_left_out(signed: Signed) -> None:
    with pytest.raises(Tampered, match="does not name the signature"):
        signed.check(bundle=None)


def test_a_version_from_before_signing_is_loaded_and_says_so(signed: Signed) -> None:
    here = Signed()
    del here.store.objects[bundle_key(MODEL, here.version.run_id)]
    assert here.check(bundle=None) == "unsigned"
    unsigned = here.version.model_copy(update={"bundle": None})
    assert load_version(unsigned, here.store, here.keys).checked == "unsigned"


class Erased:
    """A signed version, whose columns have other bytes now, which load as well."""

    def __init__(self) -> None:
        self.signed = Signed()
        self.erasures = Registry(MemoryTable()).erasures
        self.file = self.signed.version.signature
        self.bucket, _, self.key = self.file.uri.removeprefix("s3://").partition("/")
        self.body = self.signed.store.objects[self.key] + b"\n"
        self.signed.store.objects[self.key] = self.body
        self.signed.store.replacement = self.erasures.replacement

    def rewrite(self, keys: MemoryKeys | None, body: bytes | None = None, was: str = "") -> None:
        """Record the change, signed by a key."""
        now = hashlib.sha256(self.body if body is None else body).hexdigest()
        self.erasures.rewrite(
            MODEL, self.bucket, self.key, was or self.file.sha256, now, len(self.body),
            sign=lambda one: sign_rewritten(self.file.uri, one, keys) if keys else "",
        )  # fmt: skip

    def forge(self, **changed: Any) -> None:
        self.erasures.table.records[rewritten_object(MODEL, self.bucket, self.key)].body.update(changed)

    def load(self) -> str:
        return load_version(self.signed.version, self.signed.store, self.signed.keys).checked


def test_a_file_that_an_erasure_has_changed_and_signed_is_loaded() -> None:
    here = Erased()
    here.rewrite(here.signed.keys)
    here.rewrite(MemoryKeys())  # the same again: the first signature is kept
    assert here.load() == "signed"


def test_a_record_of_an_erasure_alone_does_not_change_what_is_loaded() -> None:
    here = Erased()
    here.rewrite(None)
    with pytest.raises(Tampered, match="no erasure has signed that"):
        here.load()
    other = Erased()
    other.rewrite(MemoryKeys())
    with pytest.raises(Tampered, match="no erasure has signed that"):
        other.load()


def test_nor_does_one_whose_hashes_were_changed_after_it_was_signed() -> None:
    for changed in ({"was": "other"}, {"body": b"other"}):
        here = Erased()
        here.rewrite(here.signed.keys, **changed)  # type: ignore[arg-type]
        here.forge(was=["other", here.file.sha256], now=hashlib.sha256(here.body).hexdigest())
        with pytest.raises(Tampered, match="no erasure has signed that"):
            here.load()
    here.forge(signature="not Base64")
    with pytest.raises(Tampered, match="no erasure has signed that"):
        here.load()


def downgraded(live: Live, number: int) -> None:
    """Change the record as an intruder would: no bundle, a run without one, another graph of the model."""
    record = live.api.registry.versions.table.records[keys.version(MODEL, number)]
    other = live.api.store.put(f"{MODEL}/runs/other/select_model/model.onnx", b"another graph")
    record.body.update(bundle=None, run_id="other", onnx=other.model_dump())


def test_a_version_of_a_signed_number_cannot_be_made_to_look_older_than_signatures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    live = Live(monkeypatch)
    downgraded(live, 2)
    assert live.versions() == {1}
    assert "versions of its number were signed" in live.api.log.getvalue()


def test_what_was_registered_while_the_stack_had_no_key_is_served_when_it_has_one_again() -> None:
    here = Signed()
    versions = Registry(MemoryTable()).versions
    signed, unsigned = here.version, here.version.model_copy(update={"bundle": None, "run_id": "without"})
    for number, draft in enumerate((unsigned, signed, unsigned, unsigned, signed), 1):
        versions.register(draft, f"content {number}")
    assert versions.signed(MODEL).switched == [2, 3, 5]
    for number, checked in enumerate(("unsigned", "signed", "unsigned", "unsigned", "signed"), 1):
        assert check_version(versions.get(MODEL, number), here.store, here.keys) == checked
    assert is_governed(keys.signed_versions(MODEL)), "its removal is found"
    lost = versions.table.records[keys.version(MODEL, 5)]
    lost.body.update(bundle=None, run_id="without")
    with pytest.raises(Tampered, match="were signed"):
        check_version(versions.get(MODEL, 5), here.store, here.keys)
    assert "must_be_signed" not in versions.get(MODEL, 5).model_dump()


def test_without_a_key_nothing_is_checked(signed: Signed) -> None:
    assert check_version(signed.version, signed.store, UNSIGNED) == "unchecked"


def test_a_lost_signature_is_no_older_version() -> None:
    here = Signed()
    del here.store.objects[bundle_key(MODEL, here.version.run_id)]
    with pytest.raises(Unknown):
        here.check()


def test_no_graph_is_loaded_before_the_check(signed: Signed, monkeypatch: pytest.MonkeyPatch) -> None:
    def scorer(*_: Any) -> Any:
        raise AssertionError("a graph was loaded")

    monkeypatch.setattr(loaded_version, "Scorer", scorer)
    with pytest.raises(Tampered):
        load_version(signed.version, signed.store, MemoryKeys())
    signed.keys.outage = Transient("KMS did not answer")
    try:
        with pytest.raises(Transient):
            load_version(signed.version, signed.store, signed.keys)
    finally:
        signed.keys.outage = None


class Live:
    """Two signed versions that share the traffic, not loaded yet."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.keys = MemoryKeys()
        self.api = Api(monkeypatch, self.keys)
        for run_id, weight in (("run1", 100), ("run2", 50)):
            self.go_live(run_id, weight)

    def go_live(self, run_id: str, weight: int) -> None:
        draft = cycle(train("binary"), self.api.store, self.api.registry, run_id=run_id).draft()
        bundle = sign_version(draft, self.api.store, self.keys)
        version, _ = self.api.registry.versions.register(draft.model_copy(update={"bundle": bundle}), run_id)
        self.api.registry.standings.move(MODEL, version.version, "staged", "run r")
        self.api.registry.routes.promote(MODEL, version.version, weight, "test")

    def answer(self) -> tuple[int, Any]:
        rows = [{HOURS: float(number), COLOUR: "red", ID: f"c{number}"} for number in range(60)]
        return self.api.call(f"/models/{MODEL}/predict", json.dumps({"instances": rows}))[:2]

    def versions(self) -> set[int]:
        status, answer = self.answer()
        assert status == 200, answer
        return set(answer.get("versions", [answer["version"]]))


def test_the_other_version_answers_for_one_that_was_tampered_with(monkeypatch: pytest.MonkeyPatch) -> None:
    live = Live(monkeypatch)
    live.api.store.objects[bundle_key(MODEL, "run2")] = b"{}"
    assert live.versions() == {1}
    assert "a version could not be loaded" in live.api.log.getvalue()


def test_while_kms_does_not_answer_what_is_loaded_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    live = Live(monkeypatch)
    assert live.versions() == {1, 2}
    live.keys.outage = Transient("KMS did not answer")
    assert live.versions() == {1, 2}
    cold = Live(monkeypatch)
    cold.keys.outage = Transient("KMS did not answer")
    status, problem = cold.answer()
    assert status == 503 and "KMS did not answer" in json.dumps(problem)
    cold.keys.outage = None
    cold.api.now += 60
    assert cold.versions() == {1, 2}


def test_a_disabled_key_is_told_and_not_taken_for_a_tampered_version(signed: Signed) -> None:
    signed.keys.outage = Fault("the key is disabled, or was deleted (DisabledException)")
    try:
        with pytest.raises(Fault, match="disabled"):
            signed.check()
    finally:
        signed.keys.outage = None
