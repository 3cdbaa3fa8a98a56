"""What changes of the columns cost, from the scores that `score_candidate` computed of changed rows."""

from __future__ import annotations

import math
from typing import Any

import numpy.typing as npt

from modelcycle.model.evidence import Evidence
from modelcycle.model.losses import row_losses
from modelcycle.spec import Task

Array = npt.NDArray[Any]


def evidence_report(evidence: Evidence, scores: Array, target: Array, task: Task) -> dict[str, Any]:
    """Return the evidence for the validation report.

    Parameters
    ----------
    evidence : of a sample of the n test rows
    scores : of the candidate, (n, k)
    target : codes (n,), or numbers (n,)

    Returns
    -------
    rows, columns_left_out : what was sampled; importance : by column, by how much the mean loss of a row rises when its
    values are permuted (Breiman 2001), with the standard error of that; missing_values : likewise when a share of all
    cells is missing; partial_dependence : mean scores by value of a column
    """
    own_target = target[evidence.positions]
    losses = row_losses(scores[evidence.positions], own_target, task)

    def cost(changed: Array) -> dict[str, float]:
        differences = row_losses(changed, own_target, task) - losses
        error = float(differences.std(ddof=1)) / math.sqrt(len(differences)) if len(differences) > 1 else 0.0
        return {"increase": float(differences.mean()), "error": error}

    # without rows nothing costs anything
    columns, shares = (evidence.columns, evidence.shares) if len(losses) else ([], [])
    importance = [{"column": name, **cost(changed)} for name, changed in zip(columns, evidence.permuted, strict=False)]
    return {
        "rows": len(evidence.positions),
        "columns_left_out": len(evidence.left_out),
        "loss": {
            "name": "squared error" if task == "regression" else "quadratic score",
            "mean": float(losses.mean()) if len(losses) else None,
        },
        "importance": sorted(importance, key=lambda entry: -float(entry["increase"])),
        "missing_values": [
            {"share": share, **cost(changed)} for share, changed in zip(shares, evidence.missing, strict=False)
        ],
        "partial_dependence": evidence.dependence,
    }
