"""The figures that a rule may be about, by name. What a run does not measure, it lacks; what no run can measure, no
policy may name.
"""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Mapping
from typing import NamedTuple

from modelcycle.registry import Version
from modelcycle.spec import METRICS, About
from modelcycle.store import Store

FIXED = {
    "gates.passed": "1 if all gates on test rows passed",
    "gates.asked": "how many reasons there are to ask a person",
    "parity.rows": "rows that scikit-learn and ONNX both scored",
    "parity.difference": "largest difference of the two scores",
    "parity.flips": "rows on the threshold whose class differs",
    "lineage.recorded": "1 if data and code are on record",
    "lineage.files": "files that the run has read",
    "columns.used": "columns that the model uses",
    "columns.sensitive": "sensitive columns in the model",
    "columns.sensitive_not_allowed": "the same, without features.use_sensitive",
    "columns.leaking": "columns in the model that give the target away",
    "columns.leaking_not_listed": "the same, without those that the pipeline file lists",
    "data.rows": "rows read",
    "data.kept": "rows kept",
    "data.quarantined": "rows kept back",
    "data.duplicates": "equal rows dropped",
    "data.unreadable": "share of broken lines or of unreadable values, the larger one",
    "data.broken_lines": "share of broken lines",
    "data.unreadable_values": "share of unreadable values",
    "rows.train": "training rows",
    "rows.validation": "validation rows",
    "rows.test": "test rows",
    "rows.learned": "rows that the serving model has learned from",
    "rows.compared": "test rows on which candidate and champion were compared",
    "interval.low": "lower end of the deciding metric's 95 % interval",
    "interval.high": "upper end",
}
"""Figures with one name, and what each is."""

OF_THE_MODEL = ("metrics", "baseline", "champion")
RATES = ("selection_rate", "tpr", "fpr", "precision")  # by sensitive group, of classes
OF_RATES = ("ratio", "difference")
MEANS = {
    "mean_prediction": ("ratio", "difference"), "mean_error": ("difference",),
    "mae": ("ratio", "difference", "highest"),
}  # fmt: skip
"""Of numbers, with the kinds of figures that each has."""
_OF_GROUPS = "|".join(
    rf"{measure}\.(?:{'|'.join(kinds)})" for measure, kinds in (dict.fromkeys(RATES, OF_RATES) | MEANS).items()
)
_OF_A_COLUMN = re.compile(rf"fairness\.(?:{_OF_GROUPS})(?:_low|_high)?:.+", re.DOTALL)  # a column's name: anything

EVIDENCE = {
    "card": "the model card",
    "lineage": "data, code and parameters that made the model",
    "figures": "the figures of this list",
    "validation": "the report on test rows",
    "contract": "what every batch of rows must hold",
    "comparison": "rows on which it was compared with the live version",
    "refit check": "the parity gate of the model that has learned from all rows",
    "fairness": "metrics by sensitive group",
    "author": "who started the run",
    "author_proved": "who started the run, as the data bucket has proved it",
    **{f"about.{key}": field.description or key for key, field in About.model_fields.items()},
}
"""What `required_evidence` may name, besides figures."""


KINDS = {"ratio": "lowest by highest", "difference": "highest less lowest", "highest": "that of the worst group"}
ENDS = {"": "", "_low": ", lower end of its interval", "_high": ", upper end of its interval"}


class Measured(NamedTuple):
    """A figure of a run; `detail` is a sentence about it, empty if the value says it all."""

    value: float
    detail: str = ""


Figures = Mapping[str, Measured]


def finite(figures: Mapping[str, float | None]) -> dict[str, Measured]:
    """Return the figures that are numbers: one that is not was not measured.

    >>> finite({"metrics.r2": 0.5, "metrics.mape": float("inf"), "metrics.mae": None})
    {'metrics.r2': Measured(value=0.5, detail='')}
    """
    return {
        name: Measured(float(value)) for name, value in figures.items() if value is not None and math.isfinite(value)
    }


def known_figures() -> dict[str, str]:
    """Return every figure with a name that does not depend on the data, and what it is."""
    metrics = sorted({metric for of_task in METRICS.values() for metric in of_task})
    of_models = {f"{who}.{metric}": _OF[who].format(metric) for who in OF_THE_MODEL for metric in metrics}
    of_groups = {
        f"fairness.{measure}.{kind}{end}": f"{measure.replace('_', ' ')} by sensitive group: {KINDS[kind]}{ENDS[end]}"
        for measure, kinds in (dict.fromkeys(RATES, OF_RATES) | MEANS).items()
        for kind in kinds
        for end in ENDS
    }
    of_groups |= {
        f"fairness.equalized_odds.{kind}": f"the worse one of tpr and fpr: {KINDS[kind]}" for kind in OF_RATES
    }
    return FIXED | of_models | of_groups


_OF = {
    "metrics": "{} on test rows",
    "baseline": "{} of a model that knows no column",
    "champion": "{} of the live version",
}


def unknown_figure(name: str) -> str | None:
    """Return the sentence about a figure that no run can have; None if one can.

    Examples
    --------
    >>> unknown_figure("metrics.acuracy")
    'no run measures metrics.acuracy, did you mean metrics.accuracy?'
    >>> unknown_figure("fairness.selection_rate.ratio_high:marital status")
    """
    known = known_figures()
    if name in known or _OF_A_COLUMN.fullmatch(name):
        return None
    close = difflib.get_close_matches(name, known, n=1)
    return f"no run measures {name}" + (
        f", did you mean {close[0]}?" if close else "; `modelcycle policy --figures` lists them"
    )


def unknown_evidence(name: str) -> str | None:
    """Return the sentence about evidence that no run can have; None if one can.

    >>> unknown_evidence("cards")
    'no run has the evidence cards, did you mean card?'
    """
    if name in EVIDENCE or unknown_figure(name) is None:
        return None
    close = difflib.get_close_matches(name, [*EVIDENCE, *known_figures()], n=1)
    return f"no run has the evidence {name}, " + (
        f"did you mean {close[0]}?" if close else f"choose from {', '.join(EVIDENCE)}"
    )


def figures_of_version(version: Version, artifacts: Store) -> dict[str, Measured] | None:
    """Return the figures that `govern` has stored with a version; None if it is older than that."""
    if version.figures is None:
        return None
    return finite(json.loads(artifacts.read(version.figures)))
