"""Which fork servers the deployed functions need: written by a deployment, read by the emulator."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

RUNTIME = Path(__file__).parent / "runtime"
SERVER_PROGRAM = RUNTIME / "fork_server.py"
START_PROGRAM = RUNTIME / "start_function.py"


@dataclass(frozen=True)
class ForkPlan:
    """One fork server.

    Parameters
    ----------
    python : the interpreter of the functions
    path : folders of the layers and of the runtime, as PYTHONPATH
    scratch : folder for temporary files of functions
    modules : imported ahead, those that the layers have
    variables : read by libraries when they are loaded
    """

    python: str
    path: str
    scratch: str
    modules: tuple[str, ...]
    variables: tuple[tuple[str, str], ...]

    @property
    def name(self) -> str:
        """The name of the server's socket: another one for anything that would make other forks."""
        content = json.dumps(asdict(self), sort_keys=True).encode() + SERVER_PROGRAM.read_bytes()
        return hashlib.sha256(content).hexdigest()[:16]

    def environment(self) -> dict[str, str]:
        """Return the variables that each process of a function has beside its own."""
        return {
            "PYTHONPATH": self.path,
            "TZ": "UTC",
            "TMPDIR": self.scratch,
            "PYTHONPYCACHEPREFIX": str(Path(self.scratch).parent / "pycache"),
        }


def plans_file(home: Path) -> Path:
    """The file with the plans of the last deployment."""
    return home / "fork-plans.json"


def sockets_folder(home: Path) -> Path:
    """The folder of the servers' sockets."""
    return home / "forks"


def write_plans(home: Path, plans: list[ForkPlan]) -> None:
    """Replace the plans; the emulator starts the servers that are new and ends those that are left out."""
    partial = plans_file(home).with_suffix(".half")
    partial.write_text(json.dumps([asdict(plan) for plan in plans]))
    partial.replace(plans_file(home))


def read_plans(home: Path) -> list[ForkPlan]:
    """Return the plans, or none if there is no readable file: functions then start without a server."""
    try:
        return [
            ForkPlan(
                plan["python"], plan["path"], plan["scratch"], tuple(plan["modules"]),
                tuple((name, value) for name, value in plan["variables"]),
            )
            for plan in json.loads(plans_file(home).read_text())
        ]  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError):
        return []
