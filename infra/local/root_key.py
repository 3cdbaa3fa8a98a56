"""The key of the local cloud's root: random for each cloud, kept in its folder, checked by signature.

MiniStack takes the key `test`, any account number, and a request without any key for root, and checks no signature of
theirs. It derives the key of each function's role from the role's name alone. On a machine that several people use,
any of them would be root of everybody's cloud, or could act as any function.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ACCOUNT = "000000000000"


@dataclass(frozen=True)
class Key:
    """An access key. `secret` signs requests and never leaves the machine."""

    access_key: str
    secret_key: str = field(repr=False)


def make(home: Path) -> Key:
    """The root key of the cloud in `home`, made at its first start; only the owner can read the file."""
    kept = load(home)
    if kept:
        return kept
    key = Key(f"AKIA{secrets.token_hex(8).upper()}", secrets.token_hex(32))
    keep(_file(home), key)
    return key


def load(home: Path) -> Key | None:
    """The root key of the cloud in `home`, or None where none was made."""
    return read(_file(home))


def read(path: Path) -> Key | None:
    """A key from its file, or None where there is none or it cannot be read."""
    try:
        kept = json.loads(path.read_text())
        return Key(kept["access_key"], kept["secret_key"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def keep(path: Path, key: Key) -> None:
    """Write a key's file whole, with mode 0600."""
    half = path.with_suffix(".half")
    half.unlink(missing_ok=True)
    descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({"access_key": key.access_key, "secret_key": key.secret_key}, file)
    half.replace(path)


def _file(home: Path) -> Path:
    return home / "root.json"


def make_it_the_only_root(key: Key) -> None:
    """Inside the emulator's process: `key` is root, with a right signature; no other key is.

    To MiniStack it is a session of root, which it checks like every other session.
    """
    from ministack.core import iam_evaluator, lambda_runtime
    from ministack.services import lambda_svc, sts

    def is_root_access_key(access_key_id: str) -> bool:
        return False

    for module in (iam_evaluator, sts):
        module.is_root_access_key = is_root_access_key
    sts.register_session(
        key.access_key,
        {
            "Arn": f"arn:aws:iam::{ACCOUNT}:root", "AccountId": ACCOUNT, "UserId": ACCOUNT,
            "SecretAccessKey": key.secret_key, "SessionToken": None, "PrincipalType": "Root",
        },
    )  # fmt: skip

    def execution_credentials(config: dict[str, Any]) -> dict[str, str]:
        """As MiniStack's own: the same for the same role at each start, since warm functions keep theirs."""
        account, _ = lambda_runtime._account_region_from_function_config(config)
        role, function = str(config.get("Role", "")), str(config.get("FunctionName", "function"))
        made = {part: _derived(key, part, role, function) for part in ("key", "secret", "token")}
        access_key = f"ASIA{made['key'][:16].upper()}"
        who = role.rsplit("/", 1)[-1]
        session = {
            "Arn": f"arn:aws:sts::{account}:assumed-role/{who}/{function[:64]}", "UserId": f"{who}:{function[:64]}",
            "SecretAccessKey": made["secret"], "SessionToken": made["token"],
        }  # fmt: skip
        sts.register_session(access_key, session)
        return {
            "AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": made["secret"],
            "AWS_SESSION_TOKEN": made["token"],
        }  # fmt: skip

    for module in (lambda_runtime, lambda_svc):
        module.execution_credentials = execution_credentials


def _derived(key: Key, *parts: str) -> str:
    return hmac.new(key.secret_key.encode(), "\0".join(parts).encode(), hashlib.sha256).hexdigest()
