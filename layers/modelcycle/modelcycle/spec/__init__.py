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
from modelcycle.spec.section import MODEL_NAME
from modelcycle.spec.serving import Capture, Evidence, Rollout, Staging

if TYPE_CHECKING:
    from modelcycle.spec.about import About
    from modelcycle.spec.fairness import Fairness, FairnessLimits, Mitigation
    from modelcycle.spec.parsing import parse
    from modelcycle.spec.pipeline import (
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
    from modelcycle.spec.privacy import Privacy, Treatment
    from modelcycle.spec.retention import Retention
    from modelcycle.spec.rules import CELL_CHECKS, Check, ColumnRule, Level, Rules, bound, seconds_of
    from modelcycle.spec.sources import MAIN, Csv, HttpSource, Join, Pages, S3Source, Source, SqlSource, StreamSource

# imported when one of their names is first used: what answers predictions needs none of them, and starts without
LATE_MODULES = ("about", "fairness", "rules", "privacy", "retention", "sources", "pipeline", "parsing")

__all__ = [
    "CELL_CHECKS",
    "HEADLINE_METRIC",
    "MAIN",
    "METRICS",
    "MODEL_NAME",
    "About",
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
    "Fairness",
    "FairnessLimits",
    "Features",
    "Gates",
    "HttpSource",
    "Join",
    "Level",
    "Mitigation",
    "Monitoring",
    "Pages",
    "Pipeline",
    "Privacy",
    "Retention",
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
    "Treatment",
    "bound",
    "headline_metric",
    "is_better",
    "json_schema",
    "parse",
    "seconds_of",
    "unknown_metric",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        for late in LATE_MODULES:
            module = import_module(f"modelcycle.spec.{late}")
            if hasattr(module, name):
                return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
