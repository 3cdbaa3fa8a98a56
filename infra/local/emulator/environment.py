"""The environment variables of the emulator's process, and the files in its folder that others read."""

from __future__ import annotations

from pathlib import Path


def environment(home: Path, port: int) -> dict[str, str]:
    """Return all variables of the emulator's process, which every function inherits.

    Nothing of the user's own environment is in it: MiniStack would pass secrets on to every function.
    """
    temporary = home / "tmp"
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(temporary),
        "TMPDIR": str(temporary),
        "LC_ALL": "C.UTF-8",
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "AUTH": "true",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": f"unix://{temporary}/no-docker",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(home / "state"),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(home / "objects"),
        "LAMBDA_WARM_TTL_SECONDS": "30",
        # without it a function would call the real AWS
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
    }


def log_file(home: Path) -> Path:
    """What the process and its functions print."""
    return home / "cloud.log"


def unsaved_marker(home: Path) -> Path:
    """A file that exists from the start until everything has been saved at the end; removing it needs no disk space."""
    return home / "unsaved"
