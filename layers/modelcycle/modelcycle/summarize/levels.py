"""Columns of texts, booleans and dates. Their values are counted in DuckDB: there may be as many as rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from modelcycle.captured import Cell
from modelcycle.engine import Engine
from modelcycle.model.bins import HASH_BINS, level_labels, short
from modelcycle.model.columns import Texts
from modelcycle.model.profile import ColumnProfile
from modelcycle.model.window import Side
from modelcycle.summarize.held import Held
from modelcycle.summarize.rows import Rows
from modelcycle.summarize.traffic import VALUE, typed_rows

MAX_NEW = 10  # values that the reference does not hold are listed
MAX_GROUPED = 16  # columns that are grouped in one reading
GROUPED = Cell(text="text", number="NULL", kind="kind")


@dataclass(frozen=True)
class LevelReference:
    """The texts of a column's reference.

    Parameters
    ----------
    frequent : those with a bin of their own
    others : number of bins for all other texts, by their hash
    known : the texts that the reference holds
    rows : of each of them
    is_whole : whether `known` are all of them
    missing : rows without one
    """

    frequent: list[str]
    others: int
    known: list[str]
    rows: list[int]
    is_whole: bool = True
    missing: int = 0

    @property
    def labels(self) -> list[str]:
        """Names of the bins."""
        return level_labels(self.frequent, self.others)


def reference_of_texts(texts: Texts, profile: ColumnProfile) -> LevelReference:
    """Return the reference of a column of texts (n,); the profile of the training rows says which are frequent."""
    import numpy as np

    counts = np.bincount(texts.codes[texts.codes >= 0], minlength=len(texts.levels))
    held = np.flatnonzero(counts)
    return LevelReference(
        profile.levels, HASH_BINS, [texts.levels[code] for code in held], counts[held].tolist(),
        missing=len(texts) - int(counts.sum()),
    )  # fmt: skip


def reference_of_profile(profile: ColumnProfile) -> LevelReference:
    """Return what the profile of the training rows knows of a column of texts."""
    return LevelReference(
        profile.levels, 1, profile.levels, profile.counts[: len(profile.levels)],
        is_whole=profile.distinct <= len(profile.levels), missing=profile.missing,
    )  # fmt: skip


def create_known(engine: Engine, reference: LevelReference) -> None:
    """Create the table `known` of the reference's texts, and `frequent` of those with a bin of their own."""
    engine.execute(
        "CREATE OR REPLACE TEMP TABLE frequent AS SELECT unnest($1::VARCHAR[]) AS value,"
        " unnest(range(len($1::VARCHAR[]))) AS bin", [reference.frequent],
    )  # fmt: skip
    engine.execute(
        "CREATE OR REPLACE TEMP TABLE known AS SELECT unnest($1::VARCHAR[]) AS value, unnest($2::BIGINT[]) AS w0",
        [reference.known, reference.rows],
    )


def group_cells(rows: Rows, cells: Sequence[Cell]) -> None:
    """Create the table `grouped` of what the requests hold of some columns, all counted in one reading.

    Its columns are `place` (of the column in `cells`), `text`, `kind`, and the rows of each window (w0, w1 ...).

    Parameters
    ----------
    cells : at most MAX_GROUPED
    """
    places = range(len(cells))
    given = [f"{cell.text} AS text{n}, {cell.kind} AS kind{n}" for n, cell in enumerate(cells)]
    given += [f"{window} AS in{n}" for n, window in enumerate(rows.windows)]
    texts, kinds = (", ".join(f"{name}{n}" for n in places) for name in ("text", "kind"))
    sets = ", ".join(f"(text{n}, kind{n})" for n in places)
    # a bit for each column that is not grouped by
    all_bits = 2 ** len(cells) - 1
    by = " ".join(f"WHEN {all_bits - 2 ** (len(cells) - 1 - n)} THEN {n}" for n in places)
    counts = ", ".join(f"count(*) FILTER (in{n}) AS w{n}" for n in range(len(rows.windows)))
    rows.engine.execute(
        f"""CREATE OR REPLACE TEMP TABLE grouped AS
            SELECT CASE GROUPING({texts}) {by} END AS place, coalesce({texts}, NULL) AS text,
              coalesce({kinds}, NULL) AS kind, {counts}
            FROM (SELECT {", ".join(given)} FROM {rows.source}) GROUP BY GROUPING SETS ({sets})"""
    )


