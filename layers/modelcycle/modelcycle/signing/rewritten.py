"""What an erasure has made of a file, signed: so that no other bytes pass for it.

A version's signature names the hashes that its files had. An erasure changes some of them, and has the new hash on
record; whoever could write that record could have any bytes read. So the erasure signs it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json

from modelcycle.key_service import KeyService
from modelcycle.messages import Artifact
from modelcycle.signing.bundle import encoded
from modelcycle.store import Replaced

PAYLOAD_TYPE = "application/vnd.modelcycle.rewritten+json"  # not that of versions: neither passes for the other


def sign_rewritten(uri: str, rewritten: Replaced, keys: KeyService) -> str:
    """Return the signature of what an object was and is now, in Base64.

    Raises
    ------
    Transient, Throttled, Fault : see `KeyService`
    """
    return base64.b64encode(keys.sign(_digest(uri, rewritten))).decode()


def is_signed_rewriting(artifact: Artifact, digest: str, rewritten: Replaced | None, keys: KeyService) -> bool:
    """Return whether the stack's key has signed that an erasure has turned an artifact into bytes of that SHA-256.

    Raises
    ------
    Transient, Throttled, Fault : see `KeyService`
    """
    if rewritten is None or rewritten.now != digest or artifact.sha256 not in rewritten.was:
        return False
    try:
        signature = base64.b64decode(rewritten.signature, validate=True)
    except binascii.Error:
        return False
    return bool(signature) and keys.verify(_digest(artifact.uri, rewritten), signature)


def _digest(uri: str, rewritten: Replaced) -> bytes:
    told = {"uri": uri, "was": rewritten.was, "now": rewritten.now, "bytes": rewritten.bytes}
    payload = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(encoded(PAYLOAD_TYPE, payload.encode("utf-8", "surrogatepass"))).digest()
