"""A version that serves: compact, summarize and monitor."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from modelcycle.messages.message import Artifact, Message

WindowKind = Literal["hour", "day"]  # `day` has the length `monitoring.window_hours`
SignalKind = Literal[
    "unparsed", "missing", "absent", "unknown values", "out of range", "volume", "freshness",
    "input drift", "joint drift", "prediction drift", "label drift",
    "performance", "estimated performance", "concept drift", "fairness",
    "latency", "errors", "memory", "cost",
]  # fmt: skip
SignalState = Literal["ok", "slight", "alarm", "too few", "not watched"]
Verdict = Literal["ok", "drifted", "degraded", "broken", "no data", "not live"]

# A result is an item of the registry: DynamoDB takes 400 KB, and 4 MB of the results of one look together. With
# characters of 4 bytes everywhere, these limits give 300 KB.
MAX_NAMED_COLUMNS = 50
MAX_NAME_CHARACTERS = 200
MAX_SENTENCES = 40
MAX_SENTENCE_CHARACTERS = 300


def look_id(model: str, at: datetime | None) -> str:
    """Return the id that the log lines of one look at a model share; empty if the look has no moment of its own.

    >>> look_id("plums", datetime(2026, 11, 29, 13, 5, tzinfo=UTC))
    'plums-20261129T130500Z'
    """
    return f"{model}-{at.astimezone(UTC):%Y%m%dT%H%M%SZ}" if at else ""


class CompactRequest(Message):
    model: str
    at: datetime | None = Field(None, description="hours that end before it are compacted; default: now")

    @property
    def correlation_id(self) -> str:
        return look_id(self.model, self.at)


class Compacted(Message):
    model: str
    hours: int = Field(description="hours that got new rows")
    rows: int = Field(description="captured rows that were compacted")
    objects: int = Field(description="captured objects that were read")
    unread: int = Field(0, description="objects that could not be read: broken, or gone since they were listed")
    behind: int = Field(0, description="hours that are left for the next call, because the time was up")


class SummarizeRequest(Message):
    model: str
    at: datetime | None = Field(None, description="end of the windows; default: now")

    @property
    def correlation_id(self) -> str:
        return look_id(self.model, self.at)


class SummarizedWindow(BaseModel):
    """The traffic of one version in one window, against its reference."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    version: int
    kind: WindowKind
    window: tuple[datetime, datetime]
    rows: int
    summary: Artifact = Field(description="JSON: a `WindowSummary`")
    sample: Artifact | None = Field(None, description="npz: a `WindowSample`; None with too few rows")


class Summarized(Message):
    model: str
    at: datetime
    windows: list[SummarizedWindow] = Field(description="the champion's first; empty without a live version")
    labelled: Artifact | None = Field(None, description="npz: `Labelled` rows of the last `monitoring.labels_days`")
    notes: list[str] = Field([], description="what was left out or could not be read, as sentences")


class MonitorRequest(Message):
    model: str
    summarize: Summarized

    @property
    def correlation_id(self) -> str:
        return look_id(self.model, self.summarize.at)


class Signal(BaseModel):
    """One thing that was watched in a window, and what was seen.

    Parameters
    ----------
    subject : the column, slice, group or metric; empty if there is only one
    value, low, high : what was measured, and its interval
    expected : the same by the reference
    effect : size of the change, in `unit`
    p : probability of such a change by chance, before correction
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    kind: SignalKind
    subject: str = ""
    state: SignalState
    value: float | None = None
    low: float | None = None
    high: float | None = None
    expected: float | None = None
    effect: float | None = None
    unit: str = ""
    p: float | None = None
    detail: str = Field("", description="a clause for people")


class Broken(BaseModel):
    """A column whose values are wrong rather than different: in other units, gone, or of another kind."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    column: str
    cause: Literal["other units", "missing", "unparsed", "unknown values", "absent", "constant"]
    detail: str


def clipped(text: str, characters: int) -> str:
    """Return a text of at most so many characters; an ellipsis stands for the rest.

    >>> clipped("pressure", 8), clipped("pressures", 8)
    ('pressure', 'pressur…')
    """
    return text if len(text) <= characters else f"{text[: characters - 1]}…"


def bounded_sentences(sentences: Sequence[str]) -> list[str]:
    """Return at most MAX_SENTENCES; the last one then says how many more there are."""
    kept = [clipped(sentence, MAX_SENTENCE_CHARACTERS) for sentence in sentences[:MAX_SENTENCES]]
    if len(sentences) > MAX_SENTENCES:
        kept[-1] = f"and {len(sentences) - MAX_SENTENCES + 1:,} more"
    return kept


def _bounded_names(names: list[str]) -> list[str]:
    return [clipped(name, MAX_NAME_CHARACTERS) for name in names[:MAX_NAMED_COLUMNS]]


