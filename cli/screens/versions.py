"""The screens of versions: all of a model, one of them, and what a decision changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from cli.screens.lines import ago, clip, figure, table, traffic, words
from modelcycle.messages import Decided
from modelcycle.registry import Entry, Move, Route, Standing, Version

MAX_VERSIONS = 20  # on a screen; --json prints all
MAX_LINES = 5  # moves and decisions on a screen


def versions(
    model: str, route: Route, found: list[tuple[Version, Standing]], moves: list[Move], decisions: list[Entry],
    now: datetime | None = None,
) -> str:  # fmt: skip
    """Who is live, the versions newest first, the last moves of the traffic, and what people decided."""
    head = f"{model}: live {traffic(route.weights)}" if route.weights else f"{model}: no version is live"
    rows = [
        [
            str(one.version), words(standing.state), ago(standing.at, now), clip(who(standing.by), 40),
            f"{words(one.metric)} {metric(one)}", one.data[:8], one.code[:8],
        ]
        for one, standing in found[:MAX_VERSIONS]
    ]  # fmt: skip
    if not found:
        return f"{head}; none was registered yet. `modelcycle runs {model}` says what the runs came to."
    said = [head, "", table(["version", "state", "since", "moved by", "quality", "data", "code"], rows)]
    said += more(len(found) - MAX_VERSIONS)
    if moves:
        lines = [
            [
                ago(move.at, now), words(move.kind), f"{traffic(move.before) or 'nothing'} -> {traffic(move.after)}",
                clip(who(move.by), 40), clip(move.why, 60),
            ]
            for move in moves[:MAX_LINES]
        ]  # fmt: skip
        said += ["", table(["traffic", "", "", "by", "why"], lines), *more(len(moves) - MAX_LINES)]
    return "\n".join(said + decided_before(decisions, now))


def decided_before(decisions: list[Entry], now: datetime | None = None) -> list[str]:
    """The last decisions of people, with their reasons: what a rollout does by itself has others."""
    if not decisions:
        return []
    lines = [
        [
            ago(entry.at, now), entry.decision, entry.subject.removeprefix("version "), clip(who(entry.by), 40),
            clip(entry.why, 60),
        ]
        for entry in decisions[:MAX_LINES]
    ]  # fmt: skip
    return ["", table(["decided", "", "version", "by", "why"], lines), *more(len(decisions) - MAX_LINES)]


def more(number: int) -> list[str]:
    """The line under a table that was cut."""
    return [f"    and {number:,} more; --json prints all"] if number > 0 else []


def who(by: str) -> str:
    """A person by name: the last part of the ARN that IAM knows them by. A run stays as it is."""
    return by.rpartition("/")[2] if by.startswith("arn:") else by


def metric(one: Version) -> str:
    low, high = one.interval
    return f"{figure(one.metrics[one.metric])} ± {figure((high - low) / 2)}" if one.metric in one.metrics else ""


def version(one: Version, standing: Standing, route: Route, plan: dict[str, Any] | None, decisions: list[Entry]) -> str:
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
    columns = plan_rows(plan or {})
    if columns:
        said += ["", table(["column", "enters as", "why"], columns)]
    if plan is None:
        said += ["", f"The feature plan is gone: {one.plan.uri}"]
    return "\n".join(said + decided_before(decisions))


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
