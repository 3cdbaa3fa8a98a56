"""From the evidence of a phase to what happens next, with the reason in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from modelcycle.deploy.comparisons import Comparison
from modelcycle.deploy.phase import Phase


@dataclass(frozen=True)
class Verdict:
    """What happens next, and why.

    Parameters
    ----------
    final : whether the reason is the model itself, so that no later run may stage the version again
    overdue : whether a person has to promote the version, after `patience_hours`
    """

    verdict: Literal["proceed", "hold", "roll_back"]
    reason: str
    final: bool = False
    overdue: bool = False


def decide(
    phase: Phase, comparisons: Sequence[Comparison], rows: int, *, seen: int = 0, captured: bool = True
) -> Verdict:
    """Decide about a phase.

    One kind of evidence that is worse rolls back, at any time. The next step follows after `wait` if there are
    `minimum_rows` answers and nothing looks worse: what lies beyond a limit, but may be chance, waits for more answers.
    After `patience_hours`, `unproven` decides.

    Parameters
    ----------
    rows : that the challenger had to answer
    seen : that the champion had to answer
    captured : whether requests are captured at all
    """
    worse = [one for one in comparisons if one.verdict == "worse"]
    if worse:
        reason = "worse than version {}: {}".format(
            phase.champion, "; ".join(f"{one.finding.kind}: {one.finding.detail}" for one in worse)
        )
        return Verdict("roll_back", reason, final=not all(one.is_circumstance for one in worse))
    summary = _summary(comparisons, rows)
    if phase.elapsed < phase.wait:
        left = _span(phase.wait - phase.elapsed)
        return Verdict("hold", f"{phase.name} for {left} more; {summary}")
    if phase.watch:
        return Verdict("proceed", f"watched for {_span(phase.wait)}; {summary}")
    missing = phase.limits.minimum_rows - rows
    leaning = [one.finding.kind for one in comparisons if one.leans]
    if missing <= 0 and not leaning:
        return Verdict("proceed", summary)
    waits_for = (
        f"{rows:,} of at least {phase.limits.minimum_rows:,} answers"
        if missing > 0
        else f"{' and '.join(leaning)} beyond the limit, but perhaps by chance"
    )
    if phase.shadow and not rows and seen >= phase.limits.minimum_rows:
        return Verdict("roll_back", f"it answered none of {seen:,} rows as a shadow: could it not be loaded?")
    if not captured:
        waits_for = "capture.sample is 0: no request is captured, so nothing can be judged"
    elif phase.elapsed < phase.patience:
        return Verdict("hold", f"{waits_for}; {summary}")
    over = f"{waits_for}, after {_span(phase.elapsed)}"
    if phase.limits.unproven == "proceed":
        return Verdict("proceed", f"unproven (rollout.evidence.unproven: proceed): {over}; {summary}")
    return Verdict("hold", f"unproven, a person has to promote it: {over}; {summary}", overdue=True)


def _summary(comparisons: Sequence[Comparison], rows: int) -> str:
    """Return what is known of each kind, in a few words."""
    parts = [f"nothing is worse in {rows:,} answers"]
    for verdict in ("not worse", "open", "not known"):
        kinds = [one.finding.kind for one in comparisons if one.verdict == verdict]
        if kinds:
            parts.append(f"{verdict}: {', '.join(kinds)}")
    return "; ".join(parts)


def _span(time: timedelta) -> str:
    """Return a length of time in its largest unit.

    >>> _span(timedelta(minutes=90)), _span(timedelta(seconds=40)), _span(timedelta(days=3))
    ('90 min', '40 s', '72 h')
    """
    seconds = time.total_seconds()
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
