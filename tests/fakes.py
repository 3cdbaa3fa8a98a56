"""Fakes that behave as the ports promise: a bucket, a table and keys in memory."""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from modelcycle.faults import Fault, Raced, Tampered, Transient, Unknown
from modelcycle.messages import Artifact
from modelcycle.registry import Record, Write
from modelcycle.registry.table import MAX_TRANSACTION_WRITES
from modelcycle.store import MAX_OBJECT_BYTES, Listed, Replacement


class MemoryStore:
    """A bucket. `put` writes once; `upload` replaces an object, as users may."""

    max_object_bytes = MAX_OBJECT_BYTES

    def __init__(self, bucket: str = "artifacts") -> None:
        self.bucket = bucket
        self.objects: dict[str, bytes] = {}
        self.lock = threading.Lock()
        self.replacement: Replacement = lambda artifact: None

    def upload(self, key: str, body: bytes | Path) -> None:
        self.objects[key] = body if isinstance(body, bytes) else body.read_bytes()

    def put(self, key: str, body: bytes | Path) -> Artifact:
        content = body if isinstance(body, bytes) else body.read_bytes()
        if len(content) > self.max_object_bytes:
            raise ValueError(f"{key} would have {len(content)} bytes; the limit is {self.max_object_bytes}")
        with self.lock:
            stored = self.objects.setdefault(key, content)
        return Artifact(uri=f"s3://{self.bucket}/{key}", sha256=hashlib.sha256(stored).hexdigest(), bytes=len(stored))

    def read(self, artifact: Artifact) -> bytes:
        bucket, _, key = artifact.uri.removeprefix("s3://").partition("/")
        if bucket != self.bucket or key not in self.objects:
            raise Unknown(f"there is no object {key}", artifact.uri)
        body = self.objects[key]
        digest = hashlib.sha256(body).hexdigest()
        replaced = self.replacement(artifact) if digest != artifact.sha256 else None
        if digest != (replaced.now if replaced else artifact.sha256):
            raise Tampered("the object was changed after it was written", artifact.uri)
        return body

    def fetch(self, artifact: Artifact, folder: Path) -> Path:
        path = folder / f"{artifact.sha256[:16]}-{Path(artifact.uri).name}"
        path.write_bytes(self.read(artifact))
        return path

    def missing(self, artifacts: Sequence[Artifact]) -> list[Artifact]:
        return [artifact for artifact in artifacts if not self._is_unchanged(artifact)]

    def _is_unchanged(self, artifact: Artifact) -> bool:
        body = self.objects.get(artifact.uri.removeprefix(f"s3://{self.bucket}/"))
        return body is not None and hashlib.sha256(body).hexdigest() == artifact.sha256

    def exists(self, key: str) -> bool:
        return key in self.objects

    def list(self, prefix: str) -> Iterator[Listed]:
        for key in sorted(self.objects):
            if key.startswith(prefix):
                body = self.objects[key]
                yield Listed(key, hashlib.md5(body).hexdigest(), len(body))

    def download(self, listed: Listed, path: Path) -> str | None:
        body = self.objects.get(listed.key)
        if body is None:
            raise Unknown(f"there is no object {listed.key}", listed.key)
        if hashlib.md5(body).hexdigest() != listed.etag:
            raise Transient(f"{listed.key} was replaced while it was being read", listed.key)
        path.write_bytes(body)
        return None

    def latest(self, key: str) -> tuple[bytes, str | None]:
        if key not in self.objects:
            raise Unknown(f"there is no object {key}", key)
        return self.objects[key], None

    def current(self, key: str) -> tuple[bytes, str] | None:
        body = self.objects.get(key)
        return None if body is None else (body, hashlib.md5(body).hexdigest())

    def replace(self, key: str, body: bytes, etag: str | None) -> None:
        with self.lock:
            found = self.current(key)
            if (found[1] if found else None) != etag:
                raise Raced("another writer was faster", key)
            self.objects[key] = body


class MemoryTable:
    """The registry's table, with revisions; all writes of a call happen or none, at most as many as in DynamoDB."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], Record] = {}
        self.written: list[Write] = []
        self.lock = threading.Lock()

    def get(self, pk: str, sk: str) -> Record | None:
        with self.lock:
            return self.records.get((pk, sk))

    def query(
        self, pk: str, prefix: str = "", *, start: str = "", newest_first: bool = False, limit: int | None = None
    ) -> list[Record]:
        with self.lock:
            matching = [
                record
                for (record_pk, sk), record in self.records.items()
                if record_pk == pk and sk.startswith(prefix) and sk >= start
            ]
        return sorted(matching, key=lambda record: record.sk, reverse=newest_first)[:limit]

    def write(self, *writes: Write) -> None:
        if len(writes) > MAX_TRANSACTION_WRITES:
            raise ValueError(f"a transaction holds {MAX_TRANSACTION_WRITES} writes, not {len(writes)}")
        with self.lock:
            if len({(write.pk, write.sk) for write in writes}) < len(writes):
                raise ValueError("a transaction names a record twice")
            stale = [write for write in writes if self._revision(write) != write.revision]
            if stale:
                changed = [(write.pk, write.sk) for write in stale]
                raise Raced("another writer was faster", " ".join(changed[0]), records=changed)
            for write in writes:
                self.records[write.pk, write.sk] = Record(
                    write.pk, write.sk, write.body, write.revision + 1, write.kind, write.expires
                )
            self.written += writes

    def _revision(self, write: Write) -> int:
        seen = self.records.get((write.pk, write.sk))
        return seen.revision if seen else 0


class MemoryKeys:
    """Keys in memory that sign and make codes as those of KMS do.

    Parameters
    ----------
    seed : two of the same seed have the same key for `mac`
    """

    def __init__(self, seed: str = "", *, signs: bool = True, makes_macs: bool = True) -> None:
        self.signs, self.makes_macs = signs, makes_macs
        self.secret = hashlib.sha256(f"key {seed}".encode()).digest()
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.calls: list[str] = []
        self.outage: Exception | None = None  # raised instead of an answer

    def sign(self, digest: bytes) -> bytes:
        self._called("sign", self.signs)
        return self.private.sign(digest, ec.ECDSA(Prehashed(SHA256())))

    def verify(self, digest: bytes, signature: bytes) -> bool:
        self._called("verify", self.signs)
        try:
            self.private.public_key().verify(signature, digest, ec.ECDSA(Prehashed(SHA256())))
        except InvalidSignature:
            return False
        return True

    def public_key(self) -> bytes:
        self._called("public_key", self.signs)
        return self.private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def mac(self, message: bytes) -> bytes:
        self._called("mac", self.makes_macs)
        return hmac.digest(self.secret, message, "sha256")

    def _called(self, name: str, has_key: bool) -> None:
        if self.outage:
            raise self.outage
        if not has_key:
            raise Fault("this stack has no such key", "parameter GovernanceKeys")
        self.calls.append(name)


UNSIGNED = MemoryKeys(signs=False, makes_macs=False)  # a stack with GovernanceKeys=off
