"""The last lines of a run: what it has led to, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cli.outcome import Outcome
from cli.screens.costs import cost_text
from cli.screens.lines import count, labelled, minute, person, seconds, traffic
from modelcycle.faults import Fault
from modelcycle.registry import Entry

OUTCOME_LABEL_WIDTH = 16

Rows = list[tuple[str, str]]  # label and text, or purpose and command


def outcome_text(
    outcome: Outcome, next_steps: Sequence[tuple[str, str]], details: bool = True, file: Path | None = None
) -> str:
    """Return what a run has led to.

    Parameters
    ----------
    next_steps : pairs of purpose and command
    details : name the command that shows this run, and its cost; without it the run is one of the past, which others
        may have followed
    file : the pipeline file that a person gave; None: it is named as an object of the data bucket
    """
    head, rows = _outcome(outcome, _live(outcome, is_past=not details))
    copy = f"pipelines/{outcome.model}.yaml"
    name = str(file) if file is not None else f"{copy} in the data bucket"
    rows = [(label, text.replace(copy, name, 1) if label == "where" else text) for label, text in rows]
    if details and outcome.status in ("refused", "failed"):
        rows.append(("details", f"modelcycle show {outcome.model} --run {outcome.run_id}"))
    if outcome.late_uploads:
        late = f"{count(outcome.late_uploads, 'upload')} arrived too late for this run; the next run includes them"
        rows.append(("new files", f"{late}: modelcycle runs {outcome.model}"))
    shown = {label for label, _ in rows} | {text for _, text in rows}
    rows += [(purpose, command) for purpose, command in next_steps if not {purpose, command} & shown]
    if outcome.cost is not None and details:
        rows.append(("cost", cost_text(outcome.cost)))
    return "\n".join([head, *labelled(rows, OUTCOME_LABEL_WIDTH)])


def decided_later_text(outcome: Outcome, decision: Entry) -> str:
    """Return what became of a version that the run left to a person."""
    decided = {"approve": "approved", "reject": "rejected", "expired": "refused"}[decision.decision]
    rows = [*_why(outcome.reason), (decided, f"by {person(decision.by)}, {minute(decision.at)}")]
    rows += [("because", decision.why), ("live now", f"version {traffic(outcome.route.weights)}")]
    head = f"{outcome.model}:{outcome.version} waited for approval, and was {decided} later."
    return "\n".join([head, *labelled([row for row in rows if row[1] != "version "], OUTCOME_LABEL_WIDTH)])


def _outcome(outcome: Outcome, live: str) -> tuple[str, Rows]:
    if outcome.status == "deployed":
        return _deployed(outcome)
    if outcome.status == "unchanged":
        return f"Nothing has changed; {live}.", [("why", Fault.parse(outcome.reason)[0])]
    if outcome.status == "awaiting_approval":
        version = f"{outcome.model}:{outcome.version}"
        return f"{version} waits for approval; {live}.", [
            *(_why(outcome.reason) if outcome.reason else []),  # none in records of older code
            ("approve it", f"modelcycle approve {version}"),
            ("or reject it", f"modelcycle reject {version} --why ..."),
        ]
    if outcome.status == "refused":
        return f"The new model of {outcome.model} was refused; {live}.", _why(outcome.reason)
    return _failed(outcome, live)


def _deployed(outcome: Outcome) -> tuple[str, Rows]:
    """Return the share of the traffic that the version has now: a canary starts with a part of it."""
    version, share = f"{outcome.model}:{outcome.version}", outcome.route.weights.get(outcome.version or 0, 0)
    after = f" after {seconds(outcome.seconds)}" if outcome.seconds is not None else ""
    if outcome.version is not None and outcome.route.shadow == outcome.version:
        return f"{version} answers beside version {traffic(outcome.route.weights)}; nobody sees its answers yet.", [
            ("what follows", "it is judged by these answers: gets traffic, waits, or is taken back by itself"),
            ("follow it", f"modelcycle show {outcome.model}"),
        ]
    if outcome.held:
        return f"{version} gets no traffic yet.", [
            ("why", outcome.held),
            ("what follows", "its rollout goes on by itself then"),
            ("follow it", f"modelcycle show {outcome.model}"),
        ]
    if share == 100:
        return f"{version} is live{after}.", []
    if not share:
        return f"{version} went live{after}; live now: version {traffic(outcome.route.weights)}.", []
    others = {number: weight for number, weight in outcome.route.weights.items() if number != outcome.version}
    rows = [("other traffic", f"version {traffic(others)}")]
    if outcome.rollout in ("", "RUNNING"):
        rows.append(("what follows", "it is judged by what it answers: goes on, waits, or is rolled back by itself"))
        rows.append(("follow it", f"modelcycle show {outcome.model}"))
        return f"{version} has {share} % of the traffic{after}; its rollout continues by itself.", rows
    rows.append(("continue", f"modelcycle promote {version}"))
    return f"{version} has {share} % of the traffic{after}; its rollout has ended.", rows


def _failed(outcome: Outcome, live: str) -> tuple[str, Rows]:
    what, where, remedy = Fault.parse(outcome.reason)
    registered = f"version {outcome.version} is registered" if outcome.version is not None else "nothing was registered"
    rows = [("error", what), ("where", where), ("to do", remedy)]
    if where.removeprefix(f"raw/{outcome.model}/") not in ("", where):  # an uploaded file
        rows.append(("or replace it", "modelcycle run PIPELINE.yaml --data FILE --replace"))
    return f"The run failed; {registered}, {live}.", rows


def _why(reason: str) -> Rows:
    """Return one row for each sentence of a reason; only the first has the label."""
    return [("" if number else "why", line) for number, line in enumerate(reason.split("\n"))]


def _live(outcome: Outcome, is_past: bool) -> str:
    champion = outcome.route.champion
    if champion is None:
        return "no version is live yet"
    return f"version {champion} {'is live now' if is_past else 'stays live'}"