def create_counts(
    engine: Engine, place: int, windows: int, profile: ColumnProfile, missing_values: Sequence[str]
) -> None:
    """Create the table `counted` of a column of `grouped`: rows by value, by what the request held, and by window."""
    kept = {f"w{n}": f"w{n}" for n in range(windows)}
    typed = typed_rows(f"(FROM grouped WHERE place = {place})", [(GROUPED, profile)], missing_values, kept)
    sums = ", ".join(f"sum({name})::BIGINT AS {name}" for name in kept)
    engine.execute(
        f"""CREATE OR REPLACE TEMP TABLE counted AS
            SELECT value0 AS value, held0 AS held, {sums} FROM {typed} GROUP BY 1, 2"""
    )


def held_counts(engine: Engine, windows: int) -> list[Held]:
    """Return how many requests of each window held what of the column of `counted`."""
    sums = ", ".join(f"sum(w{n})::BIGINT" for n in range(windows))
    found = engine.execute(f"SELECT held, {sums} FROM counted GROUP BY held").fetchall()
    return [Held({held: sums[n] for held, *sums in found}) for n in range(windows)]


def text_sides(engine: Engine, reference: LevelReference, table: str, held: Sequence[Held]) -> list[Side]:
    """Return the sides of a column of texts.

    Parameters
    ----------
    table : `known` or `counted`
    held : of each window
    """
    values = f"{table} AS found" if table == "known" else f"(FROM {table} WHERE held = {VALUE}) AS found"
    bins = len(reference.frequent)
    unknown = "known.value IS NULL" if reference.is_whole else "false"
    each = ", ".join(
        f"sum(found.w{n})::BIGINT, coalesce(sum(found.w{n}) FILTER ({unknown}), 0)::BIGINT,"
        f" count(*) FILTER (found.w{n} > 0), count(*) FILTER (found.w{n} = 1)"
        for n in range(len(held))
    )
    rows = engine.execute(
        f"""SELECT coalesce(frequent.bin, {bins} + md5_number_lower(found.value) % {reference.others})::INTEGER, {each}
            FROM {values} LEFT JOIN known ON known.value = found.value
              LEFT JOIN frequent ON frequent.value = found.value GROUP BY 1"""
    ).fetchall()
    return [
        _text_side(bins + reference.others, [(row[0], *row[1 + 4 * n : 5 + 4 * n]) for row in rows], one)
        for n, one in enumerate(held)
    ]


def _text_side(bins: int, found: list[Any], held: Held) -> Side:
    counts = [0] * bins
    for number, rows, *_ in found:
        counts[number] = rows
    unknown, distinct, once = (sum(row[place] for row in found) for place in (2, 3, 4))
    return Side(counts=counts, unknown=unknown, distinct=distinct, once=once, **held.fields)


def new_texts(engine: Engine, reference: LevelReference, windows: int) -> list[list[tuple[str, int]]]:
    """Return the most frequent texts of each window that the reference does not hold, with their rows."""
    if not reference.is_whole:
        return [[] for _ in range(windows)]
    return [
        [
            (short(text), rows)
            for text, rows in engine.execute(
                f"""SELECT value, w{n} FROM counted ANTI JOIN known USING (value)
                    WHERE held = {VALUE} AND w{n} > 0 ORDER BY w{n} DESC, value LIMIT {MAX_NEW}"""
            ).fetchall()
        ]
        for n in range(windows)
    ]


def boolean_sides(engine: Engine, held: Sequence[Held]) -> list[Side]:
    """Return the sides of the column of true and false in `counted`."""
    sums = ", ".join(f"sum(w{n})::BIGINT" for n in range(len(held)))
    rows = engine.execute(f"SELECT value, {sums} FROM counted WHERE held = {VALUE} GROUP BY value").fetchall()
    found = {bool(value): counts for value, *counts in rows}
    return [boolean_side([found[truth][n] if truth in found else 0 for truth in (False, True)], one)
            for n, one in enumerate(held)]  # fmt: skip


def boolean_side(counts: list[int], held: Held) -> Side:
    """Return the side of false and true."""
    return Side(
        counts=counts, distinct=sum(count > 0 for count in counts), once=sum(count == 1 for count in counts),
        **held.fields,
    )  # fmt: skip
