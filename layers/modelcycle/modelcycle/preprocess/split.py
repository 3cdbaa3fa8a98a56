"""Splits the rows into training, validation and test rows, and the first two into folds.

Units, see `grouping`, are ordered by their hash within each class (of a regression: within ranges of the target), and
the last ones of each are test rows. So a part has every class by its share, and a unit stays in its part when rows are
added, moved or written otherwise, as far as the shares allow. With a `time_column`, the newest rows are the test rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from modelcycle.engine import create_ordered
from modelcycle.faults import BadData
from modelcycle.model.npz import Chunks, spans
from modelcycle.spec import Pipeline, Task

CaseKind = Literal["features", "group", "row"]

PARTS = ("train", "validation", "test")
VALIDATION_SHARE = 0.125
MIN_TEST_SHARE = 0.125
MAX_TEST_SHARE = 0.3
FULL_CASES = 5000  # from which the test part has its lowest share
FOLDS = 5
TIME_BLOCKS = 6  # expanding windows: train on the blocks before the one that is judged
OLDER = 254  # before the window that the run learns from, see `window`
NOT_KEPT = 255
NEVER_JUDGES = 255  # fold of rows from which each fold's model learns
MAX_TARGET_RANGES = 10  # strata of a regression
MIN_RANGE_UNITS = 20
MIN_TIMES = 3  # one for each part


def test_share(cases: int) -> float:
    """Return the share of the test part: it grows with the root of the cases, so neither training nor the test is
    starved.

    >>> [round(test_share(cases), 3) for cases in (500, 1000, 2000, 5000, 100_000)]
    [0.3, 0.28, 0.198, 0.125, 0.125]
    """
    return min(MAX_TEST_SHARE, max(MIN_TEST_SHARE, MIN_TEST_SHARE * math.sqrt(FULL_CASES / max(cases, 1))))


def create_parts(engine: Any, pipeline: Pipeline, task: Task, cases: int, kind: CaseKind) -> list[str]:
    """Create `row_parts` (row_id, part, fold, unit) for all rows of `clean_rows`; part is NULL if a row is not kept,
    and OLDER if it is before the window.

    Parameters
    ----------
    cases : independent ones, from which the share of the test part follows
    kind : of the cases

    Returns
    -------
    notes for people

    Raises
    ------
    BadData : the time column has too few times
    """
    share = test_share(cases)
    notes: list[str] = []
    if pipeline.time_column is not None:
        _create_time_parts(engine, pipeline, share)
        placed = "unit_rows JOIN times USING (time)"
        notes = _divided_units(engine, kind)
    else:
        _create_unit_parts(engine, task, share)
        if task != "regression":
            _make_room(engine)
        _create_folds(engine)
        placed = "unit_rows JOIN units USING (unit)"
    left_out = f"""SELECT row_id, CASE WHEN older_rows.row_id IS NOT NULL THEN {OLDER} END, NULL, NULL
        FROM clean_rows ANTI JOIN valid_rows USING (row_id) LEFT JOIN older_rows USING (row_id)"""
    create_ordered(engine, "row_parts", f"SELECT row_id, part, fold, unit FROM {placed} UNION ALL {left_out}")
    return notes


def count_parts(engine: Any, pipeline: Pipeline, task: Task) -> tuple[int, int, int]:
    """Return the numbers of training, validation and test rows.

    Raises
    ------
    BadData : a part has no row, or not every class that it needs: training needs all, of two classes every part both
    """
    rows = dict.fromkeys(PARTS, 0)
    classes = dict.fromkeys(PARTS, 0)
    for part, n_rows, n_classes in engine.execute(
        """SELECT part, count(*), count(DISTINCT target) FROM unit_rows JOIN row_parts USING (row_id)
           GROUP BY part ORDER BY part"""
    ).fetchall():
        rows[PARTS[part]], classes[PARTS[part]] = n_rows, n_classes
    all_classes = engine.execute("SELECT count(DISTINCT target) FROM unit_rows").fetchone()[0]
    for part in PARTS:
        needs_all = task == "binary" or (task == "multiclass" and part == "train")
        absent = all_classes - classes[part]
        if not rows[part] or (needs_all and absent):
            by_time = pipeline.time_column is not None
            what = f"no row of {absent:,} of the {all_classes:,} classes" if rows[part] else "no row"
            order = f", ordered by {pipeline.time_column}" if by_time else ""
            raise BadData(
                f"of {sum(rows.values()):,} rows{order}, the {part} part would get {rows[part]:,}, with {what}",
                f"raw/{pipeline.name}/",
                "upload rows over a longer period, or remove time_column" if by_time else "upload more rows",
            )
    return rows["train"], rows["validation"], rows["test"]


def parts_of_rows(engine: Any, rows: int) -> Chunks:
    """Return the part of every row of the snapshot, uint8 (n,): also OLDER, or NOT_KEPT."""
    return Chunks(rows, _pieces(engine, f"SELECT coalesce(part, {NOT_KEPT})::UTINYINT AS v FROM row_parts", rows))


def folds_of_part(engine: Any, part: int, rows: int) -> Chunks:
    """Return the fold of each row of a part, in order, uint8 (n,); NEVER_JUDGES for rows without a group."""
    query = f"SELECT fold::UTINYINT AS v FROM row_parts WHERE part = {part}"
    return Chunks(rows, _pieces(engine, query, rows))


def _pieces(engine: Any, query: str, rows: int) -> Iterator[npt.NDArray[Any]]:
    """Yield `v` of a query over `row_parts`, whose rows are in order."""
    for span in spans(rows):
        found = engine.execute(f"{query} LIMIT {len(span)} OFFSET {span.start}").fetchnumpy()["v"]
        yield np.ma.getdata(found)


def units_of_part(engine: Any, part: int, max_rows: int | None = None) -> npt.NDArray[np.uint64]:
    """Return the unit of each row of a part, or of its first rows, in order, uint64 (n,)."""
    limit = "" if max_rows is None else f" LIMIT {max_rows}"
    units = engine.execute(f"SELECT unit FROM row_parts WHERE part = {part}{limit}")  # they are in order
    return np.ma.getdata(units.fetchnumpy()["unit"])


def clusters_of_part(engine: Any, part: int) -> npt.NDArray[np.int32]:
    """Return a number for the unit of each row of a part, in order, int32 (n,)."""
    units = units_of_part(engine, part)
    units.sort()  # np.unique hashes, in several times the memory
    clusters = np.empty(len(units), dtype=np.int32)
    distinct = units[np.concatenate(([True], units[1:] != units[:-1]))]
    del units
    start = 0
    for piece in _pieces(engine, f"SELECT unit AS v FROM row_parts WHERE part = {part}", len(clusters)):
        clusters[start : start + len(piece)] = np.searchsorted(distinct, piece)
        start += len(piece)
    return clusters


def _create_unit_parts(engine: Any, task: Task, share: float) -> None:
    """Create `units` (unit, rows, stratum, part).

    A unit's stratum is the rarest of its classes, so that these are spread as well as they can be. A unit that is
    larger than half of the test part trains: a part with it would be about this one unit. So do rows without a group,
    where there are groups: they may be of any.
    """
    rows = engine.execute("SELECT count(*) FROM unit_rows").fetchone()[0]
    if task == "regression":
        engine.execute(
            """CREATE TABLE unit_targets AS SELECT unit, count(*) AS rows, avg(target) AS target
               FROM unit_rows GROUP BY unit"""
        )
        query = f"SELECT unit, rows, {_range_sql(engine)} AS stratum FROM unit_targets"
    else:
        query = """SELECT unit, count(*) AS rows, min(rarity) AS stratum FROM unit_rows JOIN
                     (SELECT value AS target, row_number() OVER (ORDER BY rows, code) AS rarity FROM classes)
                     USING (target) GROUP BY unit"""
    large = share / 2 * rows
    engine.execute(
        f"""CREATE TABLE measured_units AS
            SELECT *, rows <= {large} AND unit NOT IN (SELECT unit FROM ungrouped_units) AS judges FROM ({query})"""
    )
    rest = engine.execute("SELECT coalesce(sum(rows), 0) FROM measured_units WHERE judges").fetchone()[0]
    scale = rows / max(rest, 1)
    test = min(share * scale, 0.45)
    validation = min(VALIDATION_SHARE * scale, 0.2)
    engine.execute(
        f"""CREATE TABLE units AS
            SELECT unit, rows, stratum, CASE WHEN position < {1 - test - validation} THEN 0
              WHEN position < {1 - test} THEN 1 ELSE 2 END::UTINYINT AS part
            FROM (SELECT *, (sum(rows) OVER (PARTITION BY stratum ORDER BY unit ROWS UNBOUNDED PRECEDING) - rows / 2)
                    / sum(rows) OVER (PARTITION BY stratum) AS position FROM measured_units WHERE judges)
            UNION ALL SELECT unit, rows, stratum, 0::UTINYINT FROM measured_units WHERE NOT judges"""
    )


def _range_sql(engine: Any) -> str:
    """Return SQL for the number of the range in which a unit's mean target is."""
    units = engine.execute("SELECT count(*) FROM unit_targets").fetchone()[0]
    ranges = max(1, min(MAX_TARGET_RANGES, units // MIN_RANGE_UNITS))
    shares = [number / ranges for number in range(1, ranges)]
    if not shares:
        return "0"
    edges = engine.execute(f"SELECT quantile_cont(target, {shares}) FROM unit_targets").fetchone()[0]
    return " + ".join(f"(target > {edge!r}::DOUBLE)::INTEGER" for edge in sorted(set(edges)))


def _make_room(engine: Any) -> None:
    """Move units into parts that have none of a class, from the part that has most units of it.

    Only classes with few units can be absent from a part, so few rows are read.
    """
    classes = engine.execute("SELECT value FROM classes ORDER BY rows, code").fetchall()
    engine.execute(
        """CREATE TABLE unit_classes AS
           SELECT DISTINCT unit, target FROM unit_rows ANTI JOIN ungrouped_units USING (unit)"""
    )
    counts = {
        (target, part): units
        for target, part, units in engine.execute(
            "SELECT target, part, count(*) FROM unit_classes JOIN units USING (unit) GROUP BY target, part"
        ).fetchall()
    }
    for (target,) in classes:
        for part in (0, 2, 1):
            if counts.get((target, part)):
                continue
            giver = max((0, 1, 2), key=lambda other: counts.get((target, other), 0))
            if counts.get((target, giver), 0) < 2:
                continue
            # rather a unit with no other class, which that part may need as well
            unit = engine.execute(
                """SELECT unit FROM units JOIN unit_classes USING (unit)
                   WHERE part = $1 AND target = $2
                   ORDER BY (SELECT count(*) FROM unit_classes others WHERE others.unit = units.unit), rows, unit
                   LIMIT 1""",
                [giver, target],
            ).fetchone()[0]
            engine.execute("UPDATE units SET part = $1 WHERE unit = $2", [part, unit])
            for (moved,) in engine.execute("SELECT target FROM unit_classes WHERE unit = $1", [unit]).fetchall():
                counts[moved, giver] -= 1
                counts[moved, part] = counts.get((moved, part), 0) + 1


def _create_folds(engine: Any) -> None:
    """Add the column `fold` to `units`: for those of the test part NULL, for those that judge no fold NEVER_JUDGES.

    The order within a class is by other bits of the hash than those that decided the part; each class begins with
    another fold, so that rare classes do not all lack the same one.
    """
    engine.execute(
        f"""CREATE OR REPLACE TABLE units AS
            SELECT unit, part,
              CASE WHEN part < 2 AND unit IN (SELECT unit FROM ungrouped_units) THEN {NEVER_JUDGES}
                WHEN part < 2 THEN (floor({FOLDS} * position)::INTEGER + 2 * stratum) % {FOLDS} END AS fold
            FROM (SELECT *, (sum(rows) OVER earlier - rows / 2) / sum(rows) OVER (PARTITION BY part < 2, stratum)
                    AS position FROM units
                  WINDOW earlier AS (PARTITION BY part < 2, stratum ORDER BY unit % 4294967296, unit
                                     ROWS UNBOUNDED PRECEDING))"""
    )


def _create_time_parts(engine: Any, pipeline: Pipeline, share: float) -> None:
    """Create `times` (time, part, fold): rows of the same time are in one part, and in one block."""
    engine.execute(
        """CREATE TABLE ranked_times AS SELECT time, (sum(rows) OVER earlier - rows) / sum(rows) OVER () AS position,
             row_number() OVER earlier AS number FROM (SELECT time, count(*) AS rows FROM unit_rows GROUP BY time)
           WINDOW earlier AS (ORDER BY time ROWS UNBOUNDED PRECEDING)"""
    )
    times = engine.execute("SELECT count(*) FROM ranked_times").fetchone()[0]
    if times < MIN_TIMES:
        raise BadData(
            f"time_column {pipeline.time_column!r} has {times} different {'time' if times == 1 else 'times'};"
            f" at least {MIN_TIMES} are needed to train on older rows and judge on newer ones",
            f"pipelines/{pipeline.name}.yaml: time_column", "upload rows over a longer period, or remove time_column",
        )  # fmt: skip
    nearest = """SELECT number, position FROM ranked_times WHERE number BETWEEN $1 AND $2
                 ORDER BY abs(position - $3), number LIMIT 1"""
    test, test_position = engine.execute(nearest, [MIN_TIMES, times, 1 - share]).fetchone()
    validation, _ = engine.execute(nearest, [2, test - 1, test_position - VALIDATION_SHARE]).fetchone()
    engine.execute(
        f"""CREATE TABLE times AS SELECT time,
              CASE WHEN number < {validation} THEN 0 WHEN number < {test} THEN 1 ELSE 2 END::UTINYINT AS part,
              CASE WHEN number < {test} THEN floor({TIME_BLOCKS} * position / {test_position})::INTEGER END AS fold
            FROM ranked_times"""
    )


def _divided_units(engine: Any, kind: CaseKind) -> list[str]:
    """Return the note on groups, or copies of rows, that a split by time divides."""
    if kind == "row":
        return []
    divided, test = engine.execute(
        """WITH placed AS (SELECT unit, part FROM unit_rows JOIN times USING (time))
           SELECT count(*) FILTER (unit IN (SELECT unit FROM placed WHERE part < 2)), count(*)
           FROM placed WHERE part = 2"""
    ).fetchone()
    if not divided:
        return []
    have = "are of a group with" if kind == "group" else "have the features of"
    return [f"the split follows time_column: {divided:,} of {test:,} test rows {have} older training rows"]
