from __future__ import annotations

import hashlib

from modelcycle.messages import Registered, RegisterRequest
from modelcycle.registry import Version, Versions
from modelcycle.store import Store


def register(request: RegisterRequest, *, artifacts: Store, versions: Versions, code: str) -> Registered:
    """Give the model the next version number; a model that was registered before keeps its first one.

    If the artifacts of that first one are gone, it can no longer be served: the model gets a new number.
    """
    run, selected, features = request.run, request.select_model, request.engineer_features
    draft = Version(
        model=run.model,
        version=0,
        run_id=run.run_id,
        created_at=run.started_at,
        task=request.preprocess.task,
        onnx=selected.onnx,
        skops=selected.skops,
        signature=features.signature,
        plan=features.plan,
        profile=request.preprocess.profile,
        lineage=request.govern.lineage,
        card=request.govern.card,
        validation=request.validate_.report,
        pipeline=run.pipeline,
        metric=request.validate_.metric,
        metrics=request.validate_.metrics,
        interval=request.validate_.interval,
        data=request.collect.manifest.sha256,
        code=code,
        opset=selected.opset,
    )
    made_of = f"{selected.onnx.sha256} {features.signature.sha256} {request.preprocess.profile.sha256}"
    lost: list[int] = []

    def is_intact(earlier: Version) -> bool:
        if artifacts.missing(earlier.essentials):
            lost.append(earlier.version)
        return earlier.version not in lost

    version, created = versions.register(draft, hashlib.sha256(made_of.encode()).hexdigest(), is_intact)
    return Registered(version=version.version, created=created, replaces=lost[-1] if created and lost else None)
