"""The record of the last complete deployment, stored in the cloud itself so that the two cannot differ."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType

from infra.local.clients import ClientFactory
from infra.local.deployment.code_hash import hash_of
from infra.local.deployment.function_archive import archives_sha
from infra.local.deployment.stack import BUCKET

RECORD_KEY = "deployed.json"


@dataclass(frozen=True)
class DeploymentRecord:
    """A complete deployment.

    Parameters
    ----------
    digest : of everything that it was made from
    outputs : of the stack, by name
    left_out : what of the template the local cloud does not have, for people
    functions : number of functions
    """

    digest: str
    outputs: dict[str, str]
    left_out: list[str]
    functions: int


def read_deployment_record(admin: ClientFactory, key: str = RECORD_KEY) -> DeploymentRecord | None:
    """Return the record of the last complete deployment, or None if there is none; each stack has a `key`."""
    from botocore.exceptions import ClientError

    try:
        body = admin.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
    except ClientError:
        return None
    return DeploymentRecord(**json.loads(body))


def write_deployment_record(record: DeploymentRecord, admin: ClientFactory, key: str = RECORD_KEY) -> None:
    """Store the record of a complete deployment."""
    admin.client("s3").put_object(Bucket=BUCKET, Key=key, Body=json.dumps(asdict(record)).encode())


def deployment_digest(
    template: Path, stage: str, home: Path, endpoint: str, parameters: Mapping[str, str] = MappingProxyType({})
) -> str:
    """Return one SHA-256 over everything that a deployment depends on; `endpoint` is part of its addresses."""
    root = template.parent
    flows = [folder for folder in [root / "statemachines"] if folder.is_dir()]
    parts = [archives_sha(root, home), hash_of(flows), stage, endpoint]
    parts += [f"{name}={value}" for name, value in sorted(parameters.items())]
    parts += [path.read_text(encoding="utf-8") for path in [template, *sorted((root / "infra").glob("**/*.yaml"))]]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
