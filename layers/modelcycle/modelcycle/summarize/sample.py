"""Rows of the reference and of a window side by side, for what needs rows: the joint test, and the estimates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from modelcycle.cells.column import Column
from modelcycle.engine import batches
from modelcycle.model.columns import Texts, Values
from modelcycle.model.labelled import MISSING
from modelcycle.model.reference import Reference, sampled_positions
from modelcycle.model.row_groups import column_groups
from modelcycle.model.scoring import predicted_codes
from modelcycle.model.signature import Signature
from modelcycle.model.slices import Slices
from modelcycle.model.window import MAX_SAMPLE_ROWS, WindowSample
from modelcycle.summarize.columns import Watched
from modelcycle.summarize.rows import Rows
from modelcycle.summarize.traffic import typed_rows


@dataclass(frozen=True)
class Chosen:
    """The rows of a version that are in a sample.

    Parameters
    ----------
    row_ids : (n,), ascending, of those of all windows
    of_window : by the window's position in `Rows.windows`: positions in `row_ids`, in the order of their hashes
    """

    row_ids: npt.NDArray[np.int64]
    of_window: Mapping[int, npt.NDArray[np.int64]]


def choose_rows(rows: Rows, windows: Sequence[int], scores: Sequence[str]) -> Chosen:
    """Choose at most MAX_SAMPLE_ROWS rows of each window: those with all scores whose hashes are the smallest.

    Parameters
    ----------
    windows : positions in `rows.windows` of those that are sampled
    scores : see `scores_sql`
    """
    usable = " AND ".join(f"isfinite({score})" for score in scores)
    of_window = {
        window: rows.engine.execute(
            f"""SELECT row_id FROM {rows.source} WHERE {rows.windows[window]} AND {usable}
                ORDER BY hash(prediction_id), row_id LIMIT {MAX_SAMPLE_ROWS}"""
        ).fetchnumpy()["row_id"]
        for window in windows
    }
    together = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *of_window.values()]))
    return Chosen(together, {window: np.searchsorted(together, found) for window, found in of_window.items()})


def scores_sql(signature: Signature, probabilities: Mapping[str, str]) -> list[str]:
    """Return SQL of each score of a row.

    Parameters
    ----------
    probabilities : by class: SQL of its probability
    """
    if signature.task == "regression":
        return ["try_cast(prediction AS DOUBLE)::FLOAT"]
    return [f"({probabilities.get(name, 'NULL')})::FLOAT" for name in signature.classes]


class ChosenRows(NamedTuple):
    """Columns (n,) of the chosen rows, their scores (n, k), and what was answered (n,), None where it is not known."""

    columns: Mapping[str, Values]
    scores: npt.NDArray[np.float32]
    answered: npt.NDArray[np.object_]


def read_chosen(
    rows: Rows, chosen: Chosen, watched: Sequence[Watched], of_numbers: Mapping[str, npt.NDArray[Any]],
    scores: Sequence[str], missing_values: Sequence[str],
) -> ChosenRows:  # fmt: skip
    """Read the chosen rows.

    Parameters
    ----------
    of_numbers : the columns of numbers, which were read before
    """
    count = len(chosen.row_ids)
    columns: dict[str, Values] = dict(of_numbers)
    rows.engine.execute(
        "CREATE OR REPLACE TEMP TABLE chosen AS SELECT unnest($1::BIGINT[]) AS row_id", [chosen.row_ids.tolist()]
    )
    source = f"(FROM {rows.source} SEMI JOIN chosen USING (row_id))"
    scored = {f"score{n}": score for n, score in enumerate(scores)}
    found = {}
    others = [column for column in watched if column.cell and column.profile.type in ("text", "boolean")]
    for batch in [*batches(others)] or [[]]:
        sent = [(column.cell, column.profile) for column in batch if column.cell]
        typed = typed_rows(source, sent, missing_values, {"row_id": "row_id", "answered": "prediction", **scored})
        names = ["answered", *scored, *(f"value{n}" for n in range(len(batch)))]
        found = rows.fetch({name: name for name in names}, typed)
        for n, column in enumerate(batch):
            values = np.ma.asarray(found[f"value{n}"])
            columns[column.name] = (
                Texts.of(values.tolist())  # None where masked; `filled` would write "?"
                if column.profile.type == "text"
                else np.ma.filled(values.astype(np.float32), np.nan)
            )
    for column in watched:
        if column.profile.type == "text" and column.name not in columns:
            columns[column.name] = Texts(np.full(count, -1, np.int32), [])
        elif column.name not in columns:
            columns[column.name] = np.full(count, np.nan, np.float32)
    answered = np.array(np.ma.asarray(found["answered"]).tolist(), object)  # None where masked, as above
    return ChosenRows(columns, np.column_stack([found[name] for name in scored]), answered)


def make_sample(
    chosen: ChosenRows, order: npt.NDArray[np.int64], watched: Sequence[Watched], sensitive: Sequence[Watched],
    signature: Signature, reference: Reference,
) -> WindowSample:  # fmt: skip
    """Put the rows of a window beside those of the reference with the smallest hashes, at most MAX_SAMPLE_ROWS.

    Parameters
    ----------
    order : positions in `chosen` of the window's rows
    watched : columns of the sample
    sensitive : columns by which people are compared
    """
    positions = sampled_positions(reference.rows, MAX_SAMPLE_ROWS)
    columns, texts = [], []
    for column in watched:
        expected = reference.values(column.name)
        if expected is not None:
            sides = _taken(expected, positions), _taken(chosen.columns[column.name], order)
            columns.append((column.name, *_as_numbers(*sides)))
            texts.append(isinstance(expected, Texts))
    groups = [_groups(column, reference, positions, chosen.columns[column.name], order) for column in sensitive]
    known = [found for found in groups if found is not None]
    selected = signature.groups is not None and reference.cutoffs is not None
    before = [values for _, values, _ in columns]
    now = [values for _, _, values in columns]
    return WindowSample(
        names=[name for name, _, _ in columns],
        texts=np.array(texts, dtype=np.bool_),
        reference=np.column_stack(before) if before else np.zeros((len(positions), 0), dtype=np.float32),
        live=np.column_stack(now) if now else np.zeros((len(order), 0), dtype=np.float32),
        reference_scores=reference.scores[positions],
        live_scores=chosen.scores[order],
        target=reference.target[positions].astype(np.float32),
        reference_groups=_slices(known, 0),
        live_groups=_slices(known, 1),
        reference_selected=_selected(reference, positions) if selected else None,
        live_selected=chosen.answered[order] == signature.classes[1] if selected else None,
    )


class _Groups(NamedTuple):
    """The groups of a column by name, and their codes (rows,) on both sides."""

    column: str
    names: list[str]
    codes: tuple[npt.NDArray[np.int8], npt.NDArray[np.int8]]


def _groups(
    column: Watched, reference: Reference, positions: npt.NDArray[np.int64], live: Values, order: npt.NDArray[np.int64]
) -> _Groups | None:
    """Return the groups of both sides together, so that numbers are divided at the same edges."""
    expected = reference.values(column.name)
    if expected is None or isinstance(expected, Texts) != isinstance(live, Texts):
        return None
    before, now = _taken(expected, positions), _taken(live, order)
    both: Values
    if isinstance(before, Texts) and isinstance(now, Texts):
        both = Texts.of([*(text or None for text in before.strings()), *(text or None for text in now.strings())])
    else:
        both = np.concatenate([np.asarray(before), np.asarray(now)]).astype(np.float32)
    found = column_groups(both, Column(name=column.name, type=column.profile.type))
    codes = np.where(found.codes < 0, len(found.levels), found.codes).astype(np.int8)
    return _Groups(column.name, [*found.levels, MISSING], (codes[: len(positions)], codes[len(positions) :]))


def _slices(groups: Sequence[_Groups], side: int) -> Slices | None:
    if not groups:
        return None
    return Slices(
        [of.column for of in groups], [of.names for of in groups], np.array([of.codes[side] for of in groups])
    )


def _selected(reference: Reference, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    assert reference.cutoffs is not None
    codes = predicted_codes(reference.scores[positions], reference.cutoffs[positions])
    return np.asarray(codes == 1, dtype=np.bool_)


def _taken(values: Values, positions: npt.NDArray[np.int64]) -> Values:
    return Texts(values.codes[positions], values.levels) if isinstance(values, Texts) else values[positions]


def _as_numbers(before: Values, now: Values) -> tuple[np.ndarray, np.ndarray]:
    """Return both sides as float32 (n,), NaN without a value; texts as codes of levels that both share."""
    if not isinstance(before, Texts) or not isinstance(now, Texts):
        assert not isinstance(before, Texts) and not isinstance(now, Texts)
        return before.astype(np.float32), now.astype(np.float32)
    held = [_held(texts) for texts in (before, now)]
    levels = sorted({*held[0].values(), *held[1].values()})
    code_of = {level: code for code, level in enumerate(levels)}
    sides = []
    for texts, own in zip((before, now), held, strict=True):
        table = np.full(len(texts.levels) + 1, np.nan, dtype=np.float32)  # the last one of code -1
        table[[*own]] = [code_of[level] for level in own.values()]
        sides.append(table[texts.codes])
    return sides[0], sides[1]


def _held(texts: Texts) -> dict[int, str]:
    return {code: texts.levels[code] for code in np.unique(texts.codes).tolist() if code >= 0}
