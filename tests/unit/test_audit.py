"""`make audit`: silence counts only where the database has answered."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from infra.delivery import audit
from infra.delivery.audit import KNOWN_VULNERABLE, NotAudited, Package, main

VULNERABLE: dict[Package, str] = {KNOWN_VULNERABLE: "PYSEC-2018-28"}


def database(known: dict[Package, str], unknown: Iterable[str] = ()) -> audit.Ask:
    """Return a database that knows vulnerabilities, and not some names; it answers as pip-audit 2.10 does."""

    def ask(packages: Iterable[Package]) -> dict[str, Any]:
        asked = list(packages)
        assert len({name for name, _ in asked}) == len(asked), "pip-audit refuses a name that comes twice"
        return {
            "dependencies": [
                {"name": name, "skip_reason": "Dependency not found on PyPI and could not be audited"}
                if name in unknown
                else {
                    "name": name,
                    "version": version,
                    "vulns": [{"id": known[name, version], "fix_versions": ["9.9"]}]
                    if (name, version) in known
                    else [],
                }
                for name, version in asked
            ],
            "fixes": [],
        }

    return ask


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for layer, lines in {
        "data": "duckdb==1.4.0 \\\n    --hash=sha256:00\nnumpy==2.2.0 ; python_full_version < '3.12'\nnumpy==2.4.0\n",
        "serving": "numpy==2.4.0\n",
    }.items():
        (tmp_path / "layers" / layer).mkdir(parents=True)
        (tmp_path / "layers" / layer / "requirements.txt").write_text(lines)
    (tmp_path / "requirements.txt").write_text("six==1.17.0\n")
    return tmp_path


def test_packages_without_a_known_vulnerability_pass(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(database(VULNERABLE), project) == 0
    told = capsys.readouterr()
    assert "audited: 4 of 4 packages of 3 locks; 0 known vulnerabilities" in told.out + told.err


def test_a_vulnerability_is_named_with_lock_and_remedy(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known = VULNERABLE | {("numpy", "2.4.0"): "PYSEC-2026-1"}
    assert main(database(known), project) == audit.VULNERABLE
    told = capsys.readouterr()
    line = "PYSEC-2026-1: numpy 2.4.0 in layers/data/requirements.txt, layers/serving/requirements.txt; fixed in 9.9"
    assert line in told.out + told.err


def test_a_package_that_the_database_does_not_know_was_not_audited(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """pip-audit itself calls this "No known vulnerabilities found", and ends with 0."""
    assert main(database(VULNERABLE, unknown=["duckdb"]), project) == audit.NOT_AUDITED
    told = capsys.readouterr()
    assert "NOT AUDITED: the database has no answer for 1 of 4 packages: duckdb 1.4.0" in told.out + told.err


def test_a_database_that_does_not_know_a_known_vulnerability_is_none(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mirror of packages may answer, and have no vulnerabilities in it."""
    assert main(database({}), project) == audit.NOT_AUDITED
    told = capsys.readouterr()
    assert "NOT AUDITED" in told.out + told.err and "audited: " not in told.out + told.err


@pytest.mark.parametrize(("printed", "says"), [("", "Failed to resolve"), ("<html>", "Failed to resolve")])
def test_without_an_answer_nothing_was_audited(monkeypatch: pytest.MonkeyPatch, printed: str, says: str) -> None:
    done = CompletedProcess([], 1, printed, "Traceback\nConnectionError: Failed to resolve the database\n")
    monkeypatch.setattr(audit.subprocess, "run", lambda *_, **__: done)
    with pytest.raises(NotAudited, match=says):
        audit.ask_pip_audit([KNOWN_VULNERABLE])


def test_the_locks_are_those_of_what_is_deployed_and_of_the_command_line() -> None:
    named = {path.parent.name for path in audit.locks()}
    layers = {path.name for path in (audit.ROOT / "layers").iterdir() if (path / "requirements.in").is_file()}
    assert named == layers | {audit.ROOT.name}
    for path in audit.locks():
        # each pinned line of the lock, and nothing else
        pinned = [line for line in path.read_text().splitlines() if "==" in line and not line.startswith((" ", "#"))]
        assert len(audit.packages_of("\n".join(pinned))) == len(pinned) > 0
