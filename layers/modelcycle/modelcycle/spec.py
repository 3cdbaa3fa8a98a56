"""The pipeline file: one YAML file is one model's whole life.

`parse` reads it and reports every error at once, each with its line. A key that does nothing is not accepted:
what stands in the file is what happens.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from modelcycle.faults import BadPipeline

MODEL_NAME = r"^[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?$"
Name = Annotated[str, StringConstraints(pattern=MODEL_NAME)]
Column = Annotated[str, StringConstraints(min_length=1, max_length=512)]
Task = Literal["binary", "multiclass", "regression"]
Algorithm = Literal["hist_gradient_boosting", "random_forest", "linear"]

METRICS: dict[Task, tuple[str, ...]] = {
    "binary": ("accuracy", "precision", "recall", "f1", "roc_auc", "average_precision", "log_loss", "brier"),
    "multiclass": ("accuracy", "balanced_accuracy", "macro_f1", "roc_auc_ovr", "log_loss"),
    "regression": ("rmse", "mae", "median_absolute_error", "mape", "r2"),
}


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Source(Section):
    """Where the rows come from."""

    type: Literal["s3"] = Field("s3", description="objects under raw/{name}/ of the data bucket")


class Features(Section):
    """How columns enter the model; what is not said here is decided from the data, with the reason in the plan."""

    numeric: list[Column] = Field(
        [], description="columns to take as numbers, whatever they look like; also if they seem to give the target away"
    )
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


def _wrong(path: tuple[str, ...], message: str) -> PydanticCustomError:
    """What only the whole file shows, said of the key at `path`."""
    return PydanticCustomError("wrong_together", "{message}", {"message": message, "path": path})


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
                raise _wrong((field,), f"the target {self.target!r} stands in {field} too")
        if self.positive_class is not None and self.task not in ("auto", "binary"):
            raise _wrong(("positive_class",), "positive_class is for a binary task only")
        return self

    @model_validator(mode="after")
    def _minimum_names_metrics(self) -> Pipeline:
        """As far as the task is known before the data are; `validate` looks again when it is."""
        tasks: list[Task] = list(METRICS) if self.task == "auto" else [self.task]
        known = list(dict.fromkeys(name for task in tasks for name in METRICS[task]))
        for name in self.gates.minimum:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
                said = f"did you mean {near[0]}?" if near else f"choose of {', '.join(known)}"
                which = f" of a {self.task} task" if len(tasks) == 1 else ""
                raise _wrong(("gates", "minimum", name), f"gates.minimum: {name} is no metric{which}, {said}")
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
        twice = sorted(_twice(root))
    except RecursionError:
        raise BadPipeline(
            "the file is nested too deeply", where, "the pipeline file has three levels at most"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        problem = getattr(error, "problem", None) or (
            "it is not UTF-8 text" if getattr(error, "encoding", "utf-8") == "utf-8" else "it holds control characters"
        )
        raise BadPipeline(
            f"not readable as YAML: {problem}", f"{where}, line {line}", "mend the line", [(line, problem)]
        ) from None
    if twice:
        line, key = twice[0]
        raise BadPipeline(
            f"the key {key} stands twice", f"{where}, line {line}", "keep one of them",
            [(line, f"{key} stands twice") for line, key in twice],
        )  # fmt: skip
    if not isinstance(data, dict):
        raise BadPipeline(
            "the file has no keys", where, "write at least `name:` and `target:`", [(1, "name and target are required")]
        )
    try:
        return Pipeline.model_validate(data)
    except ValidationError as problems:
        errors = sorted(_told(root, problem) for problem in problems.errors())
        first_line, first = errors[0]
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise BadPipeline(
            f"{first}{more}", f"{where}, line {first_line}", "`modelcycle schema` lists every key", errors
        ) from None


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the pipeline file, for editors."""
    return Pipeline.model_json_schema() | {"title": "ModelCycle pipeline"}


def _twice(node: yaml.Node | None, seen: set[int] | None = None) -> Iterator[tuple[int, str]]:
    """(line, key) of each key that stands a second time in its mapping; YAML itself takes the last without a word."""
    seen = set() if seen is None else seen
    if not isinstance(node, yaml.CollectionNode) or id(node) in seen:
        return
    seen.add(id(node))
    keys: set[str] = set()
    for part in node.value:
        key, value = part if isinstance(node, yaml.MappingNode) else (None, part)
        if isinstance(key, yaml.ScalarNode):
            if key.value in keys:
                yield key.start_mark.line + 1, key.value
            keys.add(key.value)
        yield from _twice(value, seen)


def _told(root: yaml.Node | None, problem: Any) -> tuple[int, str]:
    """The line, counted from 1, and the sentence of one of pydantic's problems."""
    if problem["type"] == "wrong_together":
        return _found(root, problem["ctx"]["path"])[0], problem["msg"]
    line, node = _found(root, problem["loc"])
    return line, _sentence(problem, node.value if isinstance(node, yaml.ScalarNode) else None)


def _found(node: yaml.Node | None, path: tuple[int | str, ...]) -> tuple[int, yaml.Node | None]:
    """The line of the deepest node on the path that stands in the file, and the node, where the path leads to one."""
    line = (node.start_mark.line + 1) if node is not None else 1
    for part in path:
        if isinstance(node, yaml.MappingNode):
            found = next(((k, v) for k, v in node.value if k.value == str(part)), None)
            if found is None:
                return line, None
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            return line, None
    return line, node


EXPECTED = {
    "int": "a whole number is expected", "float": "a number is expected", "bool": "true or false is expected",
    "list": "a list is expected, such as [a, b]", "model": "keys are expected under it",
    "dict": "keys are expected under it",
}  # fmt: skip


def _sentence(problem: Any, written: str | None) -> str:
    path = ".".join(str(part) for part in problem["loc"]) or "the file"
    kind, loc = problem["type"], problem["loc"]
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(str(loc[-1]), _keys(loc[:-1]), n=1)
        return f"unknown key {path}" + (f", did you mean {near[0]}?" if near else "")
    if kind == "missing":
        return f"{path} is required"
    if kind == "string_pattern_mismatch" and loc == ("name",):
        return "name: 1 to 48 of a-z 0-9 and -, beginning and ending with a letter or digit"
    if problem["input"] is None:
        return f"{path} has no value"
    if kind == "string_type":  # YAML reads 1, 2020-01-01, yes and no as something else than text
        return f"{path}: text is expected" + (f'; put it in quotes: "{written}"' if written else "")
    if kind == "literal_error":
        return f"{path}: one of {problem['ctx']['expected'].replace(' or ', ', ')} is expected"
    if kind.partition("_")[0] in EXPECTED and kind.partition("_")[2] in ("type", "parsing", "from_float"):
        return f"{path}: {EXPECTED[kind.partition('_')[0]]}"
    return f"{path}: {str(problem['msg']).removeprefix('Value error, ').replace('Input should', 'it should')}"


def _keys(path: tuple[int | str, ...]) -> list[str]:
    model: Any = Pipeline
    for part in path:
        field = getattr(model, "model_fields", {}).get(part)
        if field is None:
            return []
        model = field.annotation
    return list(getattr(model, "model_fields", {}))
