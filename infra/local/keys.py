"""Access keys of the local cloud, in files of its folder that only their owner can read.

MiniStack accepts the key `test` as root. On a machine that several people use, any of them would be root of everyone's
cloud, so each cloud creates a random root key at its first start (`emulator.root_access` makes it the only one).
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Key:
    """An access key. `secret_key` signs requests and never leaves the machine."""

    access_key: str
    secret_key: str = field(repr=False)


def ensure_root_key(home: Path) -> Key:
    """Return the root key of the cloud in `home`, created at its first start."""
    key = read_root_key(home)
    if key is None:
        key = Key(f"AKIA{secrets.token_hex(8).upper()}", secrets.token_hex(32))
        write_key(_root_file(home), key)
    return key


def read_root_key(home: Path) -> Key | None:
    """Return the root key of the cloud in `home`, or None if it has none."""
    return read_key(_root_file(home))


def read_key(path: Path) -> Key | None:
    """Return the key in a file, or None if the file is missing or unreadable."""
    try:
        content = json.loads(path.read_text())
        return Key(content["access_key"], content["secret_key"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def read_created_key(path: Path) -> Key | None:
    """Return the key in a file with the answer of IAM's CreateAccessKey, or None if there is none."""
    try:
        content = json.loads(path.read_text())
        made = content.get("AccessKey", content)
        return Key(str(made["AccessKeyId"]), str(made["SecretAccessKey"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def write_key(path: Path, key: Key) -> None:
    """Write a key's file atomically, with mode 0600."""
    partial = path.with_suffix(".half")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({"access_key": key.access_key, "secret_key": key.secret_key}, file)
    partial.replace(path)


def _root_file(home: Path) -> Path:
    return home / "root.json"
