"""Prints the version of the code that each model version records: `python -m infra.code_version`."""

from __future__ import annotations

from pathlib import Path

from infra.local.deployment.code_hash import code_version

if __name__ == "__main__":
    print(code_version(Path(__file__).resolve().parents[1]))
