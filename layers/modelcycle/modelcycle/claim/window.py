"""Which rows a run learns from: decided when it begins, and carried by the run."""

from __future__ import annotations

from datetime import datetime

from modelcycle.messages import LearningWindow
from modelcycle.spec import Retraining


def learning_window(retraining: Retraining, change: datetime | None) -> LearningWindow | None:
    """Return the rows to learn from; None: all.

    `auto` forgets rows only where predictions have become worse from some moment on: then columns and target are
    related in another way since, and older rows teach the old one. Columns that have drifted alone are no reason: older
    rows still teach what holds.

    Parameters
    ----------
    change : since when predictions have been worse; None: they have not, or nobody knows

    Examples
    --------
    >>> learning_window(Retraining(window="sliding", window_days=90), None)
    LearningWindow(kind='sliding', days=90.0, change=None)
    >>> learning_window(Retraining(), None) is None
    True
    """
    if retraining.window == "sliding":
        return LearningWindow(kind="sliding", days=retraining.window_days)
    if retraining.window == "since_change" or (retraining.window == "auto" and change is not None):
        return LearningWindow(kind="since_change", change=change)
    return None
