"""The local cloud notes which permission of a role each call has used; `make permissions` prints them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from infra.local import permissions_report
from infra.local.emulator.used_permissions import TRIAL, Permission, UsedPermissions, permissions_file
from infra.local.permissions_report import Reason, covered, lines, read_notes, reasons, without_calls
from tests.people_tables import ROOT
from tests.permission_tables import roles

ROLE = "modelcycle-Identity-0a2be25d-ff4-ClaimRole-49EDCBBBE3D25"
ARN = f"arn:aws:sts::1:assumed-role/{ROLE}/claim"
DATA = "arn:aws:s3:::mc-storage-e0c1e400-715-data-f0509b1562c7b"
TABLE = "arn:aws:dynamodb:us-east-1:1:table/mc-Registry-7F16C0B78220C"


@pytest.fixture
def iam(monkeypatch: pytest.MonkeyPatch) -> Any:
    """MiniStack's evaluator with one role, whose policy names objects and partition keys."""
    from ministack.core import iam_evaluator

    policy = iam_evaluator.parse_policy_document({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"],
         "Resource": [f"{DATA}/raw/*", f"{DATA}/score/*"]},
        {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": TABLE, "Condition": {
            "Null": {"dynamodb:LeadingKeys": "false"},
            "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["MODELS", "RUN#*"]},
        }},
    ]})  # fmt: skip
    principal = SimpleNamespace(policies=[policy], limits=[], arn=ARN, type="AssumedRole", account="1", keys={})
    for name in ("evaluate", "enforce", "resolve_principal", "authenticate"):
        monkeypatch.setattr(iam_evaluator, name, getattr(iam_evaluator, name))
    monkeypatch.setattr(iam_evaluator, "authenticate", lambda *names: None)
    monkeypatch.setattr(iam_evaluator, "resolve_principal", lambda *names: principal)
    return iam_evaluator


def call(iam: Any, action: str, resource: str, *keys: str) -> bool:
    context = {"dynamodb:LeadingKeys": list(keys)} if keys else {}
    service = action.partition(":")[0]
    return iam.enforce("KEY", action, service, "us-east-1", resource_arn=resource, service_context=context) is None


def test_each_permission_of_a_role_is_noted_with_whether_a_call_used_it(iam: Any, tmp_path: Path) -> None:
    noted = UsedPermissions(permissions_file(tmp_path))
    noted.install(iam)
    assert call(iam, "s3:GetObject", f"{DATA}/raw/m/a.csv")
    assert call(iam, "dynamodb:GetItem", TABLE, "RUN#m")
    assert not call(iam, "s3:DeleteObject", f"{DATA}/raw/m/a.csv")
    assert not call(iam, "dynamodb:GetItem", TABLE, "ROUTE#m")
    noted.write()
    assert permissions_file(tmp_path).stat().st_mode & 0o077 == 0
    used, denied = read_notes([permissions_file(tmp_path)])
    assert {permission for permission, is_used in used["Claim"].items() if is_used} == {
        Permission("s3:GetObject", "data/raw/*"), Permission("dynamodb:GetItem", "registry", "RUN#*")
    }  # fmt: skip
    assert len(used["Claim"]) == 6
    assert denied["Claim"] == {
        Permission("s3:DeleteObject", "data/raw/m/a.csv"), Permission("dynamodb:GetItem", "registry", "ROUTE#m")
    }  # fmt: skip


def test_what_an_earlier_process_noted_is_kept(iam: Any, tmp_path: Path) -> None:
    path = permissions_file(tmp_path)
    first = UsedPermissions(path)
    first.install(iam)
    assert call(iam, "s3:GetObject", f"{DATA}/raw/m/a.csv")
    first.write()
    second = UsedPermissions(path)
    second.install(iam)
    assert call(iam, "s3:PutObject", f"{DATA}/score/m/a.csv")
    second.write()
    used, _ = read_notes([path])
    assert sum(used["Claim"].values()) == 2
    path.write_text("{")
    assert not UsedPermissions(path)._used