def _bounded_broken(broken: list[Broken]) -> list[Broken]:
    return [
        one.model_copy(
            update={
                "column": clipped(one.column, MAX_NAME_CHARACTERS),
                "detail": clipped(one.detail, MAX_SENTENCE_CHARACTERS),
            }
        )
        for one in broken[:MAX_NAMED_COLUMNS]
    ]


Sentences = Annotated[list[str], AfterValidator(bounded_sentences)]


class Estimate(BaseModel):
    """The headline metric without outcomes, with the band in which it lies in 95 % of windows."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    metric: str
    value: float
    low: float
    high: float
    method: Literal["confidence-based", "direct loss"]


class Monitored(Message):
    """What was seen of one version in one window; the report holds all signals.

    Lists are cut to what an item of the registry can hold; the counts are of all columns.
    """

    model: str
    version: int | None
    kind: WindowKind = "day"
    window: tuple[datetime, datetime]
    rows: int
    state: Verdict
    drifted: Annotated[list[str], AfterValidator(_bounded_names)] = Field(
        description="columns that have drifted with effect; the first MAX_NAMED_COLUMNS"
    )
    drifted_columns: int = Field(0, description="how many have drifted; default: those that are named")
    broken: Annotated[list[Broken], AfterValidator(_bounded_broken)] = Field(
        [], description="columns whose values are wrong; they never start a retraining; the first MAX_NAMED_COLUMNS"
    )
    broken_columns: int = Field(0, description="how many are wrong; default: those that are named")
    degraded: bool
    why: Sentences = Field([], description="of the verdict, as sentences")
    metric: str = Field("", description="the headline metric of `estimated` and `realized`")
    estimated: float | None = None
    estimate: Estimate | None = Field(None, description="the same as `estimated`, with its band")
    realized: float | None = Field(None, description="measured; it changes while outcomes come")
    realized_interval: tuple[float, float] | None = None
    labelled: int = Field(0, description="rows of the window whose outcome is known")
    change_point: datetime | None = Field(None, description="since when predictions have been worse")
    report: Artifact | None = None
    incidents: Sentences = Field([], description="what this look has opened or closed, as sentences")
    asked: list[str] = Field([], description="runs that this look has asked the governor for, as clauses")
    announced_at: datetime | None = Field(None, description="when ModelDegraded was announced for this version and day")
    announced_before: bool = Field(False, description="announced by an earlier check; once a day is enough")

    @model_validator(mode="before")
    @classmethod
    def _count_columns(cls, given: Any) -> Any:
        """Count the columns before the lists are cut."""
        if not isinstance(given, dict):
            return given
        counts = {f"{name}_columns": len(given.get(name) or ()) for name in ("drifted", "broken")}
        return counts | given


class DayPerformance(BaseModel):
    """What is known of one version's predictions of one day (UTC).

    Parameters
    ----------
    metrics : by name: value, and its 95 % interval
    estimated : as it was estimated on that day, before outcomes came
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    day: str
    version: int
    rows: int
    labelled: int
    metrics: dict[str, tuple[float, float, float]] = {}
    estimated: Estimate | None = None


class VersionResources(BaseModel):
    """What one version took in a window, from the reports of the function that serves it.

    Parameters
    ----------
    warm_requests : without a cold start and with a report; where not all were read, as many as tell as much
    warm_dollars, warm_deviation : mean and standard deviation of the price of one of them
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    version: int
    requests: int
    errors: int = 0
    cold_starts: int = 0
    p50_ms: float | None = None
    p99_ms: float | None = None
    memory_mb: float | None = None
    gb_seconds: float | None = None
    dollars: float | None = None
    warm_requests: int = 0
    warm_dollars: float | None = None
    warm_deviation: float | None = None


class MonitoringReport(Message):
    """Everything that was watched of one version in one window, as JSON beside the artifacts."""

    model: str
    version: int
    kind: WindowKind
    window: tuple[datetime, datetime]
    rows: int
    state: Verdict
    why: list[str]
    signals: list[Signal]
    broken: list[Broken] = Field([])
    estimated: Estimate | None = None
    days: list[DayPerformance] = Field([], description="by day and version, the newest first")
    estimate_error: float | None = Field(None, description="mean difference of earlier estimates and what came out")
    change_point: datetime | None = Field(None, description="since when predictions have been worse")
    resources: list[VersionResources] = Field([])
    throttles: int | None = None
    notes: list[str] = Field([], description="what was left out, as sentences")


class Watched(Message):
    """The results of one look, the champion's day first."""

    model: str
    windows: list[Monitored]

    def end(self) -> LookEnd:
        """Return what the function answers."""
        first = self.windows[0]
        return LookEnd(
            model=self.model, state=first.state, rows=first.rows, degraded=first.degraded, windows=len(self.windows)
        )


class LookEnd(Message):
    """How a look ended, in few bytes: Step Functions takes 256 KiB of a function, and the registry has the results."""

    model: str
    state: Verdict = Field(description="of the champion's long window, as `rows` and `degraded`")
    rows: int
    degraded: bool
    windows: int = Field(description="how many were judged, of all versions")
