"""From typed training rows to the feature plan and the signature of the model."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from modelcycle.data_need import table_need
from modelcycle.engineer_features.derived import add_derived
from modelcycle.engineer_features.exportability import check_exportable
from modelcycle.engineer_features.feature_plan import plan_features
from modelcycle.engineer_features.proxies import find_proxies, sentences, together
from modelcycle.engineer_features.signature import build_signature
from modelcycle.faults import BadPipeline
from modelcycle.messages import EngineeredFeatures, EngineerFeaturesRequest, LeftOut
from modelcycle.model.columns import Columns, TableSchema
from modelcycle.model.npz import from_npz
from modelcycle.model.plan import FeaturePlan, Planned
from modelcycle.model.stored_columns import open_columns
from modelcycle.registry import Results
from modelcycle.spec import Pipeline
from modelcycle.steps import pipeline_of, reuse_or_run
from modelcycle.store import Store, put_json
from modelcycle.workplace import Workplace

STEP = "engineer_features"
MAX_NAMED = 20  # columns in a list of the message; the plan lists all
MAX_PROXY_ROWS = 5_000  # on which features are held against sensitive columns
MAX_REASON_CHARACTERS = 300  # in the message: a reason may contain column names


def engineer_features(
    request: EngineerFeaturesRequest,
    *,
    artifacts: Store,
    results: Results,
    code: str,
    workplace: Workplace | None = None,
) -> EngineeredFeatures:
    """Plan every column, and check on some hundred rows that each algorithm's pipeline can be exported.

    Parameters
    ----------
    code : version of the code; a result of other code is not reused
    workplace : where the work may be done; None: here, whatever it takes

    Raises
    ------
    BadData : no usable column is left, or the pipeline file lists a column that does not fit
    TargetUnusable : the training rows have only one value of the target
    NotExportable : a planned pipeline cannot be exported; names the step and its replacement
    """
    pipeline = pipeline_of(artifacts, request.run)

    def work() -> EngineeredFeatures:
        with (
            TemporaryDirectory() as name,
            open_columns(artifacts.fetch(request.preprocess.train, Path(name))) as train,
        ):
            return engineer(train)

    def engineer(train: Columns) -> EngineeredFeatures:
        schema = TableSchema.model_validate_json(artifacts.read(request.preprocess.table))
        _check_groups(schema, pipeline)
        plan = plan_features(schema, train, pipeline)
        signature = build_signature(plan, schema, train, pipeline)
        if pipeline.features.derive:
            folds = _folds(request, artifacts)
            plan = add_derived(plan, signature, schema, train, folds, ordered=pipeline.time_column is not None)
            signature = signature.model_copy(update={"inputs": plan.all_inputs()})
        check_exportable(plan, signature, train, pipeline.training.algorithms)
        left_out = [planned for planned in plan.columns if planned.treatment == "left_out"]
        left_out.sort(key=lambda planned: not planned.loud)
        return EngineeredFeatures(
            plan=put_json(artifacts, request.run.key(STEP, "plan.json"), plan.model_dump(mode="json")),
            signature=put_json(artifacts, request.run.key(STEP, "signature.json"), signature.model_dump(mode="json")),
            used=len(plan.columns) - len(left_out),
            columns=len(plan.columns),
            left_out=_named(left_out),
            warnings=_named([planned for planned in plan.columns if planned.loud and planned.inputs]),
            derived=[LeftOut(column=feature.title, why=feature.why) for feature in plan.derived],
            proxies=_proxies(plan, schema, train, pipeline),
        )

    # only these keys of the pipeline file affect the result; its seed, trials and gates do not
    parameters = pipeline.model_dump(
        mode="json",
        include={"target", "time_column", "id_columns", "group_by", "drop_columns", "sensitive_columns", "features"},
    ) | {"algorithms": pipeline.training.algorithms, "name": pipeline.name}
    if pipeline.fairness.mitigate == "thresholds":
        parameters["by_group"] = True
    return reuse_or_run(
        work, EngineeredFeatures, step=STEP, request=request, parameters=parameters, code=code,
        results=results, artifacts=artifacts, workplace=workplace, need=table_need(request.preprocess.train),
    )  # fmt: skip


def _folds(request: EngineerFeaturesRequest, artifacts: Store) -> npt.NDArray[np.uint8] | None:
    """Return the fold of each training row (n,), None if `preprocess` has written none."""
    if request.preprocess.folds is None:
        return None
    folds: npt.NDArray[np.uint8] = from_npz(artifacts.read(request.preprocess.folds))["train"]
    return folds


def _check_groups(schema: TableSchema, pipeline: Pipeline) -> None:
    """Raise BadPipeline if groups are to get thresholds of their own by a column that has no categories."""
    if pipeline.fairness.mitigate != "thresholds":
        return
    numbers = [
        column.name
        for column in schema.columns
        if column.name in pipeline.sensitive_columns and column.type not in ("text", "boolean")
    ]
    if numbers:
        raise BadPipeline(
            f"mitigate: thresholds needs categories, and {numbers[0]!r} holds numbers or dates", "fairness.mitigate",
            "write `mitigate: reweighing`, or take the column out of sensitive_columns",
        )  # fmt: skip


def _proxies(plan: FeaturePlan, schema: TableSchema, train: Columns, pipeline: Pipeline) -> list[LeftOut]:
    """Return the features that tell a sensitive column, and what all of them tell together, for people."""
    sensitive = [column for column in schema.columns if column.name in pipeline.sensitive_columns]
    if not sensitive or not train.rows:
        return []
    rows = train.take(np.linspace(0, train.rows - 1, min(MAX_PROXY_ROWS, train.rows)).astype(np.int64))
    names = [planned.column for planned in plan.columns if planned.inputs]
    told = [LeftOut(column=name, why=why) for name, why in sentences(find_proxies(names, rows, sensitive)).items()]
    of_all = [
        LeftOut(column="the combination of all features", why=proxy.why) for proxy in together(names, rows, sensitive)
    ]
    more = len(told) - MAX_NAMED
    return [
        *of_all,
        *(entry.model_copy(update={"why": entry.why[:MAX_REASON_CHARACTERS]}) for entry in told[:MAX_NAMED]),
        *([LeftOut(column=f"{more:,} more features", why="likewise")] if more > 0 else []),
    ]


def _named(columns: list[Planned]) -> list[LeftOut]:
    return [LeftOut(column=planned.column, why=planned.why[:MAX_REASON_CHARACTERS]) for planned in columns[:MAX_NAMED]]
