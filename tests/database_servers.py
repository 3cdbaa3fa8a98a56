"""Real database servers that the tests start: PostgreSQL and MariaDB of the system's packages, in a folder."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.local.ports import free_port

START_SECONDS = 60
PASSWORD = "s@cret/pässword"


@dataclass(frozen=True)
class Server:
    """A running server; `url` is that of an empty database, with user and password."""

    url: str
    process: subprocess.Popen[bytes]


def missing_server(kind: str) -> str:
    """Return why a server cannot be started; empty if it can."""
    programs = {
        "postgresql": [_postgres("initdb"), _postgres("postgres")],
        "mysql": [_maria("mariadb-install-db"), _maria("mariadbd")],
    }
    if all(programs[kind]):
        return ""
    package = {"postgresql": "postgresql", "mysql": "mariadb-server"}[kind]
    return f"NOT TESTED against a real {kind} server: none is installed (Debian: apt-get install {package})"


@contextmanager
def postgresql() -> Iterator[Server]:
    """Run PostgreSQL, which refuses to run as root."""
    with _folder("postgres") as (folder, run_as):
        data, secret = folder / "data", folder / "password"
        secret.write_text(PASSWORD)
        _give(secret, run_as)
        command = [
            _postgres("initdb"),
            "-D",
            data,
            "-U",
            "ann",
            "--auth=scram-sha-256",
            f"--pwfile={secret}",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ]
        subprocess.run([*run_as, *map(str, command)], check=True, capture_output=True)
        port = free_port()
        options = ["-D", data, "-p", port, "-k", folder, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]
        with _running([*run_as, _postgres("postgres"), *map(str, options)], port) as process:
            yield Server(f"postgresql://ann:s%40cret%2Fp%C3%A4ssword@127.0.0.1:{port}/postgres", process)


@contextmanager
def mysql() -> Iterator[Server]:
    """Run MariaDB."""
    with _folder("mysql") as (folder, run_as):
        data, port = folder / "data", free_port()
        begin = folder / "begin.sql"
        begin.write_text(
            "CREATE DATABASE shop CHARACTER SET utf8mb4;\nCREATE USER ann@'127.0.0.1' IDENTIFIED BY "
            f"'{PASSWORD}';\nGRANT ALL ON *.* TO ann@'127.0.0.1';\n", "utf-8",
        )  # fmt: skip
        _give(begin, run_as)
        install = [
            _maria("mariadb-install-db"),
            "--no-defaults",
            f"--datadir={data}",
            "--auth-root-authentication-method=normal",
        ]
        subprocess.run([*run_as, *install], check=True, capture_output=True)
        options = [
            "--no-defaults", f"--datadir={data}", f"--port={port}", "--bind-address=127.0.0.1",
            f"--socket={folder}/socket",
            f"--pid-file={folder}/pid", f"--init-file={begin}", "--skip-name-resolve", "--character-set-server=utf8mb4",
        ]  # fmt: skip
        with _running([*run_as, _maria("mariadbd"), *options], port) as process:
            yield Server(f"mysql://ann:s%40cret%2Fp%C3%A4ssword@127.0.0.1:{port}/shop", process)


def _postgres(program: str) -> str:
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"))
    return str(installed[-1]) if installed else shutil.which(program) or ""


def _maria(program: str) -> str:
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin") or ""


@contextmanager
def _folder(user: str) -> Iterator[tuple[Path, list[str]]]:
    """Yield a folder, and the words before a command that run it as its owner."""
    with tempfile.TemporaryDirectory(prefix="mc-db-", ignore_cleanup_errors=True) as name:
        run_as: list[str] = []
        if os.geteuid() == 0:
            owner = pwd.getpwnam(user)
            os.chown(name, owner.pw_uid, owner.pw_gid)
            run_as = ["runuser", "-u", user, "--"]
        yield Path(name), run_as


def _give(path: Path, run_as: list[str]) -> None:
    if run_as:
        owner = pwd.getpwnam(run_as[2])
        os.chown(path, owner.pw_uid, owner.pw_gid)


@contextmanager
def _running(command: list[str], port: int) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        ends = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > ends:
                    raise RuntimeError(f"{command} did not start") from None
                time.sleep(0.1)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
