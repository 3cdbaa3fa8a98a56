"""The pipeline file: one YAML file is one model's whole life.

`parse` reads it and reports every error at once, each with its line. A key that does nothing is not accepted:
what stands in the file is what happens.
"""

from __future__ import annotations

import difflib
import json
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from modelcycle.faults import BadPipeline

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?$")]
Column = Annotated[str, StringConstraints(min_length=1, max_length=512)]
Task = Literal["binary", "multiclass", "regression"]
Algorithm = Literal["hist_gradient_boosting", "random_forest", "linear"]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(Section):
    """Where the rows come from."""

    type: Literal["s3"] = Field("s3", description="objects under raw/{name}/ of the data bucket")


class Features(Section):
    """How columns enter the model; what is not said here is decided from the data, with the reason in the plan."""

    numeric: list[Column] = Field([], description="columns to take as numbers, whatever they look like")
    categorical: list[Column] = Field([], description="columns to take as categories, numbers too")
    use_sensitive: bool = Field(False, description="let sensitive_columns enter the model")


class Training(Section):
    """The search for the best model."""

    trials: int = Field(12, ge=1, le=200, description="fits tried by random search, over all algorithms")
    algorithms: list[Algorithm] = Field(
        ["hist_gradient_boosting", "random_forest", "linear"], min_length=1, description="what the search may try"
    )
    seed: int = Field(0, ge=0, le=2**31 - 1, description="the same seed and data give the same model")


class Gates(Section):
    """What a candidate has to hold before it may become a version."""

    beats_baseline: bool = Field(True, description="better than a model that knows only the target's distribution")
    better: bool = Field(False, description="better than the champion beyond chance; else: not worse beyond chance")
    minimum: dict[str, float] = Field({}, description="lowest (errors: highest) value of a metric on the test rows")


class Staging(Section):
    """The rehearsal through the serving code."""

    rows: int = Field(200, ge=1, le=10_000, description="test rows to replay")
    p99_ms: float = Field(50.0, gt=0, description="slowest allowed 99th percentile for one row, milliseconds")


class Rollout(Section):
    """How traffic moves to a new version."""

    steps: list[int] = Field([100], min_length=1, description="per cent of traffic, step by step; the last is 100")
    wait_minutes: int = Field(10, ge=0, le=1440, description="time between two steps")

    @model_validator(mode="after")
    def _rises_to_all(self) -> Rollout:
        if self.steps[-1] != 100 or sorted(set(self.steps)) != self.steps or self.steps[0] < 1:
            raise ValueError("the steps rise from at least 1 to 100")
        return self


class Monitoring(Section):
    """When live traffic counts as drifted."""

    window_hours: int = Field(24, ge=1, le=24 * 90, description="how far back a look goes")
    minimum_rows: int = Field(200, ge=20, description="fewer predictions than this say nothing")
    psi: float = Field(0.2, gt=0, description="population stability index from which a column has drifted")
    share: float = Field(0.3, gt=0, le=1, description="share of drifted columns from which the model is degraded")


class Retraining(Section):
    """What follows when a model degrades."""

    on_degraded: bool = Field(True, description="start the cycle again by itself")
    cooldown_hours: float = Field(24, ge=0, description="shortest time between two runs that a degradation starts")


class Approval(Section):
    """Whether a person has the last word."""

    required: bool = Field(False, description="the run ends as awaiting_approval, and approve lets the version go live")


class Pipeline(Section):
    """One model's whole life."""

    name: Name = Field(description="the model's name: a-z 0-9 -")
    target: Column = Field(description="the column to predict")
    source: Source = Source()
    task: Literal["auto", "binary", "multiclass", "regression"] = "auto"
    positive_class: str | None = Field(None, description="binary only; default: the rarer class")
    time_column: Column | None = Field(None, description="orders rows: the split follows it")
    id_columns: list[Column] = Field([], description="kept for joins and erasure, never a feature")
    drop_columns: list[Column] = Field([], description="never read into the model")
    sensitive_columns: list[Column] = Field([], description="measured for fairness; no feature unless use_sensitive")
    missing_values: list[str] = Field(
        ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?"], description="texts that mean: no value"
    )
    features: Features = Features()
    training: Training = Training()
    gates: Gates = Gates()
    staging: Staging = Staging()
    rollout: Rollout = Rollout()
    monitoring: Monitoring = Monitoring()
    retraining: Retraining = Retraining()
    approval: Approval = Approval()

    @model_validator(mode="after")
    def _target_is_no_feature(self) -> Pipeline:
        for field in ("id_columns", "drop_columns", "sensitive_columns"):
            if self.target in getattr(self, field):
                raise ValueError(f"the target {self.target!r} stands in {field} too")
        if self.positive_class is not None and self.task not in ("auto", "binary"):
            raise ValueError("positive_class is for a binary task only")
        return self


def parse(text: str | bytes, where: str = "the pipeline file") -> Pipeline:
    """Read a pipeline file.

    Raises
    ------
    BadPipeline : with every error at once, each with its line
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        problem = getattr(error, "problem", None) or "it is not UTF-8 text"
        raise BadPipeline(
            f"not readable as YAML: {problem}", f"{where}, line {line}", "mend the line", [(line, problem)]
        ) from None
    if not isinstance(data, dict):
        raise BadPipeline(
            "the file has no keys", where, "write at least `name:` and `target:`", [(1, "name and target are required")]
        )
    try:
        return Pipeline.model_validate(data)
    except ValidationError as problems:
        errors = sorted((_line(root, problem["loc"]), _sentence(problem)) for problem in problems.errors())
        first_line, first = errors[0]
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise BadPipeline(
            f"{first}{more}", f"{where}, line {first_line}", "`modelcycle schema` lists every key", errors
        ) from None


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the pipeline file, for editors."""
    return Pipeline.model_json_schema() | {"title": "ModelCycle pipeline"}


def canonical(pipeline: Pipeline) -> bytes:
    """The pipeline as JSON with sorted keys and all defaults: what a run keeps and what hashes are made of."""
    return json.dumps(pipeline.model_dump(mode="json"), sort_keys=True, ensure_ascii=False).encode()


def _line(node: yaml.Node | None, path: tuple[int | str, ...]) -> int:
    """The line of the deepest node on the path that stands in the file, counted from 1."""
    line = (node.start_mark.line + 1) if node is not None else 1
    for part in path:
        if isinstance(node, yaml.MappingNode):
            found = next(((k, v) for k, v in node.value if k.value == str(part)), None)
            if found is None:
                return line
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
    return line


def _sentence(problem: Any) -> str:
    path = ".".join(str(part) for part in problem["loc"]) or "the file"
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(problem["loc"][-1]), _keys(problem["loc"][:-1]), n=1)
        return f"unknown key {path}" + (f", did you mean {near[0]}?" if near else "")
    if problem["type"] == "missing":
        return f"{path} is required"
    if problem["type"] == "string_pattern_mismatch" and problem["loc"] == ("name",):
        return "name: 1 to 48 of a-z 0-9 and -, beginning and ending with a letter or digit"
    return f"{path}: {str(problem['msg']).removeprefix('Value error, ')}"


def _keys(path: tuple[int | str, ...]) -> list[str]:
    model: Any = Pipeline
    for part in path:
        field = getattr(model, "model_fields", {}).get(part)
        if field is None:
            return []
        model = field.annotation
    return list(getattr(model, "model_fields", {}))
