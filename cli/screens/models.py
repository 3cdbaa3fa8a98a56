"""The screen of `models`: one line each, one more for each further version that takes traffic."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cli.screens.lines import ago, figure, table, words
from modelcycle.messages import Monitored
from modelcycle.registry import Route, RunRecord


@dataclass
class Model:
    """What is known of a model; `monitored` is the last look at its traffic."""

    name: str
    route: Route
    since: datetime | None
    run: RunRecord | None
    metric: str
    quality: float | None
    monitored: Monitored | None

    def wire(self) -> dict[str, Any]:
        return {
            "model": self.name, "champion": self.route.champion, "route": self.route.weights, "since": self.since,
            "last_run": {"run_id": self.run.run.run_id, "status": self.run.state} if self.run else None,
            "metric": self.metric, "quality": self.quality,
            "drift": self.monitored.state if self.monitored else None,
        }  # fmt: skip


def models(found: list[Model], now: datetime | None = None) -> str:
    if not found:
        return "There is no model yet. `modelcycle run PIPELINE.yaml --data FILE` makes one."
    rows: list[list[str]] = []
    for model in found:
        weights = sorted(model.route.weights.items(), key=lambda one: -one[1])
        live = [f"{version} ({weight} %)" if len(weights) > 1 else str(version) for version, weight in weights]
        rows.append([
            model.name, live[0] if live else "none", ago(model.since, now) if model.since else "", _last(model, now),
            _drift(model.monitored, now), _quality(model),
        ])  # fmt: skip
        rows += [["", version, "", "", "", ""] for version in live[1:]]
    return table(["model", "live", "since", "last run", "drift", "quality"], rows)


def _quality(model: Model) -> str:
    return "" if model.quality is None else f"{figure(model.quality)} {words(model.metric)}"


def _last(model: Model, now: datetime | None) -> str:
    if model.run is None:
        return ""
    at = model.run.ended_at or model.run.run.started_at
    return f"{words(str(model.run.state))}, {ago(at, now)}"


def _drift(told: Monitored | None, now: datetime | None) -> str:
    if told is None:
        return "not looked at"
    state = f"{len(told.drifted)} columns" if told.state == "drifted" else told.state
    return f"{'none' if state == 'ok' else state}, {ago(told.window[1], now)}"
