"""The examples in the docstrings of the domain run and print what they say."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

import modelcycle

PACKAGE = Path(modelcycle.__file__).parent
MODULES = sorted(
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    for path in PACKAGE.rglob("*.py")
    if ">>>" in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_of_a_module_run(module: str) -> None:
    result = doctest.testmod(importlib.import_module(module))
    assert result.attempted
    assert not result.failed
