"""Which rows a run learns from: decided when it begins, and carried by the run."""

from __future__ import annotations

from datetime import datetime

from modelcycle.faults import Tampered, Unknown
from modelcycle.messages import LearningWindow
from modelcycle.registry import Registry
from modelcycle.spec import Retraining


def learning_window(retraining: Retraining, change: datetime | None) -> LearningWindow | None:
    """Return the rows to learn from; None: all.

    `auto` forgets rows only where predictions have become worse from some moment on: then columns and target are
    related in another way since, and older rows teach the old one. Columns that have drifted alone are no reason: older
    rows still teach what holds.

    Parameters
    ----------
    change : see `last_change`; None: predictions have not become worse, or nobody knows

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


def last_change(model: str, seen: datetime | None, registry: Registry) -> datetime | None:
    """Return since when columns and target are related as they are now, as far as that is known.

    Once the live version has learned from the rows since a change, later runs do too: with all rows, the next one would
    learn again what no longer holds.

    Parameters
    ----------
    seen : the change because of which the run begins; None: it begins for another reason
    """
    champion = registry.routes.get(model).champion
    try:
        made_by = registry.versions.get(model, champion).run_id if champion is not None else None
    except (Tampered, Unknown):
        made_by = None
    record = registry.runs.get(model, made_by) if made_by is not None else None
    known = record.run.learns.change if record is not None and record.run.learns is not None else None
    return max((change for change in (seen, known) if change is not None), default=None)
