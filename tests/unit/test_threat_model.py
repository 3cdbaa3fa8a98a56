"""docs/threat-model.md: each threat has a test that exists, or says openly that it has none."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "threat-model.md"
NOT_A_FLOW = {"Who is trusted"}
STRIDE = set("STRIDE")
NOT_COVERED = "not covered: "
MIN_REASON = 40  # characters
NAMED = re.compile(r"`((?:unit|contract|integration|e2e|delivery|sam)/test_\w+\.py)::(test_\w+)`")


class Threat(NamedTuple):
    """A row of the page."""

    flow: str
    kinds: set[str]
    threat: str
    countermeasure: str
    tests: list[tuple[str, str]]


def threats() -> list[Threat]:
    found = []
    for section in PAGE.read_text().split("\n## ")[1:]:
        flow, _, body = section.partition("\n")
        if flow in NOT_A_FLOW:
            continue
        rows = [line for line in body.splitlines() if line.startswith("| ")]
        for row in rows[1:]:
            kinds, threat, countermeasure, tests = (cell.strip() for cell in row.strip("|").split("|"))
            found.append(Threat(flow, set(kinds.split(", ")), threat, countermeasure, NAMED.findall(tests)))
            assert NAMED.sub("", tests).strip(" ,") == "", f"this is no test: {tests}"
    return found


THREATS = threats()
FLOWS = list(dict.fromkeys(one.flow for one in THREATS))


@cache
def functions_in(file: str) -> set[str]:
    path = ROOT / "tests" / file
    assert path.is_file(), f"there is no {path}"
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}


def test_every_test_that_the_page_names_exists() -> None:
    named = {test for one in THREATS for test in one.tests}
    assert len(named) > 100
    assert [f"{file}::{test}" for file, test in sorted(named) if test not in functions_in(file)] == []


@pytest.mark.parametrize("flow", FLOWS)
def test_each_threat_of_a_flow_has_a_test_or_says_why_it_has_none(flow: str) -> None:
    for one in (one for one in THREATS if one.flow == flow):
        assert one.kinds and one.kinds <= STRIDE, one
        assert one.threat and one.countermeasure
        open_one = one.countermeasure.startswith(NOT_COVERED)
        assert open_one != bool(one.tests), f"name a test, or begin with {NOT_COVERED!r}: {one.threat}"
        if open_one:
            assert len(one.countermeasure) > len(NOT_COVERED) + MIN_REASON, one.threat


def test_each_data_flow_is_looked_at_from_all_six_sides() -> None:
    assert len(FLOWS) == 13
    for flow in FLOWS:
        seen = set().union(*(one.kinds for one in THREATS if one.flow == flow))
        assert seen == STRIDE, f"{flow}: nothing about {STRIDE - seen}"


def test_every_package_of_every_lock_has_its_hashes() -> None:
    locks = [*ROOT.glob("requirements*.txt"), *ROOT.glob("layers/*/requirements.txt"),
             ROOT / "infra" / "local" / "runtime" / "requirements.txt"]  # fmt: skip
    assert len(locks) > 12
    for lock in locks:
        entries = re.split(r"^(?=\S)", re.sub(r"^#.*\n", "", lock.read_text(), flags=re.MULTILINE), flags=re.MULTILINE)
        entries = [entry for entry in entries if entry.strip()]
        assert entries, lock
        for entry in entries:
            assert re.match(r"[A-Za-z0-9][\w.\[\],-]*==\S+", entry), f"{lock.name}: not pinned: {entry[:60]}"
            assert "--hash=sha256:" in entry, f"{lock.name}: {entry[:60]}"
            assert "://" not in entry, f"{lock.name} names an address"
