"""The parity check on validation rows and parity rows, then scores of the test rows by candidate and champion."""

from __future__ import annotations

import numpy as np

from modelcycle.faults import BadMessage
from modelcycle.messages import Artifact, ScoreCandidateRequest, ScoredCandidate
from modelcycle.model.columns import Columns, TableSchema, Texts, concatenate
from modelcycle.model.npz import from_npz, to_npz
from modelcycle.model.parity import Parity, ScorePair, check_parity, deviation_of
from modelcycle.model.row_groups import sensitive_groups
from modelcycle.model.scoring import Scorer, Scores
from modelcycle.model.signature import Signature
from modelcycle.model.training_need import check_rehearsal, scoring_need
from modelcycle.registry import Registry, Version
from modelcycle.score_candidate.evidence import gather_evidence
from modelcycle.score_candidate.slices import slice_rows
from modelcycle.steps import pipeline_of, reuse_or_run
from modelcycle.store import Store
from modelcycle.workplace import Workplace

STEP = "score_candidate"
MAX_LISTED_CLASSES = 10  # in a sentence


def score_candidate(
    request: ScoreCandidateRequest,
    *,
    artifacts: Store,
    registry: Registry,
    code: str,
    workplace: Workplace | None = None,
) -> ScoredCandidate:
    """Check ONNX against scikit-learn, then score the test features, from which no earlier step has learned.

    Parameters
    ----------
    code : version of the code; a result of other code is not reused
    workplace : where the work may be done; None: here, whatever it takes

    Raises
    ------
    ParityBroken : the two give different scores
    BadData : `stage` could not read the test rows
    """
    pipeline = pipeline_of(artifacts, request.run)
    size = request.preprocess.kept, request.engineer_features.columns
    if workplace is not None:
        check_rehearsal(*size, workplace)

    def work() -> ScoredCandidate:
        signature = Signature.model_validate_json(artifacts.read(request.select_model.signature))
        table = TableSchema.model_validate_json(artifacts.read(request.preprocess.table))
        onnx = artifacts.read(request.select_model.onnx)
        scorer = Scorer(signature, onnx)
        parity = _check_parity(request, scorer, artifacts)
        test = Columns.from_bytes(artifacts.read(request.preprocess.test_features))
        sensitive = [column for column in table.columns if column.name in pipeline.sensitive_columns]
        candidate_scores = _scores(scorer, test, sensitive_groups(test, sensitive))
        evidence = gather_evidence(scorer, len(onnx), test, candidate_scores.scores)
        sliced = [column.name for column in sensitive] + evidence.columns + evidence.left_out
        slices = slice_rows(test, [table.column(name) for name in dict.fromkeys(sliced) if name in test.values])
        champion_scores, uncompared = _champion_scores(request, signature, artifacts, registry)
        older = None
        if champion_scores is not None and request.find_unseen.older is not None:
            older = _score_older(request, scorer, test, slices.columns, table, artifacts, registry)
        return ScoredCandidate(
            older=older,
            scores=artifacts.put(request.run.key(STEP, "scores.npz"), candidate_scores.to_bytes()),
            champion_scores=None
            if champion_scores is None
            else artifacts.put(request.run.key(STEP, "champion.npz"), champion_scores.to_bytes()),
            slices=artifacts.put(request.run.key(STEP, "slices.npz"), slices.to_bytes()),
            evidence=artifacts.put(request.run.key(STEP, "evidence.npz"), evidence.to_bytes()),
            champion=request.find_unseen.champion,
            uncompared=uncompared,
            rows=parity.rows,
            max_difference=parity.max_difference,
            flips=parity.flips,
        )

    return reuse_or_run(
        work, ScoredCandidate, step=STEP, request=request, parameters=pipeline.sensitive_columns, code=code,
        results=registry.results, artifacts=artifacts, workplace=workplace,
        need=scoring_need(*size),
    )  # fmt: skip


def _scores(scorer: Scorer, rows: Columns, groups: dict[str, Texts]) -> Scores:
    cutoffs = scorer.signature.cutoffs(rows.values, rows.rows)
    return Scores(scorer.scores(rows), groups, None if isinstance(cutoffs, float) else cutoffs)


