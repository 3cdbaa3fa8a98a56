"""The seal of one day: what stood at the end of each audit trail, and in the manifests of compacted captures."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from datetime import date, datetime

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from modelcycle.registry import Head
from modelcycle.registry.chain import BEFORE_THE_FIRST, digest
from modelcycle.store import S3Store

PREFIX = "seals/"


class SealedCaptures(BaseModel):
    """The manifests of a model's compacted hours that no late capture can change any more.

    Parameters
    ----------
    through : of all hours before it, the manifests are in this seal or an earlier one
    manifests : SHA-256 of the object, by its key
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    through: datetime
    manifests: dict[str, str] = {}


class DailySeal(BaseModel):
    """One seal.

    Parameters
    ----------
    day : that it closes (UTC)
    at : when it was made; later than the day after, if days were missed
    previous : SHA-256 of the object of the seal before; zeros for the first
    previous_day : None for the first
    heads : number and hash of the last audit entry, by model
    captures : by model
    signature : of the digest, ECDSA as DER in Base64; empty without a key
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True, populate_by_name=True)

    schema_number: int = Field(1, alias="schema")
    day: date
    at: AwareDatetime
    previous: str = BEFORE_THE_FIRST
    previous_day: date | None = None
    heads: dict[str, Head] = {}
    captures: dict[str, SealedCaptures] = {}
    signature: str = ""

    @property
    def digest(self) -> bytes:
        """The SHA-256 of everything but the signature: what is signed."""
        return bytes.fromhex(digest(self.model_dump(mode="json", by_alias=True, exclude={"signature"})))

    @property
    def signature_bytes(self) -> bytes:
        return base64.b64decode(self.signature)

    def signed(self, signature: bytes) -> DailySeal:
        """Return the seal with its signature."""
        return self.model_copy(update={"signature": base64.b64encode(signature).decode()})

    def to_bytes(self) -> bytes:
        """Return JSON; equal seals give equal bytes."""
        return json.dumps(self.model_dump(mode="json", by_alias=True), sort_keys=True, ensure_ascii=False).encode()


def seal_key(day: date) -> str:
    """Return the key of the seal of a day.

    >>> seal_key(date(2026, 1, 2))
    'seals/2026/01/02.json'
    """
    return f"{PREFIX}{day:%Y/%m/%d}.json"


def sealed_days(seals: S3Store) -> Iterator[date]:
    """Yield the days that have a seal, the oldest first."""
    for one in seals.list(PREFIX):
        try:
            yield datetime.strptime(one.key, f"{PREFIX}%Y/%m/%d.json").date()
        except ValueError:
            continue


def read_seal(seals: S3Store, day: date) -> tuple[DailySeal, str]:
    """Return the seal of a day, and the SHA-256 of its object.

    Raises
    ------
    Unknown : the day has no seal
    pydantic.ValidationError : the object is no seal
    """
    body, _ = seals.latest(seal_key(day))
    return DailySeal.model_validate_json(body), hashlib.sha256(body).hexdigest()
