"""Prints each function's permissions, and which of them the tests have used: `make permissions`.

The local cloud notes the permission behind each allowed call, and the calls that it denied
(`emulator/used_permissions.py`). The tests of the local cloud leave their notes in `build/permissions`. What no test
has used has to have a reason in docs/security.md. A call that was denied, and that no permission of the role covers, is
a mistake.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Collection, Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from infra.local.emulator.used_permissions import Permission, permissions_file

ROOT = Path(__file__).resolve().parents[2]
NOTES = ROOT / "build" / "permissions"  # of the tests: a folder for those of a mark, a file for each of their clouds
SKIPPED = "skipped.txt"  # beside them: the tests that were skipped, a name a line
BY_DELIVERY = ROOT / "tests" / "delivery" / "permissions.txt"
HEADING = "Permissions that no test uses"
ROLE_RESOURCE = re.compile(r"^  (\w+)Role:$", re.MULTILINE)
RANDOM_END = re.compile(r"-?[0-9A-F]{13}$")
# names of this deployment, as the document calls them
NAMES = (
    (re.compile(r"arn:aws:s3:::[a-z0-9-]*?-data-[0-9a-f]{13}"), "data"),
    (re.compile(r"arn:aws:s3:::[a-z0-9-]*?-artifacts-[0-9a-f]{13}"), "artifacts"),
    (re.compile(r"arn:aws:s3:::[a-z0-9-]*?-([a-z]+)-[0-9a-f]{13}"), r"\1"),
    (re.compile(r"arn:aws:dynamodb:[^:]*:[^:]*:table/[^/]*"), "registry"),
    (re.compile(r"arn:aws:kms:[^:]*:[^:]*:key/.*"), "key"),
    (re.compile(r"arn:aws:[a-z0-9-]+:[^:]*:[^:]*:"), ""),
    (re.compile(r"-?[0-9A-F]{13}"), ""),
    (re.compile(r"modelcycle-(Storage|Streams)-[0-9a-f]{8}-[0-9a-f]{3}-"), ""),
    (re.compile(r"-[0-9a-f]{8}-[0-9a-f]{3}$"), ""),
)


class Reason(NamedTuple):
    """Why a permission that no test uses is given; each name is a pattern."""

    function: str
    action: str
    resource: str
    why: str


def read_notes(paths: Iterable[Path]) -> tuple[dict[str, dict[Permission, bool]], dict[str, set[Permission]]]:
    """Return the permissions of each function with whether one was used, and the calls that were denied."""
    used: dict[str, dict[Permission, bool]] = {}
    denied: dict[str, set[Permission]] = {}
    for path in paths:
        content = json.loads(path.read_text())
        for role, known in content["roles"].items():
            function = used.setdefault(function_of(role), {})
            for action, resource, key, is_used in known:
                permission = Permission(action, readable(resource), key)
                function[permission] = function.get(permission, False) or is_used
        for role, calls in content["denied"].items():
            denied.setdefault(function_of(role), set()).update(
                Permission(action, readable(resource), key) for action, resource, key in calls
            )
    return used, denied


def function_of(role: str) -> str:
    """Return the function whose role has this name; CloudFormation shortens long names.

    >>> function_of("modelcycle-Identity-0a2be25d-ff4-ClaimRole-49EDCBBBE3D25")
    'Claim'
    >>> function_of("modelcycle-Identity-0a2be25d-ff4-EngineerFeaturesRo766A8CCCD27EC")
    'EngineerFeatures'
    """
    name = RANDOM_END.sub("", role).rpartition("-")[2]
    return re.sub(r"R(o(l(e)?)?)?$", "", name)


def readable(resource: str) -> str:
    """Return a pattern of resources without account, region and random parts.

    >>> readable("arn:aws:s3:::mc-storage-e0c1e400-715-data-f0509b1562c7b/raw/*")
    'data/raw/*'
    >>> readable("arn:aws:events:us-east-1:000000000000:event-bus/modelcycle-Storage-5ad4b738-52c")
    'event-bus/modelcycle-Storage'
    """
    for pattern, name in NAMES:
        resource = pattern.sub(name, resource)
    return resource


def reasons() -> list[Reason]:
    """Return the table of docs/security.md."""
    text = (ROOT / "docs" / "security.md").read_text().partition(f"\n## {HEADING}\n")[2].partition("\n## ")[0]
    rows = [
        [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line[:1] == "|"
    ]
    return [Reason(*row) for row in rows[2:]]


def reason_for(function: str, permission: Permission, known: list[Reason]) -> str:
    """Return why a permission is given although no test uses it; empty if nothing says so."""
    target = target_of(permission)
    for reason in known:
        if (
            fnmatchcase(function, reason.function)
            and fnmatchcase(permission.action, reason.action)
            and fnmatchcase(target, reason.resource)
        ):
            return reason.why
    return ""


def covered(call: Permission, permissions: Iterable[Permission]) -> bool:
    """Return whether the role may make a call that was denied: a test took the permission away for a while."""
    return any(
        fnmatchcase(call.action, permission.action)
        and fnmatchcase(call.resource, permission.resource)
        and (not permission.key or fnmatchcase(call.key, permission.key))
        for permission in permissions
    )


def without_calls(used: dict[str, dict[Permission, bool]]) -> list[str]:
    """Return the functions of infra/identity.yaml that have made no call, so that nothing is known of their roles."""
    return sorted({*ROLE_RESOURCE.findall((ROOT / "infra" / "identity.yaml").read_text())} - used.keys())


def lines(
    used: dict[str, dict[Permission, bool]], known: list[Reason], elsewhere: Collection[str] = ()
) -> Iterator[tuple[str, bool]]:
    """Yield a line for each permission, and whether it is in order.

    Parameters
    ----------
    elsewhere : the permissions that other tests use, see `by_delivery`
    """
    for function, permissions in sorted(used.items()):
        yield function, True
        for permission, is_used in sorted(permissions.items()):
            why = "" if is_used else reason_for(function, permission, known)
            if not (is_used or why) and named(function, permission) in elsewhere:
                why = "used by a test of `make test-delivery`"
            state = "used" if is_used else why or "NOT USED by any test, and docs/security.md says no reason"
            yield f"    {permission.action:<32} {target_of(permission):<52} {state}", is_used or bool(why)


def named(function: str, permission: Permission) -> str:
    """Return a permission as a line of `BY_DELIVERY`."""
    return f"{function} {permission.action} {target_of(permission)}"


def target_of(permission: Permission) -> str:
    return f"{permission.resource} {permission.key}".strip()


def by_delivery() -> list[str]:
    """Return the permissions that only the tests of `make test-delivery` use, as the file of them says."""
    return [line for line in BY_DELIVERY.read_text().splitlines() if line and not line.startswith("#")]


def mistakes(of: str, used: dict[str, dict[Permission, bool]], denied: dict[str, set[Permission]]) -> list[str]:
    """Return what is wrong, a line each.

    Parameters
    ----------
    of : the tests whose notes these are, as `pytest -m` calls them; empty: all tests. Of `not delivery`, what the file
        says of the other tests is believed; of `delivery`, it is checked, and nothing else
    """
    if of == "delivery":
        really = {named(function, permission) for function in used for permission, yes in used[function].items() if yes}
        return [f"{line}: no test of `make test-delivery` uses it" for line in by_delivery() if line not in really]
    elsewhere = by_delivery() if of else []
    found, silent = list[str](), without_calls(used)
    for function in sorted(used):
        shown = lines({function: used[function]}, reasons(), elsewhere)
        found += [f"{function} {' '.join(line.split())}" for line, in_order in shown if not in_order]
    others = {line.split()[0] for line in elsewhere}
    found += [f"{function}: no call of it is on record" for function in silent if function not in others]
    for function, calls in sorted(denied.items()):
        wrong = sorted(call for call in calls if not covered(call, used.get(function, {})))
        found += [f"{function} was denied {call.action} on {target_of(call)}" for call in wrong]
    return found


def main() -> int:
    """Print the report, or with `--check` only what is wrong; return 1 if something is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--home", type=Path, default=ROOT / ".modelcycle", help="of a local cloud, read beside the tests'"
    )
    parser.add_argument("--check", action="store_true", help="fail if a permission is neither used nor explained")
    parser.add_argument("--of", default="", choices=("", "not-delivery", "delivery"), help="the tests; by default all")
    arguments = parser.parse_args()
    folders = [NOTES / arguments.of] if arguments.of else sorted(path for path in NOTES.glob("*") if path.is_dir())
    paths = [path for folder in folders for path in sorted(folder.glob("*.json"))]
    if not arguments.of:
        paths += filter(Path.exists, [permissions_file(arguments.home)])
    skipped = [name for folder in folders for path in folder.glob(SKIPPED) for name in path.read_text().splitlines()]
    if skipped and not paths:
        print(f"no call is on record, since tests were skipped: {', '.join(skipped)}", file=sys.stderr)
        return 0
    if not paths:
        print("no call is on record: run `make test`, or `make run` for those of one run", file=sys.stderr)
        return 1
    used, denied = read_notes(paths)
    if not arguments.of:
        print(*(line for line, _ in lines(used, reasons())), sep="\n")
    wrong = mistakes(arguments.of, used, denied)
    found = f"{len(wrong)} mistake{'' if len(wrong) == 1 else 's'}"
    print(*wrong, f"{sum(map(len, used.values()))} permissions of {len(used)} functions; {found}", sep="\n")
    if not (arguments.check and wrong):
        return 0
    if skipped:
        print(f"Not all tests ran here, so that this is no failure. Skipped: {', '.join(skipped)}", file=sys.stderr)
        return 0
    print(
        "Remove what nothing uses from infra/identity.yaml; or extend a test; or, if `make test-delivery` uses it,"
        f" name it in {BY_DELIVERY.relative_to(ROOT)}; or say in docs/security.md, {HEADING!r}, why it is there.",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
