"""The screen of `models`: one line for each model, and one more for each further version with traffic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cli.screens.lines import ago, count, figure, shares, table, words
from modelcycle.messages import Monitored
from modelcycle.registry import Route, RunRecord


@dataclass
class ModelSummary:
    """A model in the list.

    Parameters
    ----------
    live_since : when its traffic was last moved
    metric, quality : the champion's metric on test rows, and its value
    monitored : the latest result of the monitor
    decided : what was decided since about the version that the last run left to a person; empty if nothing was
    stale : the live versions that other training code has made than the one that is deployed
    """

    name: str
    route: Route
    live_since: datetime | None
    last_run: RunRecord | None
    metric: str
    quality: float | None
    monitored: Monitored | None
    decided: str = ""
    stale: list[int] = field(default_factory=list)

    def wire(self) -> dict[str, Any]:
        """Return the model in the JSON of `models --json`."""
        run = self.last_run
        return {
            "model": self.name, "champion": self.route.champion, "route": self.route.weights, "since": self.live_since,
            "last_run": {"run_id": run.run.run_id, "status": run.state} if run else None,
            "metric": self.metric, "quality": self.quality,
            "drift": self.monitored.state if self.monitored else None,
            "stale": self.stale,
        }  # fmt: skip


def models_text(models: Sequence[ModelSummary], now: datetime | None = None) -> str:
    """Return the list of models."""
    if not models:
        return "There are no models yet. `modelcycle run PIPELINE.yaml --data FILE` creates one."
    rows: list[list[str]] = []
    for model in models:
        live, *further = _live(model.route)
        since = ago(model.live_since, now) if model.live_since else ""
        rows.append([model.name, live, since, _last_run(model, now), _drift(model.monitored, now), _quality(model)])
        rows += [["", version, "", "", "", ""] for version in further]
    return table(["model", "live", "since", "last run", "drift", "quality"], rows)


def _live(route: Route) -> list[str]:
    """Return the live versions; with their shares if there are several."""
    if len(route.weights) > 1:
        return shares(route.weights)
    return [str(version) for version in route.weights] or ["none"]


def _last_run(model: ModelSummary, now: datetime | None) -> str:
    run = model.last_run
    return f"{model.decided or words(str(run.state))}, {ago(run.ended_at or run.run.started_at, now)}" if run else ""


def _drift(monitored: Monitored | None, now: datetime | None) -> str:
    if monitored is None:
        return "not monitored yet"
    state: str = monitored.state
    if state == "drifted":
        state = count(monitored.drifted_columns, "column")
    return f"{'none' if state == 'ok' else state}, {ago(monitored.window[1], now)}"


def _quality(model: ModelSummary) -> str:
    return "" if model.quality is None else f"{figure(model.quality)} {words(model.metric)}"
