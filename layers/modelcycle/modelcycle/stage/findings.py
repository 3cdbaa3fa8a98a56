"""What staging found: the report, and the reasons against a version."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from modelcycle.messages import Artifact
from modelcycle.spec import Staging
from modelcycle.stage.load_figures import Level, LoadTest
from modelcycle.stage.rehearsal import Rehearsal
from modelcycle.stage.shadow_replay import UNREADABLE, Replay

MAX_ROWS_IN_REPORT = 20  # of a replay; the others are in an object of their own
MAX_NAMED = 3  # columns or errors in a sentence


@dataclass
class Reasons:
    """Why a version may not go live. Faults of the model are final; circumstances may be better in a later run."""

    model: list[str] = field(default_factory=list)
    circumstances: list[str] = field(default_factory=list)

    @property
    def all(self) -> list[str]:
        return self.model + self.circumstances


@dataclass
class Findings:
    """What was measured, each part None if it was left out.

    Parameters
    ----------
    rows_of_replay : all rows of the replay, as an object
    notes : what was left out and why, as sentences
    """

    limits: Staging
    rehearsal: Rehearsal
    load: LoadTest | None = None
    replay: Replay | None = None
    rows_of_replay: Artifact | None = None
    notes: list[str] = field(default_factory=list)

    def report(self) -> dict[str, Any]:
        """Return the report as JSON values: no value of a row is in it."""
        reasons, rehearsal = self.reasons(), self.rehearsal
        return {
            "verdict": "refused" if reasons.all else "passed",
            "reasons": reasons.all,
            "final": bool(reasons.model),
            "rows": rehearsal.rows,
            "unreadable": rehearsal.unreadable,
            "differences": rehearsal.differences,
            "p50_ms": rehearsal.quantile(0.5),
            "p99_ms": rehearsal.quantile(0.99),
            "limits": self.limits.model_dump(),
            "load": _load(self.load) if self.load else None,
            "replay": self._replay() if self.replay else None,
            "notes": self.all_notes(),
        }

    def reasons(self) -> Reasons:
        """Return every limit that does not hold."""
        reasons = Reasons(list(self.rehearsal.broken))
        self._judge_rehearsal(reasons)
        if self.load:
            self._judge_load(self.load, reasons)
        if self.replay:
            self._judge_replay(self.replay, reasons)
        return reasons

    def all_notes(self) -> list[str]:
        """Return what people should know although it is no reason against the version."""
        notes = list(self.notes)
        refused = self.load.count("refused") if self.load else Counter[str]()
        if refused:
            notes.append(f"load test: Lambda did not answer {refused.total():,} calls: {_counts(refused)}")
        if self.limits.cold_start_ms and self.load and self.load.source and self.load.cold_start_ms is None:
            notes.append("load test: staging.cold_start_ms was not checked, since all environments were warm")
        replay = self.replay
        if replay and replay.old_format:
            columns = _named([name for name in replay.columns if not name.endswith(UNREADABLE)], "; ")
            notes.append(f"{replay.old_format:,} of {replay.requests:,} captured rows have other columns: {columns}")
        if replay and replay.unread:
            columns = _named([name for name in replay.columns if name.endswith(UNREADABLE)], "; ")
            notes.append(f"{replay.unread:,} of {replay.requests:,} captured rows cannot be read: {columns}")
        if replay and replay.masked:
            notes.append(f"replayed as missing, since not captured: {_named(sorted(replay.masked), ', ')}")
        if replay and replay.unread_by_champion:
            n = replay.unread_by_champion
            notes.append(f"{n:,} captured rows are left out: version {replay.champion} cannot answer them now")
        return notes

    def _judge_rehearsal(self, reasons: Reasons) -> None:
        limit, p99 = self.limits.p99_ms, self.rehearsal.quantile(0.99)
        if not self.rehearsal.rows:
            reasons.circumstances.append("there are no test rows to replay")
        if self.rehearsal.differences:
            n, rows = self.rehearsal.differences, self.rehearsal.rows
            reasons.model.append(f"{n} of {rows} rows are answered differently alone and in a batch")
        if p99 > limit:
            reasons.circumstances.append(f"p99 is {p99:.1f} ms, above the limit of {limit:g} ms (staging.p99_ms)")

    def _judge_load(self, load: LoadTest, reasons: Reasons) -> None:
        limits, told = self.limits, reasons.circumstances
        errors = load.count("errors")
        if errors:
            told.append(f"the serving function failed {errors.total():,} requests of the load test: {_counts(errors)}")
        if load.differences:
            told.append(f"{load.differences} of {load.compared} rows are answered differently by the serving function")
        if load.own_p99_ms is not None and load.own_p99_ms > limits.p99_ms:
            told.append(
                f"p99 in the serving function is {load.own_p99_ms:.1f} ms, above the limit of {limits.p99_ms:g} ms"
                " (staging.p99_ms)"
            )
        if limits.rows_per_second and load.source and load.rows_per_second < limits.rows_per_second:
            told.append(
                f"{load.rows_per_second:.0f} rows/s, below the limit of {limits.rows_per_second:,.10g}"
                " (staging.rows_per_second)"
            )
        if limits.memory_mb and load.source and load.memory_mb > limits.memory_mb:
            told.append(
                f"the serving function used {load.memory_mb:.0f} MB, above the limit of {limits.memory_mb}"
                " (staging.memory_mb)"
            )
        if limits.cold_start_ms and load.cold_start_ms is not None and load.cold_start_ms > limits.cold_start_ms:
            told.append(
                f"a cold start took {load.cold_start_ms:.0f} ms, above the limit of {limits.cold_start_ms:g} ms"
                " (staging.cold_start_ms)"
            )
        if load.growth and load.growth.is_leak:
            rate = load.growth.mb_per_thousand
            told.append(f"memory grows with each request, by {rate:.1f} MB in 1,000 (staging.soak_seconds)")

    def _judge_replay(self, replay: Replay, reasons: Reasons) -> None:
        limit, rows = self.limits.disagreement, len(replay.rows)
        if limit is None or not rows or replay.disagreements / rows <= limit:
            return
        low, high = replay.interval
        sentence = (
            f"{replay.disagreements:,} of {rows:,} live rows are answered otherwise than by version {replay.champion}"
            f" ({low:.1%} to {high:.1%}), above the limit of {limit:.1%} (staging.disagreement)"
        )
        # with few rows, the share may be above the limit by chance: more requests may show another
        (reasons.model if low > limit else reasons.circumstances).append(sentence)

    def _replay(self) -> dict[str, Any]:
        replay = self.replay
        assert replay is not None
        return {
            "champion": replay.champion,
            "requests": replay.requests,
            "rows": len(replay.rows),
            "disagreements": replay.disagreements,
            "share": replay.disagreements / len(replay.rows) if replay.rows else None,
            "interval": replay.interval,
            "old_format": replay.old_format,
            "unread": replay.unread,
            "unread_by_champion": replay.unread_by_champion,
            "columns": dict(replay.columns),
            "masked": sorted(replay.masked),
            "most_different": [asdict(row) for row in replay.rows[:MAX_ROWS_IN_REPORT]],
            "all_rows": self.rows_of_replay.model_dump() if self.rows_of_replay else None,
        }


def _load(load: LoadTest) -> dict[str, Any]:
    return {
        "source": load.source,
        "levels": [_level(level) for level in load.levels],
        "soak": _level(load.soak) if load.soak else None,
        "growth": asdict(load.growth) if load.growth else None,
        "cold_starts": [asdict(start) for start in load.cold_starts],
        "cold_start_ms": load.cold_start_ms,
        "memory_mb": load.memory_mb if load.source else None,
        "rows_per_second": load.rows_per_second,
        "own_p99_ms": load.own_p99_ms,
        "compared": load.compared,
        "differences": load.differences,
        "repeated": load.repeated,
    }


def _level(level: Level) -> dict[str, Any]:
    return asdict(level) | {"rows_per_second": level.rows_per_second}


def _counts(counts: Counter[str]) -> str:
    return _named([f"{name} ({number:,})" for name, number in counts.most_common()], ", ")


def _named(names: Sequence[str], separator: str) -> str:
    more = len(names) - MAX_NAMED
    return separator.join([*names[:MAX_NAMED], *([f"{more} more"] if more > 0 else [])])
