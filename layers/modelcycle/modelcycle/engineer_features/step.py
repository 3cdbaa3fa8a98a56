"""The step: from typed training rows to the feature plan and the model's signature."""

from __future__ import annotations

from modelcycle.engineer_features.decide import decide
from modelcycle.engineer_features.describe import describe
from modelcycle.engineer_features.rehearse import rehearse
from modelcycle.messages import EngineeredFeatures, EngineerFeaturesRequest, LeftOut
from modelcycle.model.columns import Columns, TableSchema
from modelcycle.registry import Runs
from modelcycle.steps import pipeline_of, taken_over
from modelcycle.store import Store, put_json

STEP = "engineer_features"
MOST_LEFT_OUT = 20  # told in the message; the plan has all
MOST_TEXT = 300  # characters of a reason in the message: it holds names of columns


def engineer_features(
    request: EngineerFeaturesRequest, *, artifacts: Store, runs: Runs, code: str
) -> EngineeredFeatures:
    """Decide on every column, and prove on a few hundred rows that each algorithm's pipeline can be served.

    Raises
    ------
    BadData : no column is left to learn from
    TargetUnusable : the training rows hold one class only
    NotExportable : a planned pipeline has no ONNX form; names the step and what to take in its place
    """
    pipeline = pipeline_of(artifacts, request.run)

    def work() -> EngineeredFeatures:
        schema = TableSchema.model_validate_json(artifacts.read(request.preprocess.table))
        train = Columns.from_bytes(artifacts.read(request.preprocess.train))
        plan = decide(schema, train, pipeline)
        signature = describe(plan, schema, train, pipeline)
        rehearse(plan, signature, train, pipeline.training.algorithms)
        out = sorted((p for p in plan.columns if p.treatment == "left_out"), key=lambda planned: not planned.loud)
        return EngineeredFeatures(
            plan=put_json(artifacts, request.run.key(STEP, "plan.json"), plan.model_dump(mode="json")),
            signature=put_json(artifacts, request.run.key(STEP, "signature.json"), signature.model_dump(mode="json")),
            used=len(plan.columns) - len(out),
            columns=len(plan.columns),
            left_out=[LeftOut(column=planned.column, why=planned.why[:MOST_TEXT]) for planned in out[:MOST_LEFT_OUT]],
        )

    # the seed, trials and gates of the pipeline file change nothing here
    parameters = pipeline.model_dump(
        mode="json",
        include={"target", "time_column", "id_columns", "drop_columns", "sensitive_columns", "features"},
    ) | {"algorithms": pipeline.training.algorithms, "name": pipeline.name}
    return taken_over(runs, artifacts, code, STEP, request, parameters, EngineeredFeatures, work)