def _check_parity(request: ScoreCandidateRequest, scorer: Scorer, artifacts: Store) -> Parity:
    stored = from_npz(artifacts.read(request.select_model.reference))
    expected = {name: stored[name].reshape(len(stored[name]), -1) for name in ("validation", "probes")}
    validation = Columns.from_bytes(artifacts.read(request.preprocess.validation))
    probes = Columns.from_bytes(artifacts.read(request.select_model.probes))
    pairs = [
        ScorePair("validation", expected["validation"], scorer.scores(validation)),
        ScorePair("parity", expected["probes"], scorer.scores(probes)),
    ]
    task, threshold = scorer.signature.task, scorer.signature.threshold
    return check_parity(pairs, task, deviation_of(validation.target), request.select_model.best.algorithm, threshold)


def _champion_scores(
    request: ScoreCandidateRequest, candidate: Signature, artifacts: Store, registry: Registry
) -> tuple[Scores | None, list[str]]:
    """Return the scores (n, k) of the unseen rows by the champion's twin, in the order of the candidate's classes.

    The twin has not learned from test rows; the model that serves may have. None, with all reasons, if the champion
    predicts another target or other classes, or cannot be judged on these rows.
    """
    unseen = request.find_unseen
    if unseen.champion is None or unseen.champion_lost:
        return None, []
    champion = registry.versions.get(request.run.model, unseen.champion)
    signature = Signature.model_validate_json(artifacts.read(champion.signature))
    # a change of the target is told by both steps
    reasons = list(dict.fromkeys([*_other_target(signature, candidate, unseen.champion), *unseen.uncompared]))
    if reasons or unseen.features is None:
        return None, reasons
    rows = Columns.from_bytes(artifacts.read(unseen.features))
    if not signature.fits(rows):
        raise BadMessage(f"the rows are not those that version {unseen.champion} reads", STEP, "start a new run")
    return _scores_of(champion, rows, candidate, artifacts), []


def _score_older(
    request: ScoreCandidateRequest, scorer: Scorer, test: Columns, sliced: list[str], table: TableSchema,
    artifacts: Store, registry: Registry,
) -> Artifact:  # fmt: skip
    """Score older rows by both models, and group them by the slices of test rows and older rows together."""
    older, number = request.find_unseen.older, request.find_unseen.champion
    assert older is not None and number is not None
    own = Columns.from_bytes(artifacts.read(older.features))
    theirs = Columns.from_bytes(artifacts.read(older.champion_features))
    together = concatenate([Columns({name: part.values[name] for name in sliced}) for part in (test, own)])
    slices = slice_rows(together, [table.column(name) for name in sliced])
    body = to_npz(
        candidate=scorer.scores(own),
        champion=_scores_of(
            registry.versions.get(request.run.model, number), theirs, scorer.signature, artifacts
        ).scores,
        slices=np.frombuffer(slices.to_bytes(), dtype=np.uint8),
    )
    return artifacts.put(request.run.key(STEP, "older.npz"), body)


def _scores_of(version: Version, rows: Columns, candidate: Signature, artifacts: Store) -> Scores:
    """Return the scores (n, k) of rows by a version's twin, in the order of the candidate's classes."""
    signature = Signature.model_validate_json(artifacts.read(version.signature))
    scores = Scorer(signature, artifacts.read(version.judged)).scores(rows)
    if candidate.classes:
        scores = scores[:, [signature.classes.index(name) for name in candidate.classes]]
    cutoffs = signature.cutoffs(rows.values, rows.rows)
    return Scores(scores, cutoffs=None if isinstance(cutoffs, float) else cutoffs)


def _other_target(champion: Signature, candidate: Signature, number: int) -> list[str]:
    """Return why the champion does not predict what the candidate predicts, as a sentence; none if it does."""
    if champion.target != candidate.target:
        return [f"version {number} predicts {champion.target!r}, the new model {candidate.target!r}"]
    kinds = ["numbers" if signature.task == "regression" else "classes" for signature in (champion, candidate)]
    if kinds[0] != kinds[1]:
        return [f"version {number} predicts {kinds[0]}, the new model {kinds[1]}"]
    if sorted(champion.classes) != sorted(candidate.classes):
        known, new = (_listed_classes(signature.classes) for signature in (champion, candidate))
        return [f"the data have the classes {new}; version {number} has {known}"]
    return []


def _listed_classes(classes: list[str]) -> str:
    more = len(classes) - MAX_LISTED_CLASSES
    return ", ".join(sorted(classes)[:MAX_LISTED_CLASSES]) + (f" and {more} more" if more > 0 else "")
