"""Each cloud has a root of its own, and nobody else is root."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import pytest
from ministack.core import iam_evaluator, lambda_runtime
from ministack.services import lambda_svc, sts

from infra.local import root_key

CONFIG = {
    "FunctionName": "predict", "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:predict",
    "Role": "arn:aws:iam::000000000000:role/predict",
}  # fmt: skip


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> root_key.Key:
    for module in (iam_evaluator, sts):
        monkeypatch.setattr(module, "is_root_access_key", module.is_root_access_key)
    for module in (lambda_runtime, lambda_svc):
        monkeypatch.setattr(module, "execution_credentials", module.execution_credentials)
    monkeypatch.setattr(sts, "_sessions", {})
    key = root_key.Key("AKIA0123456789ABCDEF", "a secret")
    root_key.make_it_the_only_root(key)
    return key


def test_each_cloud_makes_its_own_key_once_and_keeps_it_from_others(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    one, other = root_key.make(tmp_path / "one"), root_key.make(tmp_path / "other")
    assert one != other
    assert root_key.make(tmp_path / "one") == root_key.load(tmp_path / "one") == one
    assert stat.S_IMODE((tmp_path / "one" / "root.json").stat().st_mode) == 0o600
    assert one.secret_key not in repr(one)


@pytest.mark.parametrize("claimed", ["test", "", "000000000000", "123456789012"])
def test_no_other_key_is_root(key: root_key.Key, claimed: str) -> None:
    assert isinstance(iam_evaluator.resolve_principal(claimed, root_key.ACCOUNT), iam_evaluator.AuthError)
    found = iam_evaluator.resolve_credential(claimed, root_key.ACCOUNT)
    assert isinstance(found, iam_evaluator.CredentialResolutionError)


def test_the_key_is_root_and_its_signature_is_checked(key: root_key.Key) -> None:
    principal = iam_evaluator.resolve_principal(key.access_key, root_key.ACCOUNT)
    assert (principal.type, principal.policies) == ("Root", None)
    assert iam_evaluator.resolve_credential(key.access_key, root_key.ACCOUNT).secret_access_key == "a secret"
    assert not iam_evaluator.is_root_access_key(key.access_key)  # those are never checked


def test_the_key_of_a_function_cannot_be_derived_from_its_names(key: root_key.Key) -> None:
    given = lambda_svc.execution_credentials(CONFIG)
    assert given == lambda_svc.execution_credentials(CONFIG)
    digest = hashlib.sha256(f"{CONFIG['FunctionArn']}:{CONFIG['Role']}".encode()).hexdigest()
    assert f"ASIA{digest[:16].upper()}" not in sts._sessions
    root_key.make_it_the_only_root(root_key.Key("AKIA0123456789ABCDEF", "another secret"))
    assert lambda_svc.execution_credentials(CONFIG) != given
    session = sts._sessions[given["AWS_ACCESS_KEY_ID"]]
    assert session["Arn"] == "arn:aws:sts::000000000000:assumed-role/predict/predict"
