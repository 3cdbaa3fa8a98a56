"""The request guard in front of the local cloud, and what prevents its start."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest

from infra.local.emulator import process
from infra.local.emulator.environment import environment
from infra.local.emulator.request_guard import RequestGuard
from infra.local.faults import CloudCrashed, DiskFull


def answer(kind: str, *headers: tuple[str, str], path: str = "/") -> list[dict[str, Any]]:
    """Return what the guard sends for a request; the application behind it answers 204."""
    sent: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204})

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {}

    encoded = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    guard = RequestGuard(app, 4566, {})
    asyncio.run(guard({"type": kind, "path": path, "headers": encoded}, receive, send))
    return sent


@pytest.mark.parametrize("host", ["127.0.0.1:4566", "localhost:4566", "LOCALHOST:4566", "bucket.localhost:4566"])
def test_the_clouds_own_hosts_are_accepted(host: str) -> None:
    assert answer("http", ("Host", host))[0]["status"] == 204


@pytest.mark.parametrize(
    "host",
    ["example.com:4566", "127.0.0.1", "127.0.0.1:80", "127.0.0.1.example.com:4566", "localhost.example.com:4566", ""],
)
def test_other_hosts_are_refused(host: str) -> None:
    assert answer("http", ("Host", host))[0]["status"] == 403


def test_a_request_without_a_host_or_with_two_is_refused() -> None:
    assert answer("http")[0]["status"] == 403
    assert answer("http", ("Host", "127.0.0.1:4566"), ("Host", "example.com"))[0]["status"] == 403


def test_an_address_that_a_person_typed_is_accepted() -> None:
    assert answer("http", ("Host", "127.0.0.1:4566"), ("Sec-Fetch-Site", "none"))[0]["status"] == 204


@pytest.mark.parametrize("path", ["/_ministack/reset", "/_ministack/reset/", "/_ministack/config"])
def test_paths_that_would_delete_all_state_are_closed(path: str) -> None:
    assert answer("http", ("Host", "127.0.0.1:4566"), path=path)[0]["status"] == 403


def test_a_websocket_of_a_web_page_is_closed() -> None:
    sent = answer("websocket", ("Host", "127.0.0.1:4566"), ("Origin", "http://example.com"))
    assert sent == [{"type": "websocket.close", "code": 1008}]


def test_the_environment_contains_nothing_of_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of the real account")
    variables = environment(tmp_path, 4566)
    assert "AWS_SECRET_ACCESS_KEY" not in variables
    assert variables["BIND_HOST"] == "127.0.0.1"
    assert variables["AUTH"] == "true"


def test_a_full_disk_is_reported_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(100, 99, 1))
    with pytest.raises(DiskFull, match="0 MiB are free"):
        process.start(tmp_path, 1)


def test_a_process_that_ends_at_once_is_reported_with_its_last_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho the reason\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    with pytest.raises(CloudCrashed, match=r"status 3. The last line of its log: the reason"):
        process.start(tmp_path / "home", 1)
    assert not process.has_crashed(tmp_path / "home")


@pytest.mark.parametrize("module", ["infra.local.launcher", "infra.local.emulator.launcher"])
def test_the_process_of_an_earlier_version_is_recognized_too(module: str) -> None:
    assert process.LAUNCHER_COMMAND.search(f"python -m {module} --home .modelcycle --port 4566")
