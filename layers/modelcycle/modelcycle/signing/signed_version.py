"""Signs a version when it is registered, and checks it before it is loaded."""

from __future__ import annotations

import hashlib
from typing import Literal, Protocol

from pydantic import ValidationError

from modelcycle.faults import Tampered
from modelcycle.key_service import KeyService
from modelcycle.messages import Artifact
from modelcycle.signing.bundle import MAX_BUNDLE_BYTES, Bundle, signed_bundle
from modelcycle.signing.rewritten import is_signed_rewriting
from modelcycle.signing.statement import Served, Statement
from modelcycle.spec import Capture
from modelcycle.store import Store

BUNDLE = "model.sig"  # the name by which the public tool knows it

Checked = Literal["signed", "unsigned", "unchecked"]
"""`unsigned`: registered before versions were signed; `unchecked`: this stack has no key to check with."""


class Signable(Protocol):
    """What of a version's record is signed; `Version` of the registry is one."""

    @property
    def model(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def run_id(self) -> str: ...
    @property
    def capture(self) -> Capture: ...
    @property
    def onnx(self) -> Artifact: ...
    @property
    def signature(self) -> Artifact: ...
    @property
    def card(self) -> Artifact: ...
    @property
    def lineage(self) -> Artifact: ...
    @property
    def validation(self) -> Artifact: ...
    @property
    def pipeline(self) -> Artifact: ...
    @property
    def bundle(self) -> Artifact | None: ...
    @property
    def must_be_signed(self) -> bool: ...
    @property
    def profile(self) -> Artifact: ...
    @property
    def figures(self) -> Artifact | None: ...
    @property
    def author(self) -> str | None: ...


def signed_files(version: Signable) -> dict[str, Artifact]:
    """Return what a signature covers, by the name of each file in an exported folder.

    The first two are what serves. The others say what it is; lineage.json holds the hashes of all that made it.
    """
    return {
        "model.onnx": version.onnx, "signature.json": version.signature, "card.md": version.card,
        "lineage.json": version.lineage, "validation.json": version.validation, "pipeline.yaml": version.pipeline,
    }  # fmt: skip


def bundle_key(model: str, run_id: str) -> str:
    """Return where the signature of the version that a run has made lies: known without the version's record."""
    return f"{model}/runs/{run_id}/register/{BUNDLE}"


def sign_version(version: Signable, artifacts: Store, keys: KeyService) -> Artifact:
    """Sign a version; a second delivery gets the bundle of the first.

    Parameters
    ----------
    version : as it will be registered; its number is not signed, because content that has a number keeps it

    Raises
    ------
    Tampered : another object lies where the signature belongs
    Transient, Throttled, Fault : see `KeyService` and `Store`
    """
    written = artifacts.put(
        bundle_key(version.model, version.run_id), signed_bundle(_statement(version).to_bytes(), keys)
    )
    _check(version, artifacts.read(written), written.uri, keys)
    return written


def check_version(version: Signable, artifacts: Store, keys: KeyService) -> Checked:
    """Check that the stack's key has signed what a version's record names. Not that the files have those hashes:
    `Store.read` does.

    Returns
    -------
    `signed`; or why the version has no signature, or none that can be checked here

    Raises
    ------
    Tampered : the signature is not of this key, or not of this version; or the record does not name it, though it is
        there, or though versions of this number were signed
    Unknown : the object with the signature is gone
    Transient, Throttled, Fault : see `KeyService` and `Store`
    """
    if not keys.signs:
        return "unchecked"
    if version.bundle is None:
        key = bundle_key(version.model, version.run_id)
        if artifacts.exists(key):
            raise _not_signed(version, "its record does not name the signature that its run has made", key)
        if version.must_be_signed:
            raise _not_signed(version, "it has no signature, and versions of its number were signed", key)
        return "unsigned"
    _check(version, artifacts.read(version.bundle), version.bundle.uri, keys)
    return "signed"


def read_signed(version: Signable, artifact: Artifact, artifacts: Store, keys: KeyService) -> bytes:
    """Return the bytes of a signed file: as they were signed, or as an erasure has left them, if it has signed that.

    Raises
    ------
    Tampered : the object was changed
    Unknown, Transient, Throttled, Fault : see `KeyService` and `Store`
    """
    body = artifacts.read(artifact)
    if version.bundle is None or not keys.signs:
        return body
    digest = hashlib.sha256(body).hexdigest()
    if digest != artifact.sha256 and not is_signed_rewriting(artifact, digest, artifacts.replacement(artifact), keys):
        raise _not_signed(
            version, "a record says that an erasure has changed its file, and no erasure has signed that", artifact.uri
        )
    return body


def _check(version: Signable, body: bytes, where: str, keys: KeyService) -> None:
    if len(body) > MAX_BUNDLE_BYTES:
        raise _not_signed(version, "its signature is too large to be one", where)
    try:
        bundle = Bundle.model_validate_json(body)
    except ValidationError:
        raise _not_signed(version, "its signature is no Sigstore bundle", where) from None
    # first: nothing of a payload is believed that the key has not signed
    if not bundle.is_signed_by(keys):
        raise _not_signed(version, "its signature is not of this stack's key", where)
    try:
        statement = Statement.model_validate_json(bundle.payload)
    except ValidationError:
        raise _not_signed(version, "what was signed is no model", where) from None
    difference = _difference(statement, _statement(version))
    if difference:
        raise _not_signed(version, f"its record is not what was signed: {difference} differs", where)


def _difference(signed: Statement, named: Statement) -> str:
    """Return the first thing in which two statements differ; empty if they are the same."""
    hashes, expected = (
        {resource.name: resource.digest for resource in statement.predicate.resources} for statement in (signed, named)
    )
    files = [name for name in sorted({*hashes, *expected}) if hashes.get(name) != expected.get(name)]
    fields = [
        name for name in type(named.predicate.modelcycle).model_fields
        if getattr(signed.predicate.modelcycle, name) != getattr(named.predicate.modelcycle, name)
    ]  # fmt: skip
    return ", ".join([*files, *fields])


def _statement(version: Signable) -> Statement:
    served = Served(
        model=version.model, run_id=version.run_id, capture=version.capture, author=version.author,
        profile=version.profile.sha256, figures=version.figures.sha256 if version.figures else None,
    )  # fmt: skip
    return Statement.of(served, {name: artifact.sha256 for name, artifact in signed_files(version).items()})


def _not_signed(version: Signable, what: str, where: str) -> Tampered:
    name = f"version {version.version} of {version.model}" if version.version else version.model
    return Tampered(
        f"{name} is not loaded: {what}", where,
        f"another version has to serve: `modelcycle rollback {version.model}`; run the model again to register it "
        "anew; if the stack has got another key, deploy it with the earlier one (ExistingSigningKey)",
    )  # fmt: skip
