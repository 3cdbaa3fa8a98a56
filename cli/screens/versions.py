"""The screens of versions: all of a model, one of them, and what a decision changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from cli.reproduction.keyed_columns import keyed_columns
from cli.screens.history import route_text
from cli.screens.lines import (
    INDENT,
    ago,
    clip,
    count,
    figure,
    labelled,
    minute,
    more,
    person,
    table,
    traffic,
    words,
    wrapped,
)
from modelcycle.messages import ContractChange, Decided
from modelcycle.personal.decide import DONE
from modelcycle.registry import Entry, Move, Route, Standing, Version

# --json prints all
MAX_SHOWN_VERSIONS = 20
MAX_SHOWN_MOVES = 5
MAX_SHOWN_DECISIONS = 5
MAX_WHY = 70  # characters of a line

VERSION_LABEL_WIDTH = 15  # characters

DECIDED = {"approve": "is approved", "reject": "is rejected", "rollback": "is live again", "promote": "is promoted"}


def versions_text(
    model: str, route: Route, versions: Sequence[tuple[Version, Standing]], moves: Sequence[Move],
    decisions: Sequence[Entry], changes: Mapping[int, ContractChange] | None = None, now: datetime | None = None,
) -> str:  # fmt: skip
    """Return the live versions, all versions, the last moves of the traffic, and the last decisions.

    Parameters
    ----------
    versions, moves, decisions : newest first
    changes : by version of the route, how its columns differ from those of an earlier one
    """
    head = f"{model}: live {route_text(route)}" if route.weights else f"{model}: no version is live"
    if not versions:
        return f"{head}; none is registered yet. `modelcycle runs {model}` says how its runs ended."
    rows = [
        [
            str(version.version), words(standing.state), ago(standing.at, now), clip(person(standing.by), 40),
            f"{words(version.metric)} {_quality(version)}", version.data[:8], version.code[:8],
        ]
        for version, standing in versions[:MAX_SHOWN_VERSIONS]
    ]  # fmt: skip
    lines = [
        head,
        *_changes(changes or {}),
        "",
        table(["version", "state", "since", "by", "quality", "data", "code"], rows),
    ]
    lines += more(len(versions) - MAX_SHOWN_VERSIONS)
    waiting = [version.version for version, standing in versions if standing.state == "awaiting_approval"]
    lines += [f"{INDENT}waits for a person: modelcycle approve {model}:{number}, or reject" for number in waiting]
    return "\n".join([*lines, *_moves(model, moves, now), *_decisions(decisions, now)])


def version_text(
    version: Version, standing: Standing, route: Route, plan: dict[str, Any] | None, decisions: Sequence[Entry],
    lineage: dict[str, Any] | None = None, *, erased: bool = False,
) -> str:  # fmt: skip
    """Return where a version comes from, its metrics on test rows, and how each column enters it.

    Parameters
    ----------
    erased : whether rows that it has learned from were erased since
    plan, lineage : as `engineer_features` and `govern` write them; None if the object is gone
    """
    weight = route.weights.get(version.version, 0)
    share = f", {weight} % of the traffic" if weight else ""
    why = f": {standing.why}" if standing.why else ""
    rows = [
        ("state since", f"{minute(standing.at)} by {person(standing.by)}{why}"),
        ("created", f"{minute(version.created_at)} by run {version.run_id}"),
        ("its run is by", _author(version)),
        ("from", f"data {version.data[:12]}   code {version.code[:12]}   ONNX opset {version.opset}"),
        ("learned from", _learned(version)),
        ("judged", _judged(version, lineage)),
        *(("contract", sentence) for sentence in _contract(version)),
        ("captured", _captured(version)),
        ("personal", _personal(lineage)),
        ("signed", _signed(version)),
        ("chain", _chain(version)),
        ("model card", version.card.uri),
        ("lineage", version.lineage.uri),
        ("evidence", f"modelcycle show {version.model} --run {version.run_id}"),
        ("make it again", _reproducible(version, lineage, erased=erased)),
    ]
    metrics = [[words(name), figure(value)] for name, value in sorted(version.metrics.items())]
    lines = [
        f"{version.model}:{version.version}  {words(standing.state)}{share}",
        *labelled(rows, VERSION_LABEL_WIDTH), "", table([f"test rows ({version.task})", ""], metrics),
    ]  # fmt: skip
    if plan is None:
        lines += ["", f"The feature plan is gone: {version.plan.uri}"]
    elif plan.get("columns"):
        columns = [
            [clip(" ".join(column["column"].split()), 40), words(column["treatment"]), column["why"]]
            for column in plan["columns"]
        ]
        lines += ["", table(["column", "used as", "why"], wrapped(columns, MAX_WHY))]
    return "\n".join([*lines, *_decisions(decisions)])


def _signed(version: Version) -> str:
    if version.bundle is None:
        return "no: it was registered while the stack had no key for it, and is served unchecked"
    return f"by the stack's key; `modelcycle export {version.model}:{version.version}` lets others check it"


def decided_text(decided: Decided) -> str:
    """Return what a decision changed."""
    name = f"{decided.model}:{decided.version}" if decided.version is not None else decided.model
    starts_rollout = decided.decision in ("approve", "promote") and not decided.note and not decided.waits
    rollout = "; its rollout waits" if decided.frozen else "; its rollout has started"
    effect = DECIDED.get(decided.decision, decided.decision)
    if decided.note:
        effect = "was not changed"
    if decided.waits:
        effect = "waits for another person: your decision is on record"
    note, _, freeze = decided.told.rpartition("its rollout waits: ") if decided.frozen else (decided.told, "", "")
    follows = f"modelcycle show {decided.model}: it goes on by itself"
    if decided.frozen:
        follows = f"your approval is on record; modelcycle show {decided.model}: the rollout begins after the freeze"
    rows = [
        ("live now", f"version {traffic(decided.route)}" if decided.route else "none"),
        ("what follows", follows if starts_rollout else ""),
        ("frozen", freeze),
        ("note", decided.note or note.rstrip("; ")),
    ]
    return "\n".join([f"{name} {effect}{rollout if starts_rollout else ''}.", *labelled(rows, 14)])


def held_text(staged: Sequence[int], entries: Sequence[Entry], now: datetime | None = None) -> list[str]:
    """Return why versions have no traffic yet: the freeze that their rollout met when it looked last.

    Parameters
    ----------
    staged : versions without traffic
    entries : of the audit trail, newest first
    """
    lines = []
    for number in staged:
        last = next((entry for entry in entries if entry.subject == f"version {number}"), None)
        if last is not None and last.decision == "frozen":
            lines.append(f"the rollout of version {number} waited {ago(last.at, now)} for a freeze: {last.why}")
    return ["", *lines] if lines else []


def _changes(changes: Mapping[int, ContractChange]) -> list[str]:
    """Return what clients have to know while versions with different columns are on the route."""
    return [
        f"  version {version}: {sentence}"
        for version, change in changes.items()
        for sentence in (change.what, change.who)
    ]


def _contract(version: Version) -> list[str]:
    """Return how its columns differ from those of the champion when it was registered."""
    change = version.contract_change
    return [change.what, change.who] if change else []


def _reproducible(version: Version, lineage: dict[str, Any] | None, *, erased: bool) -> str:
    """Return the command that makes a version again, or why none does."""
    if erased:
        return "not possible: rows that it has learned from were erased"
    if keyed_columns(lineage):
        return "not possible: its pseudonyms or encrypted columns need a key that only the stack's functions may use"
    return f"modelcycle reproduce {version.model}:{version.version}"


def _personal(lineage: dict[str, Any] | None) -> str:
    """Return how columns of personal data were treated before anything was stored; nothing if there are none."""
    data = (lineage or {}).get("data") or {}
    columns: dict[str, Any] = (data.get("objects") or {}).get("personal") or {}
    by_treatment: dict[str, list[str]] = {}
    for name, column in columns.items():
        by_treatment.setdefault(column["treatment"], []).append(clip(name, 40))
    return "; ".join(
        f"{', '.join(names)}: {DONE.get(treatment, treatment)}" for treatment, names in by_treatment.items()
    )


def _captured(version: Version) -> str:
    """Return which requests are captured, and what of them; nothing if that is all."""
    share = f"{version.capture.sample:.3g} of the requests" if version.capture.sample < 1 else "all requests"
    if version.capture.mask:
        return f"{share}, without the values of {', '.join(version.capture.mask)}"
    return share if version.capture.sample < 1 else ""


def _author(version: Version) -> str:
    if version.author is None:
        return "unknown: nobody has said who started it"
    how = "proved by the data bucket" if version.author_proved else "as they say: nothing has proved it"
    return f"{person(version.author)} ({how})"


def _learned(version: Version) -> str:
    if version.learned is None:  # registered before versions recorded it
        return ""
    included = "all rows, test rows included" if version.twin else "training and validation rows"
    return f"{count(version.learned, 'row')}: {included}"


def _judged(version: Version, lineage: dict[str, Any] | None) -> str:
    """Return which model was judged, on how many test rows, and on how many of them against the champion."""
    rows = (lineage or {}).get("rows", {})
    if "split" not in rows:
        return ""
    who = "its twin, the same recipe without the test rows, " if version.twin else ""
    compared = f"; {rows['compared']:,} of them against the champion" if rows.get("compared") else ""
    return f"{who}on {count(rows['split'][2], 'test row')}{compared}"


def _chain(version: Version) -> str:
    """Return what the versions have lost since the best one."""
    if version.chain is None or version.chain.since is None:
        return ""
    change = figure(abs(version.chain.advantage))
    direction = "worse" if version.chain.advantage < 0 else "better"
    return f"{direction} by {change} than version {version.chain.since} (loss of a row), the best since then"


def _quality(version: Version) -> str:
    """Return the version's metric with half the width of its interval."""
    low, high = version.interval
    value = version.metrics.get(version.metric)
    return "" if value is None else f"{figure(value)} ± {figure((high - low) / 2)}"


