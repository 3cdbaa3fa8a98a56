"""How what was measured becomes a signal: beyond chance or not, and large or small."""

from __future__ import annotations

import math
from typing import Any

from modelcycle.messages.monitoring import Signal, SignalKind, SignalState
from modelcycle.spec import Monitoring

NOT_READ = "the model does not read it"


def state_of(p: float, limit: float, effect: float, threshold: float, *, reads: bool = True) -> SignalState:
    """Return the state of a signal: a column that the model does not read never alarms.

    >>> [state_of(p, 0.001, effect, 0.2) for p, effect in ((0.5, 0.9), (0.0, 0.1), (0.0, 0.3))]
    ['ok', 'slight', 'alarm']
    """
    if p > limit or effect <= 0:
        return "ok"
    return "alarm" if effect >= threshold and reads else "slight"


def signal(kind: SignalKind, subject: str, state: SignalState, **fields: Any) -> Signal:
    """Return a signal whose numbers are rounded, and None where there is none."""
    text = {name: fields.pop(name, "") for name in ("unit", "detail")}
    return Signal(
        kind=kind, subject=subject, state=state, **text, **{name: rounded(value) for name, value in fields.items()}
    )


def too_few(kind: SignalKind, rows: int, limits: Monitoring) -> Signal:
    """Return the signal of a window with fewer predictions than the pipeline file wants."""
    return Signal(
        kind=kind, state="too few",
        detail=f"{rows:,} predictions; monitoring.minimum_rows in the pipeline file is {limits.minimum_rows:,}",
    )  # fmt: skip


def not_watched(kind: SignalKind, subject: str, why: str) -> Signal:
    return Signal(kind=kind, subject=subject, state="not watched", detail=why)


def clauses(*parts: str) -> str:
    """Join those that say something."""
    return "; ".join(part for part in parts if part)


def rounded(value: float | None, digits: int = 6) -> float | None:
    """Return a number to `digits` significant digits, which equal inputs always share; None if there is none.

    >>> rounded(0.123456789), rounded(float("inf")) is None
    (0.123457, True)
    """
    return float(f"{float(value):.{digits}g}") if value is not None and math.isfinite(value) else None
