"""Who is logged in to AWS, whoever runs the tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REGION = "eu-central-1"


def log_out(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let nobody be logged in.

    Parameters
    ----------
    folder : has no files of AWS
    """
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def log_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let somebody be logged in, with the region where GitHub's action puts it: for the AWS command line alone."""
    for name, value in (("ACCESS_KEY_ID", "key"), ("SECRET_ACCESS_KEY", "secret"), ("REGION", REGION)):
        monkeypatch.setenv(f"AWS_{name}", value)
