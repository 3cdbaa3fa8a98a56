"""The screens of versions: all of a model, one of them, and what a decision changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from cli.screens.lines import ago, clip, figure, table, traffic, words
from modelcycle.messages import Decided
from modelcycle.registry import Move, Route, Standing, Version


def versions(
    model: str, route: Route, found: list[tuple[Version, Standing]], moves: list[Move], now: datetime | None = None
) -> str:
    """Who is live, the versions newest first, and the last moves of the traffic."""
    head = f"{model}: live {traffic(route.weights)}" if route.weights else f"{model}: no version is live"
    rows = [
        [
            str(one.version), words(standing.state), ago(standing.at, now), clip(who(standing.by), 40),
            f"{words(one.metric)} {metric(one)}", one.data[:8], one.code[:8],
        ]
        for one, standing in found
    ]  # fmt: skip
    if not found:
        return f"{head}; none was registered yet. `modelcycle runs {model}` says what the runs came to."
    said = [head, "", table(["version", "state", "since", "moved by", "quality", "data", "code"], rows)]
    if moves:
        lines = [
            [
                ago(move.at, now), words(move.kind), f"{traffic(move.before) or 'nothing'} -> {traffic(move.after)}",
                clip(who(move.by), 40), clip(move.why, 60),
            ]
            for move in moves
        ]  # fmt: skip
        said += ["", table(["traffic", "", "", "by", "why"], lines)]
    return "\n".join(said)


def who(by: str) -> str:
    """A person by name: the last part of the ARN that IAM knows them by. A run stays as it is."""
    return by.rpartition("/")[2] if by.startswith("arn:") else by


def metric(one: Version) -> str:
    low, high = one.interval
    return f"{figure(one.metrics[one.metric])} ± {figure((high - low) / 2)}" if one.metric in one.metrics else ""


def version(one: Version, standing: Standing, route: Route, plan: dict[str, Any]) -> str:
    """What made it, what it measured on test rows, and how each column enters."""
    weight = route.weights.get(one.version, 0)
    why = f": {standing.why}" if standing.why else ""
    said = [
        f"{one.model}:{one.version}  {words(standing.state)}" + (f", {weight} % of traffic" if weight else ""),
        f"  moved         {standing.at:%Y-%m-%d %H:%M} UTC by {who(standing.by)}{why}",
        f"  made          {one.created_at:%Y-%m-%d %H:%M} UTC by run {one.run_id}",
        f"  from          data {one.data[:12]}   code {one.code[:12]}   ONNX opset {one.opset}",
        f"  card          {one.card.uri}",
        f"  lineage       {one.lineage.uri}",
        "",
        table(
            [f"test rows ({one.task})", ""],
            [[words(name), figure(value)] for name, value in sorted(one.metrics.items())],
        ),
    ]
    columns = plan_rows(plan)
    if columns:
        said += ["", table(["column", "enters as", "why"], columns)]
    return "\n".join(said)


def plan_rows(plan: dict[str, Any]) -> list[list[str]]:
    """The feature plan as `modelcycle.model.plan` writes it: each column, how it enters the model, why."""
    return [
        [clip(" ".join(one["column"].split()), 40), words(one["treatment"]), clip(one["why"], 70)]
        for one in plan.get("columns", [])
    ]


def decided(told: Decided) -> str:
    """What a decision changed."""
    said = {"approve": "approved", "reject": "rejected", "rollback": "live again", "promote": "promoted"}
    named = f"{told.model}:{told.version}" if told.version is not None else told.model
    live = f"version {traffic(told.route)}" if told.route else "none"
    follows = "; its rollout goes on by itself" if told.decision in ("approve", "promote") else ""
    return f"{named} is {said.get(told.decision, told.decision)}{follows}.\n  live now      {live}"
