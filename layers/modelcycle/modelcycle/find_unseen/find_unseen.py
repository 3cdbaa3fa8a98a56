"""The rows on which candidate and champion can be compared: test rows that neither has learned from."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from modelcycle.messages import Artifact, FindUnseenRequest, FoundUnseen
from modelcycle.registry import Registry
from modelcycle.steps import pipeline_of, reuse_or_run
from modelcycle.store import Store, put_json, read_json

STEP = "find_unseen"


def find_unseen(request: FindUnseenRequest, *, artifacts: Store, registry: Registry, code: str) -> FoundUnseen:
    """Find the test rows that the champion has not learned from.

    Parameters
    ----------
    code : version of the code; a result of other code is not reused
    """
    pipeline_of(artifacts, request.run)
    champion = _first_seen_champion(request, artifacts, registry)
    version = None if champion is None else registry.versions.get(request.run.model, champion)
    # a champion whose artifacts are gone must not stop the run that could replace it
    lost = version is not None and bool(artifacts.missing(version.essentials))

    def work() -> FoundUnseen:
        rows = request.preprocess.split[2]
        compared = version is not None and not lost
        return FoundUnseen(
            champion=champion,
            champion_lost=lost,
            rows=rows if compared else 0,
            positions=_put_npz(request, artifacts, "positions.npz", positions=np.arange(rows)) if compared else None,
            features=request.preprocess.test_features if compared else None,
            cases=_put_npz(request, artifacts, "cases.npz", learned=np.zeros(0, dtype=np.uint64)),
        )

    return reuse_or_run(
        work, FoundUnseen, step=STEP, request=request, parameters=[champion, lost], code=code,
        results=registry.results, artifacts=artifacts,
    )  # fmt: skip


def _first_seen_champion(request: FindUnseenRequest, artifacts: Store, registry: Registry) -> int | None:
    """Return the champion as this run first saw it: a redelivered event, even after a promotion, changes nothing."""
    champion = registry.routes.get(request.run.model).champion
    first_seen = put_json(artifacts, request.run.key(STEP, "champion.json"), {"champion": champion})
    version: int | None = read_json(artifacts, first_seen)["champion"]
    return version


def _put_npz(request: FindUnseenRequest, artifacts: Store, name: str, **arrays: Any) -> Artifact:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return artifacts.put(request.run.key(STEP, name), file.getvalue())
