"""What made a model: enough to make it again, see `modelcycle reproduce`."""

from __future__ import annotations

import platform
from typing import Any

from modelcycle.govern.facts import Facts
from modelcycle.messages import CaseRecipe, Message

LEFT_OUT = {"schema_number", "cached"}  # of a step's result: they say nothing about what was made


def lineage(facts: Facts, manifest: Any, cases: CaseRecipe | None) -> dict[str, Any]:
    """Return run, code, data, rows, features, model and validation of a candidate, and the result of each step.

    Parameters
    ----------
    manifest : of the snapshot: each file with its object version and SHA-256
    cases : how a row's case is made, None if the run has no cases
    """
    request = facts.request
    selected, refit = request.select_model, request.refit
    steps: dict[str, Message] = {
        "collect": request.collect, "preprocess": request.preprocess, "engineer_features": request.engineer_features,
        "select_model": selected, "find_unseen": request.find_unseen, "validate": request.validate_, "refit": refit,
    }  # fmt: skip
    return {
        "run": request.run.model_dump(mode="json"),
        "code": facts.code,
        "runtime": runtime(),
        "data": {
            "manifest": request.collect.manifest.model_dump(), "objects": manifest, "content": request.collect.content,
        },
        "cases": cases.model_dump(mode="json") if cases else None,
        "rows": {
            "collected": request.collect.rows, "kept": request.preprocess.kept, "split": list(request.preprocess.split),
            "quarantined": request.collect.quarantined + request.preprocess.quarantined,
            "duplicates": request.preprocess.duplicates, "older": request.preprocess.older,
            "cases": request.preprocess.cases,
            "repeated_files": request.collect.repeated, "learned": facts.learned_rows,
            "judged": request.preprocess.split[2], "compared": request.validate_.compared,
        },
        "features": request.engineer_features.plan.model_dump(),
        "model": selected.model_dump(mode="json", exclude=LEFT_OUT),
        "judged": selected.onnx.model_dump(),
        "served": (refit.onnx or selected.onnx).model_dump(),
        "validation": request.validate_.report.model_dump(),
        "steps": {name: step.model_dump(mode="json", exclude=LEFT_OUT) for name, step in steps.items()},
    }  # fmt: skip


def runtime() -> dict[str, str]:
    """Return Python, machine and system of this function; the function that trains has the same ones."""
    return {"python": platform.python_version(), "machine": platform.machine(), "system": platform.system()}
