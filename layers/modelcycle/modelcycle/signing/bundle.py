"""A signed statement as a file: a DSSE envelope in a Sigstore bundle.

Sources: DSSE v1.0, "Protocol" (what is signed is the pre-authentication encoding of type and payload); Sigstore bundle
v0.3 (sigstore/protobuf-specs, `sigstore_bundle.proto`). The signature is ECDSA on P-256 over SHA-256, as DER: as KMS
returns it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import textwrap

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from modelcycle.key_service import KeyService

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
MAX_BUNDLE_BYTES = 2**20


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)


class _Signature(_Part):
    sig: Base64Bytes
    keyid: str = ""


class _Envelope(_Part):
    payload: Base64Bytes
    payload_type: str
    signatures: tuple[_Signature, ...] = Field(min_length=1, max_length=1)


class _PublicKey(_Part):
    hint: str = ""


class _Material(_Part):
    public_key: _PublicKey


class Bundle(_Part):
    """A signed payload.

    Parameters
    ----------
    verification_material : names the key by the SHA-256 of its PEM
    """

    media_type: str
    verification_material: _Material
    dsse_envelope: _Envelope

    @property
    def payload(self) -> bytes:
        return self.dsse_envelope.payload

    def is_signed_by(self, keys: KeyService) -> bool:
        """Return whether its signature is of the stack's key.

        Raises
        ------
        Transient, Throttled, Fault : see `KeyService`
        """
        envelope = self.dsse_envelope
        digest = hashlib.sha256(encoded(envelope.payload_type, envelope.payload)).digest()
        return envelope.payload_type == PAYLOAD_TYPE and keys.verify(digest, envelope.signatures[0].sig)


def signed_bundle(payload: bytes, keys: KeyService) -> bytes:
    """Sign a payload; return the bundle. Two bundles of one payload differ: ECDSA draws a random number for each.

    Raises
    ------
    Transient, Throttled, Fault : see `KeyService`
    """
    signature = keys.sign(hashlib.sha256(encoded(PAYLOAD_TYPE, payload)).digest())
    hint = hashlib.sha256(public_key_pem(keys.public_key()).encode()).hexdigest()
    bundle = {
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": {"publicKey": {"hint": hint}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode(), "payloadType": PAYLOAD_TYPE,
            "signatures": [{"sig": base64.b64encode(signature).decode(), "keyid": ""}],
        },
    }  # fmt: skip
    return json.dumps(bundle, sort_keys=True).encode()


def encoded(payload_type: str, payload: bytes) -> bytes:
    """Return the pre-authentication encoding of DSSE, which is what is signed.

    Examples
    --------
    >>> encoded("http://example.com/HelloWorld", b"hello world")
    b'DSSEv1 29 http://example.com/HelloWorld 11 hello world'
    """
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def public_key_pem(der: bytes) -> str:
    """Return a public key (SubjectPublicKeyInfo) as PEM (RFC 7468)."""
    lines = textwrap.wrap(base64.b64encode(der).decode(), 64)
    return "\n".join(["-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""])
