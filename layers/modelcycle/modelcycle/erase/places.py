"""Where rows of a person may lie: each object of a model by its class, and what an erasure does with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import Literal, NamedTuple


class Treatment(Enum):
    """What an erasure does with an object that holds rows or values of somebody."""

    ROWS = "the rows go, the other ones stay as they are"
    BATCH = "the lines go, of a claimed batch of a stream"
    COMPACTED = "the rows go, with the hour's manifest"
    QUARANTINE = "the cells and lines go"
    TABLE = "deleted with the other tables of its run, which the next run makes again"
    SCRATCH = "deleted: it is made again when it is needed"
    DOCUMENT = "the values go, the shape stays"
    GRAPH = "texts are replaced by others of the same length"
    ARCHIVE = "deleted: nothing reads it but people"


class Place(NamedTuple):
    """The class of an object, as people read it, and its treatment; `run` of what belongs to one."""

    name: str
    treatment: Treatment
    run: str = ""


class Area(NamedTuple):
    """A prefix under which objects of a model lie; `bucket` is data or artifacts."""

    bucket: Literal["data", "artifacts"]
    prefix: str


TABLES = re.compile(
    r"collect/rows-\d+\.parquet|collect/lines\.parquet|preprocess/(?:train|validation|parts|folds)\.npz"
    r"|train/scores-.*\.npz|find_unseen/(?:positions|older)\.npz|score_candidate/.*\.npz|check_refit/scores\.npz"
    r"|(?:select_model|refit)/(?:probes|reference)\.npz"
)
"""Of a run: rows, and arrays with an element a row. `find_unseen/cases.npz` and row hashes are hashes, and stay."""

DOCUMENTS = (".json", ".md", ".yaml", ".yml", ".html", ".txt", ".svg")


def areas(model: str) -> list[Area]:
    """Return the prefixes of everything that belongs to a model, and of what a stream has claimed for all models.

    `pipelines/` holds no rows. The objects of an erasure itself are left out by `place_of`.
    """
    return [
        *(
            Area("data", prefix)
            for prefix in (
                f"raw/{model}/", f"landed/{model}/", "landed/_batches/", "landed/_quarantine/",
                f"captures/model={model}/", "captures/2", "captures-failed/", f"compacted/model={model}/",
                f"feedback/{model}/", f"score/{model}/", f"scored/{model}/",
            )
        ),
        *(
            Area("artifacts", prefix)
            for prefix in (
                f"{model}/", f"holdout/features/{model}/", f"holdout/labels/{model}/", f"_scoring/model={model}/",
                f"_monitoring/model={model}/",
            )
        ),
    ]  # fmt: skip


def place_of(model: str, bucket: str, key: str) -> Place | None:
    """Return the place of an object; None if an erasure leaves it alone.

    >>> place_of("churn", "data", "raw/churn/a.csv").treatment.name
    'ROWS'
    >>> place_of("churn", "artifacts", "churn/runs/r1/preprocess/train.npz")
    Place(name='snapshots and tables of runs', treatment=<Treatment.TABLE: 'deleted with the other tables of its run, \
which the next run makes again'>, run='r1')
    """
    if key.endswith("/"):
        return None
    return _in_data(model, key) if bucket == "data" else _in_artifacts(model, key)


def _in_data(model: str, key: str) -> Place | None:
    area, _, rest = key.partition("/")
    if area == "compacted":
        if key.endswith(".parquet"):
            return Place("compacted answers", Treatment.COMPACTED)
        return None  # manifests and the progress hold names of columns, hashes and counts
    if key.startswith("landed/_batches/"):
        return Place("landed rows", Treatment.BATCH)
    if area == "landed" and rest.rpartition("/")[2].startswith("_manifest-"):
        return None
    if area == "scored" and rest.endswith((".json",)):
        return Place("results", Treatment.DOCUMENT)
    names = {
        "raw": "uploads", "landed": "landed rows", "captures": "captured answers",
        "captures-failed": "captured answers", "feedback": "outcomes", "score": "files to score", "scored": "results",
    }  # fmt: skip
    return Place(names[area], Treatment.ROWS) if area in names else None


def _in_artifacts(model: str, key: str) -> Place | None:
    if key.startswith(f"{model}/erasures/") or key.endswith("/register/model.sig"):
        return None  # hashes alone
    if key.startswith("_scoring/"):
        return Place("scoring jobs", Treatment.SCRATCH)
    if key.startswith("_monitoring/"):
        return Place("monitoring", Treatment.SCRATCH)
    if key.startswith("holdout/"):
        run = re.sub(r"(-older|-champion|-.*)?\.npz$", "", key.rpartition("/")[2])
        return Place("snapshots and tables of runs", Treatment.TABLE, _run_in(key.rpartition("/")[2]) or run)
    _, kind, *rest = key.split("/")
    run, inner = (rest[0], "/".join(rest[1:])) if kind == "runs" and len(rest) > 1 else ("", "")
    if key.endswith("quarantine.parquet"):
        return Place("snapshots and tables of runs", Treatment.QUARANTINE, run)
    if run and TABLES.fullmatch(inner):
        return Place("snapshots and tables of runs", Treatment.TABLE, run)
    name = {"runs": "snapshots and tables of runs", "staging": "staging", "monitoring": "monitoring"}.get(kind)
    if key.endswith(".onnx"):
        return Place(name or "other objects", Treatment.GRAPH, run)
    if key.lower().endswith(DOCUMENTS):
        return Place(name or "other objects", Treatment.DOCUMENT, run)
    return Place(name or "other objects", Treatment.ARCHIVE, run)


RUN_ID = re.compile(r"\d{8}T\d{6,}-[0-9a-f]+")


def _run_in(name: str) -> str:
    found = RUN_ID.match(name)
    return found.group() if found else ""


def hours_of(keys: Iterator[str]) -> dict[str, list[str]]:
    """Return keys of captured and compacted answers by the hour of arrival, `YYYY/MM/DD/HH`.

    >>> hours_of(iter(["captures/model=m/2026/01/02/03/a.gz", "compacted/model=m/2026/01/02/03/part-1.parquet"]))
    {'2026/01/02/03': ['captures/model=m/2026/01/02/03/a.gz', 'compacted/model=m/2026/01/02/03/part-1.parquet']}
    """
    hours: dict[str, list[str]] = {}
    for key in keys:
        found = re.search(r"/(\d{4}/\d{2}/\d{2}/\d{2})/", key)
        hours.setdefault(found.group(1) if found else "", []).append(key)
    return hours
