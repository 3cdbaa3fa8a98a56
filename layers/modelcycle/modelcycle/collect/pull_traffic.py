"""Lands live requests whose outcome is known: a file for each day of predictions, every prediction in one of them.

As of any source, the files that count are those that one record of the registry names. A day's file is replaced by
another one when other outcomes of it are known; rows whose captures are gone by then are kept from the file before. So
the latest outcome counts, and killed, raced or repeated pulls end as one does. What was
asked while its values were wrong is left out, also of the files before.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from modelcycle.captured import Selection, Window, open_window, select_recent_outcomes
from modelcycle.captured.manifest import captures_by_hour, hour_of
from modelcycle.captured.outcome_rows import OutcomeColumns, read_outcomes
from modelcycle.captured.outcomes import match_outcomes, told_as_sentences
from modelcycle.collect.broken_times import BrokenTime, asked_in, broken_times
from modelcycle.collect.landed import TRAFFIC, LandedFile, LandedFiles
from modelcycle.collect.traffic_file import read_traffic_file, write_traffic_file
from modelcycle.collect.traffic_rows import (
    MAX_TRAFFIC_ROWS,
    TrafficColumns,
    TrafficRows,
    create_known,
    create_no_rows,
    create_predictions,
    create_traffic_rows,
)
from modelcycle.contract import Contract
from modelcycle.engine import Engine, connect
from modelcycle.faults import Unknown
from modelcycle.messages import PulledFile
from modelcycle.model.signature import Signature
from modelcycle.pseudonyms import Macs
from modelcycle.registry import Registry
from modelcycle.registry.table import retry_when_raced
from modelcycle.spec import Pipeline
from modelcycle.sql_literal import literal
from modelcycle.store import ChangingStore, Listed, Store

DAY_CHARACTERS = len("2026-11-29")
MAX_REPEATED = timedelta(days=7)  # between two captures of one prediction


class PulledTraffic(NamedTuple):
    """The files that are new, and what people should know, as sentences."""

    files: list[PulledFile]
    notes: list[str]


@retry_when_raced
def pull_traffic(
    pipeline: Pipeline,
    *,
    data: ChangingStore,
    artifacts: Store,
    registry: Registry,
    now: datetime,
    keys: Macs | None = None,
) -> PulledTraffic:
    """Land the labelled live requests of the last `monitoring.labels_days` days.

    They are written as the contract of the live version reads the files. Nothing is read if neither captures nor
    outcomes have changed since the last pull.

    Parameters
    ----------
    data : the bucket of captures and outcomes, and for the landed files
    artifacts : the bucket of the live version's contract
    keys : of pseudonyms, if ids are personal

    Raises
    ------
    Raced : other pulls were faster at each attempt
    """
    nothing = PulledTraffic([], [])
    if not pipeline.retraining.traffic:
        return nothing
    since = now - timedelta(days=pipeline.monitoring.labels_days)
    outcomes = select_recent_outcomes(data, pipeline.name, since)
    landed = LandedFiles(pipeline.name, TRAFFIC, f"traffic with outcomes of {pipeline.target}", data, registry.landings)
    if not outcomes.objects and not landed.files:
        return nothing
    champion = registry.routes.get(pipeline.name).champion
    if champion is None:
        return nothing
    version = registry.versions.get(pipeline.name, champion)
    if version.contract is None or artifacts.missing([version.contract, version.signature]):
        return PulledTraffic([], [f"live traffic is not learned from: version {champion} has no contract"])
    contract = Contract.model_validate_json(artifacts.read(version.contract))
    signature = Signature.model_validate_json(artifacts.read(version.signature))
    if contract.target.name != pipeline.target:
        told = f"version {champion} predicts {contract.target.name[:60]!r}, the pipeline file {pipeline.target[:60]!r}"
        return PulledTraffic([], [f"live traffic is not learned from: {told}"])
    captures = {}
    if outcomes.objects:
        captures = captures_by_hour(data, pipeline.name, hour_of(since), hour_of(now) + timedelta(hours=2))
    broken = broken_times(registry.incidents.latest(pipeline.name))
    watermark = _mark(contract, broken, [*outcomes.objects, *(one for objects in captures.values() for one in objects)])
    if watermark == landed.watermark:
        return nothing
    columns = TrafficColumns(
        contract.terms(),
        pipeline.target,
        signature.task != "regression",
        pipeline.time_column,
        tuple(contract.missing_values),
    )
    with TemporaryDirectory() as name, connect(Path(name), "pull") as engine:
        folder = Path(name)
        found = TrafficRows(0, [], [])
        if outcomes.objects:
            window = open_window(data, pipeline.name, since, now, folder / "captures")
            found = _join(engine, data, signature, columns, outcomes, window, broken, folder, keys)
            for path in window.files:
                path.unlink()
        if not found.rows:
            create_no_rows(engine, columns)
        days = _write_days(engine, landed, columns, found.sent, broken, since, folder)
    every = [file for _, file in sorted((_by_day(landed) | days).items()) if file.rows]
    files = landed.record(every, watermark) if every or landed.files else []
    # the watermark is a hash, which says nothing to people
    return PulledTraffic([file.model_copy(update={"watermark": None}) for file in files], found.notes)


def _by_day(landed: LandedFiles) -> dict[str, LandedFile]:
    return {file.key.removeprefix(landed.prefix)[:DAY_CHARACTERS]: file for file in landed.files}


def _mark(contract: Contract, broken: Sequence[BrokenTime], objects: Sequence[Listed]) -> str:
    """Return the hash of all that the rows depend on."""
    readings = [column.model_dump(include={"name", "type", "format", "true", "false"}) for column in contract.columns]
    times = [[start, None if math.isinf(end) else end] for start, end in broken]
    content = json.dumps([readings, times, [[listed.key, listed.etag] for listed in objects]], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def _join(
    engine: Engine, data: Store, signature: Signature, columns: TrafficColumns, outcomes: Selection, window: Window,
    broken: Sequence[BrokenTime], folder: Path, keys: Macs | None,
) -> TrafficRows:  # fmt: skip
    """Create `traffic_rows`, if there is any."""
    told = OutcomeColumns.of(signature)
    told.give_key(engine, keys, signature.model)
    read = read_outcomes(engine, data, outcomes.objects, folder, told)
    engine.execute("SET parquet_metadata_cache = true")  # else each query reads the footers of all files again
    window.create_rows(engine, "answers")
    create_predictions(engine, window.cells, told)
    matched = match_outcomes(engine, signature, columns.readings[columns.target])
    notes = [*told_as_sentences(read, matched, signature), *window.notes]
    if window.left_out:
        (first,) = engine.execute("""SELECT strftime(min("at"), '%Y-%m-%d %H:%M') FROM answers""").fetchone()
        notes.append(f"live requests are learned from that were asked since {first} UTC")
    if outcomes.left_out:
        notes.append(f"only the newest {len(outcomes.objects):,} objects with outcomes are read")
    known = create_known(engine, broken)
    (wrong,) = engine.execute(f"SELECT count(*) FROM matched WHERE {asked_in(broken, 'epoch(asked)')}").fetchone()
    if wrong:
        notes.append(
            f"live requests that are not learned from, because the values of that time were wrong: {wrong:,}"
            f" (`modelcycle incidents {signature.model}`)"
        )
    if known >= MAX_TRAFFIC_ROWS:
        notes.append(f"only the newest {MAX_TRAFFIC_ROWS:,} labelled predictions are read")
    if not known:
        return TrafficRows(0, [], notes)
    fields = {field.name for field in signature.fields}
    found = create_traffic_rows(engine, columns, window.cells, fields, folder)
    return found._replace(notes=[*notes, *found.notes])


def _write_days(
    engine: Engine, landed: LandedFiles, columns: TrafficColumns, sent: list[str], broken: Sequence[BrokenTime],
    since: datetime, folder: Path,
) -> dict[str, LandedFile]:  # fmt: skip
    """Write the file of each day that has rows, and of those of which an earlier file may hold wrong values."""
    kept = _fetch_kept(landed, since, broken, folder)
    _create_landing_rows(engine, kept)
    written: dict[str, LandedFile] = {}
    days = {day for (day,) in engine.execute("SELECT DISTINCT day FROM landing_rows").fetchall()}
    for day in sorted(days | {day for day in kept if any(time.touches(day) for time in broken)}):
        earlier = read_traffic_file(engine, kept[day]) if day in kept else None
        path = folder / f"{day}.parquet"
        rows = write_traffic_file(engine, day, columns.readings, sent, earlier, broken, path)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        key = f"{landed.prefix}{day}-{digest[:20]}.parquet"
        written[day] = LandedFile(key=key, artifact=landed.data.put(key, path), rows=rows)
        path.unlink()
    return written


def _fetch_kept(landed: LandedFiles, since: datetime, broken: Sequence[BrokenTime], folder: Path) -> dict[str, Path]:
    """Fetch the files before, by day, that may hold a prediction that is read again, or wrong values.

    A file that somebody has deleted is left out.
    """
    first = f"{since - MAX_REPEATED:%Y-%m-%d}"
    found: dict[str, Path] = {}
    for day, file in _by_day(landed).items():
        if day >= first or any(time.touches(day) for time in broken):
            try:
                found[day] = landed.data.fetch(file.artifact, folder)
            except Unknown:
                continue
    return found


def _create_landing_rows(engine: Engine, kept: Mapping[str, Path]) -> None:
    """Create the view `landing_rows`: those of `traffic_rows` whose prediction no file of another day has.

    A prediction that was captured twice is of another day once the first capture has become too old to be read.
    """
    engine.execute("CREATE TABLE kept_ids (day VARCHAR, prediction_id VARCHAR)")
    for day, path in kept.items():
        engine.execute(f"INSERT INTO kept_ids SELECT {literal(day)}, prediction_id FROM read_parquet({literal(path)})")
    engine.execute(
        """CREATE VIEW landing_rows AS FROM traffic_rows r WHERE NOT EXISTS (
             SELECT 1 FROM kept_ids k WHERE k.prediction_id = r.prediction_id AND k.day <> r.day)"""
    )
