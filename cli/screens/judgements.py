"""What the judge of a rollout has found: one line for each kind of evidence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cli.screens.lines import ago, clip, figure, table, words
from modelcycle.messages import Finding, Judged
from modelcycle.registry import Judgement, Move, Route

MAX_SHOWN_JUDGEMENTS = 5  # --json prints all


def rollout_text(
    model: str, route: Route, move: Move | None, judgement: Judgement | None, now: datetime | None = None
) -> list[str]:
    """Return where a running rollout stands: its step, the share, and its last judgement; nothing if none runs.

    Parameters
    ----------
    move : the last one
    judgement : the last one about that move; None if it was not judged yet
    """
    version = _rolled_out(route, move)
    if move is None or version is None or (judgement and judgement.is_decided and judgement.judged.done):
        return []
    share = route.weights.get(version, 0)
    place = f"{share} % of the traffic" if share else "as a shadow: nobody sees its answers"
    head = f"rollout of {model}:{version}: {place} since {ago(move.at, now)}; {move.why}"
    if judgement is None:
        if share == 100:  # nothing is watched after the last step
            return []
        return ["", head, "    not judged yet; it goes on by itself"]
    return ["", head, *judgement_lines(judgement, now), *_next_step(model, version, judgement.judged)]


def _rolled_out(route: Route, move: Move | None) -> int | None:
    """Return the version that the last move has raised, if a rollout made it."""
    if move is None or not move.rollout or move.kind == "rolled_back":
        return None
    if move.kind == "shadowed":
        return move.shadow
    return next((one for one in route.weights if move.rolls_out(one)), None)


def _next_step(model: str, version: int, judged: Judged) -> list[str]:
    if judged.overdue and not judged.done:  # in a watch, the reason says what to do
        return [f"    it waits for you: modelcycle promote {model}:{version}, or modelcycle rollback {model}"]
    return []


def judgements_text(judgements: Sequence[Judgement], now: datetime | None = None) -> list[str]:
    """Return the judgements of a version, newest first.

    Parameters
    ----------
    judgements : oldest first
    """
    lines: list[str] = []
    for judgement in reversed(judgements[-MAX_SHOWN_JUDGEMENTS:]):
        lines += ["", *judgement_lines(judgement, now)]
    more = len(judgements) - MAX_SHOWN_JUDGEMENTS
    return [*lines, *([f"    and {more:,} more; --json prints all"] if more > 0 else [])]


def judgement_lines(judgement: Judgement, now: datetime | None = None) -> list[str]:
    """Return the verdict, its reason, and a table of the findings."""
    judged = judgement.judged
    where = f"at {judged.weight} %" if judged.weight else "as a shadow"
    head = (
        f"judged {ago(judgement.at, now)} {where}: {words(judged.verdict)} (look {judgement.looks:,}): {judged.reason}"
    )
    if not judged.findings:
        return [head]
    rows = [
        [
            finding.kind, finding.verdict, _range(finding), _limit(finding),
            f"{finding.rows[0]:,} | {finding.rows[1]:,}", clip(finding.detail, 70),
        ]
        for finding in judged.findings
    ]  # fmt: skip
    return [head, table(["evidence", "", "between", "limit", "champion | new", ""], rows)]


def _range(finding: Finding) -> str:
    """Return between which values the difference lies, whenever one looks."""
    if finding.low is None and finding.high is None:
        return ""
    low = "any" if finding.low is None else _value(finding.low, finding.kind)
    return f"{low} and {'any' if finding.high is None else _value(finding.high, finding.kind)}"


def _limit(finding: Finding) -> str:
    return _value(finding.limit, finding.kind)


def _value(value: float, kind: str) -> str:
    return {
        "errors": f"{value:+.1%}", "quality": f"{value:+.0%}", "latency": f"x {figure(value)}",
    }.get(kind, figure(value))  # fmt: skip
