"""The bench of replayed months, in small: when a drop of performance is seen, and what is kept of each month."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bench.replay import Replay, printed
from bench.replayed_rows import made_up
from cli.open_place import open_place
from infra.local.cloud import LocalCloud

pytestmark = pytest.mark.delivery  # a minute and a half
ROWS_A_DAY = 30  # with fewer, the nine days before the change do not show it beyond chance


@pytest.mark.usefixtures("project_variables")
def test_a_drop_is_seen_in_the_month_in_which_it_happens(cloud: LocalCloud, tmp_path: Path) -> None:
    history = made_up(rows_a_day=ROWS_A_DAY)
    replay = Replay(history, open_place("local"), cloud.admin.client("s3"), tmp_path, days_between=31)
    replay.train()
    december, january = replay.months()

    assert december.at_its_end.result.degraded is False, "before the outcomes are known"
    assert december.at_its_end.result.labelled == 1, "the window's first moment, 30 days before"
    for month, days in ((december, 31), (january, 31)):
        assert month.rows == ROWS_A_DAY * days
        signal, kept = month.later.performance, month.kept
        assert signal.state == "alarm" and month.later.result.degraded
        assert f"predictions of {month.start + replay.shift + timedelta(days=1):%Y-%m-%d}" in signal.detail
        assert kept.labelled == kept.rows == ROWS_A_DAY * 30, "windows of 720 hours"
        assert kept.realized is not None and kept.realized == pytest.approx(signal.value)
        assert kept.estimate == month.at_its_end.result.estimate
    since = december.later.result.change_point
    assert since is not None and history.changed is not None
    assert abs(since - replay.shift - history.changed) < timedelta(days=3)
    assert january.kept.realized is not None and december.kept.realized is not None
    assert january.kept.realized < december.kept.realized, "the change fills the month"
    assert "2020-12" in printed(december, replay.shift) and "degraded" in printed(december, replay.shift)
