"""What asks for a pull: a run, or a person."""

from __future__ import annotations

from typing import Any, NamedTuple

from modelcycle.faults import BadMessage, BadPipeline, Unknown
from modelcycle.messages import PullRequest
from modelcycle.spec import Pipeline, parse
from modelcycle.steps import pipeline_of
from modelcycle.store import S3Store, Store


class PullEvent(NamedTuple):
    """A pull for a run, with the pipeline file as the run began; or for a model alone, with the current file."""

    model: str
    request: PullRequest | None = None

    @property
    def correlation_id(self) -> str:
        """The run's id; empty without a run."""
        return self.request.correlation_id if self.request else ""

    @staticmethod
    def from_event(event: Any) -> PullEvent:
        """Read the state's input, or {"model": NAME}.

        Raises
        ------
        BadMessage : it is neither
        """
        if isinstance(event, dict) and isinstance(event.get("model"), str) and "run" not in event:
            return PullEvent(event["model"])
        try:
            request = PullRequest.from_event(event)
        except BadMessage as fault:
            raise BadMessage('the event is neither a run\'s nor {"model": NAME}', "Pull", fault.remedy) from None
        return PullEvent(request.model, request)

    def pipeline(self, *, data: S3Store, artifacts: Store) -> Pipeline:
        """Return the pipeline file.

        Raises
        ------
        Unknown, BadPipeline : there is none, or it has errors
        """
        if self.request:
            return pipeline_of(artifacts, self.request.run)
        where = f"pipelines/{self.model}.yaml"
        try:
            pipeline = parse(data.latest(where)[0], where)
        except Unknown:
            raise Unknown(
                f"{self.model} has no pipeline file", where, "`modelcycle run PIPELINE.yaml` uploads it"
            ) from None
        if not pipeline.pulled:
            raise BadPipeline(
                "the file names no source that rows are pulled from", where, "add `source:`, or upload files"
            )
        return pipeline
