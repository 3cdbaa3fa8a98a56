"""Predictions whose outcome is known: captured answers joined with what people have sent back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from modelcycle.captured import Cell, select_recent_outcomes
from modelcycle.captured.answer_rows import TEXT
from modelcycle.captured.outcome_rows import OutcomeColumns, OutcomeRows, key_sql, read_outcomes
from modelcycle.captured.outcomes import MatchedOutcomes, match_outcomes, told_as_sentences
from modelcycle.cells.column import Column
from modelcycle.model.columns import Texts
from modelcycle.model.labelled import MAX_LABELLED_ROWS, Labelled
from modelcycle.model.profile import ColumnProfile, Profile
from modelcycle.model.row_groups import column_groups
from modelcycle.model.signature import Signature
from modelcycle.model.slices import Slices
from modelcycle.model.typed_sql import fetch_batch
from modelcycle.pseudonyms import Macs
from modelcycle.store import Store
from modelcycle.summarize.traffic import Traffic, typed_sql

MAX_SLICED_COLUMNS = 60
MISSING = "(missing)"


class Joined(NamedTuple):
    """The labelled predictions, and what was left out, as sentences."""

    labelled: Labelled
    notes: list[str]


class _Group(NamedTuple):
    """A column whose groups are told.

    Parameters
    ----------
    cells : where its value may be; the first that has one counts
    """

    column: ColumnProfile
    cells: list[Cell]


def labels_since(end: datetime, labels_days: int) -> datetime:
    """Return from when on predictions are joined with outcomes."""
    return end - timedelta(days=labels_days)


def has_outcomes(data: Store, model: str, end: datetime, labels_days: int) -> bool:
    """Return whether anybody has sent outcomes that may count; without them, the predictions need not be read."""
    return bool(select_recent_outcomes(data, model, _arrived_since(end, labels_days)).objects)


def join_labelled(
    traffic: Traffic, data: Store, signature: Signature, profile: Profile, *, end: datetime,
    labels_days: int, sensitive: Sequence[str], folder: Path, keys: Macs | None = None,
) -> Joined:  # fmt: skip
    """Join the predictions of a time with their outcomes, each once, the newest MAX_LABELLED_ROWS.

    The classes, columns and id columns are those of one version, the champion. Predictions of other versions count as
    far as they have a probability for each of its classes.

    Parameters
    ----------
    traffic : of all versions, from `labels_since` to `end`
    data : the bucket with outcomes
    profile : of the champion's training rows; says how the texts of its columns are read
    end : of the time
    labels_days : its length; outcomes are not waited for longer
    sensitive : columns of which the outcomes or the requests may tell the group
    folder : for the work; the caller removes it
    keys : of pseudonyms, if ids are personal
    """
    engine = traffic.engine
    selection = select_recent_outcomes(data, signature.model, _arrived_since(end, labels_days))
    columns = OutcomeColumns.of(signature, [*sensitive])
    columns.give_key(engine, keys, signature.model)
    read = read_outcomes(engine, data, selection.objects, folder, columns)
    _create_predictions(traffic, columns)
    matched = match_outcomes(engine, signature, profile.target)
    groups = _sensitive_columns(traffic, profile, sensitive)
    sliced = _sliced_columns(traffic, profile, signature)
    shown = sliced[:MAX_SLICED_COLUMNS]
    dropped = _create_rows(traffic, signature, [*groups, *shown], profile.missing_values)
    labelled = _fetch(traffic, signature, groups, shown, len(sliced) - len(shown))
    notes = told_as_sentences(read, matched, signature)
    if selection.left_out:
        notes.append(f"only the newest {len(selection.objects):,} objects with outcomes were read")
    if dropped:
        notes.append(
            f"predictions with an outcome, but without probabilities of the live version's classes: {dropped:,}"
        )
    if matched.known - dropped > MAX_LABELLED_ROWS:
        notes.append(
            f"of {matched.known - dropped:,} predictions with an outcome, the newest {MAX_LABELLED_ROWS:,} are measured"
        )
    labelled.counts.update(_counts(read, matched, dropped))
    return Joined(labelled, notes)


def _arrived_since(end: datetime, labels_days: int) -> datetime:
    """Return from when on objects may hold outcomes: an outcome arrives after its prediction.

    A look at a later moment than the present must not miss what arrived in the present.
    """
    return labels_since(min(end, datetime.now(UTC)), labels_days)


def _create_predictions(traffic: Traffic, columns: OutcomeColumns) -> None:
    """Create the table `predictions` of those that an outcome may belong to."""
    cells = {name: traffic.cells.get(name) for name in columns.ids}
    texts = {
        name: f"CASE WHEN NOT {cell.masked} THEN {cell.text} END" if cell else "NULL::VARCHAR"
        for name, cell in cells.items()
    }
    key = key_sql(columns.id_texts(texts))
    traffic.engine.execute(
        f"""CREATE OR REPLACE TABLE predictions AS
            SELECT id, key, asked
            FROM (SELECT prediction_id AS id, {key} AS key, "at" AS asked FROM {traffic.source})
            WHERE id IN (SELECT id FROM told WHERE id IS NOT NULL)
              OR key IN (SELECT key FROM told WHERE id IS NULL AND key IS NOT NULL)"""
    )


def _sensitive_columns(traffic: Traffic, profile: Profile, sensitive: Sequence[str]) -> list[_Group]:
    """Return the sensitive columns; what an outcome says of one comes before what the request said."""
    known = {column.name: column for column in profile.columns}
    found = []
    for number, name in enumerate(sensitive):
        column = known.get(name) or ColumnProfile(name=name, type="text", rows=0, missing=0, distinct=0, counts=[])
        told = Cell(f"g{number}", "NULL::DOUBLE", f"{TEXT}")
        asked = traffic.cells.get(name)
        found.append(_Group(column, [told, asked] if asked else [told]))
    return found


def _sliced_columns(traffic: Traffic, profile: Profile, signature: Signature) -> list[_Group]:
    """Return the columns that the model reads and requests hold, without ids and dates, which are always new."""
    read = {field.name for field in signature.fields if field.type != "datetime"} - {*signature.id_columns}
    return [
        _Group(column, [traffic.cells[column.name]])
        for column in profile.columns
        if column.name in read and column.name in traffic.cells
    ]


def _create_rows(traffic: Traffic, signature: Signature, groups: Sequence[_Group], missing: Sequence[str]) -> int:
    """Create the table `labelled_rows`; return how many predictions with an outcome it lacks, for want of scores.

    Its columns are id, asked, version, outcome, s0, s1 ... (scores) and v0, v1 ... (values of the groups' columns, NULL
    where missing, masked or of another type).

    Parameters
    ----------
    missing : texts that mean a missing value in every column
    """
    scores = _scores_sql(traffic, signature)
    typed = [
        typed_sql(cell, group.column, missing, f"_{number}_{place}")
        for number, group in enumerate(groups)
        for place, cell in enumerate(group.cells)
    ]
    values = [_first_value(number, len(group.cells)) for number, group in enumerate(groups)]
    listed = [f"({sql})::FLOAT AS s{number}" for number, sql in enumerate(scores)]
    kept = ["id", "asked", "version", "outcome", *(f"s{number}" for number in range(len(scores)))]
    engine = traffic.engine
    engine.execute(
        f"""CREATE OR REPLACE TABLE unordered AS
            SELECT {", ".join([*kept, *values])}
            FROM (SELECT m.id, m.asked, t.version, m.value AS outcome, {", ".join([*listed, *typed])}
                  FROM {traffic.source} t JOIN matched m ON t.prediction_id = m.id)
            WHERE {" AND ".join(f"isfinite(s{number})" for number in range(len(scores)))}"""
    )
    engine.execute(
        f"""CREATE OR REPLACE TABLE labelled_rows AS
            FROM (FROM unordered ORDER BY asked DESC, id DESC LIMIT {MAX_LABELLED_ROWS}) ORDER BY asked, id"""
    )
    (dropped,) = engine.execute("SELECT (SELECT count(*) FROM matched) - (SELECT count(*) FROM unordered)").fetchone()
    engine.execute("DROP TABLE unordered")
    return int(dropped)


def _first_value(number: int, cells: int) -> str:
    present = [f"CASE WHEN NOT masked_{number}_{place} THEN value_{number}_{place} END" for place in range(cells)]
    return f"coalesce({', '.join(present)}) AS v{number}"


def _scores_sql(traffic: Traffic, signature: Signature) -> list[str]:
    if signature.task == "regression":
        return ["try_cast(t.prediction AS DOUBLE)"]
    return [traffic.probabilities.get(name, "NULL") for name in signature.classes]


def _fetch(
    traffic: Traffic, signature: Signature, sensitive: Sequence[_Group], sliced: Sequence[_Group], left_out: int
) -> Labelled:
    width = len(_scores_sql(traffic, signature))
    arrays = traffic.engine.execute(
        f"""SELECT epoch(asked)::DOUBLE AS "at", version, outcome::DOUBLE AS outcome,
              {", ".join(f"s{number}" for number in range(width))} FROM labelled_rows"""
    ).fetchnumpy()
    filled = {name: np.ma.filled(values) for name, values in arrays.items()}
    rows = len(filled["at"])
    scores = np.column_stack([filled[f"s{number}"] for number in range(width)]).astype(np.float32)
    return Labelled(
        at=filled["at"].astype(np.float64), version=filled["version"].astype(np.int32),
        scores=scores.reshape(rows, width), outcome=filled["outcome"].astype(np.float64),
        slices=_groups_of(traffic, sliced, len(sensitive), rows, left_out),
        groups=_groups_of(traffic, sensitive, 0, rows, 0), predicted=_predicted(traffic),
    )  # fmt: skip


def _groups_of(traffic: Traffic, groups: Sequence[_Group], first: int, rows: int, left_out: int) -> Slices:
    """Return the groups of the rows, column by column; columns with a single group are skipped.

    Parameters
    ----------
    first : number of the first of these columns in `labelled_rows`
    """
    names: list[str] = []
    found: list[list[str]] = []
    codes = []
    for number, group in enumerate(groups, first):
        kind = group.column.type
        values = fetch_batch(traffic.engine, {"value": (f"v{number}", kind)}, "labelled_rows")["value"]
        texts = column_groups(values, Column(name=group.column.name, type=kind))
        column_codes, levels = _whole(texts)
        if len(levels) > 1:
            names.append(group.column.name)
            found.append(levels)
            codes.append(column_codes)
    return Slices(names, found, np.array(codes, dtype=np.int8).reshape(len(codes), rows), left_out)


def _whole(texts: Texts) -> tuple[npt.NDArray[np.int32], list[str]]:
    """Return the group of each row, those without a value in one of their own."""
    if (texts.codes >= 0).all():
        return texts.codes, texts.levels
    return np.where(texts.codes < 0, np.int32(len(texts.levels)), texts.codes), [*texts.levels, MISSING]


def _predicted(traffic: Traffic) -> dict[str, dict[str, int]]:
    """Return the rows of all predictions by day and version."""
    counted = traffic.engine.execute(
        f"""SELECT strftime("at", '%Y-%m-%d') AS day, version::VARCHAR, count(*) FROM {traffic.source}
            GROUP BY ALL ORDER BY ALL"""
    ).fetchall()
    days: dict[str, dict[str, int]] = {}
    for day, version, rows in counted:
        days.setdefault(day, {})[version] = rows
    return days


def _counts(read: OutcomeRows, matched: MatchedOutcomes, dropped: int) -> dict[str, int]:
    counts: Mapping[str, int] = {
        "rows": read.rows, "without id or outcome": read.incomplete, "unread objects": read.unread,
        "objects without outcomes": read.without,
        "known": matched.known, "unknown": matched.unknown, "twice": matched.twice,
        "contradictory": matched.contradictory, "out of order": matched.out_of_order,
        "before the prediction": matched.early, "after arrival": matched.ahead,
        "of another type": matched.other, "without probabilities": dropped,
    }  # fmt: skip
    return {name: number for name, number in counts.items() if number}
