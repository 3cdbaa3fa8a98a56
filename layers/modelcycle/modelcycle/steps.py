"""What all steps share: a result that was worked out before is taken over, not worked out again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from pydantic import BaseModel

from modelcycle.faults import BadPipeline
from modelcycle.messages import Artifact, Message, Run, RunRequest, fingerprint
from modelcycle.registry import Runs
from modelcycle.spec import Pipeline, parse
from modelcycle.store import Store

Result = TypeVar("Result", bound=Message)


def taken_over(
    runs: Runs,
    artifacts: Store,
    code: str,
    step: str,
    request: RunRequest,
    parameters: Any,
    kind: type[Result],
    work: Callable[[], Result],
) -> Result:
    """The step's result: an earlier one for the same inputs, code and parameters, else what `work` gives.

    Artifacts are written before the result is recorded, and neither is rewritten. So a step that is delivered twice,
    or killed in the middle and tried again, ends with one result.

    Before an earlier result is taken over, its artifacts are checked (one HEAD each, in parallel). If one is gone or
    was overwritten, the work is done again and the new result replaces the earlier one, unless another delivery has
    replaced it first.

    Parameters
    ----------
    artifacts : the bucket that holds the artifacts of the step
    code : version of the code; other code takes nothing over
    request : inputs; artifacts count by their SHA-256
    parameters : what else the result depends on (parts of the pipeline file)
    """
    mark = fingerprint(step, code, request, parameters)
    kept = runs.result(request.run.model, step, mark)
    if kept is not None:
        earlier = kind.model_validate(kept | {"cached": True} if "cached" in kind.model_fields else kept)
        if not artifacts.missing(list(artifacts_in(earlier))):
            return earlier
    return kind.model_validate(runs.keep_result(request.run.model, step, mark, work().wire(), instead_of=kept))


def artifacts_in(value: Any) -> Iterator[Artifact]:
    """Yield every artifact that a message names, at any depth."""
    if isinstance(value, Artifact):
        yield value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from artifacts_in(getattr(value, name))
    elif isinstance(value, dict):
        for inner in value.values():
            yield from artifacts_in(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from artifacts_in(inner)


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
