"""Looks up the packages of the locks in a database of known vulnerabilities: `python -m infra.delivery.audit`.

The look-up is pip-audit's, of the Python Packaging Authority. By itself it says "No known vulnerabilities found" of
packages that its database does not answer for, and of a mirror that knows no vulnerabilities at all. So each package
has to be answered for, and a release with a known vulnerability has to be found, before silence counts.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from infra.deployment.command import say

ROOT = Path(__file__).resolve().parents[2]
PIP_AUDIT = ROOT / "build" / "audit" / "bin" / "pip-audit"
PINNED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)
# CVE-2018-18074, in every database since 2018: whoever does not know it knows nothing
KNOWN_VULNERABLE = ("requests", "2.19.1")
VULNERABLE, NOT_AUDITED = 1, 2  # exit statuses
MAX_SECONDS = 900
MAX_NAMES_SHOWN = 12

Package = tuple[str, str]
Ask = Callable[[Iterable[Package]], dict[str, Any]]


class NotAudited(Exception):
    """The database gave no answer that counts, and why."""


class Vulnerability(NamedTuple):
    """A known vulnerability of a package, by its id, with the releases that have it no more."""

    package: Package
    id: str
    fixed_in: tuple[str, ...]


def locks(root: Path = ROOT) -> list[Path]:
    """Return the locks of what is deployed, and of the command line."""
    return [*sorted((root / "layers").glob("*/requirements.txt")), root / "requirements.txt"]


def packages_of(lock: str) -> set[Package]:
    """Return names and versions of a lock, whichever Python or system they are for.

    >>> sorted(packages_of("Six==1.17.0 --hash=sha256:00\\nnumpy==2.4.6 ; python_version >= '3.12'\\n# x==1\\n"))
    [('numpy', '2.4.6'), ('six', '1.17.0')]
    """
    return {(re.sub(r"[-_.]+", "-", name).lower(), version) for name, version in PINNED.findall(lock)}


def ask_pip_audit(packages: Iterable[Package]) -> dict[str, Any]:
    """Return what pip-audit says of packages, as it writes it in JSON.

    Raises
    ------
    NotAudited : it could not ask, or did not answer in time
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "requirements.txt"
        file.write_text("".join(f"{name}=={version}\n" for name, version in sorted(packages)))
        command = [PIP_AUDIT, "--requirement", file, "--no-deps", "--disable-pip", "--format", "json", "--desc", "off"]
        try:
            done = subprocess.run(
                [*map(str, command), "--progress-spinner", "off"],
                capture_output=True, text=True, timeout=MAX_SECONDS, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise NotAudited(f"the database has not answered in {MAX_SECONDS / 60:.0f} minutes") from None
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        last = [line for line in done.stderr.splitlines() if line.strip()][-1:]
        raise NotAudited(f"pip-audit ended without an answer: {''.join(last)[:300]}") from None
    return dict(answer)


def rounds(packages: Iterable[Package]) -> Iterator[set[Package]]:
    """Yield the packages so that no name comes twice at once, which pip-audit refuses.

    >>> [sorted(one) for one in rounds({("numpy", "1"), ("numpy", "2"), ("six", "1")})]
    [[('numpy', '1'), ('six', '1')], [('numpy', '2')]]
    """
    left = set(packages)
    while left:
        now = dict(sorted(left, reverse=True)).items()
        yield set(now)
        left -= set(now)


def audit(packages: Iterable[Package], ask: Ask = ask_pip_audit) -> tuple[list[Vulnerability], list[Package]]:
    """Return the known vulnerabilities of packages, and the packages that nobody has answered for.

    Raises
    ------
    NotAudited : the database cannot be reached, or does not know what every one knows
    """
    if not _found(ask([KNOWN_VULNERABLE]), {KNOWN_VULNERABLE})[0]:
        known = " ".join(KNOWN_VULNERABLE)
        raise NotAudited(f"no database of vulnerabilities answers here: {known} has a known one, and none was found")
    found: list[Vulnerability] = []
    silent: list[Package] = []
    for one in rounds(packages):
        vulnerable, unknown = _found(ask(one), one)
        found += vulnerable
        silent += unknown
    return sorted(found), sorted(silent)


def _found(answer: dict[str, Any], asked: set[Package]) -> tuple[list[Vulnerability], list[Package]]:
    """Return the vulnerabilities of an answer, and what it says nothing of."""
    found, answered = [], set()
    for entry in answer.get("dependencies", []):
        if "skip_reason" in entry or "vulns" not in entry:
            continue
        package = (str(entry["name"]), str(entry["version"]))
        answered.add(package)
        found += [Vulnerability(package, str(one["id"]), tuple(one.get("fix_versions", ()))) for one in entry["vulns"]]
    return found, sorted(asked - answered)


def report(
    by_lock: dict[str, set[Package]], found: Sequence[Vulnerability], silent: Sequence[Package]
) -> Iterator[str]:
    """Yield the lines for people."""
    for one in found:
        name, version = one.package
        where = ", ".join(lock for lock, packages in by_lock.items() if one.package in packages)
        remedy = f"fixed in {', '.join(one.fixed_in)}: `make lock`" if one.fixed_in else "no release without it yet"
        yield f"{one.id}: {name} {version} in {where}; {remedy}"
    every = set().union(*by_lock.values())
    if silent:
        names = ", ".join(f"{name} {version}" for name, version in silent[:MAX_NAMES_SHOWN])
        more = len(silent) - MAX_NAMES_SHOWN
        yield f"NOT AUDITED: the database has no answer for {len(silent)} of {len(every)} packages: {names}" + (
            f" and {more} more" if more > 0 else ""
        )
    audited = f"{len(every) - len(silent)} of {len(every)} packages of {len(by_lock)} locks"
    yield f"audited: {audited}; {len(found)} known vulnerabilities"


def main(ask: Ask = ask_pip_audit, root: Path = ROOT) -> int:
    """Print the report; return 0 only if every package was audited and none has a known vulnerability."""
    by_lock = {str(path.relative_to(root)): packages_of(path.read_text()) for path in locks(root)}
    try:
        found, silent = audit(set().union(*by_lock.values()), ask)
    except NotAudited as error:
        say(f"NOT AUDITED: {error}")
        say("nothing is known about vulnerabilities of these packages: try where the database of PyPI can be reached")
        return NOT_AUDITED
    for line in report(by_lock, found, silent):
        say(line)
    return VULNERABLE if found else NOT_AUDITED if silent else 0


if __name__ == "__main__":
    sys.exit(main())
