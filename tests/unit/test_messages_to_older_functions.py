"""While functions are replaced, those of release 0.1 read messages too: fields that are not used are left out."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from modelcycle import messages as m

ARTIFACT = m.Artifact(uri="s3://a/m/x", sha256="0" * 64, bytes=1)
RUN = m.Run(
    model="m", run_id="r", execution="e", started_at=datetime(2026, 1, 1, tzinfo=UTC), trigger=m.Trigger(kind="upload"),
    pipeline=ARTIFACT,
)  # fmt: skip


@pytest.mark.parametrize(("message", "known"), [
    (m.Registered(version=1, created=True), "schema version created replaces contract_change"),
    (
        m.Governed(decision="passed", rules=[], broken=[], card=ARTIFACT, lineage=ARTIFACT),
        "schema decision rules broken card lineage cached",
    ),
])  # fmt: skip
def test_what_a_message_does_not_use_is_not_in_it(message: m.Message, known: str) -> None:
    assert set(message.wire()) == set(known.split())


def test_a_run_that_nobody_has_said_to_have_started_names_no_author() -> None:
    run = m.Claimed(outcome="claimed", run=RUN).wire()["run"]
    assert set(run) == {"model", "run_id", "execution", "started_at", "trigger", "pipeline"}
