"""What a limit of fairness comes to where it was judged: refused, undecided, or kept; and the gates of that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from modelcycle.spec import Fairness
from modelcycle.validate.gates import Gate
from modelcycle.validate.sensitive_groups import Grouping

MAX_SENTENCES = 3  # of the refusals, the clearest first
MAX_NAME_CHARACTERS = 80
NEITHER = "these rows show neither that it is kept nor that it is not"
Outcome = Literal["holds", "refused", "undecided"]


class FairnessVerdict(NamedTuple):
    """The gates, and why a person has to decide, as sentences."""

    gates: list[Gate]
    ask: list[str]


class Judged(NamedTuple):
    """A limit where it was judged; `excess` is how far the sure end of the interval is beyond the limit."""

    outcome: Outcome
    sentence: str
    excess: float


def verdict_of(name: str, judged: Sequence[Judged], settings: Fairness, remedy: str) -> FairnessVerdict:
    """Return the gates of one limit.

    Parameters
    ----------
    name : of the limit
    judged : of all groupings
    remedy : what to do about a refusal, to be added to its sentence
    """
    gates: list[Gate] = []
    ask: list[str] = []
    gate = f"fairness.{name}"
    refused = sorted((entry for entry in judged if entry.outcome == "refused"), key=lambda entry: -entry.excess)
    undecided = sorted((entry for entry in judged if entry.outcome == "undecided"), key=lambda entry: -entry.excess)
    gates += [Gate(gate, False, entry.sentence + remedy) for entry in refused[:MAX_SENTENCES]]
    if len(refused) > MAX_SENTENCES:
        gates.append(Gate(gate, False, f"{gate}: and {len(refused) - MAX_SENTENCES:,} more such groups"))
    if undecided:
        more = f"; and {len(undecided) - 1:,} more such groups" if len(undecided) > 1 else ""
        sentence = f"{undecided[0].sentence}{more}"
        gates.append(Gate(gate, settings.undecided != "refuse", sentence))
        ask += [sentence] if settings.undecided == "ask" else []
    if judged and not refused and not undecided:
        nearest = max(judged, key=lambda entry: entry.excess)
        gates.append(Gate(gate, True, nearest.sentence))
    return FairnessVerdict(gates, ask)


def unjudged(grouping: Grouping, minimum: int, what: str) -> Judged:
    """Return that no two groups are large enough; `what` is judged, such as "a rate"."""
    title = grouping.title[:MAX_NAME_CHARACTERS]
    return Judged("undecided", f"{title}: no two groups have the {minimum} test rows that {what} is judged by", 0.0)
