"""The schema of the pipeline file. Unknown keys are errors, so every key in a file has an effect."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, model_validator

from modelcycle.cells.numbers import NUMBER_FORMATS, is_number_format
from modelcycle.spec.about import About
from modelcycle.spec.fairness import Fairness
from modelcycle.spec.metrics import METRICS, Task, unknown_metric
from modelcycle.spec.privacy import Privacy
from modelcycle.spec.retention import Retention
from modelcycle.spec.rules import Rules
from modelcycle.spec.section import MODEL_NAME, ColumnName, Section
from modelcycle.spec.section import cross_field_error as _cross_field_error
from modelcycle.spec.serving import Capture, Rollout, Staging
from modelcycle.spec.sources import MAIN, Csv, Every, Join, S3Source, Source, csv_of, is_pulled

ModelName = Annotated[str, StringConstraints(pattern=MODEL_NAME)]
Algorithm = Literal["hist_gradient_boosting", "random_forest", "extra_trees", "linear"]

MAX_NEW_ROWS = 200_000  # monitoring counts the newest rows with an outcome up to this number


def _number_format(text: str) -> str:
    if not is_number_format(text):
        raise ValueError(f"write one of {', '.join(NUMBER_FORMATS)}, and behind it a unit if there is one")
    return text


class Features(Section):
    """How columns enter the model. Columns not listed here are decided from the data; the plan gives the reasons."""

    numeric: list[ColumnName] = Field(
        [], description="columns to use as numbers, whatever the data suggest, even if they seem to leak the target"
    )
    categorical: list[ColumnName] = Field([], description="columns to use as categories, numbers included")
    allow: list[ColumnName] = Field(
        [], description="columns that you vouch for: they are known before the target is, even if they seem to leak it"
    )
    numbers: dict[ColumnName, Annotated[str, AfterValidator(_number_format)]] = Field(
        {},
        description="how the numbers of a column are written, such as price: '1.234,56' or weight: '1234.56 kg';"
        " found by itself otherwise",
    )
    dates: dict[ColumnName, str] = Field(
        {}, description="how the dates of a column are written, such as sold: '%d/%m/%Y'; found by itself otherwise"
    )
    use_sensitive: bool = Field(False, description="use sensitive_columns as features")
    derive: bool = Field(
        True, description="add differences, ratios and products of two columns where they lower the held-out loss"
    )


class Costs(Section):
    """What a wrong prediction costs, in any unit; a right one costs nothing."""

    false_negative: float = Field(ge=0, description="the positive class was missed")
    false_positive: float = Field(ge=0, description="the positive class was predicted wrongly")

    @model_validator(mode="after")
    def _something_costs(self) -> Costs:
        if not self.false_negative and not self.false_positive:
            raise ValueError("one of the two costs must be above zero")
        return self


class Decide(Section):
    """From which probability the positive class is predicted; binary only. The default is 0.5."""

    metric: Literal["accuracy", "balanced_accuracy", "f1"] | None = Field(
        None, description="choose the threshold that is best by this metric on held-out rows"
    )
    costs: Costs | None = Field(None, description="choose the threshold with the lowest cost on held-out rows")

    @model_validator(mode="after")
    def _one_way(self) -> Decide:
        if self.metric is not None and self.costs is not None:
            raise ValueError("give either metric or costs, not both")
        return self


class Training(Section):
    """The search for the best model."""

    trials: int = Field(12, ge=1, le=200, description="models fitted in the search, over all algorithms")
    seconds: float | None = Field(
        None, gt=0, le=36_000, description="budget of the search; trials that would start later are skipped"
    )
    refit: Literal["auto", "all", "judged"] = Field(
        "auto",
        description="all: the recipe learns from all rows after the verdict, and that model goes live; judged: the"
        " judged model goes live; auto: all below 10,000 rows or with a time_column",
    )
    where: Literal["auto", "function", "container"] = Field(
        "auto",
        description="auto: a training set that does not fit a function is trained in a container, if the stack has any"
        " (LargeTraining); container: always there; function: never",
    )
    decide: Decide = Decide()
    algorithms: list[Algorithm] = Field(
        ["hist_gradient_boosting", "random_forest", "extra_trees", "linear"], min_length=1,
        description="algorithms to try",
    )  # fmt: skip
    seed: int = Field(0, ge=0, le=2**31 - 1, description="the same seed and data give the same model")


class Gates(Section):
    """What a candidate must achieve before it becomes a version."""

    beats_baseline: bool = Field(True, description="better than a model that knows only the target's distribution")
    better: bool = Field(
        False, description="significantly better than the champion; otherwise: not significantly worse"
    )
    margin: float = Field(
        0.02, ge=0, le=1,
        description="share of its loss by which later versions together may be worse than the best one, beyond chance",
    )  # fmt: skip
    uncompared: Literal["ask", "refuse", "pass"] = Field(
        "ask",
        description="what happens to a candidate that cannot be compared with the champion, or if the champion is worse"
        " than no model on these rows; ask: a person approves",
    )
    minimum: dict[str, float] = Field({}, description="lowest (errors: highest) value of a metric on the test rows")


class Monitoring(Section):
    """What counts as a change of live traffic, and as a loss of performance."""

    window_hours: int = Field(24, ge=1, le=24 * 90, description="length of the long window; the short one is an hour")
    minimum_rows: int = Field(200, ge=20, description="predictions needed in the window for a result")
    false_alarms: float = Field(
        0.01, gt=0, le=0.2, description="share of windows without any change in which something seems to have changed"
    )
    psi: float = Field(
        0.2, gt=0, description="population stability index at which a change beyond chance counts as drift"
    )
    share: float = Field(0.3, gt=0, le=1, description="share of drifted columns at which the model is degraded")
    worse: float = Field(
        0.05, gt=0, le=1,
        description="share by which the headline metric's error may grow, beyond chance, before the model is degraded",
    )  # fmt: skip
    labels_days: int = Field(
        45, ge=1, le=90,  # captures are kept for 90 days
        description="outcomes that come later than this are not waited for",
    )  # fmt: skip


class Retraining(Section):
    """What starts a new run by itself, and what it learns from."""

    on_degraded: bool = Field(True, description="start a new run when the model is degraded")
    every: Every | None = Field(None, description="also by time, such as `7 days`; at least an hour")
    new_rows: int | None = Field(
        None, ge=1, le=MAX_NEW_ROWS, description="also after so many new labelled rows of live traffic"
    )
    on_code: bool = Field(False, description="also when the code that trains has changed")
    cooldown_hours: float = Field(
        24, ge=0, description="minimum time since the last run that this section has started; not for `every`"
    )
    per_week: int = Field(3, ge=1, le=100, description="runs in seven days; those of `every` and by hand do not count")
    pause_after: int = Field(3, ge=1, le=100, description="refused challengers in a row, after which it pauses")
    window: Literal["auto", "all", "sliding", "since_change"] = Field(
        "auto",
        description="rows to learn from: all, the newest, or those since the change; auto: by what was seen",
    )
    window_days: float | None = Field(None, gt=0, description="length of the sliding window; default: chosen by size")
    traffic: bool = Field(True, description="labelled live traffic is learned from too")

    @model_validator(mode="after")
    def _days_of_a_sliding_window(self) -> Retraining:
        if self.window_days is not None and self.window != "sliding":
            raise ValueError("window_days is the length of a sliding window: write `window: sliding`")
        return self

    @model_validator(mode="after")
    def _at_least_an_hour(self) -> Retraining:
        if self.every is not None and self.every.endswith(("minute", "minutes")) and int(self.every.split()[0]) < 60:
            raise ValueError("every is at least 60 minutes")
        return self


class Approval(Section):
    """Whether a version needs approval before it goes live."""

    required: bool = Field(False, description="the run ends as awaiting_approval; `modelcycle approve` deploys it")


class Pipeline(Section):
    """The whole lifecycle of one model.

    Examples
    --------
    >>> pipeline = Pipeline(name="churn", target="left")
    >>> pipeline.training.trials, pipeline.rollout.steps
    (12, [100])
    """

    model_config = ConfigDict(serialize_by_alias=True)

    name: ModelName = Field(description="the model's name: a-z 0-9 -")
    target: ColumnName = Field(description="the column to predict")
    source: Source = S3Source()
    join: list[Join] = Field([], description="other sources, whose columns are added to the rows")
    task: Literal["auto", "binary", "multiclass", "regression"] = "auto"
    positive_class: str | None = Field(None, description="binary only; default: the rarer class")
    time_column: ColumnName | None = Field(None, description="orders the rows; the split follows it")
    id_columns: list[ColumnName] = Field([], description="kept for joins and erasure, never a feature")
    group_by: list[ColumnName] = Field(
        [], description="rows with equal values here belong together, such as one customer's; never a feature"
    )
    duplicates: Literal["auto", "keep", "drop"] = Field(
        "auto", description="equal rows; auto: drops files that were uploaded twice, and equal rows of one id"
    )
    drop_columns: list[ColumnName] = Field([], description="never read into the model")
    sensitive_columns: list[ColumnName] = Field(
        [], description="used for fairness metrics; not a feature unless use_sensitive"
    )
    missing_values: list[str] | None = Field(
        None,
        description="texts that mean a missing value in every column; default: the usual ones, by column, since None"
        " may be a class",
    )
    # pydantic's own `schema` would be shadowed
    rules: Rules = Field(Rules(), alias="schema", description="what every batch of rows must hold")
    privacy: Privacy = Privacy()
    retention: Retention = Retention()
    features: Features = Features()
    training: Training = Training()
    gates: Gates = Gates()
    fairness: Fairness = Fairness()
    staging: Staging = Staging()
    rollout: Rollout = Rollout()
    capture: Capture = Capture()
    monitoring: Monitoring = Monitoring()
    retraining: Retraining = Retraining()
    approval: Approval = Approval()
    about: About = About()

    @property
    def missing_everywhere(self) -> list[str]:
        """Texts that mean a missing value in every column, whatever else it holds."""
        return [""] if self.missing_values is None else self.missing_values

    @property
    def sources(self) -> dict[str, Source]:
        """The source of the rows and those of the joins, by name."""
        return {MAIN: self.source} | {join.name: join.source for join in self.join}

    @property
    def pulled(self) -> dict[str, Source]:
        """The sources that rows are pulled from, by name."""
        return {name: source for name, source in self.sources.items() if is_pulled(source)}

    @property
    def csv(self) -> Csv:
        """How the CSV files of the main source are written."""
        return csv_of(self.source)

    @model_validator(mode="after")
    def _joins_have_names(self) -> Pipeline:
        names = [join.name for join in self.join]
        if len(set(names)) < len(names):
            raise _cross_field_error(("join",), "two joins have the same name")
        return self

    @model_validator(mode="after")
    def _target_is_no_feature(self) -> Pipeline:
        for field in ("id_columns", "group_by", "drop_columns", "sensitive_columns"):
            if self.target in getattr(self, field):
                raise _cross_field_error((field,), f"the target {self.target!r} is also listed in {field}")
        if self.positive_class is not None and self.task not in ("auto", "binary"):
            raise _cross_field_error(("positive_class",), "positive_class is for a binary task only")
        if self.training.decide != Decide() and self.task not in ("auto", "binary"):
            message = "decide chooses the threshold of a binary task; this task has none"
            raise _cross_field_error(("training", "decide"), message)
        return self

    @model_validator(mode="after")
    def _fairness_names_sensitive_columns(self) -> Pipeline:
        fairness = self.fairness
        asked = "mitigate" if fairness.mitigate != "none" else next(iter(fairness.limits), "columns")
        if not self.sensitive_columns and (fairness.mitigate != "none" or fairness.judges):
            message = "fairness is about groups: list the columns that tell them under sensitive_columns"
            raise _cross_field_error(("fairness", asked), message)
        for name in fairness.columns:
            if name not in self.sensitive_columns:
                listed = ", ".join(self.sensitive_columns)
                message = f"fairness.columns: {name!r} is not one of sensitive_columns ({listed})"
                raise _cross_field_error(("fairness", "columns", name), message)
        misfit = None if self.task == "auto" else fairness.misfit(self.task)
        if misfit:
            raise _cross_field_error(*misfit)
        if self.task == "multiclass" and fairness.mitigate == "thresholds":
            message = "mitigate: thresholds is for a binary task only; write `reweighing`"
            raise _cross_field_error(("fairness", "mitigate"), message)
        return self

    @model_validator(mode="after")
    def _personal_columns_are_not_needed(self) -> Pipeline:
        """Check that nothing needs the values of a column that is not stored as it is."""
        features, rules = self.features, self.rules
        times = [self.time_column] if self.time_column is not None else []
        values = {
            "target": [self.target], "time_column": times, "sensitive_columns": self.sensitive_columns,
            "features.numeric": features.numeric, "features.categorical": features.categorical,
            "features.allow": features.allow, "features.numbers": list(features.numbers),
            "features.dates": list(features.dates), "schema.columns": list(rules.columns),
        }  # fmt: skip
        identities = {"id_columns": self.id_columns, "group_by": self.group_by, "schema.keys": rules.keys}
        for name, treatment in self.privacy.columns.items():
            path = ("privacy", "columns", name)
            for key, names in values.items():
                if name in names and treatment != "keep":
                    message = f"{key} needs the values of {name!r}; {treatment} takes them away: choose one of the two"
                    raise _cross_field_error(path, message)
            for key, names in identities.items():
                if name in names and treatment in ("drop", "mask", "encrypt"):
                    message = f"{key} tells rows apart by {name!r}; {treatment} makes that impossible: pseudonymise it"
                    raise _cross_field_error(path, message)
        return self

    @model_validator(mode="after")
    def _minimum_names_metrics(self) -> Pipeline:
        """Check as far as the task is known without data; `validate` checks again once it is."""
        tasks: list[Task] = list(METRICS) if self.task == "auto" else [self.task]
        for name in self.gates.minimum:
            message = unknown_metric(name, tasks)
            if message:
                raise _cross_field_error(("gates", "minimum", name), message)
        return self


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the pipeline file, for editors."""
    return Pipeline.model_json_schema() | {"title": "ModelCycle pipeline"}
