"""What is signed of a model: an in-toto statement that lists its files by their hashes.

Sources: in-toto Attestation Framework v1, "Statement"; OpenSSF Model Signing v1.0, "Payload" (`model_signing`, module
`_signing.signing`), which lets a predicate have fields of others beside its own two.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from modelcycle.spec import Capture

# files of an exported folder that the hashes leave out: the signature itself, and the key that it is checked with
IGNORED = ("model.sig", "public-key.pem")

Sha256 = Field(pattern=r"^[0-9a-f]{64}$")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Subject(_Part):
    name: str
    digest: dict[str, str]


class Resource(_Part):
    """A file: its name in the folder, and its hash in hex."""

    name: str
    algorithm: Literal["sha256"] = "sha256"
    digest: str = Sha256


class Serialization(_Part):
    """How a folder becomes a list of hashes; the public tool reads it from here."""

    method: Literal["files"] = "files"
    hash_type: Literal["sha256"] = "sha256"
    allow_symlinks: bool = False
    ignore_paths: tuple[str, ...] = IGNORED


class Served(_Part):
    """What ModelCycle adds: of which model and run the files are, what policies judge, and how answers are captured.

    Parameters
    ----------
    author : ARN of who started the run; None: nobody knows
    profile, figures : SHA-256 of what the training rows are like, and of the figures against which policies are checked
    """

    model: str
    run_id: str
    capture: Capture
    author: str | None
    profile: str
    figures: str | None


class Predicate(_Part):
    serialization: Serialization = Serialization()
    resources: tuple[Resource, ...]
    modelcycle: Served


class Statement(_Part):
    type_: Literal["https://in-toto.io/Statement/v1"] = Field("https://in-toto.io/Statement/v1", alias="_type")
    subject: tuple[Subject, ...] = Field(min_length=1, max_length=1)
    predicate_type: Literal["https://model_signing/signature/v1.0"] = Field(
        "https://model_signing/signature/v1.0", alias="predicateType"
    )
    predicate: Predicate

    @classmethod
    def of(cls, served: Served, files: dict[str, str]) -> Statement:
        """Return the statement about a model.

        Parameters
        ----------
        files : SHA-256 in hex of each file, by its name in the folder
        """
        resources = tuple(Resource(name=name, digest=digest) for name, digest in sorted(files.items()))
        subject = Subject(name=served.model, digest={"sha256": root_digest([one.digest for one in resources])})
        return cls(subject=(subject,), predicate=Predicate(resources=resources, modelcycle=served))

    def to_bytes(self) -> bytes:
        """Return it as JSON; equal statements give equal bytes."""
        value: Any = self.model_dump(mode="json", by_alias=True)
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def root_digest(digests: list[str]) -> str:
    """Return the hash of all files: SHA-256 over their hashes, one after the other, in the order of the names.

    Examples
    --------
    >>> root_digest([])[:8]
    'e3b0c442'
    """
    return hashlib.sha256(b"".join(bytes.fromhex(digest) for digest in digests)).hexdigest()
