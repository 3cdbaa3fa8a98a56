"""Count the live traffic of each version in an hour and in a day beside the rows on which the version was judged."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from modelcycle.captured import answers_by_hour, open_window
from modelcycle.engine import Engine, connect
from modelcycle.faults import Tampered, Unknown
from modelcycle.messages import Artifact, Summarized, SummarizedWindow, SummarizeRequest, WindowKind
from modelcycle.model.profile import Profile
from modelcycle.model.reference import Reference, open_reference
from modelcycle.model.signature import Signature
from modelcycle.model.window import ColumnCounts, WindowSummary
from modelcycle.pseudonyms import Macs
from modelcycle.registry import Registry, Version
from modelcycle.spec import Pipeline, parse
from modelcycle.store import ChangingStore, Store
from modelcycle.summarize.answers import count_answers
from modelcycle.summarize.columns import Watched, count_columns
from modelcycle.summarize.labelled import has_outcomes, join_labelled, labels_since
from modelcycle.summarize.rows import Rows
from modelcycle.summarize.sample import choose_rows, make_sample, read_chosen, scores_sql
from modelcycle.summarize.traffic import Traffic

MAX_VERSIONS = 4  # with the most traffic, beside the champion
MAX_WINDOWS_BEFORE = 28
MAX_HOURS_BEFORE = 8 * 24
MAX_COUNTED_ROWS = 5_000_000  # of a version; of more, a part is counted


Window = tuple[datetime, datetime]


class Contract(NamedTuple):
    """What is known of a version's columns."""

    version: Version
    pipeline: Pipeline
    profile: Profile
    signature: Signature


def summarize(
    request: SummarizeRequest, *, data: ChangingStore, artifacts: Store, registry: Registry, keys: Macs | None = None
) -> Summarized:
    """Count the traffic of every version that has answered within the long window, the champion's first.

    Parameters
    ----------
    keys : of pseudonyms, if ids are personal

    Returns
    -------
    no windows without a live version
    """
    end = (request.at or datetime.now(UTC)).astimezone(UTC)
    champion = registry.routes.get(request.model).champion
    if champion is None:
        return Summarized(model=request.model, at=end, windows=[])
    live = _contract(registry.versions.get(request.model, champion), artifacts)
    windows = windows_of(live.pipeline, end)
    with TemporaryDirectory() as name, connect(Path(name), "summarize") as engine:
        folder = Path(name)
        window = open_window(data, request.model, *windows["day"], folder / "answers")
        traffic = Traffic.of(window, engine, "answered")
        answered = count_versions(traffic, windows)
        before = {kind: rows_before(data, request.model, window) for kind, window in windows.items()}
        notes = [*traffic.notes]
        summarized: list[SummarizedWindow] = []
        for number in order_of_versions(answered, champion, notes):
            contract = live if number == champion else _contract_of(registry, artifacts, request.model, number)
            if contract is None:
                notes.append(f"version {number} has answered, but its record or files are gone: it is not watched")
                continue
            with open_reference(contract.version, artifacts, folder) as reference:
                summarized += VersionWindows(contract, traffic, windows, answered, before, reference, artifacts).write()
        for path in window.files:  # the disk holds one window at a time
            path.unlink(missing_ok=True)
        labelled, told = _labelled(engine, data, artifacts, live, end, folder, keys)
        return Summarized(
            model=request.model,
            at=end,
            windows=summarized,
            labelled=labelled,
            notes=list(dict.fromkeys([*notes, *told])),
        )


def _labelled(
    engine: Engine,
    data: ChangingStore,
    artifacts: Store,
    live: Contract,
    end: datetime,
    folder: Path,
    keys: Macs | None,
) -> tuple[Artifact | None, list[str]]:
    """Write the predictions whose outcome is known; None, and no answer is read, if nobody has sent any."""
    model, days = live.version.model, live.pipeline.monitoring.labels_days
    if not has_outcomes(data, model, end, days):
        return None, []
    window = open_window(data, model, labels_since(end, days), end, folder / "labelled")
    traffic = Traffic.of(window, engine, "predicted")
    joined = join_labelled(
        traffic, data, live.signature, live.profile, end=end, labels_days=days,
        sensitive=live.pipeline.sensitive_columns, folder=folder, keys=keys,
    )  # fmt: skip
    body = joined.labelled.to_bytes()
    key = f"{hand_over_folder(model)}labelled/{end:%Y-%m-%dT%H%M%SZ}-{hashlib.sha256(body).hexdigest()[:16]}.npz"
    return artifacts.put(key, body), [*joined.notes, *traffic.notes]


def hand_over_folder(model: str) -> str:
    """Return where that lies which only `monitor` reads; the artifact bucket keeps it for 14 days."""
    return f"_monitoring/model={model}/"


