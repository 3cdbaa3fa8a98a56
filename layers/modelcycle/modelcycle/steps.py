"""What steps share: results that are reused instead of computed again, and the pipeline file of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from modelcycle.faults import BadData, BadPipeline
from modelcycle.messages import Message, Run, RunRequest, artifacts_in, fingerprint
from modelcycle.registry import Results
from modelcycle.spec import Pipeline, parse
from modelcycle.store import Store
from modelcycle.workplace import Need, Workplace

Result = TypeVar("Result", bound=Message)


def reuse_or_run(
    work: Callable[[], Result],
    result_type: type[Result],
    *,
    step: str,
    request: RunRequest,
    parameters: Any,
    code: str,
    results: Results,
    artifacts: Store,
    workplace: Workplace | None = None,
    need: Need | None = None,
    area: str = "",
) -> Result:
    """Return an earlier result for the same inputs, code and parameters; else run `work` and record its result.

    Artifacts are written before the result is recorded, and neither is rewritten. So a step that is delivered twice,
    or killed and retried, ends with one result.

    Before an earlier result is reused, its artifacts are checked (one HEAD request each, in parallel). If one is gone
    or was overwritten, `work` runs again and its result replaces the earlier one, unless another delivery has replaced
    it first.

    Parameters
    ----------
    work : runs the step
    request : the inputs; an artifact counts by its SHA-256, the run does not count
    parameters : what else the result depends on (parts of the pipeline file)
    code : version of the code; a result of other code is not reused
    artifacts : the bucket that holds the step's artifacts
    workplace, need : where work may be done, and what this work takes as far as that is known before; None: it is
        tried here, and a workplace takes it over if it outgrows this one
    area : the part of the run's folder that the step writes to; by default its name

    Raises
    ------
    HandOver : there is no earlier result, and a container has to do the work
    """
    mark = fingerprint(step, code, request, parameters)

    def work_here_or_elsewhere() -> Result:
        if workplace is None:
            return work()
        elsewhere = workplace.done_elsewhere(step, area or step, request, mark, need) if need is not None else None
        if elsewhere is None:
            try:
                return work()
            except BadData as fault:
                if not fault.outgrows:
                    raise
                elsewhere = workplace.done_after(fault, step, area or step, request, mark)
        return result_type.model_validate(elsewhere)

    return reuse_or_work(
        work_here_or_elsewhere, result_type, model=request.run.model, step=step, mark=mark,
        results=results, artifacts=artifacts,
    )  # fmt: skip


def reuse_or_work(
    work: Callable[[], Result],
    result_type: type[Result],
    *,
    model: str,
    step: str,
    mark: str,
    results: Results,
    artifacts: Store,
) -> Result:
    """Do what `reuse_or_run` does, for a step that belongs to no run.

    Parameters
    ----------
    mark : fingerprint of everything that the result depends on
    """
    recorded = results.get(model, step, mark)
    if recorded is not None:
        is_marked = "cached" in result_type.model_fields
        earlier = result_type.model_validate(recorded | {"cached": True} if is_marked else recorded)
        if not artifacts.missing(list(artifacts_in(earlier))):
            return earlier
    return result_type.model_validate(results.keep(model, step, mark, work().wire(), replaces=recorded))


def pipeline_of(store: Store, run: Run) -> Pipeline:
    """Return the pipeline file as it was when the run began.

    Raises
    ------
    BadPipeline : names every error of the file; raised by a step, so that the reason is recorded with the run
    """
    text = store.read(run.pipeline)
    where = f"pipelines/{run.model}.yaml"
    if not text:
        raise BadPipeline(f"{run.model} has no pipeline file", where, "`modelcycle run PIPELINE.yaml` uploads it")
    pipeline = parse(text, where)
    if pipeline.name != run.model:
        raise BadPipeline(f"the file is for {pipeline.name!r}, not for {run.model!r}", where, "correct `name:`")
    return pipeline
