"""Replay months of rows through a deployed model, and print what monitoring says: python -m bench.replay [history ...]

Needs the development environment (`make test` creates it); takes ten to twenty minutes for Bikeshare on 2 cores. On a
local cloud of the bench's own, `modelcycle run` trains on the first months. The others are replayed in the order of
time: `modelcycle predict` sends their rows to the prediction API, in signed requests of up to 500; `modelcycle
feedback` sends outcomes a month late; and every ten days, as well as at the end of each month, there is a look.

A line a month. `estimated` is what was said at its end, without outcomes; `realized` what its outcomes say in the look
30 days later, when the last of them has come; `inside` whether the band held. `verdict` and `worse since` are of that
look, which also judges the inputs of the 30 days before it. Below it are the incidents that looks have opened and
closed in the meantime. Histories and their seeds: `bench.replayed_rows`.

The clock. The product dates an answer when it is given, and Firehose files it by the hour of arrival; neither can be
told another time. So the captured lines are re-dated in the bucket before anybody has looked at them: `at` becomes the
moment of the row, and a day's lines lie in its last hour, as if Firehose, which may be a day late, had delivered then.
All else is as always: a look takes the end of its windows from its input, and an outcome counts for a look once it has
been sent. Moments are moved by whole weeks, so that the last look lies in the past and no record of it has expired;
they are printed as they were.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import re
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from bench.commands import cloud_variables, modelcycle
from bench.replayed_rows import HISTORIES, History, Row
from cli.monitor import run_look
from cli.open_place import open_place
from cli.place import Place
from infra.local import cloud as local
from modelcycle.messages import Monitored, MonitoringReport, Signal
from modelcycle.store import S3Store, read_json

LATE = timedelta(days=30)
MAX_SECONDS_TO_CAPTURES = 60.0
DATE = re.compile(r"\d{4}-\d\d-\d\d")


class Look(NamedTuple):
    """One look: what is kept of the long window, and its report."""

    at: datetime
    result: Monitored
    report: MonitoringReport

    @property
    def performance(self) -> Signal:
        """The signal of the headline metric."""
        return next(signal for signal in self.report.signals if signal.kind == "performance")


class Month(NamedTuple):
    """A month that was replayed.

    Parameters
    ----------
    rows : that were answered
    at_its_end : the look at its end
    later : the look after its outcomes came
    kept : what the registry keeps of its window, after `later`
    looks : those since `later` of the month before
    """

    start: datetime
    rows: int
    at_its_end: Look
    later: Look
    kept: Monitored
    looks: list[Look]

    @property
    def is_inside(self) -> bool | None:
        """Whether the realized metric lies in the band that was estimated; None without one of them."""
        said, realized = self.at_its_end.result.estimate, self.later.performance.value
        return None if said is None or realized is None else said.low <= realized <= said.high


@dataclass
class Replay:
    """A history on its way through a deployed model.

    Parameters
    ----------
    captures : S3 client of somebody who may write captures; the operator may not
    folder : for files
    days_between : two looks
    """

    history: History
    place: Place
    captures: Any
    folder: Path
    days_between: int = 10

    def __post_init__(self) -> None:
        last_look = self.history.months[-1][1] + LATE
        weeks = (datetime.now(UTC) - timedelta(days=1) - last_look) // timedelta(weeks=1)
        self.shift = timedelta(weeks=weeks)
        self.bucket = self.place.output("DataBucket")

    def train(self) -> None:
        """Run the lifecycle with the months that are learned from.

        Raises
        ------
        RuntimeError : no version has gone live
        """
        start, end = self.history.months[0][0], self.history.months[self.history.learned - 1][1]
        pipeline, data = self.folder / "pipeline.yaml", self.folder / "learned.csv"
        pipeline.write_text(self.history.pipeline)
        _write_csv(data, [row for _, row in self.history.of(start, end)])
        modelcycle(dict(os.environ), "run", str(pipeline), "--data", str(data))
        if self.place.registry.routes.get(self.history.name).champion is None:
            raise RuntimeError(f"no version of {self.history.name} has gone live")

    def moments(self) -> list[datetime]:
        """Return when there is a look: every `days_between` days, at each month's end, and once its outcomes came."""
        months = self.history.months[self.history.learned :]
        at, last, step = months[0][0], months[-1][1] + LATE, timedelta(days=self.days_between)
        regular = [at + step * number for number in range(1, (last - at) // step + 1)]
        return sorted({*regular, *(moment for _, end in months for moment in (end, end + LATE))})

    def months(self) -> Iterator[Month]:
        """Replay the months, and yield each once its outcomes have been looked at."""
        waiting: list[tuple[datetime, Row]] = []
        looks: dict[datetime, Look] = {}
        told: list[Look] = []
        asked = self.history.months[self.history.learned][0]
        of_month = {end + LATE: (start, end) for start, end in self.history.months[self.history.learned :]}
        for at in self.moments():
            waiting += self.answer(self.history.of(asked, at))
            asked = at
            self.tell([outcome for due, outcome in waiting if due <= at])
            waiting = [(due, outcome) for due, outcome in waiting if due > at]
            looks[at] = self.look(at)
            told.append(looks[at])
            if at in of_month:
                start, end = of_month[at]
                (kept,) = self.place.registry.monitoring.between(
                    self.history.name, "day", end + self.shift, end + self.shift
                )
                yield Month(start, len(self.history.of(start, end)), looks[end], looks[at], kept, told)
                told = []

    def answer(self, rows: Sequence[tuple[datetime, Row]]) -> list[tuple[datetime, Row]]:
        """Ask for predictions of rows, have them captured at their moments; return each outcome, and when it is due."""
        if not rows:
            return []
        since = datetime.now(UTC)
        moments: dict[str, datetime] = {}
        outcomes: list[tuple[datetime, Row]] = []
        path = self.folder / "asked.csv"
        _write_csv(path, [{name: row[name] for name in row if name != self.history.target} for _, row in rows])
        answer = json.loads(modelcycle(dict(os.environ), "predict", self.history.name, "--data", str(path), "--json"))
        for one, (at, row) in zip(answer["prediction_ids"], rows, strict=True):
            moments[one] = at + self.shift
            outcomes.append((at + LATE, {"prediction_id": one, "outcome": row[self.history.target]}))
        self._redate(moments, since)
        return outcomes

    def tell(self, outcomes: Sequence[Row]) -> None:
        """Send outcomes."""
        if not outcomes:
            return
        path = self.folder / "outcomes.csv"
        _write_csv(path, outcomes)
        told = json.loads(modelcycle(dict(os.environ), "feedback", self.history.name, "--data", str(path), "--json"))
        if told["found"] != len(outcomes):
            raise RuntimeError(f"of {len(outcomes)} outcomes, {told['found']} belong to a captured prediction: {told}")

    def look(self, at: datetime) -> Look:
        """Look at the model at a moment of the history."""
        watched = run_look(self.place, self.history.name, at + self.shift)
        result = watched.windows[0]
        if result.kind != "day" or result.report is None:
            raise RuntimeError(f"the look at {at} has no report: {result}")
        artifacts = S3Store(self.place.s3, self.place.output("ArtifactBucket"))
        return Look(at, result, MonitoringReport.model_validate(read_json(artifacts, result.report)))

    def _redate(self, moments: Mapping[str, datetime], since: datetime) -> None:
        """Move the captured lines of predictions to their moments.

        Raises
        ------
        RuntimeError : they are not captured in time
        """
        lines: dict[datetime, list[dict[str, Any]]] = {}
        missing, deadline = set(moments), time.monotonic() + MAX_SECONDS_TO_CAPTURES
        while missing:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{len(missing)} of {len(moments)} predictions have not been captured")
            time.sleep(0.5)
            for key in self._captured_since(since):
                body = self.captures.get_object(Bucket=self.bucket, Key=key)["Body"].read()
                for text in _unpacked(body).splitlines():
                    line = json.loads(text)
                    at = moments[line["prediction_id"]]
                    missing.discard(line["prediction_id"])
                    delivered = at.replace(hour=23, minute=0, second=0, microsecond=0)
                    lines.setdefault(delivered, []).append(line | {"at": at.isoformat()})
                self.captures.delete_object(Bucket=self.bucket, Key=key)
        for hour, of_day in lines.items():
            key = f"captures/model={self.history.name}/{hour:%Y/%m/%d/%H}/replayed.jsonl.gz"
            body = gzip.compress("".join(json.dumps(line) + "\n" for line in of_day).encode(), mtime=0)
            self.captures.put_object(Bucket=self.bucket, Key=key, Body=body)

    def _captured_since(self, since: datetime) -> list[str]:
        """Return the objects with answers that arrived in the hours since a moment."""
        hour, found = since.replace(minute=0, second=0, microsecond=0), []
        while hour <= datetime.now(UTC):
            prefix = f"captures/model={self.history.name}/{hour:%Y/%m/%d/%H}/"
            listed = self.captures.list_objects_v2(Bucket=self.bucket, Prefix=prefix)
            found += [one["Key"] for one in listed.get("Contents", [])]
            hour += timedelta(hours=1)
        return found


@contextmanager
def own_cloud(folder: Path) -> Iterator[Place]:
    """A local cloud in a folder, in which nobody looks but the replay: a look at the present would come too early."""
    os.environ.update(cloud_variables(folder))
    try:
        place = open_place("local", start=True)
        schedules = local.connect(home=folder).admin.client("scheduler")
        for schedule in schedules.list_schedules()["Schedules"]:
            found = schedules.get_schedule(Name=schedule["Name"])
            if found["Target"]["Arn"] == place.output("MonitoringArn"):
                kept = ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")
                schedules.update_schedule(**{name: found[name] for name in kept}, State="DISABLED")
        yield place
    finally:
        modelcycle(dict(os.environ), "down")


def printed(month: Month, shift: timedelta) -> str:
    """Return the line of a month."""
    said, signal, since = month.at_its_end.result.estimate, month.later.performance, month.later.result.change_point
    estimated = f"{said.value:.3g} ({said.low:.3g} to {said.high:.3g})" if said else "none"
    measured = [f"{value:.3g}" for value in (signal.value, signal.low, signal.high) if value is not None]
    realized = f"{measured[0]} ({measured[1]} to {measured[2]})" if len(measured) == 3 else "none"
    expected = "-" if signal.expected is None else f"{signal.expected:.3g}"
    inside = {True: "inside", False: "outside", None: "-"}[month.is_inside]
    return (
        f"  {month.start:%Y-%m}  {month.rows:>6,}  {estimated:<22}  {realized:<22}  {inside:<8} {expected:>8}"
        f"  {signal.state:<8}  {month.later.result.state:<9}"
        f" {f'{since - shift:%Y-%m-%d %H:%M}' if since else '-'}"
    )


def dated_as_it_was(sentence: str, shift: timedelta) -> str:
    """Return a sentence of the product with its dates moved back.

    >>> dated_as_it_was("worse since 2026-02-11 06:00 UTC", timedelta(weeks=2))
    'worse since 2026-01-28 06:00 UTC'
    """
    return DATE.sub(lambda found: str(date.fromisoformat(found[0]) - shift), sentence)


def main() -> None:
    """Replay the histories of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("histories", nargs="*", choices=[*HISTORIES, []], default=[])
    parser.add_argument("--why", action="store_true", help="print the sentences of each verdict too")
    parser.add_argument("--days-between", type=int, default=10, help="two looks")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="modelcycle-bench-") as name, own_cloud(Path(name) / "cloud") as place:
        for history in arguments.histories or HISTORIES:
            folder = Path(name) / history
            folder.mkdir()
            captures = local.connect(home=Path(name) / "cloud").admin.client("s3")
            replay = Replay(HISTORIES[history](), place, captures, folder, arguments.days_between)
            replay.train()
            version = place.registry.versions.get(replay.history.name, 1)
            print(f"{history}, {version.metric} of {version.task}; learned from {replay.history.learned} months")
            print(
                f"  {'month':<7}  {'rows':>6}  {'estimated at its end':<22}  {'realized':<22}  {'':<8} {'expected':>8}"
                f"  {'it is':<8}  {'verdict':<9} worse since"
            )
            for month in replay.months():
                print(printed(month, replay.shift), flush=True)
                for look in month.looks:
                    for sentence in [*look.result.incidents, *(look.result.why if arguments.why else [])]:
                        print(f"      {look.at:%Y-%m-%d}  {dated_as_it_was(sentence, replay.shift)}")


def _write_csv(path: Path, rows: Sequence[Row]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _unpacked(body: bytes) -> str:
    return (gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body).decode()


if __name__ == "__main__":
    main()
