"""The parity check on validation rows and parity rows, then scores of the test rows by candidate and champion."""

from __future__ import annotations

import io

import numpy as np

from modelcycle.messages import ScoreCandidateRequest, ScoredCandidate
from modelcycle.model.columns import Columns, TableSchema
from modelcycle.model.parity import Parity, ScorePair, check_parity
from modelcycle.model.scoring import ScoreArray, Scorer, Scores
from modelcycle.model.signature import Signature
from modelcycle.registry import Registry
from modelcycle.score_candidate.sensitive_groups import sensitive_groups
from modelcycle.steps import pipeline_of, reuse_or_run
from modelcycle.store import Store

STEP = "score_candidate"


def score_candidate(
    request: ScoreCandidateRequest, *, artifacts: Store, registry: Registry, code: str
) -> ScoredCandidate:
    """Check ONNX against scikit-learn, then score the test features, which no earlier step reads.

    Parameters
    ----------
    code : version of the code; a result of other code is not reused

    Raises
    ------
    ParityBroken : the two give different scores
    """
    pipeline = pipeline_of(artifacts, request.run)

    def work() -> ScoredCandidate:
        signature = Signature.model_validate_json(artifacts.read(request.select_model.signature))
        table = TableSchema.model_validate_json(artifacts.read(request.preprocess.table))
        scorer = Scorer(signature, artifacts.read(request.select_model.onnx))
        parity = _check_parity(request, scorer, artifacts)
        test = Columns.from_bytes(artifacts.read(request.preprocess.test_features))
        sensitive = [column for column in table.columns if column.name in pipeline.sensitive_columns]
        candidate_scores = Scores(scorer.scores(test), sensitive_groups(test, sensitive))
        champion_scores, uncompared = _champion_scores(request, signature, artifacts, registry)
        return ScoredCandidate(
            scores=artifacts.put(request.run.key(STEP, "scores.npz"), candidate_scores.to_bytes()),
            champion_scores=None
            if champion_scores is None
            else artifacts.put(request.run.key(STEP, "champion.npz"), Scores(champion_scores).to_bytes()),
            champion=request.find_unseen.champion,
            uncompared=uncompared,
            rows=parity.rows,
            max_difference=parity.max_difference,
            flips=parity.flips,
        )

    return reuse_or_run(
        work, ScoredCandidate, step=STEP, request=request, parameters=pipeline.sensitive_columns, code=code,
        results=registry.results, artifacts=artifacts,
    )  # fmt: skip


def _check_parity(request: ScoreCandidateRequest, scorer: Scorer, artifacts: Store) -> Parity:
    with np.load(io.BytesIO(artifacts.read(request.select_model.reference)), allow_pickle=False) as stored:
        expected = {name: stored[name].reshape(len(stored[name]), -1) for name in ("validation", "probes")}
    validation = Columns.from_bytes(artifacts.read(request.preprocess.validation))
    probes = Columns.from_bytes(artifacts.read(request.select_model.probes))
    deviation = 1.0 if validation.target is None or not validation.rows else float(np.nanstd(validation.target))
    pairs = [
        ScorePair("validation", expected["validation"], scorer.scores(validation)),
        ScorePair("parity", expected["probes"], scorer.scores(probes)),
    ]
    task, threshold = scorer.signature.task, scorer.signature.threshold
    return check_parity(pairs, task, deviation, request.select_model.best.algorithm, threshold)


def _champion_scores(
    request: ScoreCandidateRequest, candidate: Signature, artifacts: Store, registry: Registry
) -> tuple[ScoreArray | None, list[str]]:
    """Return the champion's scores (n, k) of the unseen rows, in the order of the candidate's classes.

    None, with the reasons, if it predicts another target or other classes, or cannot read these rows.
    """
    unseen = request.find_unseen
    if unseen.champion is None or unseen.champion_lost:
        return None, []
    if unseen.features is None:
        return None, unseen.uncompared
    champion = registry.versions.get(request.run.model, unseen.champion)
    signature = Signature.model_validate_json(artifacts.read(champion.signature))
    name = f"version {unseen.champion}"
    if (signature.task, signature.target) != (candidate.task, candidate.target):
        return None, [f"{name} predicts {signature.target!r} ({signature.task}), the new model {candidate.target!r}"]
    if sorted(signature.classes) != sorted(candidate.classes):
        return None, [f"{name} has the classes {', '.join(signature.classes)}; the data have others"]
    rows = Columns.from_bytes(artifacts.read(unseen.features))
    if not signature.fits(rows):
        return None, [f"{name} reads columns that these rows do not have, or with other types"]
    judged = champion.twin or champion.onnx
    scores = Scorer(signature, artifacts.read(judged)).scores(rows)
    ordered = scores[:, [signature.classes.index(name) for name in candidate.classes]] if candidate.classes else scores
    return ordered, []
