"""The release that `sam package` has uploaded: `python -m infra.delivery.packaged FOLDER`.

The hashes of the packaged template and of the code are written beside it. `make promote` compares them, so that what is
promoted is what was tested, and belongs to the code that is checked out.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

from infra.local.deployment.code_hash import code_version

ROOT = Path(__file__).resolve().parents[2]


def facts(folder: Path, project: Path) -> dict[str, str]:
    """Return the hash of a packaged template, which names every artifact by its content, and of the project's code."""
    template = (folder / "template.yaml").read_bytes()
    return {"template": hashlib.sha256(template).hexdigest(), "code": code_version(project)}


def differences(folder: Path, project: Path) -> list[str]:
    """Return why a release may not be promoted, as sentences."""
    try:
        written = json.loads((folder / "release.json").read_text(encoding="utf-8"))
        found = facts(folder, project)
    except FileNotFoundError as missing:
        return [f"there is no {missing.filename}: `make release` makes it, and the workflow hands it on"]
    told = {"template": "the packaged template", "code": "the code that is checked out"}
    return [f"{told[name]} is not that of the release" for name in found if written.get(name) != found[name]]


def main(arguments: list[str]) -> int:
    """Write the facts of a release; return the exit status."""
    folder = Path(arguments[0])
    release = facts(folder, ROOT)
    (folder / "release.json").write_text(json.dumps(release, indent=2) + "\n", encoding="utf-8")
    print(f"release {release['template'][:16]}, of code {release['code'][:16]}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
