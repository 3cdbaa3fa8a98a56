"""Prints what decides whether versions of the functions are published anew: `python -m infra.build_sha NAME=VALUE ...`.

SAM publishes a version of every function when its parameter `BuildSha` changes, and only then. So the hash covers what
makes the functions: their code, the layers with their locks, the policies, their properties in the template, and the
parameters. A change of documents, tests, state machines or alarms publishes nothing.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path

from infra.local.deployment.code_hash import code_version, policies_hash
from infra.local.deployment.functions_hash import functions_sha

ROOT = Path(__file__).resolve().parents[1]


def build_sha(template: Path, parameters: Mapping[str, str]) -> str:
    """Return the value of `BuildSha` for a deployment of a template with some parameters."""
    code = code_version(template.parent) + policies_hash(template.parent)
    return hashlib.sha256(f"{code}{functions_sha(template, parameters)}".encode()).hexdigest()


if __name__ == "__main__":
    print(build_sha(ROOT / "template.yaml", dict(word.split("=", 1) for word in sys.argv[1:] if "=" in word)))
