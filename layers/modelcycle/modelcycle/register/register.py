from __future__ import annotations

import hashlib

from modelcycle.faults import Tampered, Unknown
from modelcycle.key_service import KeyService
from modelcycle.messages import Artifact, ContractChange, Registered, RegisterRequest, contract_change
from modelcycle.registry import ReferenceRows, Version, Versions
from modelcycle.signing import sign_version
from modelcycle.spec import Capture, parse
from modelcycle.store import Store, read_json

MIN_RECENT_ROWS = 100  # test rows that alone can be the reference of live traffic


def register(
    request: RegisterRequest, *, artifacts: Store, versions: Versions, keys: KeyService, code: str,
    training_code: str = "",
) -> Registered:  # fmt: skip
    """Sign the model and give it the next version number. The same model keeps the number that it was given first.

    If the artifacts of that first version are gone, or the signature that it had, it cannot be served any more, and the
    model gets a new number.

    Parameters
    ----------
    artifacts : the bucket of the versions' artifacts
    keys : sign the version, if the stack has a key for it
    code : version of the code
    training_code : hash of the part of it that decides what a model learns; empty if unknown
    """
    run, selected, features, refit = request.run, request.select_model, request.engineer_features, request.refit
    draft = Version(
        model=run.model,
        version=0,
        run_id=run.run_id,
        created_at=run.started_at,
        task=request.preprocess.task,
        onnx=refit.onnx or selected.onnx,
        skops=refit.skops or selected.skops,
        signature=selected.signature,
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
        twin=selected.onnx if refit.onnx else None,
        cases=request.find_unseen.cases,
        learned=refit.rows if refit.done else sum(request.preprocess.split[:2]),
        chain=request.validate_.chain,
        contract=request.preprocess.contract,
        capture=parse(artifacts.read(run.pipeline)).capture,
        contract_change=_contract_change(request, artifacts, versions),
        reference=ReferenceRows(
            features=request.preprocess.test_features, labels=request.preprocess.test_labels,
            scores=request.score_candidate.scores, recent=_recent_rows(request),
        ),
        figures=request.govern.figures,
        author=run.author,
        author_proved=run.author_proved,
    )  # fmt: skip
    if keys.signs:
        draft = draft.model_copy(update={"bundle": sign_version(draft, artifacts, keys)})
    content = f"{draft.onnx.sha256} {draft.signature.sha256} {draft.profile.sha256}"
    if draft.capture != Capture():  # masked columns take effect with a new version, even of the same model
        content += f" {draft.capture.model_dump_json()}"
    lost: set[int] = set()  # versions of the same content whose artifacts are gone

    def is_intact(earlier: Version) -> bool:
        unsigned = earlier.must_be_signed and keys.signs  # nobody would load it
        if not unsigned and not artifacts.missing(earlier.essentials):
            return True
        lost.add(earlier.version)
        return False

    version, created = versions.register(draft, hashlib.sha256(content.encode()).hexdigest(), is_intact, training_code)
    return Registered(
        version=version.version,
        created=created,
        replaces=max(lost) if created and lost else None,
        contract_change=draft.contract_change,
    )


def _recent_rows(request: RegisterRequest) -> Artifact | None:
    """Return which test rows are new, if the version was made for new traffic and there are enough of them."""
    made_for_traffic = request.run.trigger.kind in ("degraded", "outcomes") and request.collect.traffic > 0
    enough = request.find_unseen.recent >= MIN_RECENT_ROWS
    return request.find_unseen.positions if made_for_traffic and enough else None


def _contract_change(request: RegisterRequest, artifacts: Store, versions: Versions) -> ContractChange | None:
    """Return how the candidate's columns differ from the champion's; None if they do not, or there is no champion."""
    number = request.find_unseen.champion
    if number is None:
        return None
    try:
        champion, candidate = versions.get(request.run.model, number).signature, request.select_model.signature
        if champion.sha256 == candidate.sha256:
            return None
        return contract_change(number, read_json(artifacts, champion), read_json(artifacts, candidate))
    except (Unknown, Tampered):  # a champion without its files does not answer either
        return None
