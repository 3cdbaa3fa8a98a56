"""Makes the cloud's own key the only root key.

MiniStack accepts the key `test`, any account number, and a request without a key as root, and does not check their
signatures. It derives the key of each function's role from the names of role and function alone. Any user of the
machine could therefore act as root, or as any function.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from infra.local.keys import Key

ACCOUNT = "000000000000"


def restrict_root_to(key: Key) -> None:
    """Accept `key`, with a valid signature, as the only root key, and derive the functions' keys from its secret.

    For MiniStack it is the key of a root session; it checks the signature of a session's key.
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
        """Return the same credentials for the same role and function at each start: warm functions keep theirs."""
        account, _ = lambda_runtime._account_region_from_function_config(config)
        role, function = str(config.get("Role", "")), str(config.get("FunctionName", "function"))
        access_key = f"ASIA{_derive(key, 'key', role, function)[:16].upper()}"
        secret, token = _derive(key, "secret", role, function), _derive(key, "token", role, function)
        role_name = role.rsplit("/", 1)[-1]
        session = {
            "Arn": f"arn:aws:sts::{account}:assumed-role/{role_name}/{function[:64]}",
            "UserId": f"{role_name}:{function[:64]}", "SecretAccessKey": secret, "SessionToken": token,
        }  # fmt: skip
        sts.register_session(access_key, session)
        return {"AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": token}

    for module in (lambda_runtime, lambda_svc):
        module.execution_credentials = execution_credentials


def _derive(key: Key, *parts: str) -> str:
    return hmac.new(key.secret_key.encode(), "\0".join(parts).encode(), hashlib.sha256).hexdigest()
