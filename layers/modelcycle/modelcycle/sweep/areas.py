"""Where each class of a model's data lies, and what of it a version with traffic needs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from modelcycle.spec.retention import DataClass

ROWS = (".npz", ".parquet")  # of a run's artifacts, what holds rows; models, plans and reports stay


class Area(NamedTuple):
    """Objects of one class.

    Parameters
    ----------
    bucket : data or artifacts
    only : endings of the objects that belong to it; empty: all
    """

    kind: DataClass
    bucket: str
    prefix: str
    only: tuple[str, ...] = ()


def areas_of(model: str) -> list[Area]:
    """Return where the classes of a model's data lie.

    >>> [area.prefix for area in areas_of("churn") if area.kind == "captures"]
    ['captures/model=churn/', 'compacted/model=churn/']
    """
    return [
        Area("raw", "data", f"raw/{model}/"),
        Area("landed", "data", f"landed/{model}/"),
        Area("snapshots", "artifacts", f"{model}/runs/", ROWS),
        Area("holdout", "artifacts", f"holdout/features/{model}/"),
        Area("holdout", "artifacts", f"holdout/labels/{model}/"),
        Area("captures", "data", f"captures/model={model}/"),
        Area("captures", "data", f"compacted/model={model}/"),
        Area("feedback", "data", f"feedback/{model}/"),
        Area("scored", "data", f"score/{model}/"),
        Area("scored", "data", f"scored/{model}/"),
        Area("scored", "artifacts", f"_scoring/model={model}/"),
        Area("reports", "artifacts", f"{model}/monitoring/"),
        Area("reports", "artifacts", f"{model}/staging/"),
    ]


def runs_named(model: str, texts: Iterable[str]) -> set[str]:
    """Return the runs of a model whose objects are named in records or files.

    >>> sorted(runs_named("m", ['{"uri": "s3://a/m/runs/r1/x/y.npz"}', "s3://a/holdout/labels/m/r2-older.npz"]))
    ['r1', 'r2']
    """
    name = re.escape(model)
    pattern = re.compile(rf"/{name}/runs/([^/\"]+)/|/holdout/(?:features|labels)/{name}/([^/\".]+?)(?:-older)?\.npz")
    return {match[1] or match[2] for text in texts for match in pattern.finditer(text)}


def run_of(key: str) -> str | None:
    """Return the run to which an artifact belongs.

    >>> run_of("m/runs/r1/collect/rows-0000.parquet"), run_of("holdout/labels/m/r2-older.npz"), run_of("raw/m/a.csv")
    ('r1', 'r2', None)
    """
    match = re.match(r"[^/]+/runs/([^/]+)/|holdout/(?:features|labels)/[^/]+/(.+?)(?:-older)?\.npz$", key)
    return (match[1] or match[2]) if match else None


def version_of(key: str) -> int | None:
    """Return the version for which staging has written an object; the live one's expected answers are such.

    >>> version_of("m/staging/00000003/5f0c/answers.json"), version_of("m/monitoring/3/a.json")
    (3, None)
    """
    match = re.match(r"[^/]+/staging/(\d+)/", key)
    return int(match[1]) if match else None
