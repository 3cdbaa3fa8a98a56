"""What the pipeline file's `training.decide` asks for, measured on the test rows."""

from __future__ import annotations

import contextlib
from typing import Any

from cli.execution import Step
from cli.place import Place
from modelcycle.faults import Fault
from modelcycle.messages import Artifact, Run
from modelcycle.spec import Costs, parse
from modelcycle.store import read_json


def add_decide(place: Place, run: Run, step: Step) -> None:
    """Add to the results of `validate` what chose the threshold: `decide`, a metric's name or the costs of a row.

    Nothing is added if nothing chose it, or if a document is gone: the rest of the step is still shown.
    """
    selected = step.results.get("select_model") or {}
    if step.status == "failed" or (selected.get("recipe") or {}).get("threshold") is None:
        return
    artifacts = place.artifacts
    with contextlib.suppress(Fault):
        decide = parse(artifacts.read(run.pipeline), f"pipelines/{run.model}.yaml").training.decide
        if decide.metric is not None:
            step.results["decide"] = {"metric": decide.metric}
        elif decide.costs is not None:
            report = read_json(artifacts, Artifact.model_validate(step.results["validate"]["report"]))
            step.results["decide"] = {"costs": costs_of_a_row(decide.costs, report["confusion"]["counts"])}


def costs_of_a_row(costs: Costs, counts: list[list[int]]) -> dict[str, Any]:
    """Return the mean cost of a row by the model, and by the cheaper of the two classes for all rows.

    Parameters
    ----------
    counts : rows by true class (outer list) and predicted class, the positive class last

    Examples
    --------
    >>> costs_of_a_row(Costs(false_positive=1, false_negative=5), [[60, 20], [4, 16]])
    {'model': 0.4, 'baseline': 0.8}
    """
    (true_negative, false_positive), (false_negative, true_positive) = counts
    negatives, positives = true_negative + false_positive, false_negative + true_positive
    rows = max(negatives + positives, 1)
    model = costs.false_positive * false_positive + costs.false_negative * false_negative
    baseline = min(costs.false_positive * negatives, costs.false_negative * positives)
    return {"model": model / rows, "baseline": baseline / rows}
