"""The metrics of a model that dashboards and alarms read: six numbers a look."""

from __future__ import annotations

from modelcycle.messages.monitoring import Monitored


def model_metrics(result: Monitored, open_incidents: int) -> dict[str, float | None]:
    """Return the metrics of a look at the champion, by name; None where nothing is known.

    Parameters
    ----------
    result : of the long window

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> moment = datetime(2026, 11, 29, tzinfo=UTC)
    >>> seen = Monitored(model="plums", version=1, window=(moment, moment), rows=500, state="drifted",
    ...                  drifted=["weight"], degraded=False, estimated=0.9)
    >>> model_metrics(seen, open_incidents=1)
    {'Rows': 500.0, 'Drifted': 1.0, 'Degraded': 0.0, 'Estimated': 0.9, 'Realized': None, 'OpenIncidents': 1.0}
    """
    judged = result.state not in ("no data", "not live")
    return {
        "Rows": float(result.rows),
        "Drifted": float(result.drifted_columns) if judged else None,
        "Degraded": float(result.degraded) if judged else None,
        "Estimated": result.estimated,
        "Realized": result.realized,
        "OpenIncidents": float(open_incidents),
    }
