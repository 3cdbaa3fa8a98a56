"""The key that signs versions, as a person has it: its public part, which checks signatures without KMS."""

from __future__ import annotations

from functools import cached_property
from typing import Any, NoReturn

from cli.place import Place
from modelcycle.faults import Fault, NotAllowed
from modelcycle.key_service import NONE, KmsKeys

NO_KEY = "the stack has no key that signs (GovernanceKeys=off)"


class PublicKey:
    """A `modelcycle.key_service.KeyService` that only checks signatures; it asks KMS once, for the public key."""

    makes_macs = False

    def __init__(self, place: Place) -> None:
        # a stack that was deployed before versions were signed has no such output
        self.arn = place.outputs.get("SigningKey", NONE)
        self.place = place

    @property
    def signs(self) -> bool:
        return self.arn != NONE

    def public_key(self) -> bytes:
        return self._der

    def verify(self, digest: bytes, signature: bytes) -> bool:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
        from cryptography.hazmat.primitives.hashes import SHA256

        try:
            self._public.verify(signature, digest, ec.ECDSA(Prehashed(SHA256())))
        except InvalidSignature:
            return False
        return True

    def sign(self, digest: bytes) -> NoReturn:
        raise NotAllowed("only the step `register` signs", self.arn)

    def mac(self, message: bytes) -> NoReturn:
        raise NotAllowed("only functions make pseudonyms", self.arn)

    @cached_property
    def _der(self) -> bytes:
        if not self.signs:
            raise Fault(NO_KEY, self.place.title, "deploy with GovernanceKeys=on")
        return KmsKeys(self.place.client("kms"), self.arn).public_key()

    @cached_property
    def _public(self) -> Any:
        from cryptography.hazmat.primitives.serialization import load_der_public_key

        return load_der_public_key(self._der)