def test_what_a_test_tries_with_the_credentials_of_a_role_is_not_noted(
    iam: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trying = iam.resolve_principal()
    trying.arn = f"arn:aws:sts::1:assumed-role/{ROLE}/{TRIAL}"
    noted = UsedPermissions(permissions_file(tmp_path))
    noted.install(iam)
    assert call(iam, "s3:GetObject", f"{DATA}/raw/m/a.csv")
    assert not call(iam, "s3:DeleteObject", f"{DATA}/raw/m/a.csv")
    noted.write()
    assert not permissions_file(tmp_path).exists()


def test_a_denied_call_is_a_mistake_unless_the_role_has_the_permission_again() -> None:
    has = [Permission("s3:GetObject", "data/raw/*"), Permission("dynamodb:GetItem", "registry", "RUN#*")]
    assert covered(Permission("s3:GetObject", "data/raw/m/a.csv"), has)
    assert covered(Permission("dynamodb:GetItem", "registry", "RUN#m"), has)
    assert not covered(Permission("s3:PutObject", "data/raw/m/a.csv"), has)
    assert not covered(Permission("dynamodb:GetItem", "registry", "ROUTE#m"), has)


def test_a_permission_that_is_neither_used_nor_explained_is_named() -> None:
    used = {"Claim": {Permission("s3:GetObject", "data/raw/*"): False, Permission("xray:Put", "*"): False,
                      Permission("s3:PutObject", "data/x"): True}}  # fmt: skip
    shown = list(lines(used, [Reason("*", "xray:*", "*", "traces")]))
    assert [in_order for _, in_order in shown] == [True, False, True, True]
    assert "NOT USED" in shown[1][0] and "traces" in shown[3][0]


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Writes the notes of a run of tests; the command reads these and no others."""
    monkeypatch.setattr(permissions_report, "NOTES", tmp_path)
    monkeypatch.setattr(permissions_report, "BY_DELIVERY", tmp_path / "permissions.txt")
    monkeypatch.setattr(permissions_report, "ROOT", tmp_path)
    monkeypatch.setattr(permissions_report, "without_calls", lambda used: [])
    monkeypatch.setattr(permissions_report, "reasons", list)
    (tmp_path / "permissions.txt").write_text("# of the tests\n")

    def write(of: str, used: bool, denied: str = "") -> None:
        calls = {ROLE: [[denied, f"{DATA}/raw/m/a.csv", ""]]} if denied else {}
        content = {"roles": {ROLE: [["s3:GetObject", f"{DATA}/raw/*", "", used]]}, "denied": calls}
        (tmp_path / of).mkdir(exist_ok=True)
        (tmp_path / of / "project.json").write_text(json.dumps(content))

    return write


def ended(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["permissions", *words, "--home", "nowhere"])
    return permissions_report.main()


def test_the_command_fails_only_if_asked_to_and_if_no_test_was_skipped(
    notes: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(monkeypatch) == 1 and "no call is on record" in capsys.readouterr().err
    notes("delivery", False)
    assert ended(monkeypatch) == 0 and "; 1 mistake\n" in capsys.readouterr().out
    assert ended(monkeypatch, "--check") == 1 and "infra/identity.yaml" in capsys.readouterr().err
    notes("not-delivery", True)
    assert ended(monkeypatch, "--check") == 0
    notes("not-delivery", True, denied="s3:PutObject")
    assert ended(monkeypatch, "--check") == 1
    assert "Claim was denied s3:PutObject on data/raw/m/a.csv" in capsys.readouterr().out
    (tmp_path / "delivery" / "skipped.txt").write_text("tests/e2e/test_forks.py::test_forks\n")
    assert ended(monkeypatch, "--check") == 0 and "test_forks" in capsys.readouterr().err
    (tmp_path / "delivery" / "project.json").unlink()  # all tests were skipped
    assert ended(monkeypatch, "--check", "--of", "delivery") == 0 and "test_forks" in capsys.readouterr().err


def test_what_only_the_other_tests_use_is_believed_here_and_checked_there(
    notes: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    notes("not-delivery", False)
    notes("delivery", True)
    assert ended(monkeypatch, "--check", "--of", "not-delivery") == 1
    assert "Claim s3:GetObject data/raw/* NOT USED" in capsys.readouterr().out
    (tmp_path / "permissions.txt").write_text("Claim s3:GetObject data/raw/*\n")
    assert ended(monkeypatch, "--check", "--of", "not-delivery") == 0
    assert ended(monkeypatch, "--check", "--of", "delivery") == 0
    notes("delivery", False)
    assert ended(monkeypatch, "--check", "--of", "delivery") == 1
    assert "Claim s3:GetObject data/raw/*: no test" in capsys.readouterr().out


def test_a_function_of_which_no_call_is_on_record_is_named() -> None:
    assert "Claim" in without_calls({}) and "Claim" not in without_calls({"Claim": {}})
    assert len(without_calls({})) == len(roles())


def test_every_reason_of_the_document_names_functions_that_exist() -> None:
    identity = (ROOT / "infra" / "identity.yaml").read_text()
    for reason in reasons():
        assert reason.why and (reason.function == "*" or f"  {reason.function}Role:" in identity)
