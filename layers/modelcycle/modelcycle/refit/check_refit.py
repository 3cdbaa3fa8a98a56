"""The check of a refit by the code that serves: does its ONNX graph give the scores of scikit-learn?"""

from __future__ import annotations

from modelcycle.faults import ParityBroken
from modelcycle.messages import CheckedRefit, CheckRefitRequest
from modelcycle.model.columns import Columns, TableSchema
from modelcycle.model.npz import from_npz
from modelcycle.model.parity import ScorePair, check_parity, deviation_of
from modelcycle.model.scoring import Scorer, Scores
from modelcycle.model.signature import Signature
from modelcycle.model.training_need import scoring_need
from modelcycle.registry import Results
from modelcycle.steps import reuse_or_run
from modelcycle.store import Store
from modelcycle.workplace import Workplace

STEP = "check_refit"


def check_refit(
    request: CheckRefitRequest, *, artifacts: Store, results: Results, code: str, workplace: Workplace | None = None
) -> CheckedRefit:
    """Hold the parity check again; if it fails, the judged model goes live.

    Parameters
    ----------
    code : version of the code; a result of other code is not reused
    workplace : where the work may be done; None: here, whatever it takes
    """
    table = TableSchema.model_validate_json(artifacts.read(request.preprocess.table))

    def work() -> CheckedRefit:
        if request.refit.worse:
            return CheckedRefit(done=False, reason=request.refit.worse)
        signature = Signature.model_validate_json(artifacts.read(request.select_model.signature))
        scorer = Scorer(signature, artifacts.read(request.refit.onnx))
        rows = {
            "validation": request.preprocess.validation, "probes": request.select_model.probes,
            "test": request.preprocess.test_features,
        }  # fmt: skip
        tables = {name: Columns.from_bytes(artifacts.read(artifact)) for name, artifact in rows.items()}
        scores = {name: scorer.scores(table) for name, table in tables.items()}
        expected = from_npz(artifacts.read(request.refit.reference))
        pairs = [ScorePair(name, expected[name].reshape(scores[name].shape), scores[name]) for name in rows]
        deviation = deviation_of(tables["validation"].target)
        try:
            parity = check_parity(
                pairs, signature.task, deviation, request.select_model.best.algorithm, signature.threshold
            )
        except ParityBroken as fault:
            return CheckedRefit(done=False, reason=fault.what)
        return CheckedRefit(
            done=True, onnx=request.refit.onnx, skops=request.refit.skops, rows=request.refit.rows,
            scores=artifacts.put(request.run.key(STEP, "scores.npz"), Scores(scores["test"]).to_bytes()),
            max_difference=parity.max_difference,
        )  # fmt: skip

    return reuse_or_run(
        work, CheckedRefit, step=STEP, request=request, parameters=None, code=code,
        results=results, artifacts=artifacts, workplace=workplace,
        need=scoring_need(request.preprocess.kept, len(table.columns)),
    )  # fmt: skip