def windows_of(pipeline: Pipeline, end: datetime) -> dict[WindowKind, Window]:
    """Return the windows that end at a moment, the long one first."""
    return {
        "day": (end - timedelta(hours=pipeline.monitoring.window_hours), end), "hour": (end - timedelta(hours=1), end),
    }  # fmt: skip


def rows_before(data: ChangingStore, model: str, window: Window) -> list[int]:
    """Return the model's answers in the windows of the same length before one, the newest first.

    They are counted by their hour of arrival, in hours that are compacted, back to the first one that there is. A
    window ends at any minute: an hour counts to the window in which it ends. Not more than MAX_HOURS_BEFORE are looked
    at, since each is a request to S3.
    """
    length = window[1] - window[0]
    hours = length // timedelta(hours=1)
    count = min(MAX_WINDOWS_BEFORE, MAX_HOURS_BEFORE // hours)
    if not count:
        return []
    found = answers_by_hour(data, model, window[0] - count * length - timedelta(hours=1), window[0])
    rows = [0] * count
    for hour, answers in found.items():
        place = (window[0] - hour - timedelta(hours=1)) // length
        if 0 <= place < count:
            rows[place] += answers
    first = max((n for n in range(count) if rows[n]), default=-1)
    return rows[: first + 1]


class Answered(NamedTuple):
    """What one version has answered in one window."""

    rows: int
    newest: datetime | None
    failed: int


def count_versions(traffic: Traffic, windows: Mapping[WindowKind, Window]) -> dict[int, dict[WindowKind, Answered]]:
    """Return what each version has answered, and how many of its rows another one had to answer."""
    each = ", ".join(
        f"""count(*) FILTER ({is_in}), max("at") FILTER ({is_in})"""
        for is_in in (since(window) for window in windows.values())
    )
    found = traffic.engine.execute(
        f"SELECT version, assigned, {each} FROM {traffic.source} GROUP BY version, assigned"
    ).fetchall()
    answered: dict[int, dict[WindowKind, Answered]] = {}
    for version in sorted({row[0] for row in found} | {row[1] for row in found if row[1] is not None}):
        answered[version] = {}
        for n, kind in enumerate(windows):
            own = [row[2 + 2 * n : 4 + 2 * n] for row in found if row[0] == version]
            newest = [at for _, at in own if at is not None]
            failed = sum(row[2 + 2 * n] for row in found if row[1] == version != row[0])
            answered[version][kind] = Answered(sum(rows for rows, _ in own), max(newest, default=None), failed)
    return answered


def since(window: Window) -> str:
    """Return SQL of whether a row is in a window; that no row is later, the traffic sees to."""
    return f"""("at" >= TIMESTAMPTZ '{window[0].isoformat()}')"""


def order_of_versions(
    answered: Mapping[int, Mapping[WindowKind, Answered]], champion: int, notes: list[str]
) -> list[int]:
    """Return the versions that are summarized: the champion, then those with the most rows."""
    others = sorted(
        (version for version in answered if version != champion),
        key=lambda version: (-answered[version]["day"].rows, version),
    )
    if len(others) > MAX_VERSIONS:
        left_out = ", ".join(map(str, sorted(others[MAX_VERSIONS:])))
        notes.append(f"of {len(others) + 1} versions, those with the least traffic are not watched: {left_out}")
    return [champion, *others[:MAX_VERSIONS]]


@dataclass(frozen=True)
class VersionWindows:
    """One version's traffic in all windows.

    Parameters
    ----------
    before : rows of the model in the windows before each, see `rows_before`
    reference : or why there is none
    """

    contract: Contract
    traffic: Traffic
    windows: Mapping[WindowKind, Window]
    answered: Mapping[int, Mapping[WindowKind, Answered]]
    before: Mapping[WindowKind, list[int]]
    reference: Reference | str
    artifacts: Store

    @property
    def _own(self) -> Mapping[WindowKind, Answered]:
        nothing = dict.fromkeys(self.windows, Answered(0, None, 0))
        return self.answered.get(self.contract.version.version, nothing)

    def write(self) -> list[SummarizedWindow]:
        """Write a summary of each window, and a sample where there are enough rows."""
        version, missing = self.contract.version, self.contract.profile.missing_values
        rows = Rows(
            self.traffic.engine, self.traffic.of_version(version.version, self._share),
            [self._own[kind].rows for kind in self.windows],
            ["true" if kind == "day" else since(window) for kind, window in self.windows.items()],
        )  # fmt: skip
        reference = None if isinstance(self.reference, str) else self.reference
        watched, notes = self._watched()
        scores = scores_sql(self.contract.signature, self.traffic.probabilities)
        enough = self.contract.pipeline.monitoring.minimum_rows
        sampled = [n for n, count in enumerate(rows.counts) if reference is not None and count >= enough]
        chosen = choose_rows(rows, sampled, scores)
        counted = count_columns(rows, watched, reference, missing, chosen.row_ids)
        answers = count_answers(rows, self.contract.signature, self.traffic.probabilities, reference)
        if sampled:
            live = read_chosen(rows, chosen, watched, counted.chosen, scores, missing)
        written = []
        for n, (kind, window) in enumerate(self.windows.items()):
            own = self._own[kind]
            summary = WindowSummary(
                model=version.model, version=version.version, task=version.task, kind=kind, window=window,
                rows=own.rows, newest=own.newest, failed=own.failed, columns=counted.columns[n],
                versions={number: kinds[kind].rows for number, kinds in sorted(self.answered.items())},
                before=self.before[kind], notes=[*notes, *counted.notes], **answers[n]._asdict(),
            )  # fmt: skip
            sample = None
            if reference is not None and n in sampled:
                sample = make_sample(
                    live, chosen.of_window[n], columns_of_sample(watched, counted.columns[n]),
                    sensitive_of_sample(watched, counted.columns[n], self.contract.pipeline.sensitive_columns),
                    self.contract.signature, reference,
                )  # fmt: skip
            written.append(
                SummarizedWindow(
                    version=version.version,
                    kind=kind,
                    window=window,
                    rows=own.rows,
                    summary=self._put(kind, "summary", summary.model_dump_json().encode()),
                    sample=None if sample is None else self._put(kind, "sample", sample.to_bytes()),
                )
            )
        return written

    @property
    def _share(self) -> float:
        """The part of the rows that is counted."""
        return min(MAX_COUNTED_ROWS / max(self._own["day"].rows, 1), 1.0)

    def _put(self, kind: WindowKind, what: str, body: bytes) -> Artifact:
        """Write an artifact. Captures arrive late: a later look at the same window may differ, and has its own key."""
        version, end = self.contract.version, self.windows[kind][1]
        ending = "json" if what == "summary" else "npz"
        content = hashlib.sha256(body).hexdigest()[:16]
        key = f"{hand_over_folder(version.model)}{version.version:08d}/{kind}/{end:%Y-%m-%dT%H%M%SZ}-{what}"
        return self.artifacts.put(f"{key}-{content}.{ending}", body)

    def _watched(self) -> tuple[list[Watched], list[str]]:
        """Return the columns that are counted, and what is left out, as sentences.

        Ids and the time column always change. Sensitive columns that the model does not read are counted where requests
        hold them.
        """
        pipeline, signature, cells = self.contract.pipeline, self.contract.signature, self.traffic.cells
        read = {field.name for field in signature.fields}
        always_new = {*pipeline.id_columns, pipeline.time_column}
        watched = [
            Watched(column, column.name in read, cells.get(column.name))
            for column in self.contract.profile.columns
            if column.name not in always_new
            and (column.name in read or (column.name in pipeline.sensitive_columns and column.name in cells))
        ]
        notes = []
        if isinstance(self.reference, str):
            notes.append(
                f"{self.reference}: the profile of its training rows takes their place, without quantiles, predictions"
                " and scores"
            )
        if self._share < 1:
            notes.append(
                f"of {self._own['day'].rows:,} rows, a share of {self._share:.2f} was counted, chosen by the hash of"
                " their ids"
            )
        capture = self.contract.version.capture
        if capture.sample < 1:
            notes.append(f"capture.sample: only a share of {capture.sample:g} of the requests is kept and counted")
        hidden = [column.name for column in watched if column.name in capture.mask]
        if hidden:
            notes.append(f"masked (capture.mask), so that only missing values are counted: {', '.join(hidden)}")
        return watched, notes


def columns_of_sample(watched: Sequence[Watched], counted: Sequence[ColumnCounts]) -> list[Watched]:
    """Return the columns of a sample: those that the model reads, without dates, which are always later, and masks."""
    masked = {column.name for column in counted if column.live.masked}
    whole = {column.name for column in counted}
    return [
        column
        for column in watched
        if column.reads and column.profile.type != "datetime" and column.name in whole - masked
    ]


def sensitive_of_sample(
    watched: Sequence[Watched], counted: Sequence[ColumnCounts], sensitive: Sequence[str]
) -> list[Watched]:
    """Return the sensitive columns that requests hold, without masked ones and dates."""
    shown = {column.name for column in counted if not column.live.masked and column.type != "datetime"}
    return [column for column in watched if column.name in sensitive and column.name in shown]


def _contract(version: Version, artifacts: Store) -> Contract:
    return Contract(
        version, parse(artifacts.read(version.pipeline)),
        Profile.model_validate_json(artifacts.read(version.profile)),
        Signature.model_validate_json(artifacts.read(version.signature)),
    )  # fmt: skip


def _contract_of(registry: Registry, artifacts: Store, model: str, number: int) -> Contract | None:
    """Return a version's contract; None if its record or its files cannot be read."""
    try:
        return _contract(registry.versions.get(model, number), artifacts)
    except (Unknown, Tampered):
        return None
