"""Each cloud has a root key of its own, and no other key is root."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import pytest
from ministack.core import iam_evaluator, lambda_runtime
from ministack.services import lambda_svc, sts

from infra.local.emulator.root_access import ACCOUNT, restrict_root_to
from infra.local.keys import Key, ensure_root_key, read_root_key

CONFIG = {
    "FunctionName": "predict", "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:predict",
    "Role": "arn:aws:iam::000000000000:role/predict",
}  # fmt: skip


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> Key:
    for module in (iam_evaluator, sts):
        monkeypatch.setattr(module, "is_root_access_key", module.is_root_access_key)
    for module in (lambda_runtime, lambda_svc):
        monkeypatch.setattr(module, "execution_credentials", module.execution_credentials)
    monkeypatch.setattr(sts, "_sessions", {})
    key = Key("AKIA0123456789ABCDEF", "a secret")
    restrict_root_to(key)
    return key


def test_each_cloud_creates_its_own_key_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for home in (first, second):
        home.mkdir()
    key = ensure_root_key(first)
    assert key != ensure_root_key(second)
    assert ensure_root_key(first) == read_root_key(first) == key
    assert stat.S_IMODE((first / "root.json").stat().st_mode) == 0o600
    assert key.secret_key not in repr(key)


@pytest.mark.parametrize("access_key", ["test", "", "000000000000", "123456789012"])
def test_no_other_key_is_root(key: Key, access_key: str) -> None:
    assert isinstance(iam_evaluator.resolve_principal(access_key, ACCOUNT), iam_evaluator.AuthError)
    credential = iam_evaluator.resolve_credential(access_key, ACCOUNT)
    assert isinstance(credential, iam_evaluator.CredentialResolutionError)


def test_the_key_is_root_and_its_signature_is_checked(key: Key) -> None:
    principal = iam_evaluator.resolve_principal(key.access_key, ACCOUNT)
    assert (principal.type, principal.policies) == ("Root", None)
    assert iam_evaluator.resolve_credential(key.access_key, ACCOUNT).secret_access_key == "a secret"
    assert not iam_evaluator.is_root_access_key(key.access_key)  # MiniStack checks no signature of such keys


def test_the_key_of_a_function_cannot_be_derived_from_its_names(key: Key) -> None:
    credentials = lambda_svc.execution_credentials(CONFIG)
    assert credentials == lambda_svc.execution_credentials(CONFIG)
    digest = hashlib.sha256(f"{CONFIG['FunctionArn']}:{CONFIG['Role']}".encode()).hexdigest()
    assert f"ASIA{digest[:16].upper()}" not in sts._sessions
    restrict_root_to(Key("AKIA0123456789ABCDEF", "another secret"))
    assert lambda_svc.execution_credentials(CONFIG) != credentials
    session = sts._sessions[credentials["AWS_ACCESS_KEY_ID"]]
    assert session["Arn"] == "arn:aws:sts::000000000000:assumed-role/predict/predict"
