"""The keys of the registry's table: built in one module, and listed in docs/architecture.md."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from modelcycle.registry import keys
from modelcycle.registry.keys import Key

ROOT = Path(__file__).resolve().parents[2]
NUMBERS = {
    "number": 7,
    "step": 2,
    "version_number": 7,
    "revision": 3,
    "moves_before": 4,
    "moves": 5,
    "looks": 1,
    "approvals_before": 1,
}
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
ARGUMENTS: dict[str, Any] = {"at": MOMENT, "end": MOMENT, "upload_id": "raw/a.csv#1#v1"} | NUMBERS
FUNCTIONS = {
    name: function
    for name, function in inspect.getmembers(keys, inspect.isfunction)
    if function.__module__ == keys.__name__ and not name.startswith("_")
}


def call(function: Callable[..., Any]) -> Any:
    return function(*(ARGUMENTS.get(name, name) for name in inspect.signature(function).parameters))


def records() -> dict[str, Key]:
    """An example of each kind of key, by the name of its function."""
    makers = {  # those with a prefix name many records
        name: maker
        for name, maker in FUNCTIONS.items()
        if not {"key", "prefix"} & inspect.signature(maker).parameters.keys()
    }
    made = {name: call(maker) for name, maker in makers.items()}
    of_records = {name: key for name, key in made.items() if isinstance(key, Key) and key.sk and key.sk[-1] != "#"}
    decisions = {
        name: keys.audit_entry("m", decision) for name, decision in made.items() if name.startswith("decision_")
    }
    del of_records["audit_entry"]
    return of_records | decisions


def listed() -> list[tuple[re.Pattern[str], re.Pattern[str]]]:
    """The rows of the document's table, as patterns of `pk` and `sk`; an empty `pk` means that of the row above."""
    rows, pk = [], ""
    text = (ROOT / "docs" / "architecture.md").read_text().partition("## The keys of the registry")[2]
    for cell, sk in re.findall(r"^\| (?:`(.*?)` )?\| `(.*?)` \|", text.partition("\n## ")[0], re.MULTILINE):
        pk = cell or pk
        rows.append((pattern(pk), pattern(sk)))
    return rows[1:]  # without the head


def pattern(template: str) -> re.Pattern[str]:
    return re.compile(".+".join(re.escape(part) for part in re.split(r"\{\w+\}", template)))


@pytest.mark.parametrize(("name", "key"), records().items())
def test_every_key_is_listed_in_the_architecture(name: str, key: Key) -> None:
    assert any(pk.fullmatch(key.pk) and sk.fullmatch(key.sk) for pk, sk in listed()), key


def test_every_listed_key_exists() -> None:
    made = records().values()
    assert len(listed()) == len(made) > 30
    for pk, sk in listed():
        assert any(pk.fullmatch(key.pk) and sk.fullmatch(key.sk) for key in made), sk.pattern


def test_verify_reads_every_partition_that_records_of_a_model_lie_in() -> None:
    about_no_model = {"MODELS", "EXECUTION", "STREAM"}
    made = {key.pk.partition("#")[0] for key in records().values()}
    assert made - {pk.partition("#")[0] for pk in keys.partitions("m")} == about_no_model


@pytest.mark.parametrize(("name", "key"), records().items())
def test_what_a_decision_changes_is_governed_and_what_changes_by_itself_is_not(name: str, key: Key) -> None:
    """A new kind of record has to be in one of the two lists: `verify` finds changes of governed ones alone."""
    by_themselves = {
        "model_entry", "execution", "lease", "upload", "step_result", "landing", "stream_shard", "stream_message",
        "training_code", "monitoring", "monitored_window", "degradation", "incidents_now", "incident", "governor",
        "wanted_run", "event", "audit_head",
        # the audit trail has the hash of the tombstones, which say the same
        "erasure", "rewritten_object", "version_after_erasure",
    }  # fmt: skip
    assert keys.is_governed(key) != (name in by_themselves or key.pk.startswith("AUDIT#")), name


def test_no_other_module_builds_a_key() -> None:
    starts = {part.partition("#")[0] + "#" for key in records().values() for part in key if "#" in part}
    assert {"RUN#", "RESULT#", "UPLOAD#", "STATE#", "AUDIT#", "DEGRADED#"} <= starts
    built = re.compile("[\"'](" + "|".join(sorted(starts)) + ")|[\"']MODELS[\"']")
    folders = [ROOT / "layers" / "modelcycle" / "modelcycle", ROOT / "functions", ROOT / "cli", ROOT / "infra"]
    modules = [path for folder in folders for path in folder.rglob("*.py") if built.search(path.read_text())]
    assert [path.name for path in modules] == ["keys.py"]
