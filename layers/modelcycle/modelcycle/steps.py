"""What all steps share: a result that was worked out before is taken over, not worked out again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from modelcycle.faults import BadPipeline
from modelcycle.messages import Message, Run, RunRequest, fingerprint
from modelcycle.registry import Runs
from modelcycle.spec import Pipeline, parse
from modelcycle.store import Store

Result = TypeVar("Result", bound=Message)


def taken_over(
    runs: Runs,
    code: str,
    step: str,
    request: RunRequest,
    parameters: Any,
    kind: type[Result],
    work: Callable[[], Result],
) -> Result:
    """The step's result: an earlier one for the same inputs, code and parameters, else what `work` gives.

    Artifacts are written before the result is kept, and neither is ever rewritten. So a step that is delivered twice,
    or killed in the middle and tried again, ends with one result.

    Parameters
    ----------
    code : version of the code; other code takes nothing over
    request : inputs; artifacts count by their SHA-256
    parameters : what else the result depends on (parts of the pipeline file)
    """
    mark = fingerprint(step, code, request, parameters)
    kept = runs.result(request.run.model, step, mark)
    if kept is not None:
        return kind.model_validate(kept | {"cached": True} if "cached" in kind.model_fields else kept)
    result = work()
    kept = runs.keep_result(request.run.model, step, mark, result.wire())
    return kind.model_validate(kept)


def pipeline_of(store: Store, run: Run) -> Pipeline:
    """The pipeline file as it stood when the run began.

    Raises
    ------
    BadPipeline : with every error; so a file that cannot be read ends the run at its first step, on record
    """
    text = store.read(run.pipeline)
    where = f"pipelines/{run.model}.yaml"
    if not text:
        raise BadPipeline(f"{run.model} has no pipeline file", where, "`modelcycle run PIPELINE.yaml` puts it there")
    pipeline = parse(text, where)
    if pipeline.name != run.model:
        raise BadPipeline(f"the file is for {pipeline.name!r}, not for {run.model!r}", where, "mend `name:`")
    return pipeline
