"""Visits to a clinic, and a live version that has learned from them."""

from __future__ import annotations

import csv
import io
import random
from typing import Any

from modelcycle.messages import Artifact, Preprocessed
from modelcycle.registry import Registry, Version
from tests.unit.data_steps import AT, Workspace

Rows = list[dict[str, Any]]
TOWNS = ["Lyon", "Köln", "Gent, B"]


def rows(count: int = 1200, seed: int = 0) -> Rows:
    """Return visits to a clinic: skewed, discrete and missing values, none of them well-behaved."""
    draw = random.Random(seed)
    return [
        {
            "visit": f"v{seed}-{number}",
            "weight in kg": round(draw.gammavariate(9, 8), 1),
            "fever": round(draw.gauss(37.2, 0.9), 1),
            "town": draw.choices(TOWNS, [6, 3, 1])[0],
            "visits": draw.randrange(0, 5),
            "dose": round(draw.lognormvariate(3, 1), 3) if draw.random() > 0.07 else "",
            "state": draw.choices(["ill", "well"], [3, 7])[0],
        }
        for number in range(count)
    ]


def text(table: Rows) -> bytes:
    body = io.StringIO()
    writer = csv.DictWriter(body, list(table[0]))
    writer.writeheader()
    writer.writerows(table)
    return body.getvalue().encode()


def go_live(workspace: Workspace, preprocessed: Preprocessed, version: int = 1) -> None:
    """Make a version live that has learned from these rows; only its contract matters here."""
    assert preprocessed.contract is not None
    other = Artifact(uri="s3://artifacts/none", sha256="0", bytes=0)
    draft = Version(
        model="m", version=0, run_id="r1", created_at=AT, task="binary", onnx=other, skops=other, signature=other,
        plan=other, profile=other, lineage=other, card=other, validation=other, pipeline=other, metric="accuracy",
        metrics={}, interval=(0, 1), data="", code="", opset=1, contract=preprocessed.contract,
    )  # fmt: skip
    registry: Registry = workspace.registry
    made, _ = registry.versions.register(draft, f"content {version}")
    registry.standings.move("m", made.version, "staged", "test")
    registry.routes.promote("m", made.version, 100, "test")
