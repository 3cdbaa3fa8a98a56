"""What a look asks the governor for, beside a degraded model: a run on new outcomes, or with new training code."""

from __future__ import annotations

from datetime import datetime

import numpy as np

from modelcycle.faults import BadPipeline, Unknown
from modelcycle.model.labelled import Labelled
from modelcycle.registry import Registry, StartedRun, Version
from modelcycle.spec import parse
from modelcycle.store import S3Store


def want_runs(
    version: Version, labelled: Labelled | None, data: S3Store, registry: Registry, training_code: str, at: datetime
) -> list[str]:
    """Ask for runs, as the pipeline file of now says: at most once a day for each reason.

    New outcomes are those of predictions since the version was made, or since the governor started its last run.
    Training code is new if other code than the deployed one has made the version last.

    Parameters
    ----------
    version : the champion
    data : the bucket of the pipeline files
    training_code : hash of the deployed code that trains; empty or `unknown` if it is not known
    at : end of the window

    Returns
    -------
    what was asked for now, as clauses
    """
    try:
        retraining = parse(data.latest(f"pipelines/{version.model}.yaml")[0]).retraining
    except (Unknown, BadPipeline):  # the next run says so
        return []
    model, day, asked = version.model, f"{at:%Y-%m-%d}", []
    starts = registry.retrainings.governor(model).starts
    if retraining.new_rows is not None and labelled is not None:
        since = max([version.created_at, *(start.at for start in starts)])
        rows = int(np.count_nonzero(labelled.at > since.timestamp()))
        reason = f"{rows:,} since {since:%Y-%m-%d %H:%M} UTC (retraining.new_rows: {retraining.new_rows:,})"
        if rows >= retraining.new_rows and registry.retrainings.want(
            model, "LabelledRowsArrived", f"{since:%Y-%m-%dT%H:%M:%S}#{day}", version=version.version, reason=reason
        ):
            asked.append(f"a run was asked for: rows with an outcome, {reason}")
    if retraining.on_code and training_code not in ("", "unknown"):
        made_by = registry.versions.training_code(model, version.version)
        reason = (
            f"version {version.version} was made by {made_by[:8] or 'an earlier release'},"
            f" deployed is {training_code[:8]}"
        )
        occasion = f"{version.version}#{training_code[:16]}"
        first = registry.retrainings.wanted_at(model, "TrainingCodeChanged", occasion)
        # a run that changes nothing registers nothing: its version is still that of the other code
        tried = first is not None and any(start.at >= first and _has_tried(start, registry) for start in starts)
        if first is not None:
            occasion += f"#{day}"
        if made_by != training_code and not tried and registry.retrainings.want(
            model, "TrainingCodeChanged", occasion, version=version.version, reason=reason
        ):  # fmt: skip
            asked.append(f"a run was asked for: {reason}")
    return asked


def _has_tried(start: StartedRun, registry: Registry) -> bool:
    """Return whether a run that was started has begun and did not fail: one that was folded has no record."""
    record = registry.runs.of_execution(start.execution)
    return record is not None and record.state != "failed"
