"""What a look writes stays within the limits of the registry and of Step Functions, whatever a model's data are."""

from __future__ import annotations

import json

from modelcycle.messages import Broken, Monitored, Watched, bounded_sentences
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