def _moves(model: str, moves: Sequence[Move], now: datetime | None) -> list[str]:
    if not moves:
        return []
    rows = [
        [
            ago(move.at, now), words(move.kind), traffic(move.before) or "none", route_text(move.route),
            clip(person(move.by), 40), clip(move.why, 60),
        ]
        for move in moves[:MAX_SHOWN_MOVES]
    ]  # fmt: skip
    earlier = len(moves) - MAX_SHOWN_MOVES
    told = [f"{INDENT}and {earlier:,} more: modelcycle history {model}"] if earlier > 0 else []
    return ["", table(["traffic", "move", "before", "after", "by", "why"], rows), *told]


def _decisions(decisions: Sequence[Entry], now: datetime | None = None) -> list[str]:
    """Return the last decisions of people; the moves of a rollout have reasons of their own."""
    if not decisions:
        return []
    rows = [
        [
            ago(entry.at, now), entry.decision, entry.subject.removeprefix("version "), clip(person(entry.by), 40),
            clip(entry.why, 60),
        ]
        for entry in decisions[:MAX_SHOWN_DECISIONS]
    ]  # fmt: skip
    head = ["decided", "decision", "about", "by", "why"]
    return ["", table(head, rows), *more(len(decisions) - MAX_SHOWN_DECISIONS)]
