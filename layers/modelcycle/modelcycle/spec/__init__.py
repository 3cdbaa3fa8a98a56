"""The pipeline file: one YAML file describes the whole lifecycle of one model.

`pipeline` is its schema, `metrics` the metrics that its gates may name, `parsing` turns its text into a `Pipeline`, and
`error_messages` locates and words what is wrong with it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from modelcycle.spec.metrics import (
    HEADLINE_METRIC,
    METRICS,
    Direction,
    Task,
    headline_metric,
    is_better,
    unknown_metric,
)
from modelcycle.spec.pipeline import (
    MODEL_NAME,
    Algorithm,
    Approval,
    Costs,
    Decide,
    Features,
    Gates,
    Monitoring,
    Pipeline,
    Retraining,
    Training,
    json_schema,
)
from modelcycle.spec.rules import CELL_CHECKS, Check, ColumnRule, Level, Rules, bound, seconds_of
from modelcycle.spec.serving import Capture, Evidence, Rollout, Staging
from modelcycle.spec.sources import MAIN, Csv, HttpSource, Join, Pages, S3Source, Source, SqlSource, StreamSource

if TYPE_CHECKING:
    from modelcycle.spec.parsing import parse

__all__ = [
    "CELL_CHECKS",
    "HEADLINE_METRIC",
    "MAIN",
    "METRICS",
    "MODEL_NAME",
    "Algorithm",
    "Approval",
    "Capture",
    "Check",
    "ColumnRule",
    "Costs",
    "Csv",
    "Decide",
    "Direction",
    "Evidence",
    "Features",
    "Gates",
    "HttpSource",
    "Join",
    "Level",
    "Monitoring",
    "Pages",
    "Pipeline",
    "Retraining",
    "Rollout",
    "Rules",
    "S3Source",
    "Source",
    "SqlSource",
    "Staging",
    "StreamSource",
    "Task",
    "Training",
    "bound",
    "headline_metric",
    "is_better",
    "json_schema",
    "parse",
    "seconds_of",
    "unknown_metric",
]


def __getattr__(name: str) -> Any:
    """Import the parser when it is first used: it needs PyYAML, and what answers predictions reads no pipeline file."""
    if name == "parse":
        return import_module("modelcycle.spec.parsing").parse
    raise AttributeError(name)
