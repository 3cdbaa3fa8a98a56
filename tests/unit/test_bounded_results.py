"""What a look writes stays within the limits of the registry and of Step Functions, whatever a model's data are."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from modelcycle.faults import Raced
from modelcycle.messages import Broken, Monitored, Watched, bounded_sentences
from modelcycle.registry import Registry, Write
from tests.fakes import MemoryTable
from tests.unit.data_steps import AT

MAX_ITEM_BYTES = 400_000  # DynamoDB
NAMES = [f"{'ä' * 300}{number}" for number in range(1_000)]


def storm() -> Monitored:
    """Return a result in which all of 1,000 columns with long names are wrong."""
    said = [f"{name} is empty in all rows" for name in NAMES]
    broken = [Broken(column=name, cause="missing", detail=f"{name} is empty") for name in NAMES]
    return Monitored(
        model="m", version=1, window=(AT, AT), rows=500, state="broken", drifted=NAMES, broken=broken, degraded=True,
        why=said, incidents=said, asked=said[:1],
    )  # fmt: skip


def test_a_result_about_a_thousand_broken_columns_is_an_item_and_counts_them_all() -> None:
    result = storm()
    assert len(json.dumps(result.wire(), ensure_ascii=False).encode()) < MAX_ITEM_BYTES
    assert (result.drifted_columns, result.broken_columns) == (1_000, 1_000)
    assert len(result.drifted) == len(result.broken) == 50
    assert result.why[-1] == result.incidents[-1] == "and 961 more"
    assert Monitored.model_validate(result.wire()) == result


def test_what_is_within_the_limits_is_kept_as_it_is() -> None:
    result = storm().model_dump() | {"drifted": ["a", "b"], "why": ["x"] * 40}
    del result["drifted_columns"]  # a result of an earlier release has no count
    kept = Monitored.model_validate(result)
    assert (kept.drifted, kept.drifted_columns, kept.why) == (["a", "b"], 2, ["x"] * 40)
    assert bounded_sentences(["y" * 300]) == ["y" * 300]


def test_the_function_answers_in_few_bytes() -> None:
    end = Watched(model="m", windows=[storm()] * 10).end()
    assert len(json.dumps(end.wire())) < 500
    assert (end.state, end.rows, end.degraded, end.windows) == ("broken", 500, True, 10)


class Racing(MemoryTable):
    """A table in which another writer has been faster at every seventh attempt."""

    attempts = 0

    def write(self, *writes: Write) -> None:
        self.attempts += 1
        if self.attempts % 7 == 0:
            raise Raced("another writer was faster", writes[0].pk)
        super().write(*writes)


@pytest.mark.parametrize("table", [MemoryTable(), Racing()])
def test_outcomes_may_come_for_more_windows_than_a_transaction_holds(table: MemoryTable) -> None:
    kept = Registry(table).monitoring
    days = [(AT - timedelta(days=day + 1), AT - timedelta(days=day)) for day in range(45)]
    results = [
        Monitored(model="m", version=version, window=day, rows=9, state="ok", drifted=[], degraded=False, realized=0.5)
        for day in days for version in (1, 2, 3)
    ]  # fmt: skip
    kept.amend(results)
    found = kept.between("m", "day", AT - timedelta(days=60), AT)
    assert (len(found), {one.realized for one in found}) == (135, {0.5})
    written = len(table.written)
    kept.amend(results)
    kept.amend([])
    assert len(table.written) == written and kept.latest("m") is None
